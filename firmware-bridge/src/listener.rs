//! One device at the end of a line, whichever way it speaks: what is read goes in, what is [`Heard`] comes out. Knows no
//! port; reads no clock.

use std::time::Duration;

use crate::answer::Answer;
use crate::detect::{LOOKED_AT, Speech, speech};
use crate::heard::Heard;
use crate::plain::Plain;

/// What came and what was lost, since the listener was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that came.
    pub bytes: u64,
    /// Readings that came.
    pub readings: u64,
    /// Readings, or lines, that will never come.
    pub lost: u64,
    /// Lines and frames that cannot be read.
    pub unreadable: u64,
    /// Faults that the device spoke of.
    pub faults: u64,
}

/// Listens to one device.
#[derive(Debug)]
pub struct Listener {
    /// How it speaks, where somebody said so.
    told: Option<Speech>,
    /// How it speaks, once that is known.
    found: Option<Speech>,
    /// Bytes that came before it was known.
    first: Vec<u8>,
    /// Bytes that were looked at in vain since it was opened.
    in_vain: usize,
    plain: Plain,
    output: Vec<u8>,
    bytes: u64,
}

impl Listener {
    /// For a device that speaks so; to be found out where none.
    pub fn new(told: Option<Speech>) -> Self {
        Self { told, found: told, first: Vec::new(), in_vain: 0, plain: Plain::default(), output: Vec::new(), bytes: 0 }
    }

    /// The port was opened, or opened again.
    pub fn opened(&mut self) {
        self.found = self.told;
        self.first.clear();
        self.output.clear();
        self.in_vain = 0;
        self.plain.opened();
    }

    /// Takes bytes as they come.
    pub fn received(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        self.bytes += bytes.len() as u64;
        match self.found {
            Some(_) => self.hear(bytes, now, sink),
            None => {
                self.first.extend_from_slice(bytes);
                self.found = speech(&self.first);
                if self.found.is_some() {
                    let first = std::mem::take(&mut self.first);
                    self.hear(&first, now, sink);
                } else if self.first.len() > LOOKED_AT {
                    // The newer half may be the beginning of something.
                    let old = self.first.len() - LOOKED_AT / 2;
                    self.in_vain += old;
                    self.first.drain(..old);
                }
            }
        }
    }

    fn hear(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        self.plain.received(bytes, now, sink);
    }

    /// Tells the device something; of no effect before it is known how it speaks.
    pub fn tell(&mut self, answer: &Answer) {
        if self.found == Some(Speech::Text) {
            self.output.extend_from_slice(answer.line().as_bytes());
        }
    }

    /// Bytes to write now.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// How the device speaks, once that is known.
    pub fn speech(&self) -> Option<Speech> {
        self.found
    }

    /// So many bytes came since the port was opened that are neither text nor frames.
    pub fn in_vain(&self) -> usize {
        if self.found.is_some() { 0 } else { self.in_vain }
    }

    /// Readings a second, once known.
    pub fn rate_hz(&self) -> Option<f64> {
        self.plain.hz()
    }

    /// What came and what was lost.
    pub fn counts(&self) -> Counts {
        let text = self.plain.counts();
        Counts {
            bytes: self.bytes,
            readings: text.readings,
            lost: text.lost,
            unreadable: text.lost,
            faults: text.faults,
        }
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn nothing_that_came_before_it_was_known_how_the_device_speaks_is_lost() {
        let mut listener = Listener::new(None);
        listener.opened();
        assert!(readings(&mut listener, b"garbage\n1,").is_empty() && listener.speech().is_none());
        assert_eq!(readings(&mut listener, b"2\n3,4\n"), [1., 2., 3., 4.]);
        assert_eq!(listener.speech(), Some(Speech::Text));
        listener.opened();
        assert_eq!(listener.speech(), None, "another device may be there");
    }

    #[test]
    fn noise_is_bounded_and_told() {
        let mut listener = Listener::new(None);
        for _ in 0..100 {
            assert!(readings(&mut listener, &[0xa5; 1000]).is_empty());
            assert!(listener.first.len() <= LOOKED_AT);
        }
        assert!(listener.in_vain() > 50_000, "{}", listener.in_vain());
        assert_eq!(readings(&mut listener, b"\n1\n2\n"), [1., 2.]);
        assert_eq!(listener.in_vain(), 0);
    }

    #[test]
    fn a_device_that_speaks_text_is_told_lines() {
        let mut listener = Listener::new(Some(Speech::Text));
        listener.tell(&Answer::LabelWanted);
        assert_eq!((listener.output(), listener.output()), (b"!\n".to_vec(), Vec::new()));
    }
}
