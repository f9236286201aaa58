//! The first UART (PL011) of an LM3S6965, to send only. QEMU needs no set-up of clocks, pins and baud rate; a board does.
//!
//! JUSTIFICATION: registers of a peripheral are addresses, and no safe crate knows this board.

use core::ptr::{read_volatile, write_volatile};

const DATA: *mut u32 = 0x4000_C000 as *mut u32;
const FLAGS: *const u32 = 0x4000_C018 as *const u32;
const TRANSMIT_FULL: u32 = 1 << 5;

/// Sends bytes, waiting where the transmit queue is full.
pub fn send(bytes: &[u8]) {
    for &byte in bytes {
        // SAFETY: the PL011's flag register; reading it has no effect.
        while unsafe { read_volatile(FLAGS) } & TRANSMIT_FULL != 0 {}
        // SAFETY: the PL011's data register; one context writes it, and any value is a byte to send.
        unsafe { write_volatile(DATA, u32::from(byte)) }
    }
}
