//! A device that prints numbers: its readings, how many columns they have, how many come in a second, and where some are
//! missing. Works on [`crate::text`]; reads no clock.
//!
//! Plain text has neither names nor times. So columns are numbered, a reading is of the moment when it came, and the rate is
//! measured: at first over two seconds, later over ten.

use std::time::Duration;

use crate::heard::{Heard, Unreadable};
use crate::rate::Meter;
use crate::shape::Shape;
use crate::text::{self, Line, LineError, Reader};

/// A rate is told once it was measured over so long.
const MEASURED: Duration = Duration::from_secs(2);
/// And told again when it was measured over so long and differs by more than this.
const MEASURED_WELL: Duration = Duration::from_secs(8);
const OTHER_RATE: f64 = 0.1;
/// Lines in a row with another number of columns, all the same one: the sketch is another.
const OTHER_COLUMNS: u32 = 4;

/// Reads one device.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    reader: Reader,
    meter: Meter,
    shape: Option<Shape>,
    /// Columns of the last lines that had other ones, and how many lines.
    other: (usize, u32),
    /// Readings that are not handed out yet.
    rows: Vec<f32>,
}

impl Plain {
    /// The port was opened again: the first line may be cut, and nothing follows what came before. The counts go on.
    pub fn opened(&mut self) {
        self.reader.reset();
        self.meter.reset();
        (self.shape, self.other) = (None, (0, 0));
    }

    /// Takes bytes as they come.
    pub fn received(&mut self, bytes: &[u8], now: Duration, sink: &mut impl FnMut(Heard<'_>)) {
        let before = self.reader.counts().readings;
        let Self { reader, shape, other, rows, meter } = self;
        let mut held = Vec::new();
        reader.feed(bytes, |line| match line {
            Ok(Line::Reading(values)) => {
                *other = (0, 0);
                if shape.as_ref().is_none_or(|shape| shape.channels.len() != values.len()) {
                    held.push(Held::Shape(Shape::columns(values.len(), None)));
                    *shape = Some(Shape::columns(values.len(), None));
                }
                rows.extend(values.iter().map(|value| *value as f32));
                match held.last_mut() {
                    Some(Held::Rows(end)) => *end = rows.len(),
                    _ => held.push(Held::Rows(rows.len())),
                }
            }
            Ok(Line::Fault(words)) => held.push(Held::Fault(words.to_owned())),
            Err(error) => {
                *other = match (error, *other) {
                    (LineError::Columns { got, .. }, (columns, lines)) if got == columns => (got, lines + 1),
                    (LineError::Columns { got, .. }, _) => (got, 1),
                    _ => (0, 0),
                };
                held.push(Held::Unreadable(error));
            }
        });
        let readings = reader.counts().readings - before;
        // Whether readings are missing is known when it is known how many came after a silence.
        if readings > 0 && meter.is_pause(readings, now) {
            sink(Heard::Gap(0));
        }
        let mut start = 0;
        for held in held {
            match held {
                Held::Fault(words) => sink(Heard::Fault(&words)),
                Held::Rows(end) => {
                    sink(Heard::Rows { rows: &rows[start..end], at: now });
                    start = end;
                }
                Held::Shape(shape) => sink(Heard::Shape(&shape)),
                Held::Unreadable(error) => {
                    sink(Heard::Unreadable(Unreadable::Line(error)));
                    sink(Heard::Gap(1));
                }
            }
        }
        rows.clear();
        meter.observe(readings, now);
        if other.1 >= OTHER_COLUMNS {
            *other = (0, 0);
            reader.reset();
        }
        self.measure(sink);
    }

    fn measure(&mut self, sink: &mut impl FnMut(Heard<'_>)) {
        let (Some(hz), Some(shape)) = (self.meter.hz(), &mut self.shape) else { return };
        let other = match shape.rate_hz {
            None => self.meter.span() >= MEASURED,
            Some(told) => self.meter.span() >= MEASURED_WELL && (hz / told - 1.0).abs() > OTHER_RATE,
        };
        if other {
            shape.rate_hz = Some(hz);
            sink(Heard::Shape(shape));
        }
    }

    /// Readings a second, once measured.
    pub fn hz(&self) -> Option<f64> {
        self.meter.hz()
    }

    /// How many lines ended how.
    pub fn counts(&self) -> text::Counts {
        self.reader.counts()
    }
}

/// What a piece of text holds, in order.
enum Held {
    Fault(String),
    /// Up to here in the numbers.
    Rows(usize),
    Shape(Shape),
    Unreadable(LineError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// What is heard, in words.
    fn hear(plain: &mut Plain, text: &str, now: Duration) -> Vec<String> {
        let mut heard = Vec::new();
        plain.received(text.as_bytes(), now, &mut |one| {
            heard.push(match one {
                Heard::Fault(words) => format!("fault {words}"),
                Heard::Gap(lost) => format!("gap {lost}"),
                Heard::Rows { rows, .. } => format!("{rows:?}"),
                Heard::Shape(shape) => shape.to_string(),
                Heard::Unreadable(Unreadable::Line(error)) => format!("{error:?}"),
                other => format!("{other:?}"),
            });
        });
        heard
    }

    #[test]
    fn columns_are_told_before_readings_and_every_lost_line_is_a_gap() {
        let mut plain = Plain::default();
        let heard = hear(&mut plain, "7,cut\n1,2\n3,4\n5\nERR sensor\n6,7\n8,", at(0));
        let columns = format!("{:?}", LineError::Columns { expected: 2, got: 1 });
        let expected = ["2 channels", "[1.0, 2.0, 3.0, 4.0]", &columns, "gap 1", "fault ERR sensor", "[6.0, 7.0]"];
        assert_eq!(heard, expected);
        assert_eq!(hear(&mut plain, "9\n", at(10)), ["[8.0, 9.0]"]);
    }

    #[test]
    fn the_rate_is_told_when_it_was_measured_and_again_when_it_is_another() {
        let mut plain = Plain::default();
        let mut told = Vec::new();
        let mut run = |plain: &mut Plain, from: u64, readings: u64, every: u64| {
            for n in 0..readings {
                let now = at(from + n * every);
                let heard = hear(plain, "1\n", now).into_iter().filter(|heard| heard.contains("channel"));
                told.extend(heard.map(|heard| (now.as_millis(), heard)));
            }
        };
        run(&mut plain, 0, 1000, 20);
        run(&mut plain, 20_000, 2000, 10);
        assert_eq!(told[0].1, "1 channel");
        assert_eq!(told[1], (2020, "1 channel at 50 Hz".to_owned()), "the first line is not looked at");
        assert!(told.len() > 2 && told.len() < 12, "{told:?}");
        let last = plain.shape.as_ref().and_then(|shape| shape.rate_hz);
        assert!(last.is_some_and(|hz| (hz - 100.0).abs() < 10.0), "{last:?}");
    }

    #[test]
    fn a_sketch_with_other_columns_is_read_after_a_few_lines() {
        let mut plain = Plain::default();
        hear(&mut plain, "0\n1,2\n", at(0));
        hear(&mut plain, "1,2,3\n1,2,3\n1,2,3\n1,2,3\n", at(10));
        assert_eq!(hear(&mut plain, "1,2,3\n4,5,6\n", at(20)), ["3 channels", "[4.0, 5.0, 6.0]"]);
    }

    #[test]
    fn a_silence_is_a_gap_unless_what_came_meanwhile_is_there() {
        let mut plain = Plain::default();
        for n in 0..300 {
            hear(&mut plain, "1\n", at(n * 10));
        }
        let late = "2\n".repeat(300);
        assert!(!hear(&mut plain, &late, at(6000)).contains(&"gap 0".to_owned()));
        assert_eq!(hear(&mut plain, "3\n", at(9000))[0], "gap 0");
    }
}
