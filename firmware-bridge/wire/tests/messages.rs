//! Bytes of the messages, version 1, written and read here by `minicbor` and beside it by `ciborium`, which knows nothing of
//! our code.
//!
//! If a golden test here fails, do not edit the test: a device in the field still speaks these bytes.

use acclimate_wire::{
    MAX_PAYLOAD,
    message::{
        Channel, Channels, Hello, Level, MAX_CHANNELS, MAX_CLASS, MAX_NAME, MAX_TEXT, MAX_UNIT, MAX_VALUES,
        MessageError, ToDevice, ToHost, Values,
    },
};
use ciborium::Value;
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

fn to_device(message: ToDevice<'_>, fields: &[Value], bytes: &[u8]) {
    assert_eq!(message.encode(&mut [0; MAX_PAYLOAD]), Ok(bytes));
    assert_eq!(ToDevice::decode(bytes), Ok(message));
    let mut written = Vec::new();
    ciborium::into_writer(&Value::Array(fields.to_vec()), &mut written).expect("a Vec takes everything");
    assert_eq!(written, bytes, "ciborium writes {fields:?} so");
    nothing_less_nothing_more(bytes, |bytes| ToDevice::decode(bytes).map(|_| ()));
}

fn to_host(message: &ToHost<'_>, fields: &[Value], bytes: &[u8]) {
    assert_eq!(message.encode(&mut [0; MAX_PAYLOAD]), Ok(bytes));
    assert_eq!(ToHost::decode(bytes).as_ref(), Ok(message));
    assert_eq!(ciborium::from_reader::<Value, _>(bytes).expect("CBOR"), Value::Array(fields.to_vec()));
    nothing_less_nothing_more(bytes, |bytes| ToHost::decode(bytes).map(|_| ()));
}

/// Cut anywhere it is an error; a field of a later version behind the last one is passed over; a byte behind it is not.
fn nothing_less_nothing_more(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<(), MessageError>) {
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert_eq!(decode(&longer), Err(MessageError::Malformed { at: bytes.len() }));
    longer[0] += 1;
    assert_eq!(decode(&longer), Ok(()));
    longer.pop();
    longer.extend([0x82, 0x63, b'n', b'e', b'w', 0xFA, 0, 0, 0, 0]);
    assert_eq!(decode(&longer), Ok(()));
}

fn int(value: u64) -> Value {
    Value::Integer(value.into())
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
#[rustfmt::skip]
fn golden_messages_of_the_host() {
    to_device(ToDevice::Hello { version: 1, session: 0x0102_0304 }, &[int(0), int(1), int(0x0102_0304)], &[
        0x83, 0x00,                   // array of 3: hello
        0x01,                         // version 1
        0x1A, 0x01, 0x02, 0x03, 0x04, // session
    ]);
    to_device(ToDevice::Configure { running: true, rate_millihertz: 50_000 }, &[int(1), Value::Bool(true), int(50_000)], &[
        0x83, 0x01,       // array of 3: configure
        0xF5,             // running
        0x19, 0xC3, 0x50, // 50 rows a second
    ]);
    to_device(ToDevice::Ack { session: 7, next: 100, granted: 164 }, &[int(2), int(7), int(100), int(164)], &[
        0x84, 0x02, // array of 4: ack
        0x07,       // session 7
        0x18, 0x64, // all before 100 are here
        0x18, 0xA4, // all before 164 may be sent
    ]);
    to_device(ToDevice::Resend { token: 9, first: 100, others: 0b101 }, &[int(3), int(9), int(100), int(5)], &[
        0x84, 0x03, // array of 4: resend
        0x09,       // token 9
        0x18, 0x64, // 100,
        0x05,       // 101 and 103
    ]);
    let prediction = ToDevice::Prediction { class: "worn", confidence: 9730, known: true, label_wanted: false };
    to_device(prediction, &[int(4), text("worn"), int(9730), Value::Bool(true), Value::Bool(false)], &[
        0x85, 0x04,                   // array of 5: prediction
        0x64, b'w', b'o', b'r', b'n', // class
        0x19, 0x26, 0x02,             // 97.30 %
        0xF5,                         // known
        0xF4,                         // no label wanted
    ]);
    to_device(ToDevice::Ping { token: 10 }, &[int(5), int(10)], &[
        0x82, 0x05, // array of 2: ping
        0x0A,       // token 10
    ]);
}

#[test]
#[rustfmt::skip]
fn golden_messages_of_the_device() {
    let channels = [Channel { name: "ax", unit: "m/s2", scale: 0.5 }, Channel { name: "t", unit: "", scale: 1.0 }];
    let hello = Hello {
        version: 1, session: 7, previous: 0, head: 300, oldest: 240, buffer: 63, name: "rig", firmware: "1.0",
        rate_millihertz: 100_000, channels: Channels::new(&channels),
    };
    let listed = Value::Array(vec![
        Value::Array(vec![text("ax"), text("m/s2"), Value::Float(0.5)]),
        Value::Array(vec![text("t"), text(""), Value::Float(1.0)]),
    ]);
    let fields =
        [int(16), int(1), int(7), int(0), int(300), int(240), int(63), text("rig"), text("1.0"), int(100_000), listed];
    to_host(&ToHost::Hello(hello), &fields, &[
        0x8B, 0x10,                         // array of 11: hello
        0x01,                               // version 1
        0x07, 0x00,                         // session 7, the first that it hears of
        0x19, 0x01, 0x2C,                   // the next block will be 300
        0x18, 0xF0,                         // 240 and later ones can be sent again
        0x18, 0x3F,                         // 63 are kept
        0x63, b'r', b'i', b'g',             // name
        0x63, b'1', b'.', b'0',             // firmware
        0x1A, 0x00, 0x01, 0x86, 0xA0,       // 100 rows a second
        0x82,                               // two channels
        0x83, 0x62, b'a', b'x', 0x64, b'm', b'/', b's', b'2', 0xFA, 0x3F, 0x00, 0x00, 0x00, // ax in m/s2, × 0.5
        0x83, 0x61, b't', 0x60, 0xFA, 0x3F, 0x80, 0x00, 0x00,                               // t, × 1
    ]);
    let integers = ToHost::Samples { sequence: 300, time: 1_500_000, values: Values::I16(&[1, 0, 0xFF, 0xFF]) };
    to_host(&integers, &[int(17), int(300), int(1_500_000), int(0), Value::Bytes(vec![1, 0, 0xFF, 0xFF])], &[
        0x85, 0x11,                         // array of 5: samples
        0x19, 0x01, 0x2C,                   // number 300
        0x1A, 0x00, 0x16, 0xE3, 0x60,       // at 1.5 s
        0x00,                               // 16-bit integers
        0x44, 0x01, 0x00, 0xFF, 0xFF,       // 1, -1
    ]);
    let floats = ToHost::Samples { sequence: 301, time: 1, values: Values::F32(&[0, 0, 0x80, 0x3F]) };
    to_host(&floats, &[int(17), int(301), int(1), int(1), Value::Bytes(vec![0, 0, 0x80, 0x3F])], &[
        0x85, 0x11,                         // array of 5: samples
        0x19, 0x01, 0x2D,                   // number 301
        0x01,                               // at 1 µs
        0x01,                               // 32-bit floats
        0x44, 0x00, 0x00, 0x80, 0x3F,       // 1
    ]);
    let label = ToHost::Label { sequence: 302, time: 1_600_000, class: "worn" };
    to_host(&label, &[int(18), int(302), int(1_600_000), text("worn")], &[
        0x84, 0x12,                         // array of 4: label
        0x19, 0x01, 0x2E,                   // number 302
        0x1A, 0x00, 0x18, 0x6A, 0x00,       // at 1.6 s
        0x64, b'w', b'o', b'r', b'n',       // class
    ]);
    to_host(&ToHost::Log { level: Level::Warning, text: "hot" }, &[int(19), int(2), text("hot")], &[
        0x83, 0x13,                         // array of 3: log
        0x02,                               // warning
        0x63, b'h', b'o', b't',
    ]);
    let pong = ToHost::Pong { token: 10, time: 5_000_000_000, next: 303, oldest: 240 };
    to_host(&pong, &[int(20), int(10), int(5_000_000_000), int(303), int(240)], &[
        0x85, 0x14,                         // array of 5: pong
        0x0A,                               // token 10
        0x1B, 0, 0, 0, 1, 0x2A, 0x05, 0xF2, 0, // at 5,000 s
        0x19, 0x01, 0x2F,                   // 303 is the next to be sent
        0x18, 0xF0,                         // 240 and later ones can be sent again
    ]);
}

#[test]
fn the_largest_messages_fit_a_payload() {
    let long = "x".repeat(MAX_TEXT + 1);
    let channel = Channel { name: &long[..MAX_NAME], unit: &long[..MAX_UNIT], scale: f32::MAX };
    let hello = Hello {
        version: u16::MAX,
        session: u32::MAX,
        previous: u32::MAX,
        head: u32::MAX,
        oldest: u32::MAX,
        buffer: u16::MAX,
        name: &long[..MAX_NAME],
        firmware: &long[..MAX_NAME],
        rate_millihertz: u32::MAX,
        channels: Channels::new(&[channel; MAX_CHANNELS]),
    };
    let values = [0; MAX_VALUES];
    let (sequence, time) = (u32::MAX, u64::MAX);
    for message in [
        ToHost::Hello(hello),
        ToHost::Samples { sequence, time, values: Values::F32(&values) },
        ToHost::Label { sequence, time, class: &long[..MAX_CLASS] },
        ToHost::Log { level: Level::Error, text: &long[..MAX_TEXT] },
    ] {
        let mut out = [0; MAX_PAYLOAD];
        let bytes = message.encode(&mut out).expect("within every limit");
        assert_eq!(ToHost::decode(bytes), Ok(message));
    }
    let mut out = [0; MAX_PAYLOAD];
    let longer = ToHost::Samples { sequence, time, values: Values::I16(&[0; MAX_VALUES + 1]) }.encode(&mut out);
    let limit = MessageError::Limit { field: "a block's values", got: MAX_VALUES + 1, max: MAX_VALUES };
    assert_eq!(longer, Err(limit));
}

#[test]
fn what_is_beyond_its_limit_is_refused_both_ways() {
    let limit = |field, got, max| MessageError::Limit { field, got, max };
    let mut out = [0; MAX_PAYLOAD];
    let confident = ToDevice::Prediction { class: "", confidence: 10_001, known: true, label_wanted: true };
    assert_eq!(confident.encode(&mut out), Err(limit("a confidence", 10_001, 10_000)));
    let bytes = [0x85, 0x04, 0x60, 0x19, 0x27, 0x11, 0xF5, 0xF5];
    assert_eq!(ToDevice::decode(&bytes), Err(limit("a confidence", 10_001, 10_000)));
    let label = ToHost::Label { sequence: 0, time: 0, class: "" };
    assert_eq!(label.encode(&mut out), Err(limit("a label", 0, MAX_CLASS)));
    assert_eq!(ToHost::decode(&[0x84, 0x12, 0, 0, 0x60]), Err(limit("a label", 0, MAX_CLASS)));
    assert_eq!(ToHost::decode(&[0x85, 0x11, 0, 0, 2, 0x40]), Err(limit("a block's format", 2, 1)));
    assert_eq!(ToDevice::Ping { token: 1 }.encode(&mut [0; 2]), Err(MessageError::NoRoom { got: 2 }));
}

#[test]
fn a_message_of_a_later_version_is_told_from_one_that_is_spoilt() {
    assert_eq!(ToDevice::decode(&[0x82, 0x06, 0]), Err(MessageError::Unknown { number: 6 }));
    assert_eq!(ToHost::decode(&[0x82, 0x18, 0x40, 0]), Err(MessageError::Unknown { number: 64 }));
    for bytes in [&[][..], &[0x80], &[0xA0], &[0x9F, 0x05, 0x01, 0xFF], &[0x82, 0x05, 0x1B, 0, 0, 0, 1, 0, 0, 0, 0]] {
        assert!(matches!(ToDevice::decode(bytes), Err(MessageError::Malformed { .. })), "{bytes:?}");
    }
    // An array that claims to be endless ends with the payload.
    let endless = [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x05, 0x01];
    assert_eq!(ToDevice::decode(&endless), Err(MessageError::Malformed { at: endless.len() }));
}

fn name(max: usize) -> impl Strategy<Value = String> {
    "[a-zé/]{1,32}".prop_map(move |mut name: String| {
        name.truncate(name.floor_char_boundary(max));
        name
    })
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn messages_of_the_host_come_back(
        a: u32, b: u32, c: u32, yes: bool, no: bool, confidence in 0u16..=10_000, class in name(MAX_CLASS),
    ) {
        for message in [
            ToDevice::Hello { version: a as u16, session: b },
            ToDevice::Configure { running: yes, rate_millihertz: a },
            ToDevice::Ack { session: a, next: b, granted: c },
            ToDevice::Resend { token: a, first: b, others: c },
            ToDevice::Prediction { class: &class, confidence, known: yes, label_wanted: no },
            ToDevice::Ping { token: a },
        ] {
            let mut out = [0; MAX_PAYLOAD];
            prop_assert_eq!(ToDevice::decode(message.encode(&mut out).expect("within limits")), Ok(message));
        }
    }

    #[test]
    fn messages_of_the_device_come_back(
        a: u32, b: u32, time: u64, bytes in vec(any::<u8>(), 0..=MAX_VALUES), class in name(MAX_CLASS),
        channels in vec((name(MAX_NAME), name(MAX_UNIT), -1e30f32..1e30), 1..=MAX_CHANNELS),
    ) {
        let listed: Vec<Channel<'_>> =
            channels.iter().map(|(name, unit, scale)| Channel { name, unit, scale: *scale }).collect();
        let hello = Hello {
            version: 1, session: a, previous: b, head: b, oldest: a, buffer: a as u16, name: &channels[0].0, firmware: "",
            rate_millihertz: b, channels: Channels::new(&listed),
        };
        for message in [
            ToHost::Hello(hello),
            ToHost::Samples { sequence: a, time, values: Values::I16(&bytes) },
            ToHost::Samples { sequence: a, time, values: Values::F32(&bytes) },
            ToHost::Label { sequence: a, time, class: &class },
            ToHost::Log { level: Level::Debug, text: &class },
            ToHost::Pong { token: a, time, next: b, oldest: a },
        ] {
            let mut out = [0; MAX_PAYLOAD];
            prop_assert_eq!(ToHost::decode(message.encode(&mut out).expect("within limits")), Ok(message));
        }
    }

    /// Any bytes are a message or an error; and what was read can be written and is the same then.
    #[test]
    fn any_bytes_are_a_message_or_an_error(mut bytes in vec(any::<u8>(), 0..200), number in 0u8..24, fields in 0u8..12) {
        for _ in 0..2 {
            if let Ok(message) = ToDevice::decode(&bytes) {
                let mut out = [0; MAX_PAYLOAD];
            prop_assert_eq!(ToDevice::decode(message.encode(&mut out).expect("read before")), Ok(message));
            }
            if let Ok(message) = ToHost::decode(&bytes) {
                let mut out = [0; MAX_PAYLOAD];
            prop_assert_eq!(ToHost::decode(message.encode(&mut out).expect("read before")), Ok(message));
            }
            // Then with a head that is believed.
            bytes.splice(0..bytes.len().min(2), [0x80 + fields, number]);
        }
    }
}

/// What the protocol's page shows is what is spoken.
#[test]
fn the_examples_of_the_page_are_messages() {
    let page = include_str!("../PROTOCOL.md");
    let (_, messages) = page.split_once("# Messages").expect("a chapter");
    let mut read = 0;
    for line in messages.lines().filter(|line| line.starts_with("| `")) {
        let Some(hex) = line.trim_end_matches(" |").rsplit_once("| `").map(|(_, cell)| cell.trim_end_matches('`'))
        else {
            continue;
        };
        let bytes: Result<Vec<u8>, _> = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16)).collect();
        let bytes = bytes.unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(ToDevice::decode(&bytes).is_ok() || ToHost::decode(&bytes).is_ok(), "{line}");
        read += 1;
    }
    assert_eq!(read, 12);
}
