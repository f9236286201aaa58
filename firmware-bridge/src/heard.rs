//! What comes of a device's line, whichever way it speaks. Knows nothing of bytes.

use std::time::Duration;

use crate::link::Fault;
use crate::shape::Shape;
use crate::text::LineError;

/// One thing that a device said, or that was found out about it. In order.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard<'a> {
    /// The device speaks of a fault, in its own words.
    Fault(&'a str),
    /// Readings are missing here: so many lines or blocks where that is known, else 0.
    Gap(u64),
    /// Somebody at the device says of what class the readings up to here are.
    Label(&'a str),
    /// The device tells something of itself.
    Log(&'a str),
    /// Readings that follow those before.
    Rows {
        /// `[rows, channels]`, in the device's units.
        rows: &'a [f32],
        /// When the last of them was made or came: host time.
        at: Duration,
    },
    /// What the device gives from now on.
    Shape(&'a Shape),
    /// Something that cannot be read. Where readings are missing for it, a gap is told as well.
    Unreadable(Unreadable),
}

/// Something that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Of a line of text.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Of frames.
    #[error(transparent)]
    Frame(#[from] Fault),
}
