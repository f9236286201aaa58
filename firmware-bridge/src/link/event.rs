//! What a link takes and gives: plain values, in the host's units.

use std::time::Duration;

use acclimate_wire::{
    FrameError,
    message::{Level, MessageError},
};

/// What a link is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Names the first opening of the port, and those after it count on. Two programs, or two runs of one, should begin at
    /// different numbers, or the second takes blocks that were meant for the first; the time of day in seconds is enough.
    pub session: u32,
    /// How the device is to sense; `None` leaves it as it is.
    pub configure: Option<Configure>,
}

/// How a device is to sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Configure {
    /// Whether to take samples at all.
    pub running: bool,
    /// Rows a second; `None` leaves the device's own. The device takes the nearest that it has and says which.
    pub rate_hz: Option<f64>,
}

/// What is to be said to the device. Of each kind the newest waits; it is said as soon as there is a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// How to sense; also said again to a device that began anew.
    Configure(Configure),
    /// The newest answer; said again after a quarter of a second, because a line may lose it, and then every two.
    Prediction(Prediction),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The class, even where it is not sure; empty where there is none. Cut to
    /// [`MAX_CLASS`](acclimate_wire::message::MAX_CLASS) bytes.
    pub class: String,
    /// Its probability, 0 to 1.
    pub confidence: f32,
    /// `false` is the answer `unknown`.
    pub known: bool,
    /// Whether somebody is asked to say what this is.
    pub label_wanted: bool,
}

/// What a link tells, in the order in which it happened at the device.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something that could not be read; counted, and mended where it can be.
    Fault(Fault),
    /// Readings are missing between the blocks before and behind: no window may span both.
    Gap {
        /// How many numbered messages (blocks, seldom labels) were lost for good; 0 where the device itself paused.
        lost: u64,
    },
    /// A device is there, or it began anew, or senses otherwise than before. No window may span this.
    Hello(Device),
    /// Somebody at the device says of what class the readings up to here are.
    Label {
        /// The class, or the name of a button.
        class: String,
        /// When, by the device's clock.
        device_time: Duration,
        /// When, by the host's.
        host_time: Duration,
    },
    /// A line of the device's log.
    Log {
        /// How bad.
        level: Level,
        /// What.
        text: String,
    },
    /// Readings, in order and without a gap since the last block unless a `Gap` or `Hello` stands between.
    Samples(Block),
}

/// A device, as it introduced itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its firmware's version.
    pub firmware: String,
    /// The protocol's version.
    pub protocol: u16,
    /// How many blocks it can send again.
    pub buffer: u16,
    /// Rows a second; `None` while it takes none.
    pub rate_hz: Option<f64>,
    /// What is in a row.
    pub channels: Vec<Channel>,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// What is measured, like `ax`.
    pub name: String,
    /// In what, like `m/s2`.
    pub unit: String,
    /// What integers on the line are multiplied by; finite. [`Block`] has it done.
    pub scale: f32,
}

/// Readings that follow one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its number, counted from the device's start.
    pub sequence: u64,
    /// When its first row was sensed, by the device's clock.
    pub device_time: Duration,
    /// The same by the host's clock (offset and drift taken out); never earlier than of the block before. Late by the
    /// shortest delay of the line.
    pub host_time: Duration,
    /// Values in a row, at least 1.
    pub channels: usize,
    /// Rows × channels, row by row, finite, in the channels' units.
    pub values: Vec<f32>,
}

impl Block {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.values.len() / self.channels
    }
}

/// Something that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Values that are no rows of the device's channels; the firmware is wrong, and the block is counted as lost.
    #[error(
        "reading block {number}: {values} values of {channels} channels, expected whole rows of finite numbers; mend the firmware"
    )]
    Rows {
        /// The block's number, counted from the device's start.
        number: u64,
        /// How many values it has.
        values: usize,
        /// How many channels the device named.
        channels: usize,
    },
    /// The device speaks a version that this program does not.
    #[error(
        "greeting the device: it speaks version {device} of the protocol, expected {host}; update the older of both"
    )]
    Version {
        /// The device's.
        device: u16,
        /// Ours.
        host: u16,
    },
}

/// How often what happened, since the link was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that came.
    pub bytes: u64,
    /// Whole frames.
    pub frames: u64,
    /// Frames that were spoilt, by how ([`FrameError`]).
    pub malformed: u64,
    /// Whole by its stuffing, with a wrong checksum.
    pub checksum: u64,
    /// Without an end.
    pub too_long: u64,
    /// Frames that are no message of this version.
    pub unreadable: u64,
    /// Numbered messages that were handed on.
    pub blocks: u64,
    /// Numbered messages that came more than once, or that nobody had asked for.
    pub duplicates: u64,
    /// Numbered messages that were found missing and then came after all.
    pub recovered: u64,
    /// Numbered messages that never came.
    pub lost: u64,
    /// Requests to send something again.
    pub requests: u64,
    /// Devices that began anew.
    pub restarts: u64,
}
