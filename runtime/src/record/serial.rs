//! What `serial` prints as JSON.

use serde::Serialize;

use crate::daemon::view::LineView;
use crate::serial::Found;

/// `serial list`.
#[derive(Clone, Debug, Serialize)]
pub struct SerialListRecord {
    /// Every port.
    pub ports: Vec<Found>,
}

/// One line of `serial watch`.
#[derive(Clone, Debug, Serialize)]
pub struct SerialWatchRecord {
    /// When, RFC 3339 UTC.
    pub time: String,
    /// The port that is open; none while there is none.
    pub port: Option<String>,
    /// Why there is none, or why nothing can be read.
    pub reason: Option<String>,
    /// What came and what was lost.
    pub line: LineView,
    /// The newest reading, in the order of the channels.
    pub newest: Vec<f32>,
}

/// `serial record`.
#[derive(Clone, Debug, Serialize)]
pub struct SerialRecordRecord {
    /// The files that were written, in order: between two there was a gap.
    pub files: Vec<String>,
    /// Readings in them; of raw recordings, none.
    pub readings: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// Lines, or blocks of readings, that never came.
    pub lost: u64,
    /// Readings a second.
    pub rate_hz: Option<f64>,
}

/// `serial replay`.
#[derive(Clone, Debug, Serialize)]
pub struct SerialReplayRecord {
    /// Where to.
    pub port: String,
    /// Readings that were sent.
    pub readings: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Lines that the other end sent back.
    pub answers: Vec<String>,
}
