//! A device, a bad line and a host in virtual time. Everything is drawn from one seed, so what fails can be played again.

use std::{collections::VecDeque, time::Duration};

use acclimate_bridge::link::{Block, Event, Link, Setup};
use acclimate_wire::{
    MAX_FRAME,
    device::{Device, Heard, Identity, Row},
    message::Channel,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// One step of virtual time: what a line holds back at least.
pub(crate) const STEP: Duration = Duration::from_millis(4);

/// An accelerometer at 100 Hz.
pub(crate) const ACCELEROMETER: Identity = Identity {
    name: "test rig",
    firmware: "1.0",
    channels: &[
        Channel { name: "ax", unit: "m/s2", scale: 0.5 },
        Channel { name: "ay", unit: "m/s2", scale: 0.5 },
        Channel { name: "az", unit: "m/s2", scale: -2.0 },
    ],
    rate_millihertz: 100_000,
    rows: 20,
};

/// Between two rows of it, in µs.
pub(crate) const PERIOD: u64 = 10_000;

/// What is sensed in a row, so that every value that arrives can be checked.
pub(crate) fn row(index: u64) -> [i16; 3] {
    // Weyl sequences: neighbours differ in every byte.
    [0x9E37, 0x6A09, 0xBB67].map(|step: u64| (index.wrapping_mul(step) >> 3) as i16)
}

/// One direction of a line.
pub(crate) struct Line {
    rng: ChaCha8Rng,
    /// Bytes a second.
    rate: f64,
    /// How many of a byte are flipped, dropped or doubled.
    faults: f64,
    /// Bytes that may be carried already, less than one.
    credit: f64,
    queue: VecDeque<u8>,
    /// How many bytes met a fault.
    pub(crate) spoilt: u64,
}

impl Line {
    pub(crate) fn new(baud: f64, faults: f64, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, rate: baud / 10.0, faults, credit: 0.0, queue: VecDeque::new(), spoilt: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
    }

    /// Whether a UART's interrupt would ask for more.
    pub(crate) fn has_room(&self) -> bool {
        (self.queue.len() as f64) < 64.0_f64.max(self.rate * STEP.as_secs_f64())
    }

    /// What arrives within a step.
    pub(crate) fn carry(&mut self) -> Vec<u8> {
        self.credit = (self.credit + self.rate * STEP.as_secs_f64()).min(self.queue.len() as f64 + 1.0);
        let count = (self.credit as usize).min(self.queue.len());
        self.credit -= count as f64;
        let mut arrived = Vec::with_capacity(count);
        for byte in self.queue.drain(..count) {
            if self.rng.random_bool(self.faults) {
                self.spoilt += 1;
                match self.rng.random_range(0..3) {
                    0 => arrived.push(byte ^ self.rng.random_range(1..=255u8)),
                    1 => {}
                    _ => arrived.extend([byte, byte]),
                }
            } else {
                arrived.push(byte);
            }
        }
        arrived
    }

    /// Whether a program that has other things to do reads now: often within a step, seldom after ten.
    fn is_read(&mut self) -> bool {
        self.rng.random_bool(0.4)
    }

    /// Whatever is on its way is lost.
    pub(crate) fn cut(&mut self) {
        self.queue.clear();
    }
}

/// The whole: `BLOCKS` and `SIZE` are the device's.
pub(crate) struct World<const BLOCKS: usize, const SIZE: usize> {
    pub(crate) now: Duration,
    pub(crate) device: Box<Device<BLOCKS, SIZE>>,
    /// When the device started, by the host's clock.
    pub(crate) started: Duration,
    /// The device's clock runs so much too fast.
    pub(crate) drift: f64,
    pub(crate) link: Link,
    /// From the device to the host, and back.
    pub(crate) up: Line,
    pub(crate) down: Line,
    /// What has come and was not read yet.
    unread: Vec<u8>,
    /// Rows sensed since the device started.
    pub(crate) sensed: u64,
    /// What the device heard of the host.
    pub(crate) predictions: Vec<String>,
    pub(crate) configured: Vec<(bool, u32)>,
}

impl<const BLOCKS: usize, const SIZE: usize> World<BLOCKS, SIZE> {
    pub(crate) fn new(identity: Identity, baud: f64, faults: f64, seed: u64) -> Self {
        let mut link = Link::new(Setup { session: 1, configure: None });
        link.opened(Duration::ZERO);
        Self {
            now: Duration::ZERO,
            device: Box::new(Device::new(identity)),
            started: Duration::ZERO,
            drift: 0.0,
            link,
            up: Line::new(baud, faults, seed),
            down: Line::new(baud, faults, !seed),
            unread: Vec::new(),
            sensed: 0,
            predictions: Vec::new(),
            configured: Vec::new(),
        }
    }

    /// The device's clock, in µs.
    pub(crate) fn device_time(&self) -> u64 {
        (self.now.saturating_sub(self.started).as_secs_f64() * (1.0 + self.drift) * 1e6) as u64
    }

    /// The device senses what is due, [`PERIOD`] after [`PERIOD`].
    pub(crate) fn sense(&mut self) {
        while self.sensed * PERIOD <= self.device_time() {
            self.device.push(self.sensed * PERIOD, Row::I16(&row(self.sensed))).expect("three values");
            self.sensed += 1;
        }
    }

    /// One step: both sides write, the lines carry, both sides read.
    pub(crate) fn step(&mut self, sink: &mut impl FnMut(Event)) {
        self.now += STEP;
        self.exchange(true, sink);
    }

    /// The same while the port is gone: what the device writes goes nowhere.
    pub(crate) fn step_unplugged(&mut self) {
        self.now += STEP;
        self.exchange(false, &mut |_| {});
        self.down.cut();
    }

    fn exchange(&mut self, is_open: bool, sink: &mut impl FnMut(Event)) {
        let time = self.device_time();
        let mut frame = [0; MAX_FRAME];
        while self.up.has_room() {
            let bytes = self.device.transmit(time, &mut frame);
            if bytes.is_empty() {
                break;
            }
            self.up.write(bytes);
        }
        let arrived = self.up.carry();
        self.unread.extend(arrived);
        if !is_open {
            self.unread.clear();
        } else if self.up.is_read() {
            if !self.unread.is_empty() {
                self.link.received(&self.unread, self.now, sink);
                self.unread.clear();
            }
            if self.link.deadline().is_some_and(|due| due <= self.now) {
                self.link.tick(self.now);
            }
            self.down.write(&self.link.output());
        }
        let heard = self.down.carry();
        self.device.received(&heard, |heard| match heard {
            Heard::Prediction { class, .. } => self.predictions.push(class.to_owned()),
            Heard::Configure { running, rate_millihertz } => self.configured.push((running, rate_millihertz)),
            Heard::Greeted | Heard::Spoilt(_) => {}
        });
    }
}

/// Checks every block against what was sensed, and that nothing follows on what it does not follow on.
#[derive(Default)]
pub(crate) struct Judge {
    /// The row that would follow on the last block; `None` where anything may come.
    next: Option<u64>,
    /// Blocks and labels that gaps owned up to.
    pub(crate) lost: u64,
    pub(crate) rows: u64,
    /// Rows of windows of 100 that were whole.
    pub(crate) windows: u64,
    in_window: u64,
    pub(crate) labels: u64,
    pub(crate) hellos: u64,
    pub(crate) gaps: u64,
    /// Rows of every block, where all have as many and there are no labels: then a gap is as long as it says.
    pub(crate) rows_of_block: Option<u64>,
    /// The row before a gap, and the rows that it says are missing.
    gap: Option<(u64, u64)>,
}

impl Judge {
    pub(crate) fn hear(&mut self, event: Event) {
        match event {
            Event::Samples(block) => self.block(&block),
            Event::Gap { lost } => {
                self.lost += lost;
                self.gaps += 1;
                if let Some(rows) = self.rows_of_block {
                    let (from, missing) = self.gap.take().unwrap_or_else(|| (self.next.expect("blocks before it"), 0));
                    self.gap = Some((from, missing + lost * rows));
                }
                (self.next, self.in_window) = (None, 0);
            }
            Event::Hello(_) => {
                self.hellos += 1;
                (self.next, self.in_window) = (None, 0);
            }
            Event::Label { class, .. } => {
                let said: u64 = class.parse().expect("the row before which it was said");
                assert!(self.next.is_none_or(|next| next == said), "{said} where {:?} follows", self.next);
                self.labels += 1;
            }
            Event::Fault(_) => {}
            Event::Log { .. } => panic!("the device logs nothing"),
        }
    }

    fn block(&mut self, block: &Block) {
        let micros = block.device_time.as_micros() as u64;
        assert!(micros.is_multiple_of(PERIOD), "a block begins at {micros} µs");
        let first = micros / PERIOD;
        assert!(self.next.is_none_or(|next| next == first), "row {first} follows where {:?} should", self.next);
        if let Some((from, missing)) = self.gap.take() {
            assert_eq!(first, from + missing, "a gap after row {from}");
        }
        for (index, values) in (first..).zip(block.values.chunks(3)) {
            let [x, y, z] = row(index).map(f32::from);
            assert_eq!(values, [x * 0.5, y * 0.5, z * -2.0], "row {index}");
        }
        let rows = block.rows() as u64;
        self.next = Some(first + rows);
        self.rows += rows;
        self.in_window += rows;
        self.windows += self.in_window / 100;
        self.in_window %= 100;
    }
}
