//! What payloads say: messages of version 1, as CBOR arrays that begin with the message's number. It knows nothing of frames,
//! of when a message is sent or of what is done with it. Invariants: everything is borrowed, nothing is allocated; the
//! largest message of each kind fits a payload (checked at compile time); what decodes is within its limits.
//!
//! Numbers and fields are only ever added, at the end. A reader passes over messages whose number it does not know
//! ([`MessageError::Unknown`]) and over fields behind those that it knows. What an old reader could not pass over raises
//! [`VERSION`], which both sides say first, in `hello`.
//!
//! Every byte is in `PROTOCOL.md`, beside this crate.

mod decode;
mod encode;

use crate::MAX_PAYLOAD;

/// The version of the messages on this page.
pub const VERSION: u16 = 1;

/// The most channels of a device.
pub const MAX_CHANNELS: usize = 16;

/// The longest name of a device, a firmware version or a channel, in bytes of UTF-8.
pub const MAX_NAME: usize = 32;

/// The longest unit of a channel, in bytes of UTF-8.
pub const MAX_UNIT: usize = 12;

/// The longest name of a class, in bytes of UTF-8.
pub const MAX_CLASS: usize = 96;

/// The longest line of a log, in bytes of UTF-8.
pub const MAX_TEXT: usize = 256;

/// The longest values of a block, in bytes.
pub const MAX_VALUES: usize = MAX_PAYLOAD - SAMPLES_HEADER;

/// How many numbered messages one `resend` can ask for: the first and the 31 behind it.
pub const MAX_RESEND: u32 = 32;

/// What the fields in front of the values of `samples` take at most: array, number, sequence, time, format, length.
const SAMPLES_HEADER: usize = 1 + 2 + 5 + 9 + 1 + 3;
/// A text of up to `length` bytes with its head.
const fn text(length: usize) -> usize {
    length
        + if length < 24 {
            1
        } else if length < 256 {
            2
        } else {
            3
        }
}
/// A channel: array, name, unit, scale.
const CHANNEL: usize = 1 + text(MAX_NAME) + text(MAX_UNIT) + 5;
/// `hello` of a device: array, number, version, session, previous, head, oldest, buffer, name, firmware, rate, channels.
const HELLO: usize = 1 + 2 + 3 + 4 * 5 + 3 + 2 * text(MAX_NAME) + 5 + 1 + MAX_CHANNELS * CHANNEL;
const _: () = assert!(HELLO <= MAX_PAYLOAD, "the largest hello fits a payload");
const _: () = assert!(1 + 2 + 5 + 9 + text(MAX_CLASS) <= MAX_PAYLOAD, "the largest label fits a payload");
const _: () = assert!(2 + text(MAX_CLASS) + 3 + 2 <= MAX_PAYLOAD, "the largest prediction fits a payload");
const _: () = assert!(1 + 2 + 1 + text(MAX_TEXT) <= MAX_PAYLOAD, "the longest line of a log fits a payload");

/// A payload that is not a message of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A field is longer or larger than its limit, or empty where it may not be.
    #[error("a message of the serial line: {field} has {got}, at most {max}; shorten it")]
    Limit {
        /// Which field.
        field: &'static str,
        /// Its length or value.
        got: usize,
        /// What is allowed.
        max: usize,
    },
    /// Not the CBOR that the message's number asks for.
    #[error(
        "a message of the serial line: byte {at} is not what the protocol has there; is the firmware of another version?"
    )]
    Malformed {
        /// Where in the payload, in bytes.
        at: usize,
    },
    /// The output is too short; [`MAX_PAYLOAD`] bytes always suffice.
    #[error("a message of the serial line: no room in a buffer of {got} bytes; {MAX_PAYLOAD} always suffice")]
    NoRoom {
        /// The buffer's length.
        got: usize,
    },
    /// A number that this version does not have: a newer peer's message, to be passed over.
    #[error("a message of the serial line: number {number} is unknown to version {VERSION}; it was passed over")]
    Unknown {
        /// The message's number.
        number: u64,
    },
}

/// What the host says to the device. In the order of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToDevice<'a> {
    /// 0: a port was opened; the device answers with its own `hello`.
    Hello {
        /// The host's [`VERSION`].
        version: u16,
        /// Names this opening of the port; never 0. What belongs to another session is not heeded.
        session: u32,
    },
    /// 1: how to sense; the device answers with `hello`. Said again after every `hello` of a device that began anew.
    Configure {
        /// Whether to take samples at all.
        running: bool,
        /// Samples a second, in thousandths; 0 leaves the device's own. The device takes the nearest rate that it has.
        rate_millihertz: u32,
    },
    /// 2: how far the host has come, and how far the device may go.
    Ack {
        /// Of the session that the device heard last.
        session: u32,
        /// Every numbered message before this one has arrived or was given up.
        next: u32,
        /// Numbered messages before this one may be sent.
        granted: u32,
    },
    /// 3: numbered messages that were lost on the line; the device sends those that it still has, then `pong`.
    Resend {
        /// Comes back in the `pong`.
        token: u32,
        /// The first one.
        first: u32,
        /// Bit `i` asks for the one numbered `first + 1 + i`.
        others: u32,
    },
    /// 4: the newest answer.
    Prediction {
        /// The class, even where it is not sure; empty where there is none. At most [`MAX_CLASS`] bytes.
        class: &'a str,
        /// Its probability in 1/10,000; 0 to 10,000.
        confidence: u16,
        /// Whether the sample is like what was learnt; `false` is the answer `unknown`.
        known: bool,
        /// Whether somebody is asked to say what this is.
        label_wanted: bool,
    },
    /// 5: are you there; the device answers with `pong`.
    Ping {
        /// Comes back in the `pong`.
        token: u32,
    },
}

/// What the device says to the host. In the order of the numbers.
#[expect(clippy::large_enum_variant, reason = "there is no allocator, and one is held at a time")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToHost<'a> {
    /// 16: who is there; the answer to `hello` and `configure`, and said every second by a device that has no session.
    Hello(Hello<'a>),
    /// 17: readings, numbered.
    Samples {
        /// Counts numbered messages (`samples` and `label`) from the device's start, modulo 2³².
        sequence: u32,
        /// When the first row was sensed, in µs of the device's clock.
        time: u64,
        /// Rows of one value per channel, oldest first.
        values: Values<'a>,
    },
    /// 18: somebody at the device says of what class the readings up to here are. Numbered as samples are, so that it is never
    /// lost and stands between the blocks that it was said between.
    Label {
        /// As in `Samples`.
        sequence: u32,
        /// When, in µs of the device's clock.
        time: u64,
        /// The class, or a button's name; at most [`MAX_CLASS`] bytes, not empty.
        class: &'a str,
    },
    /// 19: a line of the device's log; not repeated when it is lost.
    Log {
        /// How bad.
        level: Level,
        /// At most [`MAX_TEXT`] bytes.
        text: &'a str,
    },
    /// 20: answers `ping` and `resend`, behind everything that the device had to send again.
    Pong {
        /// Of the newest `ping` or `resend`.
        token: u32,
        /// When it was sent, in µs of the device's clock.
        time: u64,
        /// The next numbered message to be sent for the first time: all before it have been sent.
        next: u32,
        /// The oldest numbered message that can be sent again.
        oldest: u32,
    },
}

/// A device, as it introduces itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hello<'a> {
    /// The device's [`VERSION`].
    pub version: u16,
    /// The session that it heard last; 0 since it started.
    pub session: u32,
    /// The session before that; 0 if there was none. A host that knows it by this can go on where it was.
    pub previous: u32,
    /// The number of the next message that will be made: a host that begins here hears nothing that is old.
    pub head: u32,
    /// The oldest numbered message that can be sent again.
    pub oldest: u32,
    /// How many numbered messages it keeps.
    pub buffer: u16,
    /// The device's name; at most [`MAX_NAME`] bytes.
    pub name: &'a str,
    /// Its firmware's version; at most [`MAX_NAME`] bytes.
    pub firmware: &'a str,
    /// Rows a second, in thousandths; 0 if it is not taking samples.
    pub rate_millihertz: u32,
    /// What is in a row.
    pub channels: Channels<'a>,
}

/// One value of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Channel<'a> {
    /// What is measured, like `ax`; at most [`MAX_NAME`] bytes, not empty.
    pub name: &'a str,
    /// In what, like `m/s2`; at most [`MAX_UNIT`] bytes.
    pub unit: &'a str,
    /// What an `i16` is multiplied by to be in the unit; finite. Values that come as `f32` are in the unit.
    pub scale: f32,
}

/// The channels of a row, 1 to [`MAX_CHANNELS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channels<'a> {
    list: [Channel<'a>; MAX_CHANNELS],
    len: usize,
}

impl<'a> Channels<'a> {
    /// Channels in the order of a row; of more than [`MAX_CHANNELS`], the first ones.
    pub fn new(channels: &[Channel<'a>]) -> Self {
        let mut list = [Channel::default(); MAX_CHANNELS];
        let len = channels.len().min(MAX_CHANNELS);
        list[..len].copy_from_slice(&channels[..len]);
        Self { list, len }
    }
}

impl<'a> core::ops::Deref for Channels<'a> {
    type Target = [Channel<'a>];

    fn deref(&self) -> &Self::Target {
        &self.list[..self.len]
    }
}

/// The values of a block, as they lie on the line: least significant byte first, row after row. At most [`MAX_VALUES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// Integers, to be multiplied by their channel's scale.
    I16(&'a [u8]),
    /// Numbers in their channel's unit.
    F32(&'a [u8]),
}

impl<'a> Values<'a> {
    /// Their bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::I16(bytes) | Self::F32(bytes) => bytes,
        }
    }

    /// Bytes of one value.
    pub fn width(self) -> usize {
        match self {
            Self::I16(_) => 2,
            Self::F32(_) => 4,
        }
    }
}

/// How bad a line of the log is. The order is that of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0: for whoever works on the firmware.
    Debug = 0,
    /// 1: something happened.
    Info = 1,
    /// 2: something may be wrong.
    Warning = 2,
    /// 3: something is wrong.
    Error = 3,
}
