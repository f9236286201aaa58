//! A device on a serial line: its readings become windows, its button's word a label, and what it is told goes the other way.
//! What the line does is `crate::serial`'s; what is heard on it `acclimate-bridge`'s.

use std::path::Path;
use std::time::Duration;

use acclimate_bridge::heard::Heard;
use acclimate_bridge::listener::Listener;
use acclimate_bridge::window::{Setup as Cut, Windows};
use jiff::Timestamp;

use super::{Content, Feed, Health, Source, Stop};
use crate::config;
use crate::daemon::view::LineView;
use crate::serial::{BAUD, Device, Downlink, Ears, PATIENCE, Setup, counted, keep};

/// Between two words of what was counted.
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// A source of kind `serial`.
pub(super) struct Serial {
    setup: Setup,
    cut: Cut,
    downlink: Downlink,
}

impl Serial {
    pub(super) fn new(config: &config::Source) -> Self {
        let length = config.window.unwrap_or(1);
        Self {
            setup: Setup {
                device: Device::from(config.device.as_deref().unwrap_or("auto")),
                baud: config.baud.unwrap_or(BAUD),
                dtr: config.dtr,
                speech: config.speaks,
                patience: config.patience.map_or(PATIENCE, |patience| patience.0),
            },
            cut: Cut {
                length,
                stride: config.stride.unwrap_or(length),
                channels: config.channels.clone(),
                rate_hz: config.rate_hz,
            },
            downlink: Downlink::default(),
        }
    }
}

impl Source for Serial {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        feed.health(Health::Starting);
        match Windows::new(self.cut.clone()) {
            Ok(windows) => {
                let mut hearing = Hearing::new(feed, windows);
                keep(&self.setup, &self.downlink, stop, &mut hearing);
            }
            Err(error) => {
                feed.health(Health::Lost { reason: error.to_string() });
                while !stop.wait(Duration::from_hours(1)) {}
            }
        }
    }

    fn downlink(&self) -> Option<Downlink> {
        Some(self.downlink.clone())
    }
}

/// What becomes of what is heard.
struct Hearing<'a> {
    feed: &'a Feed,
    windows: Windows,
    /// Why no windows can be cut from what the device gives.
    misfit: bool,
    health: Health,
    line: LineView,
    /// When it was last said what was counted, and what.
    counted: Option<(Duration, LineView)>,
}

impl<'a> Hearing<'a> {
    fn new(feed: &'a Feed, windows: Windows) -> Self {
        let (misfit, health, line, counted) = (false, Health::Starting, LineView::default(), None);
        Self { feed, windows, misfit, health, line, counted }
    }

    /// Says how it fares, where that is something else than before.
    fn fares(&mut self, health: Health) {
        if self.health != health {
            match &health {
                Health::Lost { reason } => tracing::warn!("source `{}` is lost: {reason}", self.feed.source()),
                Health::Running => tracing::info!("source `{}` gives readings", self.feed.source()),
                Health::Starting | Health::Ended => {}
            }
            self.feed.health(health.clone());
            self.health = health;
        }
    }

    fn count(&mut self, now: Duration) {
        let due = self.counted.as_ref().is_none_or(|(at, _)| now.saturating_sub(*at) >= COUNTED_EVERY);
        if due && self.counted.as_ref().is_none_or(|(_, told)| *told != self.line) {
            self.feed.counted(self.line.clone());
            self.counted = Some((now, self.line.clone()));
        }
    }
}

impl Ears for Hearing<'_> {
    fn opened(&mut self, path: &Path) {
        tracing::info!("source `{}` has opened {}", self.feed.source(), path.display());
        self.line.opened += 1;
        self.misfit = false;
    }

    fn heard(&mut self, heard: Heard<'_>, now: Duration) {
        match heard {
            Heard::Fault(words) => tracing::warn!("the device of source `{}` says: {words}", self.feed.source()),
            Heard::Gap(_) => self.windows.gap(),
            Heard::Label(class) => self.feed.labelled(class.to_owned()),
            Heard::Log(words) => tracing::info!("the device of source `{}` says: {words}", self.feed.source()),
            Heard::Rows { rows, at } => {
                if !self.misfit {
                    self.fares(Health::Running);
                }
                let feed = self.feed;
                self.windows
                    .push(rows, at, |window| feed.put(taken(window.ended, now), Content::Window((&window).into())));
            }
            Heard::Unreadable(what) => tracing::debug!("source `{}`: {what}", self.feed.source()),
            Heard::Shape(shape) => {
                self.line.gives = Some(shape.to_string());
                let begun = self.windows.begin(shape);
                self.misfit = begun.is_err();
                if let Err(error) = begun {
                    self.fares(Health::Lost { reason: error.to_string() });
                }
            }
        }
    }

    fn looked(&mut self, listener: &Listener, now: Duration) {
        let cut = self.windows.counts();
        let LineView { opened, gives, .. } = std::mem::take(&mut self.line);
        self.line = LineView { gives, opened, gaps: cut.gaps, windows: cut.windows, ..counted(listener) };
        self.count(now);
    }

    fn silent(&mut self, reason: String) {
        self.fares(Health::Lost { reason });
    }

    fn lost(&mut self, reason: String) {
        self.windows.gap();
        self.line.gaps = self.windows.counts().gaps;
        // Nothing more is counted for a while.
        self.feed.counted(self.line.clone());
        self.fares(Health::Lost { reason });
    }
}

/// The wall clock's time of a moment of the line's.
fn taken(ended: Duration, now: Duration) -> Timestamp {
    let time = Timestamp::now();
    time.checked_sub(now.saturating_sub(ended)).unwrap_or(time)
}
