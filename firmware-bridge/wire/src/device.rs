//! A device's half of the talk: readings become numbered blocks, the newest are kept to be sent again, and no more is sent than
//! the host has room for. It knows nothing of UARTs, clocks and sensors: time is an argument, bytes go in and frames come out.
//! Invariants: memory is what its type says; a number is used once from the start of the device on.
//!
//! ```text
//!   session 0 ──────── hello of the host ────────▶ session n ─── ack: granted ───▶ blocks up to `granted`
//!   says hello every second                        answers hello                   repeats what `resend` asks for
//! ```
//!
//! Use: [`Device::push`] each row as it is sensed; give [`Device::received`] what comes; whenever the line has room, write what
//! [`Device::transmit`] gives. Nothing of it waits.
//!
//! ```
//! use acclimate_wire::{MAX_FRAME, device::{Device, Identity, Row}, message::Channel};
//!
//! const CHANNELS: &[Channel<'_>] = &[Channel { name: "ax", unit: "m/s2", scale: 0.01 }];
//! let identity = Identity { name: "demo", firmware: "1.0", channels: CHANNELS, rate_millihertz: 100_000, rows: 20 };
//! // 32 slots of 240 bytes.
//! let mut device: Device<32, 240> = Device::new(identity);
//! device.push(0, Row::I16(&[981])).unwrap();
//! let mut line = [0; MAX_FRAME];
//! assert!(!device.transmit(0, &mut line).is_empty(), "it says hello");
//! ```

mod ring;

use self::ring::{Kind, Ring};
use crate::{
    Decoder, FrameError, MAX_FRAME, MAX_PAYLOAD, encode,
    message::{
        Channel, Channels, Hello, MAX_CHANNELS, MAX_CLASS, MAX_RESEND, MAX_VALUES, ToDevice, ToHost, VERSION, Values,
    },
};

/// How often a device without a session says hello, in µs.
const GREETING: u64 = 1_000_000;

/// The longest thing that is put into a slot at once, in bytes: a row, or a label.
const LONGEST: usize = if 4 * MAX_CHANNELS > MAX_CLASS { 4 * MAX_CHANNELS } else { MAX_CLASS };

/// What a device says of itself; the limits are those of [`Hello`].
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its name.
    pub name: &'static str,
    /// Its firmware's version.
    pub firmware: &'static str,
    /// What is in a row, 1 to [`MAX_CHANNELS`].
    pub channels: &'static [Channel<'static>],
    /// Rows a second, in thousandths.
    pub rate_millihertz: u32,
    /// Rows of a block, or fewer where a slot is full; 0 fills the slot. A tenth of a second is a good length: longer blocks cost
    /// time until the answer and are spoilt more often on a bad line, shorter ones cost 25 bytes each.
    pub rows: u16,
}

/// One reading of every channel.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// Integers, of which the channel's scale makes numbers in its unit.
    I16(&'a [i16]),
    /// Numbers in the channel's unit.
    F32(&'a [f32]),
}

/// A row that is not one of this device; the firmware is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("adding a row of {got} values, expected {expected}, one for each channel that `Identity` names")]
pub struct RowError {
    /// How many channels there are.
    pub expected: usize,
    /// How many values came.
    pub got: usize,
}

/// What the host says, as far as it is the firmware's to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// How to sense: then call [`Device::set_rate`].
    Configure {
        /// Whether to take samples at all.
        running: bool,
        /// Rows a second, in thousandths; 0 leaves the device's own.
        rate_millihertz: u32,
    },
    /// A host opened the line.
    Greeted,
    /// The newest answer.
    Prediction {
        /// The class, even where it is not sure; empty where there is none.
        class: &'a str,
        /// Its probability in 1/10,000.
        confidence: u16,
        /// `false` is the answer `unknown`.
        known: bool,
        /// Whether somebody is asked to say what this is: light a lamp beside the buttons.
        label_wanted: bool,
    },
    /// Bytes that are no frame; the host says again what matters.
    Spoilt(FrameError),
}

/// A device's half of one line, with `BLOCKS` slots of `SIZE` bytes of values. One slot is being filled; the others are kept.
#[derive(Debug)]
pub struct Device<const BLOCKS: usize, const SIZE: usize> {
    decoder: Decoder,
    talk: Talk<BLOCKS, SIZE>,
}

/// Everything but the decoder, whose bytes are borrowed while they are heard.
#[derive(Debug)]
struct Talk<const BLOCKS: usize, const SIZE: usize> {
    identity: Identity,
    ring: Ring<BLOCKS, SIZE>,
    session: u32,
    previous: u32,
    /// The next numbered message to be sent for the first time.
    sent: u32,
    /// Those before may be sent.
    granted: u32,
    say_hello: bool,
    /// When to say hello without being asked, in µs.
    greet_at: u64,
    pong: Option<u32>,
}

impl<const BLOCKS: usize, const SIZE: usize> Device<BLOCKS, SIZE> {
    /// A device that has just started.
    pub const fn new(identity: Identity) -> Self {
        const {
            assert!(BLOCKS >= 2 && BLOCKS <= 1 << 15, "one slot to fill and at least one to keep");
            assert!(BLOCKS.is_power_of_two(), "numbers begin again at a power of two");
            assert!(SIZE <= MAX_VALUES, "a slot fits a frame");
            assert!(SIZE >= LONGEST, "a row and a label fit a slot");
        }
        let talk = Talk {
            identity,
            ring: Ring::new(),
            session: 0,
            previous: 0,
            sent: 0,
            granted: 0,
            say_hello: true,
            greet_at: 0,
            pong: None,
        };
        Self { decoder: Decoder::new(), talk }
    }

    /// Adds a row that was sensed at `now` (µs since the device started, never running backwards).
    ///
    /// # Errors
    /// The row has not one value for each channel; it is left out.
    pub fn push(&mut self, now: u64, row: Row<'_>) -> Result<(), RowError> {
        let Talk { identity, ring, .. } = &mut self.talk;
        let (got, kind) = match row {
            Row::I16(values) => (values.len(), Kind::I16),
            Row::F32(values) => (values.len(), Kind::F32),
        };
        let expected = identity.channels.len();
        if got != expected || expected > MAX_CHANNELS {
            return Err(RowError { expected, got });
        }
        let mut bytes = [0; 4 * MAX_CHANNELS];
        let width = match row {
            Row::I16(values) => {
                let places = bytes.chunks_exact_mut(2).zip(values);
                places.for_each(|(place, value)| place.copy_from_slice(&value.to_le_bytes()));
                2
            }
            Row::F32(values) => {
                let places = bytes.chunks_exact_mut(4).zip(values);
                places.for_each(|(place, value)| place.copy_from_slice(&value.to_le_bytes()));
                4
            }
        };
        ring.append(now, kind, &bytes[..got * width], identity.rows);
        self.talk.drop_overwritten();
        Ok(())
    }

    /// Sends what was pushed so far, without waiting for a full block.
    pub fn flush(&mut self) {
        self.talk.ring.close();
        self.talk.drop_overwritten();
    }

    /// Somebody at the device says of what class the readings up to now are: a class, or the name of a button, cut to
    /// [`MAX_CLASS`] bytes. An empty one is left out.
    pub fn label(&mut self, now: u64, class: &str) {
        let end = class.floor_char_boundary(MAX_CLASS);
        if end > 0 {
            self.talk.ring.close();
            self.talk.ring.append(now, Kind::Label, &class.as_bytes()[..end], 1);
            self.talk.drop_overwritten();
        }
    }

    /// The rate from here on, in thousandths of rows a second; 0 if no more samples are taken. The host is told.
    pub fn set_rate(&mut self, rate_millihertz: u32) {
        self.flush();
        self.talk.identity.rate_millihertz = rate_millihertz;
        self.talk.say_hello = true;
    }

    /// Takes bytes of the host as they come; calls `sink` with what is for the firmware.
    pub fn received(&mut self, bytes: &[u8], mut sink: impl FnMut(Heard<'_>)) {
        let Self { decoder, talk } = self;
        decoder.feed(bytes, |frame| match frame {
            // What does not decode is a newer host's, and is passed over.
            Ok(payload) => {
                if let Some(heard) = ToDevice::decode(payload).ok().and_then(|message| talk.hear(message)) {
                    sink(heard);
                }
            }
            Err(error) => sink(Heard::Spoilt(error)),
        });
    }

    /// The next frame to be written, in `line`; empty if there is nothing to say. `now` in µs.
    pub fn transmit<'a>(&mut self, now: u64, line: &'a mut [u8; MAX_FRAME]) -> &'a [u8] {
        let mut payload = [0; MAX_PAYLOAD];
        let payload = self.talk.next(now).and_then(|message| message.encode(&mut payload).ok());
        payload.and_then(|payload| encode(payload, line).ok()).unwrap_or_default()
    }
}

impl<const BLOCKS: usize, const SIZE: usize> Talk<BLOCKS, SIZE> {
    /// What was overwritten before it was sent will not be.
    fn drop_overwritten(&mut self) {
        if is_before(self.sent, self.ring.oldest()) {
            self.sent = self.ring.oldest();
        }
    }

    fn hear<'a>(&mut self, message: ToDevice<'a>) -> Option<Heard<'a>> {
        match message {
            ToDevice::Hello { session, .. } => {
                if session != self.session {
                    (self.previous, self.session) = (self.session, session);
                    // Nothing is sent until the new host says where it begins.
                    self.granted = self.sent;
                    self.pong = None;
                    self.ring.forget_requests();
                }
                self.say_hello = true;
                Some(Heard::Greeted)
            }
            ToDevice::Configure { running, rate_millihertz } => Some(Heard::Configure { running, rate_millihertz }),
            ToDevice::Ack { session, next, granted } => {
                if session == self.session {
                    if is_before(self.sent, next) && !is_before(self.ring.head(), next) {
                        self.sent = next;
                    }
                    self.granted = granted;
                }
                None
            }
            ToDevice::Resend { token, first, others } => {
                let asked = |ahead: u32| ahead == 0 || others >> (ahead - 1) & 1 == 1;
                for ahead in (0..MAX_RESEND).filter(|&ahead| asked(ahead)) {
                    let sequence = first.wrapping_add(ahead);
                    if is_before(sequence, self.sent) {
                        self.ring.request(sequence);
                    }
                }
                self.pong = Some(token);
                None
            }
            ToDevice::Prediction { class, confidence, known, label_wanted } => {
                Some(Heard::Prediction { class, confidence, known, label_wanted })
            }
            ToDevice::Ping { token } => {
                self.pong = Some(token);
                None
            }
        }
    }

    /// What is to be said next, the most urgent first.
    fn next(&mut self, now: u64) -> Option<ToHost<'_>> {
        if self.say_hello || self.session == 0 && now >= self.greet_at {
            self.say_hello = false;
            self.greet_at = now + GREETING;
            let Identity { name, firmware, channels, rate_millihertz, rows: _ } = self.identity;
            return Some(ToHost::Hello(Hello {
                version: VERSION,
                session: self.session,
                previous: self.previous,
                head: self.ring.head(),
                oldest: self.ring.oldest(),
                buffer: (BLOCKS - 1) as u16,
                name,
                firmware,
                rate_millihertz,
                channels: Channels::new(channels),
            }));
        }
        if self.session == 0 {
            return None;
        }
        if let Some(sequence) = self.ring.take_request() {
            return self.numbered(sequence);
        }
        // Behind what was to be sent again, so that whoever hears it knows what was lost.
        if let Some(token) = self.pong.take() {
            return Some(ToHost::Pong { token, time: now, next: self.sent, oldest: self.ring.oldest() });
        }
        if is_before(self.sent, self.ring.head()) && is_before(self.sent, self.granted) {
            let sequence = self.sent;
            self.sent = sequence.wrapping_add(1);
            return self.numbered(sequence);
        }
        None
    }

    fn numbered(&self, sequence: u32) -> Option<ToHost<'_>> {
        let (time, kind, bytes) = self.ring.kept(sequence)?;
        Some(match kind {
            Kind::I16 => ToHost::Samples { sequence, time, values: Values::I16(bytes) },
            Kind::F32 => ToHost::Samples { sequence, time, values: Values::F32(bytes) },
            // What `label` took was text.
            Kind::Label => ToHost::Label { sequence, time, class: core::str::from_utf8(bytes).ok()? },
        })
    }
}

/// Order of numbers that count modulo 2³².
const fn is_before(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) as i32 > 0
}
