//! A device's half of the talk, message by message, as `PROTOCOL.md` tells it.

use acclimate_wire::{
    Decoder, MAX_FRAME, MAX_PAYLOAD,
    device::{Device, Heard, Identity, Row, RowError},
    encode,
    message::{Channel, ToDevice, ToHost, Values},
};

const IDENTITY: Identity = Identity {
    name: "device",
    firmware: "1",
    channels: &[Channel { name: "a", unit: "g", scale: 1.0 }],
    rate_millihertz: 1000,
    rows: 1,
};

/// Seven blocks are kept, of one row each.
type Small = Device<8, 96>;

fn tell(device: &mut Small, message: ToDevice<'_>) {
    let (mut payload, mut frame) = ([0; MAX_PAYLOAD], [0; MAX_FRAME]);
    let payload = message.encode(&mut payload).expect("within its limits");
    device.received(encode(payload, &mut frame).expect("fits"), |_| {});
}

fn push(device: &mut Small, rows: std::ops::Range<i16>) {
    for row in rows {
        device.push(row as u64, Row::I16(&[row])).expect("one value");
    }
}

/// Everything that it says now, in words.
fn says(device: &mut Small, now: u64) -> Vec<String> {
    let (mut decoder, mut frame, mut said) = (Decoder::new(), [0; MAX_FRAME], Vec::new());
    loop {
        let bytes = device.transmit(now, &mut frame);
        if bytes.is_empty() {
            return said;
        }
        decoder.feed(bytes, |payload| {
            said.push(match ToHost::decode(payload.expect("a good line")).expect("a message") {
                ToHost::Hello(hello) => format!("hello {} after {} at {}", hello.session, hello.previous, hello.head),
                ToHost::Samples { sequence, values: Values::I16(bytes), .. } => format!("{sequence}: {bytes:?}"),
                ToHost::Label { sequence, class, .. } => format!("{sequence}: {class}"),
                ToHost::Pong { token, next, oldest, .. } => format!("pong {token}: {next}, from {oldest}"),
                other => format!("{other:?}"),
            });
        });
    }
}

/// Greeted in session 5, with so many messages granted.
fn greeted(granted: u32) -> Small {
    let mut device = Device::new(IDENTITY);
    tell(&mut device, ToDevice::Hello { version: 1, session: 5 });
    tell(&mut device, ToDevice::Ack { session: 5, next: 0, granted });
    assert_eq!(says(&mut device, 0), ["hello 5 after 0 at 0"]);
    device
}

#[test]
fn before_a_host_has_greeted_it_says_hello_every_second_and_nothing_else() {
    let mut device: Small = Device::new(IDENTITY);
    push(&mut device, 0..3);
    assert_eq!(says(&mut device, 0), ["hello 0 after 0 at 3"]);
    assert_eq!(says(&mut device, 999_999), [""; 0]);
    assert_eq!(says(&mut device, 1_000_000), ["hello 0 after 0 at 3"]);
    // Of a session that it has not heard of.
    tell(&mut device, ToDevice::Ack { session: 4, next: 0, granted: 9 });
    assert_eq!(says(&mut device, 1_000_001), [""; 0]);
}

#[test]
fn no_more_is_sent_than_was_granted_in_this_session() {
    let mut device = greeted(2);
    push(&mut device, 0..4);
    assert_eq!(says(&mut device, 0), ["0: [0, 0]", "1: [1, 0]"]);
    tell(&mut device, ToDevice::Ack { session: 6, next: 2, granted: 9 });
    assert_eq!(says(&mut device, 0), [""; 0]);
    tell(&mut device, ToDevice::Ack { session: 5, next: 2, granted: 3 });
    assert_eq!(says(&mut device, 0), ["2: [2, 0]"]);
    // Another host: nothing until it says where it begins.
    tell(&mut device, ToDevice::Ack { session: 5, next: 3, granted: 9 });
    tell(&mut device, ToDevice::Hello { version: 1, session: 7 });
    assert_eq!(says(&mut device, 0), ["hello 7 after 5 at 4"]);
    push(&mut device, 4..6);
    tell(&mut device, ToDevice::Ack { session: 7, next: 4, granted: 9 });
    assert_eq!(says(&mut device, 0), ["4: [4, 0]", "5: [5, 0]"], "what the new host did not want is not sent");
}

#[test]
fn what_was_lost_is_sent_again_oldest_first_and_then_a_pong() {
    let mut device = greeted(9);
    push(&mut device, 0..4);
    device.label(9, "worn");
    assert_eq!(says(&mut device, 0).len(), 5);
    push(&mut device, 4..5);
    tell(&mut device, ToDevice::Ping { token: 1 });
    // 1, 2, 4, and 9, which was never sent.
    tell(&mut device, ToDevice::Resend { token: 2, first: 1, others: 0b1000_0101 });
    assert_eq!(says(&mut device, 0), ["1: [1, 0]", "2: [2, 0]", "4: worn", "pong 2: 5, from 0", "5: [4, 0]"]);
}

#[test]
fn what_was_overwritten_before_it_was_sent_is_told_to_be_gone() {
    let mut device = greeted(4);
    push(&mut device, 0..20);
    tell(&mut device, ToDevice::Ping { token: 3 });
    assert_eq!(says(&mut device, 0), ["pong 3: 13, from 13"]);
    tell(&mut device, ToDevice::Ack { session: 5, next: 13, granted: 15 });
    assert_eq!(says(&mut device, 0), ["13: [13, 0]", "14: [14, 0]"]);
}

#[test]
fn a_row_of_other_channels_and_a_label_without_words_are_left_out() {
    let mut device = greeted(4);
    assert_eq!(device.push(0, Row::F32(&[1.0, 2.0])), Err(RowError { expected: 1, got: 2 }));
    device.label(0, "");
    device.label(0, &"é".repeat(60));
    assert_eq!(says(&mut device, 0), [format!("0: {}", "é".repeat(48))]);
}

#[test]
fn the_firmware_hears_what_is_its_own_to_act_on() {
    let mut device: Small = Device::new(IDENTITY);
    let mut line = Vec::new();
    for message in [
        ToDevice::Hello { version: 1, session: 1 },
        ToDevice::Ping { token: 1 },
        ToDevice::Configure { running: false, rate_millihertz: 5 },
        ToDevice::Prediction { class: "worn", confidence: 5000, known: false, label_wanted: true },
    ] {
        let (mut payload, mut frame) = ([0; MAX_PAYLOAD], [0; MAX_FRAME]);
        let payload = message.encode(&mut payload).expect("within its limits");
        line.extend_from_slice(encode(payload, &mut frame).expect("fits"));
    }
    let mut heard = 0;
    device.received(&line, |one| {
        let expected = [
            Heard::Greeted,
            Heard::Configure { running: false, rate_millihertz: 5 },
            Heard::Prediction { class: "worn", confidence: 5000, known: false, label_wanted: true },
        ];
        assert_eq!(one, expected[heard]);
        heard += 1;
    });
    assert_eq!(heard, 3);
}
