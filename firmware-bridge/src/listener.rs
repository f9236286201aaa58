//! One device at the end of a line, whichever way it speaks: what is read goes in, what is [`Heard`] comes out. Knows no
//! port; reads no clock.
//!
//! Use: after each call of [`Listener::opened`], [`Listener::received`], [`Listener::tell`] or [`Listener::tick`] write
//! [`Listener::output`].

mod framed;

use std::time::Duration;

use self::framed::Framed;
use crate::answer::Answer;
use crate::detect::{LOOKED_AT, Speech, speech};
use crate::heard::Heard;
use crate::plain::Plain;

/// A device whose speech is not known is greeted in frames only after so long: to one that prints lines it would be noise.
const GREETED_AFTER: Duration = Duration::from_millis(500);
/// Answers that wait until it is known how to say them.
const WAITING: usize = 4;

/// What came and what was lost, since the listener was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that came.
    pub bytes: u64,
    /// Readings that came.
    pub readings: u64,
    /// Lines, or blocks of readings, that never came.
    pub lost: u64,
    /// Blocks that were missing at first and came when they were asked for again.
    pub recovered: u64,
    /// Lines and frames that cannot be read.
    pub unreadable: u64,
    /// Faults that the device spoke of.
    pub faults: u64,
}

/// Listens to one device.
#[derive(Debug)]
pub struct Listener {
    /// How it speaks, where somebody said so.
    as_said: Option<Speech>,
    /// How it speaks, once that is known.
    found: Option<Speech>,
    /// Bytes that came before it was known.
    first: Vec<u8>,
    /// Bytes that were looked at in vain since it was opened.
    in_vain: usize,
    opened: Duration,
    plain: Plain,
    framed: Framed,
    /// What it is to be told once it is known how.
    waiting: Vec<Answer>,
    told: u64,
    output: Vec<u8>,
    bytes: u64,
}

impl Listener {
    /// For a device that speaks so; to be found out where none. `session` is another one for every program and every run of it:
    /// the time of day in seconds will do.
    pub fn new(speech: Option<Speech>, session: u32) -> Self {
        Self {
            as_said: speech,
            found: speech,
            first: Vec::new(),
            in_vain: 0,
            opened: Duration::ZERO,
            plain: Plain::default(),
            framed: Framed::new(session),
            waiting: Vec::new(),
            told: 0,
            output: Vec::new(),
            bytes: 0,
        }
    }

    /// The port was opened, or opened again.
    pub fn opened(&mut self, now: Duration) {
        self.found = self.as_said;
        self.first.clear();
        self.output.clear();
        self.waiting.clear();
        (self.in_vain, self.opened) = (0, now);
        self.plain.opened();
        self.framed.opened(now);
    }

    /// Takes bytes as they come.
    pub fn received(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        self.bytes += bytes.len() as u64;
        if let Some(speech) = self.found {
            return self.hear(speech, bytes, now, sink);
        }
        self.first.extend_from_slice(bytes);
        self.found = speech(&self.first);
        if let Some(speech) = self.found {
            let first = std::mem::take(&mut self.first);
            self.hear(speech, &first, now, sink);
            for answer in std::mem::take(&mut self.waiting) {
                self.tell(&answer);
            }
        } else if self.first.len() > LOOKED_AT {
            // The newer half may be the beginning of something.
            let old = self.first.len() - LOOKED_AT / 2;
            self.in_vain += old;
            self.first.drain(..old);
        }
    }

    fn hear(&mut self, speech: Speech, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        match speech {
            Speech::Frames => self.framed.received(bytes, now, sink),
            Speech::Text => self.plain.received(bytes, now, sink),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        if self.found != Some(Speech::Text) {
            self.framed.tick(now);
        }
    }

    /// Tells the device something, once it is known how it speaks.
    pub fn tell(&mut self, answer: &Answer) {
        match self.found {
            Some(Speech::Frames) => self.framed.tell(answer),
            Some(Speech::Text) => self.output.extend_from_slice(answer.line().as_bytes()),
            None => {
                if self.waiting.len() == WAITING {
                    self.waiting.remove(0);
                }
                self.waiting.push(answer.clone());
                return;
            }
        }
        self.told += 1;
    }

    /// Bytes to write now.
    pub fn output(&mut self, now: Duration) -> Vec<u8> {
        let mut output = std::mem::take(&mut self.output);
        let greets = self.found.is_none() && now.saturating_sub(self.opened) >= GREETED_AFTER;
        if greets || self.found == Some(Speech::Frames) {
            output.append(&mut self.framed.output());
        }
        output
    }

    /// How the device speaks, once that is known.
    pub fn speech(&self) -> Option<Speech> {
        self.found
    }

    /// How often the device was told something.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// So many bytes came since the port was opened that are neither text nor frames.
    pub fn in_vain(&self) -> usize {
        if self.found.is_some() { 0 } else { self.in_vain }
    }

    /// What the device calls itself, and its firmware's version; plain text has no name.
    pub fn name(&self) -> Option<String> {
        self.framed.name().filter(|_| self.found == Some(Speech::Frames))
    }

    /// Readings a second, once known.
    pub fn rate_hz(&self) -> Option<f64> {
        match self.found {
            Some(Speech::Frames) => self.framed.rate_hz(),
            Some(Speech::Text) => self.plain.hz(),
            None => None,
        }
    }

    /// What came and what was lost.
    pub fn counts(&self) -> Counts {
        let (text, framed) = (self.plain.counts(), self.framed.counts());
        Counts {
            bytes: self.bytes,
            readings: text.readings + framed.readings,
            lost: text.lost + framed.lost,
            recovered: framed.recovered,
            unreadable: text.lost + framed.unreadable,
            faults: text.faults + framed.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use acclimate_wire::{
        MAX_FRAME, MAX_PAYLOAD, encode,
        message::{ToDevice, ToHost},
    };

    use super::*;

    fn readings(listener: &mut Listener, bytes: &[u8]) -> Vec<f32> {
        let mut found = Vec::new();
        listener.received(bytes, Duration::ZERO, &mut |heard| {
            if let Heard::Rows { rows, .. } = heard {
                found.extend_from_slice(rows);
            }
        });
        found
    }

    fn listener(speech: Option<Speech>) -> Listener {
        let mut listener = Listener::new(speech, 7);
        listener.opened(Duration::ZERO);
        listener
    }

    #[test]
    fn nothing_that_came_before_it_was_known_how_the_device_speaks_is_lost() {
        let mut listener = listener(None);
        assert!(readings(&mut listener, b"garbage\n1,").is_empty() && listener.speech().is_none());
        assert_eq!(readings(&mut listener, b"2\n3,4\n"), [1., 2., 3., 4.]);
        assert_eq!(listener.speech(), Some(Speech::Text));
        listener.opened(Duration::ZERO);
        assert_eq!(listener.speech(), None, "another device may be there");
    }

    #[test]
    fn noise_is_bounded_and_told() {
        let mut listener = listener(None);
        for _ in 0..100 {
            assert!(readings(&mut listener, &[0xa5; 1000]).is_empty());
            assert!(listener.first.len() <= LOOKED_AT);
        }
        assert!(listener.in_vain() > 50_000, "{}", listener.in_vain());
        assert_eq!(readings(&mut listener, b"\n1\n2\n"), [1., 2.]);
        assert_eq!(listener.in_vain(), 0);
    }

    #[test]
    fn what_is_told_before_it_is_known_how_is_told_then() {
        let mut listener = listener(None);
        let state = |class: &str| Answer::State { class: class.to_owned(), confidence: 1.0, unknown: false };
        (0..9).for_each(|number| listener.tell(&state(&number.to_string())));
        assert_eq!((listener.output(Duration::ZERO), listener.told()), (Vec::new(), 0));
        readings(&mut listener, b"1\n2\n");
        assert_eq!(listener.output(Duration::ZERO), b"5\n6\n7\n8\n");
        listener.tell(&Answer::LabelWanted);
        assert_eq!((listener.output(Duration::ZERO), listener.told()), (b"!\n".to_vec(), 5));
    }

    #[test]
    fn a_device_that_says_nothing_is_greeted_and_one_that_prints_lines_is_not() {
        let second = Duration::from_secs;
        let mut silent = listener(None);
        assert!(silent.output(Duration::ZERO).is_empty());
        silent.tick(second(1));
        assert!(silent.output(second(1)).starts_with(&[0]));
        let mut printing = listener(None);
        readings(&mut printing, b"1\n2\n");
        (1..9).for_each(|at| printing.tick(second(at)));
        assert!(printing.output(second(9)).is_empty());
    }

    #[test]
    fn a_device_that_speaks_in_frames_is_found_out_and_answered() {
        let mut listener = listener(None);
        let (mut payload, mut frame) = ([0; MAX_PAYLOAD], [0; MAX_FRAME]);
        let log = ToHost::Log { level: acclimate_wire::message::Level::Error, text: "no sensor" };
        let payload = log.encode(&mut payload).expect("it is short");
        let mut heard = Vec::new();
        listener.received(encode(payload, &mut frame).expect("it is short"), Duration::ZERO, &mut |one| {
            heard.push(format!("{one:?}"));
        });
        assert_eq!((heard, listener.speech()), (vec!["Fault(\"no sensor\")".to_owned()], Some(Speech::Frames)));
        assert_eq!(listener.counts().faults, 1);
        let mut greeted = false;
        acclimate_wire::Decoder::new().feed(&listener.output(Duration::ZERO), |frame| {
            greeted |= frame.is_ok_and(|payload| matches!(ToDevice::decode(payload), Ok(ToDevice::Hello { .. })));
        });
        assert!(greeted);
    }
}
