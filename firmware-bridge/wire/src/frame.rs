//! Payloads to frames and back. Knows nothing of what a payload says. A frame is `00 · COBS(payload · CRC-32) · 00`; the
//! zero in front ends whatever noise came before, so that a frame is never lost to its predecessor.

use crate::{MAX_BODY, MAX_FRAME, MAX_PAYLOAD, cobs, crc::crc32};

/// A frame between its delimiters.
const MAX_STUFFED: usize = MAX_FRAME - 2;
const _: () = assert!(MAX_STUFFED >= MAX_BODY + MAX_BODY.div_ceil(254), "a full frame fits");

/// A payload that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Longer than [`MAX_PAYLOAD`].
    #[error("encoding a frame: a payload of {got} bytes, at most {MAX_PAYLOAD}: send it in parts")]
    TooLong {
        /// The payload's length.
        got: usize,
    },
    /// The output is shorter than the frame; [`MAX_FRAME`] bytes always suffice.
    #[error("encoding a frame: no room in a buffer of {got} bytes; {MAX_FRAME} always suffice")]
    NoRoom {
        /// The buffer's length.
        got: usize,
    },
}

/// Bytes between two delimiters that are not a frame. Each is counted by whoever reads the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The byte stuffing does not add up, or there is no room for a checksum: noise, or bytes were lost.
    #[error("decoding a frame: malformed; bytes were lost or changed on the line")]
    Malformed,
    /// Whole by its stuffing, but changed on the way.
    #[error("decoding a frame: its checksum is wrong; bytes were changed on the line")]
    Checksum,
    /// No delimiter came within the longest possible frame: a lost delimiter, another protocol, or the wrong baud rate.
    #[error(
        "decoding a frame: more than {MAX_STUFFED} bytes without a delimiter; check the baud rate and the protocol"
    )]
    TooLong,
}

/// Writes one frame, with both delimiters, to the start of `out` and returns it.
///
/// # Errors
/// [`EncodeError`]; nothing of `out` may be sent then.
pub fn encode<'a>(payload: &[u8], out: &'a mut [u8]) -> Result<&'a [u8], EncodeError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(EncodeError::TooLong { got: payload.len() });
    }
    let no_room = EncodeError::NoRoom { got: out.len() };
    let checksum = crc32(payload).to_le_bytes();
    let (first, rest) = out.split_first_mut().ok_or(no_room)?;
    let stuffed = cobs::stuff(&[payload, &checksum], rest).ok_or(no_room)?;
    *rest.get_mut(stuffed).ok_or(no_room)? = 0;
    *first = 0;
    Ok(&out[..stuffed + 2])
}

/// Reassembles frames from reads of any size.
///
/// ```text
///              byte ≠ 0: keep it                       byte ≠ 0: drop it
///               ┌──────┐                                  ┌──────┐
///               │      ▼      full: TooLong, once         │      ▼
///           Gathering ─────────────────────────────▶  Skipping
///              ▲  │                                       │
///              └──┴── 0: a frame, good or bad ◀── 0 ──────┘
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The bytes since the last delimiter.
    stuffed: [u8; MAX_STUFFED],
    /// How many of them count.
    len: usize,
    skipping: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Self { stuffed: [0; MAX_STUFFED], len: 0, skipping: false }
    }

    /// Takes bytes as they come; calls `sink` once per frame, good or bad. O(1) per byte, and no byte is kept beyond its
    /// frame.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Result<&[u8], FrameError>)) {
        for &byte in bytes {
            if byte == 0 {
                if self.len > 0 && !self.skipping {
                    sink(open(&mut self.stuffed[..self.len]));
                }
                (self.len, self.skipping) = (0, false);
            } else if self.len < MAX_STUFFED {
                self.stuffed[self.len] = byte;
                self.len += 1;
            } else if !self.skipping {
                self.skipping = true;
                sink(Err(FrameError::TooLong));
            }
        }
    }

    /// Forgets an unfinished frame; for a port that was opened again.
    pub fn reset(&mut self) {
        (self.len, self.skipping) = (0, false);
    }
}

fn open(stuffed: &mut [u8]) -> Result<&[u8], FrameError> {
    let body = cobs::unstuff(stuffed).ok_or(FrameError::Malformed)?;
    let (payload, checksum) = body.split_last_chunk().ok_or(FrameError::Malformed)?;
    if payload.len() > MAX_PAYLOAD {
        return Err(FrameError::Malformed);
    }
    if u32::from_le_bytes(*checksum) == crc32(payload) { Ok(payload) } else { Err(FrameError::Checksum) }
}
