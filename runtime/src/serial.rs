//! Serial lines: which ports there are (`list`), one that is opened (`port`), and one that is kept open whatever comes between
//! (`line`). What is heard there is `acclimate-bridge`'s to understand. Blocking; knows nothing of tasks or windows' meaning.
//!
//! Invariant: a port that said anything but bytes or "nothing yet" is closed at once, and never read again: a descriptor whose
//! device is gone answers for ever, at once, that there is nothing.

mod downlink;
mod holders;
mod line;
mod list;
mod port;
pub mod pty;

use std::time::Duration;

use acclimate_bridge::detect::Speech;
use acclimate_bridge::listener::Listener;

use crate::daemon::view::LineView;

pub use self::downlink::{Downlink, Downlinks};
pub use self::line::{Ears, Setup, keep};
pub use self::list::{Found, list};
pub use self::port::{Device, Port, Read};

/// Bits a second, unless somebody says otherwise: what sketches and Edge Impulse's data forwarder use.
pub const BAUD: u32 = 115_200;
/// A device that says nothing for so long is told of, unless somebody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What came and what was lost, as far as who listens knows.
pub fn counted(listener: &Listener) -> LineView {
    let counts = listener.counts();
    let speaks = listener.speech().map(|speech| match speech {
        Speech::Frames => "frames".to_owned(),
        Speech::Text => "text".to_owned(),
    });
    LineView {
        speaks,
        device: listener.name(),
        rate_hz: listener.rate_hz().map(|hz| (hz * 100.0).round() / 100.0),
        bytes: counts.bytes,
        readings: counts.readings,
        lost: counts.lost,
        recovered: counts.recovered,
        unreadable: counts.unreadable,
        faults: counts.faults,
        ..LineView::default()
    }
}
