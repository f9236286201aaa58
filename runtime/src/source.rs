//! Sources: what a device senses, frame by frame. A source runs on a thread of its own and hands frames to a [`Feed`].
//!
//! Knows nothing of tasks, engines or heads. Invariant: a source ends only when told to; what fails is reported as lost, with
//! the reason, and tried again with back-off.

pub mod address;
mod camera;
mod command;
mod folder;
pub(crate) mod http;
mod look;
mod mjpeg;
mod pace;
mod pointer;
mod posted;
mod published;
mod replay;
mod serial;
mod session;
mod v4l2;
mod yuyv;

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use acclimate_backbone::signal;
use acclimate_bridge::window::Window;
use jiff::Timestamp;

use crate::config;
use crate::daemon::view::LineView;
use crate::serial::Downlink;

pub use self::camera::{Seen, list};
pub use self::look::look;
pub use self::mjpeg::Splitter;
pub use self::pace::Ask;
pub(crate) use self::pointer::is_pointer;
pub use self::posted::{Inbox, Inboxes};

/// Labels of a device that wait at most.
const LABELS: usize = 8;

/// One thing sensed.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The source's name.
    pub source: Arc<str>,
    /// When it was sensed.
    pub taken: Timestamp,
    /// What was sensed.
    pub content: Content,
}

/// The content of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A picture's file as it came: JPEG, PNG, WebP or BMP.
    File(Vec<u8>),
    /// Pixels, 3 bytes each, row by row, `[height, width, 3]`.
    Rgb {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
        /// `3 * width * height` bytes.
        pixels: Vec<u8>,
    },
    /// A window of readings.
    Window(Readings),
}

/// A window of readings as it would be stored, with what is known of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// NPY, `[channels, length]`.
    pub npy: Vec<u8>,
    /// Numbers of a reading.
    pub channels: usize,
    /// Readings.
    pub length: usize,
    /// Readings a second, where known.
    pub rate_hz: Option<f64>,
    /// The unit of all channels, where it is one and known.
    pub unit: Option<String>,
}

impl From<&Window<'_>> for Readings {
    fn from(window: &Window<'_>) -> Self {
        let channels = window.channels.len();
        let units: Vec<&str> = window.channels.iter().map(|channel| channel.unit.as_str()).collect();
        let unit = units.first().filter(|unit| !unit.is_empty() && units.iter().all(|other| other == *unit));
        let numbers = signal::Window::new(channels, window.readings.to_vec());
        Self {
            npy: numbers.map(|numbers| numbers.to_npy()).unwrap_or_default(),
            channels,
            length: window.readings.len() / channels.max(1),
            rate_hz: window.rate_hz,
            unit: unit.map(|unit| (*unit).to_owned()),
        }
    }
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not yet opened.
    Starting,
    /// Frames come, or would if there were any.
    Running,
    /// It cannot be read now, and is tried again.
    Lost {
        /// What was attempted, what was found, what to do.
        reason: String,
    },
    /// It has given all it had: a replay.
    Ended,
}

/// What one source has to say next.
#[derive(Clone, Debug, PartialEq)]
pub enum Sensed {
    /// What became of its line so far.
    Counted {
        /// The source's name.
        source: Arc<str>,
        /// What came and what was lost.
        line: LineView,
    },
    /// A frame.
    Frame(Frame),
    /// A change of its health.
    Health {
        /// The source's name.
        source: Arc<str>,
        /// How it fares now.
        health: Health,
    },
    /// Somebody at the device says what its newest frame is.
    Labelled {
        /// The source's name.
        source: Arc<str>,
        /// The class.
        class: String,
    },
}

/// Something that senses.
pub trait Source: Send {
    /// Senses until told to stop.
    fn run(&mut self, feed: &Feed, stop: &Stop);

    /// What asks it for a frame now.
    fn ask(&self) -> Option<Ask> {
        None
    }

    /// Where pictures are handed to it, if it takes some.
    fn inbox(&self) -> Option<Inbox> {
        None
    }

    /// Where answers are handed to the device behind it, if it takes some.
    fn downlink(&self) -> Option<Downlink> {
        None
    }
}

/// Makes a source of what the configuration says; touches no device before it runs.
pub fn open(config: &config::Source) -> Box<dyn Source> {
    match config.kind {
        config::SourceKind::Camera => camera::open(config),
        config::SourceKind::Command => Box::new(command::Command::new(config)),
        config::SourceKind::Folder => Box::new(folder::Folder::new(config)),
        config::SourceKind::Mqtt if !config.readings.is_empty() => Box::new(published::Published::new(config)),
        config::SourceKind::Http | config::SourceKind::Mqtt => Box::new(posted::Posted::new()),
        config::SourceKind::Replay => Box::new(replay::Replay::new(config)),
        config::SourceKind::Serial => Box::new(serial::Serial::new(config)),
    }
}

/// Where a source puts frames. One frame waits at most: a newer one takes its place, and what is shed is counted, unless the
/// source must not lose any ([`Feed::give`]).
pub struct Feed {
    source: Arc<str>,
    slot: Arc<Slot>,
}

/// Where the daemon takes from. All feeds made from one outlet share it; each keeps a place of its own.
pub struct Outlet {
    slot: Arc<Slot>,
}

#[derive(Default)]
struct Slot {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// By source, in the order in which they were put, with the moment.
    sensed: Vec<(Instant, Sensed)>,
    shed: u64,
    closed: bool,
    /// Somebody wants who takes to look up.
    knocked: bool,
}

impl Outlet {
    /// With the place for a source's frames that the source is given.
    pub fn new() -> Self {
        Self { slot: Arc::new(Slot::default()) }
    }

    /// The place of one source.
    pub fn feed(&self, source: &str) -> Feed {
        Feed { source: source.into(), slot: Arc::clone(&self.slot) }
    }

    /// Waits for what is sensed next; `None` after [`Outlet::close`], once after [`Outlet::knock`], or when nothing came within
    /// `wait`.
    pub fn take(&self, wait: Duration) -> Option<Sensed> {
        self.take_with_moment(wait).map(|(_, sensed)| sensed)
    }

    /// As [`Outlet::take`], with the moment at which it was put.
    pub fn take_with_moment(&self, wait: Duration) -> Option<(Instant, Sensed)> {
        let until = Instant::now() + wait;
        let mut waiting = self.slot.lock();
        loop {
            if std::mem::take(&mut waiting.knocked) {
                return None;
            }
            if !waiting.sensed.is_empty() {
                let sensed = waiting.sensed.remove(0);
                self.slot.changed.notify_all();
                return Some(sensed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if waiting.closed || left.is_zero() {
                return None;
            }
            waiting = self.slot.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Frames that newer ones took the place of.
    pub fn shed(&self) -> u64 {
        self.slot.lock().shed
    }

    /// Has who waits look up, or who waits next: there is something else to do.
    pub fn knock(&self) {
        self.slot.lock().knocked = true;
        self.slot.changed.notify_all();
    }

    /// Lets nobody wait any more.
    pub fn close(&self) {
        self.slot.lock().closed = true;
        self.slot.changed.notify_all();
    }
}

impl Default for Outlet {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// The source's name.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// Puts a frame; one of this source that still waits is shed.
    pub fn put(&self, taken: Timestamp, content: Content) {
        let frame = Frame { source: Arc::clone(&self.source), taken, content };
        let mut waiting = self.slot.lock();
        let put = (Instant::now(), Sensed::Frame(frame));
        if let Some(at) = waiting.sensed.iter().position(|(_, sensed)| self.is_frame(sensed)) {
            waiting.sensed[at] = put;
            waiting.shed += 1;
        } else {
            waiting.sensed.push(put);
        }
        self.slot.changed.notify_all();
    }

    /// Puts a frame that must not be shed: waits until the one before was taken. False once nobody takes any more, or when
    /// told to stop.
    pub fn give(&self, taken: Timestamp, content: Content, stop: &Stop) -> bool {
        let mut waiting = self.slot.lock();
        while waiting.sensed.iter().any(|(_, sensed)| self.is_frame(sensed)) {
            if waiting.closed || stop.is_set() {
                return false;
            }
            let patience = Duration::from_millis(100);
            waiting = self.slot.changed.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        let frame = Frame { source: Arc::clone(&self.source), taken, content };
        waiting.sensed.push((Instant::now(), Sensed::Frame(frame)));
        self.slot.changed.notify_all();
        !waiting.closed
    }

    /// Says how the source fares; only the newest word of a source waits.
    pub fn health(&self, health: Health) {
        let mut waiting = self.slot.lock();
        let mine = |sensed: &Sensed| matches!(sensed, Sensed::Health { source, .. } if *source == self.source);
        waiting.sensed.retain(|(_, sensed)| !mine(sensed));
        waiting.sensed.push((Instant::now(), Sensed::Health { source: Arc::clone(&self.source), health }));
        self.slot.changed.notify_all();
    }

    /// Says what became of its line; only the newest word waits.
    pub fn counted(&self, line: LineView) {
        let mut waiting = self.slot.lock();
        let mine = |sensed: &Sensed| matches!(sensed, Sensed::Counted { source, .. } if *source == self.source);
        waiting.sensed.retain(|(_, sensed)| !mine(sensed));
        waiting.sensed.push((Instant::now(), Sensed::Counted { source: Arc::clone(&self.source), line }));
        self.slot.changed.notify_all();
    }

    /// Says what somebody at the device says that its newest frame is. Of many that wait, the last ones are shed.
    pub fn labelled(&self, class: String) {
        let mut waiting = self.slot.lock();
        let mine = |sensed: &Sensed| matches!(sensed, Sensed::Labelled { source, .. } if *source == self.source);
        if waiting.sensed.iter().filter(|(_, sensed)| mine(sensed)).count() >= LABELS {
            waiting.shed += 1;
            return;
        }
        waiting.sensed.push((Instant::now(), Sensed::Labelled { source: Arc::clone(&self.source), class }));
        self.slot.changed.notify_all();
    }

    fn is_frame(&self, sensed: &Sensed) -> bool {
        matches!(sensed, Sensed::Frame(frame) if frame.source == self.source)
    }
}

impl Slot {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells threads to stop, and is what they wait on.
#[derive(Clone, Default)]
pub struct Stop {
    state: Arc<Stopping>,
}

#[derive(Default)]
struct Stopping {
    set: Mutex<bool>,
    changed: Condvar,
    wakers: Mutex<Vec<Weak<Wake>>>,
}

type Wake = dyn Fn() + Send + Sync;

/// Holds a call that [`Stop::on_set`] was given; it is not made once this is gone.
#[must_use = "the call is not made once this is dropped"]
pub struct Waker {
    _wake: Arc<Wake>,
}

impl Stop {
    /// Not yet set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody.
    pub fn set(&self) {
        *self.state.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.changed.notify_all();
        let wakers = std::mem::take(&mut *self.state.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        for wake in wakers.iter().filter_map(Weak::upgrade) {
            wake();
        }
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        *self.state.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until it is set; true where it is.
    pub fn wait(&self, time: Duration) -> bool {
        let set = self.state.set.lock().unwrap_or_else(PoisonError::into_inner);
        *self.state.changed.wait_timeout_while(set, time, |set| !*set).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Calls `wake` when it is set, or now if it is: for who waits on something else.
    pub fn on_set(&self, wake: impl Fn() + Send + Sync + 'static) -> Waker {
        let wake: Arc<Wake> = Arc::new(wake);
        {
            let mut wakers = self.state.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            wakers.retain(|waker| waker.strong_count() > 0);
            wakers.push(Arc::downgrade(&wake));
        }
        // Set meanwhile: then `set` may have missed it. Twice does no harm.
        if self.is_set() {
            wake();
        }
        Waker { _wake: wake }
    }
}

#[cfg(test)]
mod cameras;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn file(byte: u8) -> Content {
        Content::File(vec![byte])
    }

    #[test]
    fn the_newest_frame_of_each_source_waits_and_what_is_shed_is_counted() {
        let outlet = Outlet::new();
        let (a, b) = (outlet.feed("a"), outlet.feed("b"));
        a.put(Timestamp::UNIX_EPOCH, file(1));
        b.put(Timestamp::UNIX_EPOCH, file(2));
        a.put(Timestamp::UNIX_EPOCH, file(3));
        let contents: Vec<Content> = std::iter::from_fn(|| outlet.take(Duration::ZERO))
            .map(|sensed| match sensed {
                Sensed::Frame(frame) => frame.content,
                other => unreachable!("only frames were put: {other:?}"),
            })
            .collect();
        assert_eq!(contents, [file(3), file(2)]);
        assert_eq!(outlet.shed(), 1);
    }

    #[test]
    fn what_is_given_is_never_shed() {
        let (outlet, stop) = (Outlet::new(), Stop::new());
        let feed = outlet.feed("replay");
        let giver = std::thread::spawn(move || (0..50).all(|n| feed.give(Timestamp::UNIX_EPOCH, file(n), &stop)));
        for n in 0..50 {
            let Some(Sensed::Frame(frame)) = outlet.take(SOON) else { panic!("a frame was lost before {n}") };
            assert_eq!(frame.content, file(n));
        }
        assert!(giver.join().unwrap());
        assert_eq!(outlet.shed(), 0);
    }

    #[test]
    fn a_knock_is_heard_once_and_loses_nothing() {
        let outlet = Outlet::new();
        outlet.feed("a").put(Timestamp::UNIX_EPOCH, file(1));
        outlet.knock();
        assert_eq!(outlet.take(SOON), None);
        assert!(matches!(outlet.take(SOON), Some(Sensed::Frame(_))));
    }

    #[test]
    fn closing_and_stopping_wake_who_waits() {
        let (outlet, stop) = (Arc::new(Outlet::new()), Stop::new());
        let taker = std::thread::spawn({
            let outlet = Arc::clone(&outlet);
            move || outlet.take(SOON)
        });
        outlet.close();
        assert_eq!(taker.join().unwrap(), None);
        let waiter = std::thread::spawn({
            let stop = stop.clone();
            move || stop.wait(SOON)
        });
        let woken = Arc::new(Mutex::new(0));
        let count = |woken: &Arc<Mutex<usize>>| {
            let woken = Arc::clone(woken);
            move || *woken.lock().unwrap() += 1
        };
        let held = stop.on_set(count(&woken));
        drop(stop.on_set(count(&woken)));
        stop.set();
        assert!(waiter.join().unwrap());
        assert_eq!(*woken.lock().unwrap(), 1, "one is held, the other is gone");
        drop(held);
        let _late = stop.on_set(count(&woken));
        assert_eq!(*woken.lock().unwrap(), 2, "set already");
    }
}
