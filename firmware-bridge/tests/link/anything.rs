//! Whatever bytes there are, made into something to hear: what the fuzz targets (`fuzz/`) and the property tests share.
//! Invariant: whatever the bytes, both halves are alive and within their bounds afterwards.

use std::time::Duration;

use acclimate_bridge::link::{Link, Setup};
use acclimate_wire::{
    MAX_FRAME, MAX_PAYLOAD,
    device::{Device, Identity, Row},
    encode,
    message::Channel,
};

const IDENTITY: Identity = Identity {
    name: "device",
    firmware: "1",
    channels: &[Channel { name: "a", unit: "g", scale: 2.0 }],
    rate_millihertz: 100_000,
    rows: 4,
};

/// A link and a device that have greeted one another.
fn greeted() -> (Link, Device<4, 96>) {
    let mut link = Link::new(Setup { session: 6, configure: None });
    let (mut device, mut line) = (Device::new(IDENTITY), [0; MAX_FRAME]);
    link.opened(Duration::ZERO);
    device.received(&link.output(), |_| {});
    link.received(device.transmit(0, &mut line), Duration::ZERO, &mut |_| {});
    assert!(link.device().is_some());
    (link, device)
}

/// Bytes that come down the line, for both halves.
pub(crate) fn bytes(bytes: &[u8]) {
    let (mut link, mut device) = greeted();
    link.received(bytes, Duration::from_secs(1), &mut |_| {});
    device.received(bytes, |_| {});
    go_on(&mut link, &mut device);
}

/// Messages with right checksums, for the host: each a length (one byte, quarters of a payload) and so many bytes.
pub(crate) fn host(bytes: &[u8]) {
    let (mut link, mut device) = greeted();
    let mut now = Duration::from_secs(1);
    frames(bytes, |frame| {
        link.received(frame, now, &mut |_| {});
        link.tick(now);
        now += Duration::from_millis(40);
        assert!(link.output().len() < 6 * MAX_FRAME);
    });
    go_on(&mut link, &mut device);
}

/// The same for the device.
pub(crate) fn device(bytes: &[u8]) {
    let (mut link, mut device) = greeted();
    let (mut now, mut line) = (0, [0; MAX_FRAME]);
    frames(bytes, |frame| {
        device.received(frame, |_| {});
        device.push(now, Row::F32(&[1.0])).expect("one value for one channel");
        device.transmit(now, &mut line);
        now += 10_000;
    });
    go_on(&mut link, &mut device);
}

fn frames(mut bytes: &[u8], mut sink: impl FnMut(&[u8])) {
    let mut frame = [0; MAX_FRAME];
    while let Some((length, rest)) = bytes.split_first() {
        let length = (4 * usize::from(*length)).min(rest.len()).min(MAX_PAYLOAD);
        let (payload, rest) = rest.split_at(length);
        sink(encode(payload, &mut frame).expect("within its limits"));
        bytes = rest;
    }
}

/// Whatever happened before: greeted again, the two understand one another.
fn go_on(link: &mut Link, device: &mut Device<4, 96>) {
    let (mut line, mut now, mut blocks) = ([0; MAX_FRAME], Duration::from_hours(1), 0);
    link.opened(now);
    for row in 0..60 {
        device.received(&link.output(), |_| {});
        device.push(4_000_000_000 + row * 10_000, Row::F32(&[row as f32])).expect("one value for one channel");
        loop {
            let frame = device.transmit(row, &mut line);
            if frame.is_empty() {
                break;
            }
            link.received(frame, now, &mut |event| {
                blocks += u32::from(matches!(event, acclimate_bridge::link::Event::Samples(_)));
            });
        }
        now += Duration::from_millis(100);
        link.tick(now);
    }
    assert!(blocks > 5, "{blocks} blocks after all that");
}
