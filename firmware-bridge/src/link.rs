//! The host's half of the line to a device that speaks `acclimate-wire`: bytes in, events in their order out, and what to
//! write. A state machine without I/O and without a clock; opening ports and waiting is `runtime`'s. It knows nothing of
//! windows or of what is learnt. Read `PROTOCOL.md` beside the wire crate first, then `link/order.rs`.
//!
//! ```text
//!               a hello of this session
//!   Greeting ───────────────────────────▶ Synced ──▶ blocks in order, gaps, labels
//!    ▲    │ says hello every second         │
//!    └────┴─────────────────────────────────┘ the port was opened again, or the device began anew: the next session
//! ```
//!
//! Invariants: every numbered message of a session is handed on or counted as lost, once and in order; memory is bounded by the
//! window; nothing that the device says makes it panic.
//!
//! Use: after each call of [`Link::opened`], [`Link::received`], [`Link::send`] or [`Link::tick`] write [`Link::output`], then
//! wait for bytes or until [`Link::deadline`].

mod event;
mod order;

use std::time::Duration;

use acclimate_wire::{
    Decoder, FrameError, MAX_FRAME, MAX_PAYLOAD, encode,
    message::{Hello, MAX_CLASS, MessageError, ToDevice, ToHost, VERSION, Values},
};

pub use self::event::{Block, Channel, Configure, Counts, Device, Event, Fault, Outgoing, Prediction, Setup};
use self::order::{Arrival, Order, Turn};
use crate::clock::Clock;

/// How often the device is greeted until it answers.
const GREETING: Duration = Duration::from_secs(1);

/// How often the device is told how far the host is and asked how far it is: what an `ack`, a `resend` or the last block before
/// a pause took along when it was lost comes back within this.
const BEAT: Duration = Duration::from_millis(250);

/// How often the newest answer is said again, so that a device can tell a lamp that is right from one that was forgotten.
const REPEAT: Duration = Duration::from_secs(2);

/// A device that says nothing for so long is greeted again.
const SILENCE: Duration = Duration::from_secs(3);

/// How many blocks may be on their way at least and at most, whatever the device keeps: enough for 3 Mbaud and 50 ms.
const WINDOW: std::ops::RangeInclusive<u64> = 4..=64;

/// A block that was asked for so often will not come.
const MAX_REQUESTS: u32 = 16;

/// The host's half of one line.
#[derive(Debug)]
pub struct Link {
    decoder: Decoder,
    session: u32,
    /// What is due at what time: a greeting, or a beat.
    due: Option<Duration>,
    /// When the device was last heard.
    heard: Duration,
    /// Whether the device's version was complained of since the port was opened.
    refused: bool,
    device: Option<Device>,
    stream: Option<Stream>,
    /// Whether `stream` is of this session; else it is of an earlier one, and may go on.
    synced: bool,
    configure: Option<Configure>,
    prediction: Option<Prediction>,
    /// When the prediction is said again.
    repeat_at: Duration,
    say: Say,
    token: u32,
    /// When `token` was said.
    asked_at: Duration,
    round_trip: Option<Duration>,
    counts: Counts,
}

/// What is to be said at the next [`Link::output`].
#[expect(clippy::struct_excessive_bools, reason = "each is one message, and any may be due at once")]
#[derive(Clone, Copy, Debug, Default)]
struct Say {
    hello: bool,
    configure: bool,
    ack: bool,
    /// Token, first and others.
    resend: Option<(u32, u32, u32)>,
    prediction: bool,
    ping: Option<u32>,
}

/// The numbered messages of a device since it started.
#[derive(Debug)]
struct Stream {
    /// The session in which they were last spoken of.
    session: u32,
    order: Order<Numbered>,
    clock: Clock,
    /// Where `ack` said last that the host is.
    acked: u64,
    /// The token of the request that is not answered yet, and what it asked for first.
    asked: Option<(u32, u32)>,
    /// How often the message whose turn it is was asked for.
    requests: u32,
    /// The mapped time of the newest message that was handed on.
    host_time: Duration,
    /// The device's time at which the next block is expected to begin.
    expected: Option<Duration>,
    /// The device is another from this number on: it says so before what it sensed until then has come.
    news: Option<(u64, Device)>,
}

/// A numbered message, as it waits for its turn. What a block's bytes mean is what the device says of itself by then.
#[derive(Clone, Debug)]
enum Numbered {
    Floats(Duration, Vec<u8>),
    Integers(Duration, Vec<u8>),
    Label(Duration, String),
}

impl Link {
    /// A link whose port is not open yet.
    pub fn new(setup: Setup) -> Self {
        let Setup { session, configure } = setup;
        Self {
            decoder: Decoder::new(),
            session,
            due: None,
            heard: Duration::ZERO,
            refused: false,
            device: None,
            stream: None,
            synced: false,
            configure,
            prediction: None,
            repeat_at: Duration::ZERO,
            say: Say::default(),
            token: 0,
            asked_at: Duration::ZERO,
            round_trip: None,
            counts: Counts::default(),
        }
    }

    /// The port was opened, for the first time or again. A device that kept running goes on where it was.
    pub fn opened(&mut self, now: Duration) {
        self.decoder.reset();
        self.refused = false;
        self.prediction = None;
        self.greet(now);
    }

    /// The device that is there; `None` until it introduced itself.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref().filter(|_| self.synced)
    }

    /// When the device was last heard: a whole frame, whatever it said.
    pub fn heard(&self) -> Duration {
        self.heard
    }

    /// From asking the device something to its answer, at the last beat.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// How often what happened, since the link was made.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Has something said to the device as soon as it is there.
    pub fn send(&mut self, message: Outgoing) {
        match message {
            Outgoing::Configure(configure) => {
                self.configure = Some(configure);
                self.say.configure = true;
            }
            Outgoing::Prediction(mut prediction) => {
                let end = prediction.class.floor_char_boundary(MAX_CLASS);
                prediction.class.truncate(end);
                self.prediction = Some(prediction);
                // At the next beat, for a line may lose it.
                self.repeat_at = Duration::ZERO;
                self.say.prediction = true;
            }
        }
    }

    /// When [`Self::tick`] wants to be called; `None` until the port is open.
    pub fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        if !self.synced {
            self.say.hello = true;
            self.due = Some(now + GREETING);
            return;
        }
        if now.saturating_sub(self.heard) >= SILENCE {
            self.say.hello = true;
        }
        self.token = self.token.wrapping_add(1);
        self.asked_at = now;
        self.say.ping = Some(self.token);
        self.say.ack = true;
        if self.prediction.is_some() && now >= self.repeat_at {
            self.repeat_at = now + REPEAT;
            self.say.prediction = true;
        }
        self.due = Some(now + BEAT);
    }

    /// Bytes came, in pieces of any size; calls `sink` with what they tell.
    pub fn received(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Event)) {
        self.counts.bytes += bytes.len() as u64;
        // Out of `self` while frames borrow from it.
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.feed(bytes, |frame| match frame {
            Ok(payload) => {
                self.counts.frames += 1;
                self.heard = now;
                match ToHost::decode(payload) {
                    Ok(message) => self.message(&message, now, sink),
                    Err(error) => {
                        self.counts.unreadable += 1;
                        // A newer device's message is no fault.
                        if !matches!(error, MessageError::Unknown { .. }) {
                            sink(Event::Fault(error.into()));
                        }
                    }
                }
            }
            Err(error) => {
                *match error {
                    FrameError::Malformed => &mut self.counts.malformed,
                    FrameError::Checksum => &mut self.counts.checksum,
                    FrameError::TooLong => &mut self.counts.too_long,
                } += 1;
                sink(Event::Fault(error.into()));
            }
        });
        self.decoder = decoder;
        self.follow_up(now, sink);
    }

    /// What is to be written now; empty if nothing.
    pub fn output(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let Say { hello, configure, ack, resend, prediction, ping } = self.say;
        if hello {
            put(&mut out, &ToDevice::Hello { version: VERSION, session: self.session });
            self.say.hello = false;
        }
        let Some(stream) = self.stream.as_mut().filter(|_| self.synced) else { return out };
        self.say = Say::default();
        if let Some(Configure { running, rate_hz }) = self.configure.filter(|_| configure) {
            let rate_millihertz = rate_hz.map_or(0, |rate| (rate * 1000.0).round() as u32);
            put(&mut out, &ToDevice::Configure { running, rate_millihertz });
        }
        if ack {
            stream.acked = stream.order.next();
            let (next, granted) = (stream.acked as u32, stream.order.granted() as u32);
            put(&mut out, &ToDevice::Ack { session: self.session, next, granted });
        }
        if let Some((token, first, others)) = resend {
            put(&mut out, &ToDevice::Resend { token, first, others });
        }
        if let Some(Prediction { class, confidence, known, label_wanted }) =
            self.prediction.as_ref().filter(|_| prediction)
        {
            let confidence = (confidence.clamp(0.0, 1.0) * 10_000.0).round() as u16;
            let (known, label_wanted) = (*known, *label_wanted);
            put(&mut out, &ToDevice::Prediction { class, confidence, known, label_wanted });
        }
        if let Some(token) = ping {
            put(&mut out, &ToDevice::Ping { token });
        }
        out
    }

    /// Begins the next session.
    fn greet(&mut self, now: Duration) {
        self.session = self.session.wrapping_add(1).max(1);
        self.synced = false;
        self.say = Say { hello: true, ..Say::default() };
        self.due = Some(now + GREETING);
    }

    fn message(&mut self, message: &ToHost<'_>, now: Duration, sink: &mut impl FnMut(Event)) {
        match *message {
            ToHost::Hello(ref hello) => self.hello(hello, now, sink),
            ToHost::Log { level, text } => sink(Event::Log { level, text: text.to_owned() }),
            ToHost::Label { sequence, time, class } => {
                let device_time = Duration::from_micros(time);
                self.numbered(sequence, Numbered::Label(device_time, class.to_owned()));
            }
            ToHost::Samples { sequence, time, values } => self.samples(sequence, time, values, now),
            ToHost::Pong { token, time, next, oldest } => self.pong(token, time, next, oldest, now),
        }
    }

    fn hello(&mut self, hello: &Hello<'_>, now: Duration, sink: &mut impl FnMut(Event)) {
        if hello.version != VERSION {
            if !self.refused {
                sink(Event::Fault(Fault::Version { device: hello.version, host: VERSION }));
            }
            (self.refused, self.synced) = (true, false);
            return;
        }
        if hello.session != self.session {
            // It has not heard of this session: it began anew, or says what it said before the greeting came.
            if self.synced {
                self.greet(now);
            }
            self.say.hello = true;
            return;
        }
        let mut is_new = false;
        if !self.synced {
            self.synced = true;
            let window = u64::from(hello.buffer).clamp(*WINDOW.start(), *WINDOW.end());
            let goes_on = self.stream.as_ref().is_some_and(|stream| {
                let made = stream.order.widen(hello.head);
                stream.session == hello.previous && made.is_some_and(|made| made >= stream.order.next())
            });
            let again = self.stream.is_some();
            match &mut self.stream {
                Some(stream) if goes_on => (stream.session, stream.asked) = (self.session, None),
                stream => {
                    self.counts.restarts += u64::from(again);
                    is_new = true;
                    *stream = Some(Stream {
                        session: self.session,
                        order: Order::new(hello.head, window),
                        clock: Clock::new(),
                        acked: u64::from(hello.head),
                        asked: None,
                        requests: 0,
                        host_time: Duration::ZERO,
                        expected: None,
                        news: None,
                    });
                }
            }
            self.say.ack = true;
            self.say.configure = self.configure.is_some();
            self.due = Some(now);
        }
        let device = Device::from(hello);
        let Some(stream) = &mut self.stream else { return };
        if is_new {
            self.device = Some(device.clone());
            sink(Event::Hello(device));
        } else {
            let from = stream.order.widen(hello.head).unwrap_or(0);
            stream.news = (self.device.as_ref() != Some(&device)).then_some((from, device));
        }
    }

    fn samples(&mut self, sequence: u32, time: u64, values: Values<'_>, now: Duration) {
        let (Some(device), Some(stream)) = (&self.device, self.stream.as_mut().filter(|_| self.synced)) else { return };
        let device_time = Duration::from_micros(time);
        let rows = values.bytes().len() / values.width() / device.channels.len();
        let length = Duration::from_secs_f64(rows as f64 / device.rate_hz.unwrap_or(f64::INFINITY));
        stream.clock.observe(device_time + length, now);
        let bytes = values.bytes().to_vec();
        self.numbered(
            sequence,
            match values {
                Values::F32(_) => Numbered::Floats(device_time, bytes),
                Values::I16(_) => Numbered::Integers(device_time, bytes),
            },
        );
    }

    fn numbered(&mut self, sequence: u32, message: Numbered) {
        let Some(stream) = self.stream.as_mut().filter(|_| self.synced) else { return };
        match stream.order.arrived(sequence, message) {
            Arrival::Kept { missed } => self.counts.recovered += u64::from(missed),
            Arrival::Superfluous => self.counts.duplicates += 1,
        }
    }

    fn pong(&mut self, token: u32, time: u64, next: u32, oldest: u32, now: Duration) {
        let Some(stream) = self.stream.as_mut().filter(|_| self.synced) else { return };
        stream.clock.observe(Duration::from_micros(time), now);
        stream.order.told(next, oldest);
        if token == self.token {
            self.round_trip = Some(now.saturating_sub(self.asked_at));
        }
        // The line keeps the order: an answer to this or to something later says that the request was served, or lost.
        if let Some((asked, first)) = stream.asked
            && token.wrapping_sub(asked) as i32 >= 0
        {
            stream.asked = None;
            // What came in the same read is not missing, though it was not handed on yet.
            if stream.order.missing().is_some_and(|(missing, _)| missing == first) {
                stream.requests += 1;
                if stream.requests >= MAX_REQUESTS {
                    stream.order.give_up();
                    stream.requests = 0;
                }
            } else {
                stream.requests = 0;
            }
        }
    }

    /// Hands on what can be, asks for what is missing, says how far it is.
    fn follow_up(&mut self, now: Duration, sink: &mut impl FnMut(Event)) {
        let (Some(stream), Some(device)) = (self.stream.as_mut().filter(|_| self.synced), &mut self.device) else {
            return;
        };
        loop {
            if let Some((_, changed)) = stream.news.take_if(|(from, _)| *from <= stream.order.next()) {
                device.clone_from(&changed);
                stream.expected = None;
                sink(Event::Hello(changed));
            }
            match stream.order.take() {
                Some(Turn::Message(number, message)) => {
                    if stream.hand_on(number, message, device, sink) {
                        self.counts.blocks += 1;
                    } else {
                        self.counts.lost += 1;
                    }
                }
                Some(Turn::Lost(lost)) => {
                    self.counts.lost += lost;
                    stream.expected = None;
                    sink(Event::Gap { lost });
                }
                None => break,
            }
        }
        if stream.asked.is_none()
            && let Some((first, others)) = stream.order.missing()
        {
            self.token = self.token.wrapping_add(1);
            self.asked_at = now;
            stream.asked = Some((self.token, first));
            self.say.resend = Some((self.token, first, others));
            self.counts.requests += 1;
        }
        let step = (stream.order.granted() - stream.order.next()).div_ceil(4);
        self.say.ack |= stream.order.next() >= stream.acked + step;
    }
}

impl Stream {
    /// Tells of a numbered message; whether it could be read.
    fn hand_on(&mut self, number: u64, message: Numbered, device: &Device, sink: &mut impl FnMut(Event)) -> bool {
        let channels = device.channels.len();
        let (device_time, values, is_whole): (Duration, Vec<f32>, bool) = match message {
            Numbered::Label(device_time, class) => {
                let host_time = self.map(device_time);
                sink(Event::Label { class, device_time, host_time });
                return true;
            }
            Numbered::Floats(device_time, bytes) => {
                let (values, rest) = bytes.as_chunks();
                (device_time, values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), rest.is_empty())
            }
            Numbered::Integers(device_time, bytes) => {
                let (values, rest) = bytes.as_chunks();
                let scales = device.channels.iter().map(|channel| channel.scale).cycle();
                let scaled =
                    values.iter().zip(scales).map(|(bytes, scale)| f32::from(i16::from_le_bytes(*bytes)) * scale);
                (device_time, scaled.collect(), rest.is_empty())
            }
        };
        let is_whole = is_whole && !values.is_empty() && values.len().is_multiple_of(channels);
        if !is_whole || !values.iter().all(|value| value.is_finite()) {
            self.expected = None;
            sink(Event::Fault(Fault::Rows { number, values: values.len(), channels }));
            sink(Event::Gap { lost: 1 });
            return false;
        }
        let block = Block { sequence: number, device_time, host_time: self.map(device_time), channels, values };
        self.pause(&block, device.rate_hz, sink);
        sink(Event::Samples(block));
        true
    }

    /// A device that stopped sensing for a while lost no block, and its readings do not follow one another all the same.
    fn pause(&mut self, block: &Block, rate_hz: Option<f64>, sink: &mut impl FnMut(Event)) {
        let Some(row) = rate_hz.map(|rate| 1.0 / rate) else {
            self.expected = None;
            return;
        };
        let length = Duration::from_secs_f64(block.rows() as f64 * row);
        // Clocks of sensors are not those of their microcontrollers: two rows, or a quarter of the block.
        let tolerance = Duration::from_secs_f64(2.0 * row).max(length / 4);
        if self.expected.is_some_and(|expected| expected.abs_diff(block.device_time) > tolerance) {
            sink(Event::Gap { lost: 0 });
        }
        self.expected = Some(block.device_time + length);
    }

    fn map(&mut self, device_time: Duration) -> Duration {
        self.host_time = self.host_time.max(self.clock.at(device_time));
        self.host_time
    }
}

impl From<&Hello<'_>> for Device {
    fn from(hello: &Hello<'_>) -> Self {
        let channels = hello.channels.iter().map(|channel| Channel {
            name: channel.name.to_owned(),
            unit: channel.unit.to_owned(),
            scale: channel.scale,
        });
        Self {
            name: hello.name.to_owned(),
            firmware: hello.firmware.to_owned(),
            protocol: hello.version,
            buffer: hello.buffer,
            rate_hz: (hello.rate_millihertz > 0).then(|| f64::from(hello.rate_millihertz) / 1000.0),
            channels: channels.collect(),
        }
    }
}

/// Appends a message as a frame.
fn put(out: &mut Vec<u8>, message: &ToDevice<'_>) {
    let (mut payload, mut frame) = ([0; MAX_PAYLOAD], [0; MAX_FRAME]);
    // Everything said here is within its limits.
    if let Ok(frame) = message.encode(&mut payload).map(|payload| encode(payload, &mut frame)) {
        out.extend_from_slice(frame.unwrap_or_default());
    }
}
