//! What a link tells, as it is heard of any device. Knows nothing of frames.

use std::time::Duration;

use acclimate_wire::message::Level;

use super::Counts;
use crate::answer::Answer;
use crate::heard::{Heard, Unreadable};
use crate::link::{Block, Device, Event, Link, Outgoing, Prediction, Setup};
use crate::shape::{Channel, Shape};

/// A device that speaks in frames.
#[derive(Debug)]
pub(super) struct Framed {
    link: Link,
    readings: u64,
    faults: u64,
    /// Devices that do not give any yet have none.
    rate_hz: Option<f64>,
    /// What it was told last: a label that is wanted is wanted beside it.
    said: Prediction,
}

impl Framed {
    pub(super) fn new(session: u32) -> Self {
        let said = Prediction { class: String::new(), confidence: 0.0, known: false, label_wanted: false };
        Self { link: Link::new(Setup { session, configure: None }), readings: 0, faults: 0, rate_hz: None, said }
    }

    pub(super) fn opened(&mut self, now: Duration) {
        self.link.opened(now);
    }

    pub(super) fn received(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        let Self { link, readings, faults, rate_hz, said: _ } = self;
        link.received(bytes, now, &mut |event| match event {
            Event::Fault(fault) => sink(Heard::Unreadable(Unreadable::Frame(fault))),
            Event::Gap { lost } => sink(Heard::Gap(lost)),
            Event::Hello(device) => {
                *rate_hz = device.rate_hz;
                sink(Heard::Gap(0));
                sink(Heard::Shape(&shape(&device)));
            }
            Event::Label { class, .. } => sink(Heard::Label(&class)),
            Event::Log { level: Level::Error, text } => {
                *faults += 1;
                sink(Heard::Fault(&text));
            }
            Event::Log { text, .. } => sink(Heard::Log(&text)),
            Event::Samples(block) => {
                *readings += block.rows() as u64;
                sink(Heard::Rows { rows: &block.values, at: ended(&block, *rate_hz) });
            }
        });
    }

    pub(super) fn tick(&mut self, now: Duration) {
        self.link.tick(now);
    }

    pub(super) fn tell(&mut self, answer: &Answer) {
        match answer {
            Answer::LabelWanted => self.said.label_wanted = true,
            // Lines are for who speaks in lines.
            Answer::Line(_) => return,
            Answer::State { class, confidence, unknown } => {
                let confidence = *confidence as f32;
                self.said = Prediction { class: class.clone(), confidence, known: !unknown, label_wanted: false };
            }
        }
        self.link.send(Outgoing::Prediction(self.said.clone()));
    }

    pub(super) fn output(&mut self) -> Vec<u8> {
        self.link.output()
    }

    pub(super) fn name(&self) -> Option<String> {
        self.link.device().map(|device| format!("{} {}", device.name, device.firmware).trim().to_owned())
    }

    pub(super) fn rate_hz(&self) -> Option<f64> {
        self.rate_hz
    }

    pub(super) fn counts(&self) -> Counts {
        let counts = self.link.counts();
        Counts {
            bytes: counts.bytes,
            readings: self.readings,
            lost: counts.lost,
            recovered: counts.recovered,
            unreadable: counts.malformed + counts.checksum + counts.too_long + counts.unreadable,
            faults: self.faults,
        }
    }
}

fn shape(device: &Device) -> Shape {
    let channels = device.channels.iter();
    let channels = channels.map(|channel| Channel { name: channel.name.clone(), unit: channel.unit.clone() });
    Shape { channels: channels.collect(), rate_hz: device.rate_hz }
}

/// When the last reading of a block was made.
fn ended(block: &Block, rate_hz: Option<f64>) -> Duration {
    let after = rate_hz.map_or(0.0, |hz| block.rows().saturating_sub(1) as f64 / hz);
    block.host_time + Duration::try_from_secs_f64(after).unwrap_or_default()
}
