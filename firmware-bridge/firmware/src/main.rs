//! An example firmware: an accelerometer on a machine (a simulated one: `machine.rs`) whose readings go to the host as numbered
//! blocks, buttons that say what the machine has, a lamp that shows what the host answers. Read `main` and `Device` of the wire
//! crate; `README.md` says how to bring it to a board.
//!
//! `cargo run --release` in this folder runs it in QEMU, with the line on a pseudo-terminal and the panel on this one.
#![no_std]
#![no_main]

mod clock;
mod machine;
mod panel;
mod uart;

use acclimate_wire::{
    MAX_FRAME,
    device::{Device, Heard, Identity, Row},
    message::Channel,
};
use cortex_m_rt::entry;

use crate::{
    clock::Clock,
    machine::Machine,
    panel::{Panel, Pressed},
    uart::Uart,
};

/// Of an accelerometer that shows ±4 g in 16 bits.
const SCALE: f32 = 9.80665 / 8192.0;

const IDENTITY: Identity = Identity {
    name: "machine",
    firmware: env!("CARGO_PKG_VERSION"),
    channels: &[
        Channel { name: "ax", unit: "m/s2", scale: SCALE },
        Channel { name: "ay", unit: "m/s2", scale: SCALE },
        Channel { name: "az", unit: "m/s2", scale: SCALE },
    ],
    rate_millihertz: RATES_HZ[2] * 1000,
    rows: 40,
};

/// What the accelerometer can do; the host asks for one with `configure`.
const RATES_HZ: [u32; 4] = [200, 400, 800, 1600];

/// A firmware that was held up for longer (by a debugger, by a host that stops QEMU) goes on from now, in µs.
const HELD_UP: u64 = 200_000;

#[entry]
fn main() -> ! {
    let Some(peripherals) = cortex_m::Peripherals::take() else { halt() };
    let [mut line, panel] = Uart::both();
    let (mut clock, mut panel) = (Clock::start(peripherals.SYST), Panel::new(panel));
    // 63 blocks of 40 rows are kept: three seconds at 800 Hz. In a static, for it is a quarter of the memory.
    let device = cortex_m::singleton!(: Device<64, 240> = Device::new(IDENTITY));
    let Some(device) = device else { halt() };
    let (mut machine, mut rate_hz, mut running) = (Machine::new(), RATES_HZ[2], true);
    let (mut frame, mut sending) = ([0; MAX_FRAME], 0..0);
    let mut due = 0;
    loop {
        let now = clock.now();

        // Sense.
        if now > due + HELD_UP {
            device.flush();
            due = now;
        }
        while due <= now {
            if running {
                let row = machine.sense(rate_hz).map(|value| (value / SCALE) as i16);
                // As many values as channels, so never refused.
                let _ = device.push(due, Row::I16(&row));
            }
            due += 1_000_000 / u64::from(rate_hz);
        }

        // The panel.
        match panel.pressed() {
            Some(Pressed::Switch(state)) => machine.switch(state),
            Some(Pressed::Label(state)) => device.label(now, state.class()),
            None => {}
        }
        panel.age(now);

        // The line: hear what came, then send as much as there is room for.
        let mut wanted_rate = None;
        while let Some(byte) = line.receive() {
            device.received(&[byte], |heard| match heard {
                Heard::Prediction { class, known, label_wanted, .. } => panel.show(now, class, known, label_wanted),
                Heard::Configure { running, rate_millihertz } => wanted_rate = Some((running, rate_millihertz)),
                Heard::Greeted | Heard::Spoilt(_) => {}
            });
        }
        if let Some((wanted, rate_millihertz)) = wanted_rate {
            running = wanted;
            if rate_millihertz > 0 {
                rate_hz = nearest(rate_millihertz);
            }
            device.set_rate(if running { rate_hz * 1000 } else { 0 });
        }
        loop {
            if sending.is_empty() {
                sending = 0..device.transmit(now, &mut frame).len();
            }
            let Some(at) = sending.clone().next() else { break };
            if !line.send(frame[at]) {
                break;
            }
            sending.start += 1;
        }
        cortex_m::asm::wfi();
    }
}

/// The rate that is nearest to what was asked for.
fn nearest(millihertz: u32) -> u32 {
    let distance = |rate: &u32| (rate * 1000).abs_diff(millihertz);
    RATES_HZ.into_iter().min_by_key(distance).unwrap_or(RATES_HZ[0])
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Silence is what the host notices; a watchdog would reset a real board here.
    halt()
}
