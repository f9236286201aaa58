//! Bytes of the frame layer, version 1.
//!
//! If a test here fails, do not edit the test: a device in the field still speaks these bytes.

use acclimate_wire::{Decoder, EncodeError, FrameError, MAX_FRAME, MAX_PAYLOAD, encode};

fn decoded(bytes: &[u8]) -> Vec<Result<Vec<u8>, FrameError>> {
    let mut frames = Vec::new();
    Decoder::new().feed(bytes, |frame| frames.push(frame.map(<[u8]>::to_vec)));
    frames
}

fn golden(payload: &[u8], frame: &[u8]) {
    let mut out = [0xAA; MAX_FRAME];
    assert_eq!(encode(payload, &mut out), Ok(frame));
    assert_eq!(decoded(frame), [Ok(payload.to_vec())]);
}

#[test]
#[rustfmt::skip]
fn the_worked_example_of_the_protocol_page() {
    golden(&[0x01, 0x00, 0x2A], &[
        0x00,                         // delimiter
        0x02, 0x01,                   // block of 1 byte, then a zero
        0x06, 0x2A,                   // block of 5 bytes: the rest of the payload,
              0xF3, 0x7A, 0x38, 0x25, //   CRC-32 0x25387AF3, least significant byte first
        0x00,                         // delimiter
    ]);
}

#[test]
#[rustfmt::skip]
fn an_empty_payload() {
    golden(&[], &[
        0x00,                   // delimiter
        0x01, 0x01, 0x01, 0x01, // CRC-32 0: four zeros end four empty blocks,
        0x01,                   // and the last block is empty
        0x00,                   // delimiter
    ]);
}

#[test]
fn the_longest_payload_fills_the_longest_frame() {
    let payload = [0x55; MAX_PAYLOAD];
    let mut out = [0; MAX_FRAME];
    let frame = encode(&payload, &mut out).expect("the longest payload is allowed");
    assert_eq!(frame.len(), MAX_FRAME);
    assert_eq!(frame[..4], [0x00, 0xFF, 0x55, 0x55]);
    assert_eq!(decoded(frame), [Ok(payload.to_vec())]);
    let short = encode(&payload, &mut [0; MAX_FRAME - 1]).map(<[u8]>::len);
    assert_eq!(short, Err(EncodeError::NoRoom { got: MAX_FRAME - 1 }));
    assert_eq!(encode(&[0; MAX_PAYLOAD + 1], &mut out), Err(EncodeError::TooLong { got: MAX_PAYLOAD + 1 }));
}

#[test]
fn each_error_has_its_bytes() {
    assert_eq!(decoded(&[0, 9, 1, 2, 0]), [Err(FrameError::Malformed)]);
    assert_eq!(decoded(&[0, 3, 1, 2, 0]), [Err(FrameError::Malformed)]);
    assert_eq!(decoded(&[0, 2, 1, 6, 0x2B, 0xF3, 0x7A, 0x38, 0x25, 0]), [Err(FrameError::Checksum)]);
    let mut endless = vec![1; 3 * MAX_FRAME];
    assert_eq!(decoded(&endless), [Err(FrameError::TooLong)]);
    endless.extend([0, 1, 1, 1, 1, 1, 0]);
    assert_eq!(decoded(&endless), [Err(FrameError::TooLong), Ok(Vec::new())]);
}
