//! Plain text from a sketch that prints numbers: one reading a line, as Edge Impulse's data forwarder reads it. It knows
//! nothing of ports, rates or what a column means. Invariant: every reading has the same number of values, finite also in single precision, and
//! every line that is not handed out as a reading is handed out or counted as something else.
//!
//! - A line ends with `\n`; a `\r` before it and blank lines mean nothing.
//! - Values are separated by commas, tabs or spaces, any number of them; all are decimal numbers.
//! - The first line after opening may be cut and is dropped. The second sets the number of columns.
//! - A line that starts with `ERR` or `<ERR`, in any case, is the device speaking of a fault.
//!
//! The format has no sequence number and no checksum: a lost byte inside a number is a wrong number. Where that matters,
//! use frames.

use crate::shape::MAX_CHANNELS;

/// The longest line in bytes; enough for 256 values of 15 characters.
pub const MAX_LINE: usize = 4096;

/// A line that is not a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Another number of values than before: the line was cut, or the sketch changed; then [`Reader::reset`].
    #[error("reading a line from the device: {got} values, expected {expected}")]
    Columns {
        /// Values in the first whole line.
        expected: usize,
        /// Values in this line.
        got: usize,
    },
    /// Something between separators is not a finite decimal number.
    #[error("reading a line from the device: value {column} is not a number; print numbers only, check the baud rate")]
    NotANumber {
        /// Which value, from 1.
        column: usize,
    },
    /// More values than there may be channels.
    #[error("reading a line from the device: more than {MAX_CHANNELS} values; print fewer numbers on a line")]
    TooMany,
    /// Longer than [`MAX_LINE`]; the rest of it is dropped.
    #[error("reading a line from the device: longer than {MAX_LINE} bytes; end each reading with a new line")]
    TooLong,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line<'a> {
    /// The device reports a fault, in its own words (bytes that are not UTF-8 are left out).
    Fault(&'a str),
    /// One value per column, `[columns]`, finite, in the device's units.
    Reading(&'a [f64]),
}

/// How many lines ended how, since the reader was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// First lines after opening, not looked at.
    pub dropped: u64,
    /// Lines in which the device spoke of a fault.
    pub faults: u64,
    /// Lines that could not be read: each is a gap in the recording.
    pub lost: u64,
    /// Readings handed out.
    pub readings: u64,
}

/// Puts lines together from reads of any size.
#[derive(Clone, Debug)]
pub struct Reader {
    line: Vec<u8>,
    values: Vec<f64>,
    columns: Option<usize>,
    /// Until the next end of line: the first line, or the rest of one that was too long.
    skipping: Option<Skip>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Skip {
    First,
    TooLong,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader of a port that was just opened.
    pub fn new() -> Self {
        Self {
            line: Vec::with_capacity(MAX_LINE),
            values: Vec::new(),
            columns: None,
            skipping: Some(Skip::First),
            counts: Counts::default(),
        }
    }

    /// Takes bytes as they come; calls `sink` once per line, good or bad. Memory is bounded by [`MAX_LINE`].
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(Result<Line<'_>, LineError>)) {
        for &byte in bytes {
            match (byte, self.skipping) {
                (b'\n', Some(skip)) => {
                    self.counts.dropped += u64::from(skip == Skip::First);
                    self.skipping = None;
                }
                (b'\n', None) => {
                    self.end_of_line(&mut sink);
                    self.line.clear();
                }
                (_, Some(_)) => {}
                (_, None) if self.line.len() < MAX_LINE => self.line.push(byte),
                (_, None) => {
                    self.line.clear();
                    self.skipping = Some(Skip::TooLong);
                    self.counts.lost += 1;
                    sink(Err(LineError::TooLong));
                }
            }
        }
    }

    /// Begins again, for a port that was opened again or a sketch that changed: the next line may be cut, the number of
    /// columns may differ. The counts go on.
    pub fn reset(&mut self) {
        self.line.clear();
        (self.columns, self.skipping) = (None, Some(Skip::First));
    }

    /// The number of columns, once a whole line was read.
    pub fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// How many lines ended how.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn end_of_line(&mut self, sink: &mut impl FnMut(Result<Line<'_>, LineError>)) {
        let line = self.line.trim_ascii();
        let unbracketed = line.strip_prefix(b"<").unwrap_or(line);
        if unbracketed.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"err")) {
            self.counts.faults += 1;
            let words: String = String::from_utf8_lossy(line).replace(char::REPLACEMENT_CHARACTER, "");
            sink(Ok(Line::Fault(&words)));
            return;
        }
        match parse(line, &mut self.values) {
            Ok(()) if self.values.is_empty() => {}
            Ok(()) => {
                let (expected, got) = (*self.columns.get_or_insert(self.values.len()), self.values.len());
                if expected == got {
                    self.counts.readings += 1;
                    sink(Ok(Line::Reading(&self.values)));
                } else {
                    self.counts.lost += 1;
                    sink(Err(LineError::Columns { expected, got }));
                }
            }
            Err(error) => {
                self.counts.lost += 1;
                sink(Err(error));
            }
        }
    }
}

/// Whether a line, without its end, is a reading.
pub(crate) fn is_reading(line: &[u8]) -> bool {
    let mut values = Vec::new();
    parse(line.trim_ascii(), &mut values).is_ok() && !values.is_empty()
}

fn parse(line: &[u8], values: &mut Vec<f64>) -> Result<(), LineError> {
    values.clear();
    let is_separator = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
    for word in line.split(is_separator).filter(|word| !word.is_empty()) {
        let number = str::from_utf8(word)
            .ok()
            .and_then(|word| word.parse().ok())
            .filter(|number: &f64| (*number as f32).is_finite());
        values.push(number.ok_or(LineError::NotANumber { column: values.len() + 1 })?);
    }
    if values.len() > MAX_CHANNELS { Err(LineError::TooMany) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    fn read(reader: &mut Reader, text: &[u8]) -> Vec<Result<String, LineError>> {
        let mut lines = Vec::new();
        reader.feed(text, |line| {
            lines.push(line.map(|line| match line {
                Line::Fault(words) => words.to_owned(),
                Line::Reading(values) => format!("{values:?}"),
            }));
        });
        lines
    }

    fn opened() -> Reader {
        let mut reader = Reader::new();
        assert_eq!(read(&mut reader, b"0.13, 7\r\n"), []);
        reader
    }

    #[test]
    fn commas_tabs_spaces_and_their_mixtures_separate() {
        for text in ["1,-2.5,3e2\n", "1\t-2.5\t3e2\r\n", " 1 -2.5 3e2 \n", "1, -2.5,\t3e2,\r\n"] {
            assert_eq!(read(&mut opened(), text.as_bytes()), [Ok("[1.0, -2.5, 300.0]".to_owned())], "{text:?}");
        }
    }

    #[test]
    fn the_first_line_is_dropped_because_it_may_be_cut() {
        let mut reader = Reader::new();
        assert_eq!(read(&mut reader, b"5,0.25\n0.5,0.25\n"), [Ok("[0.5, 0.25]".to_owned())]);
        assert_eq!(reader.counts(), Counts { dropped: 1, readings: 1, ..Counts::default() });
    }

    #[test]
    fn a_line_that_is_not_a_reading_is_counted_and_the_next_one_is_read() {
        let mut reader = opened();
        let lines = read(&mut reader, b"1,2\n\n1,2,3\n1,x\n1,nan\n<err: sensor gone\nERR 5\n3,4\n");
        let columns = LineError::Columns { expected: 2, got: 3 };
        let not_a_number = LineError::NotANumber { column: 2 };
        let words = ["[1.0, 2.0]", "<err: sensor gone", "ERR 5", "[3.0, 4.0]"].map(str::to_owned);
        let [first, fault, another, last] = words;
        let expected =
            [Ok(first), Err(columns), Err(not_a_number), Err(not_a_number), Ok(fault), Ok(another), Ok(last)];
        assert_eq!(lines, expected);
        assert_eq!(reader.counts(), Counts { dropped: 1, faults: 2, lost: 3, readings: 2 });
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_a_long_one() {
        let mut reader = opened();
        let lines = read(&mut reader, &[b'1'; 3 * MAX_LINE]);
        assert_eq!(lines, [Err(LineError::TooLong)]);
        assert!(reader.line.capacity() <= MAX_LINE);
        assert_eq!(read(&mut reader, b"1\n2\n"), [Ok("[2.0]".to_owned())]);
        assert_eq!(reader.counts().lost, 1);
    }

    #[test]
    fn more_values_than_there_may_be_channels_are_no_reading() {
        let line = |values: usize| format!("{}\n", vec!["1"; values].join(" "));
        assert_eq!(read(&mut opened(), line(MAX_CHANNELS + 1).as_bytes()), [Err(LineError::TooMany)]);
        assert!(read(&mut opened(), line(MAX_CHANNELS).as_bytes())[0].is_ok());
    }

    #[test]
    fn after_a_reset_the_columns_may_differ() {
        let mut reader = opened();
        read(&mut reader, b"1,2\n3");
        reader.reset();
        assert_eq!(read(&mut reader, b",4\n5\n"), [Ok("[5.0]".to_owned())]);
        assert_eq!(reader.columns(), Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// However the kernel slices the stream.
        #[test]
        fn any_chunking_gives_the_same_lines(
            bytes in vec(prop_oneof![Just(b'\n'), Just(b','), b'0'..=b'9', any::<u8>()], 0..2000), chunk in 1usize..40,
        ) {
            let (mut whole, mut sliced) = (opened(), opened());
            let expected = read(&mut whole, &bytes);
            let lines: Vec<_> = bytes.chunks(chunk).flat_map(|bytes| read(&mut sliced, bytes)).collect();
            prop_assert_eq!(lines, expected);
            prop_assert_eq!(sliced.counts(), whole.counts());
        }

        /// What a sketch prints is what is read.
        #[test]
        fn readings_come_back_exactly(rows in (1usize..9).prop_flat_map(|n| vec(vec(-1e9..1e9, n), 1..20))) {
            let text: String = rows.iter().map(|row: &Vec<f64>| format!("{row:?}\n").replace(['[', ']'], "")).collect();
            let expected: Vec<_> = rows.iter().map(|row| Ok(format!("{row:?}"))).collect();
            prop_assert_eq!(read(&mut opened(), text.as_bytes()), expected);
        }
    }
}
