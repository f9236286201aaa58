//! What comes of a device's line, whichever way it speaks. Knows nothing of bytes.

use std::time::Duration;

use crate::shape::Shape;
use crate::text::LineError;

/// One thing that a device said, or that was found out about it. In order.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard<'a> {
    /// The device speaks of a fault, in its own words.
    Fault(&'a str),
    /// Readings are missing here: so many where that is known, else 0.
    Gap(u64),
    /// Readings that follow those before.
    Rows {
        /// `[rows, channels]`, in the device's units.
        rows: &'a [f32],
        /// When the last of them was made or came: host time.
        at: Duration,
    },
    /// What the device gives from now on.
    Shape(&'a Shape),
    /// Something that is not to be read; a gap as well.
    Unreadable(LineError),
}
