//! An example firmware: a counter, ten times a second, as frames on the first UART (QEMU does not keep to cycles and sends
//! faster). It is the least that shows a board's half of the frame layer; what payloads say is not its matter.
//!
//! `cargo run --release` in this folder runs it in QEMU, with the serial line on the terminal.
#![no_std]
#![no_main]

mod uart;

use acclimate_wire::{MAX_FRAME, encode};
use cortex_m_rt::entry;

/// The board's clock after reset.
const CLOCK_HZ: u32 = 12_000_000;

#[entry]
fn main() -> ! {
    let mut line = [0; MAX_FRAME];
    let mut counter: u32 = 0;
    loop {
        if let Ok(frame) = encode(&counter.to_le_bytes(), &mut line) {
            uart::send(frame);
        }
        counter = counter.wrapping_add(1);
        cortex_m::asm::delay(CLOCK_HZ / 10);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Silence is what the host counts as loss; a watchdog would reset a real board here.
    loop {
        cortex_m::asm::wfi();
    }
}
