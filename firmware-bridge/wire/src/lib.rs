//! The serial line, shared by host and firmware: frames that survive a line which loses, doubles and flips bytes, or are
//! counted as lost; [`message`]s in them; and [`device`], a device's half of the talk. It knows nothing of ports and of what
//! is sensed; it runs without `std` and without an allocator. Invariant: the decoder hands out exactly what was encoded, or an
//! error (to the 1 in 2³² of its checksum).
//!
//! Every byte is in `PROTOCOL.md`, beside this crate.
//!
//! ```
//! use acclimate_wire::{Decoder, MAX_FRAME, encode};
//!
//! let mut line = [0; MAX_FRAME];
//! let sent = encode(b"hello", &mut line).unwrap();
//! let mut received = 0;
//! Decoder::new().feed(sent, |frame| {
//!     assert_eq!(frame, Ok(&b"hello"[..]));
//!     received += 1;
//! });
//! assert_eq!(received, 1);
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod cobs;
mod crc;
pub mod device;
mod frame;
pub mod message;

pub use frame::{Decoder, EncodeError, FrameError, encode};

/// The longest payload of one frame, in bytes.
pub const MAX_PAYLOAD: usize = 1024;

/// The longest frame on the line, in bytes: payload and checksum, one COBS code byte for each 254 bytes begun (and one
/// always), two delimiters.
pub const MAX_FRAME: usize = MAX_BODY + MAX_BODY / 254 + 1 + 2;

/// Payload and checksum.
const MAX_BODY: usize = MAX_PAYLOAD + 4;
