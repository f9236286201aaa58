//! Whatever may come down a line: random bytes, and frames of a device that was changed in any byte, with a right checksum.
//! Nothing panics and nothing grows.

use std::time::Duration;

use acclimate_bridge::link::{Event, Link, Setup};
use acclimate_wire::{
    MAX_FRAME, MAX_PAYLOAD,
    device::Device,
    encode,
    message::{Channel, Channels, Hello, Level, ToDevice, ToHost, VERSION, Values},
};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{times, world::ACCELEROMETER};

/// What the process has in memory, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Both halves, greeted, so that everything that comes is looked at.
fn both() -> (Link, Box<Device<16, 120>>) {
    let mut link = Link::new(Setup { session: 6, configure: None });
    link.opened(Duration::ZERO);
    let mut device = Box::new(Device::new(ACCELEROMETER));
    let mut line = [0; MAX_FRAME];
    device.received(&link.output(), |_| {});
    link.received(device.transmit(0, &mut line), Duration::ZERO, &mut |_| {});
    assert!(link.device().is_some());
    (link, device)
}

fn told(event: &Event) -> usize {
    match event {
        Event::Samples(block) => block.values.len(),
        Event::Label { class, .. } => class.len(),
        Event::Log { text, .. } => text.len(),
        Event::Gap { .. } | Event::Hello(_) | Event::Fault(_) => 1,
    }
}

#[test]
fn random_bytes() {
    let (mut link, mut device) = both();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut bytes = vec![0; 1 << 16];
    let before = resident();
    let (mut fed, mut events) = (0u64, 0usize);
    while fed < times(1_000_000_000, 4_000_000) {
        rng.fill_bytes(&mut bytes);
        // Delimiters as often as short frames have them.
        if fed.is_multiple_of(1 << 17) {
            bytes.iter_mut().filter(|byte| **byte < 16).for_each(|byte| *byte = 0);
        }
        fed += bytes.len() as u64;
        let now = Duration::from_millis(fed >> 10);
        link.received(&bytes, now, &mut |event| events += told(&event));
        link.tick(now);
        device.received(&bytes, |_| {});
        device.received(&link.output(), |_| {});
    }
    let counts = link.counts();
    eprintln!("{fed} random bytes: {counts:?}");
    assert!(events > 0 && counts.blocks == 0);
    assert!(resident() < before + (8 << 20), "{} bytes more than before", resident() - before);
}

#[test]
fn changed_frames() {
    let (mut link, mut device) = both();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let before = resident();
    let mut events = 0;
    let (mut payload, mut frame) = ([0; MAX_PAYLOAD], [0; MAX_FRAME]);
    for round in 0..times(1_000_000, 20_000) {
        let near = |rng: &mut ChaCha8Rng| (round / 50) as u32 + rng.random_range(0..40);
        let (sequence, time) = (near(&mut rng), rng.next_u64() >> rng.random_range(0..64));
        let channel = Channel { name: "a", unit: "g", scale: 1.0 };
        let values = [rng.random::<u8>(); 120];
        let values = &values[..rng.random_range(0..=120)];
        let up = match rng.random_range(0..7) {
            0 => ToHost::Hello(Hello {
                version: VERSION,
                session: rng.random_range(0..12),
                previous: rng.random_range(0..12),
                head: near(&mut rng),
                oldest: near(&mut rng),
                buffer: rng.random(),
                name: "device",
                firmware: "1",
                rate_millihertz: rng.next_u32(),
                channels: Channels::new(&[channel; 3][..rng.random_range(1..=3)]),
            }),
            1 | 2 => ToHost::Samples { sequence, time, values: Values::I16(values) },
            3 => ToHost::Samples { sequence, time, values: Values::F32(values) },
            4 => ToHost::Label { sequence, time, class: "class" },
            5 => ToHost::Log { level: Level::Info, text: "text" },
            _ => ToHost::Pong { token: rng.random_range(0..9), time, next: near(&mut rng), oldest: near(&mut rng) },
        };
        let down = match rng.random_range(0..5) {
            0 => ToDevice::Hello { version: VERSION, session: rng.random_range(0..9) },
            1 => ToDevice::Ack { session: 7, next: near(&mut rng), granted: near(&mut rng) },
            2 => ToDevice::Resend { token: 1, first: near(&mut rng), others: rng.next_u32() },
            3 => ToDevice::Prediction { class: "class", confidence: 1, known: true, label_wanted: false },
            _ => ToDevice::Configure { running: true, rate_millihertz: rng.next_u32() },
        };
        let mut changed = |payload: &mut [u8], length: usize, rng: &mut ChaCha8Rng| {
            for _ in 0..rng.random_range(0..4) {
                payload[rng.random_range(0..length)] = rng.random();
            }
            let length = if rng.random_bool(0.1) { rng.random_range(0..=length) } else { length };
            encode(&payload[..length], &mut frame).expect("no longer than before").to_vec()
        };
        let length = up.encode(&mut payload).expect("within its limits").len();
        let bytes = changed(&mut payload, length, &mut rng);
        let now = Duration::from_millis(round);
        link.received(&bytes, now, &mut |event| events += told(&event));
        link.tick(now);
        let length = down.encode(&mut payload).expect("within its limits").len();
        let bytes = changed(&mut payload, length, &mut rng);
        device.received(&bytes, |_| {});
        device.received(&link.output(), |_| {});
        device.push(round, acclimate_wire::device::Row::F32(&[1.0; 3])).expect("three values");
        let mut line = [0; MAX_FRAME];
        link.received(device.transmit(round, &mut line), now, &mut |event| events += told(&event));
    }
    let counts = link.counts();
    eprintln!("changed frames: {counts:?}");
    assert!(events > 0 && counts.blocks > 0 && counts.unreadable > 0 && counts.lost > 0);
    assert!(resident() < before + (8 << 20), "{} bytes more than before", resident() - before);
}
