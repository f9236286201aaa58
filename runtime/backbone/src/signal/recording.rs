//! A recording: the readings of one file, and the windows that are cut from it.
//!
//! Knows readings, not how they are written (`text`, `npy`). Invariant: every number of a [`Recording`] is finite, and a
//! window is made of readings that stood one after the other in the file: nothing is padded.

use super::{Window, npy, text};

/// Most numbers in one recording: 64 MiB of them.
pub(super) const MAX_NUMBERS: usize = 1 << 24;

/// Why a file gives no windows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// Another number of columns than the backbone has channels.
    #[error(
        "the file has {found}, the backbone takes {expected} channels: keep the columns that are channels, in order"
    )]
    Channels {
        /// Channels of the backbone.
        expected: usize,
        /// What the file has, in words.
        found: String,
    },
    /// A field is not a number.
    #[error("line {line}: expected a number, found \"{found}\"")]
    Field {
        /// Line, from 1.
        line: usize,
        /// The field.
        found: String,
    },
    /// Lines of different lengths.
    #[error("line {line} has {found} numbers, the lines before it have {expected}")]
    Line {
        /// Line, from 1.
        line: usize,
        /// Numbers before.
        expected: usize,
        /// Numbers in it.
        found: usize,
    },
    /// Not a number, or without end.
    #[error("reading {reading} holds {found}: a window must be of finite numbers")]
    NotFinite {
        /// Reading, from 1.
        reading: usize,
        /// The number.
        found: String,
    },
    /// The NPY file is damaged or of a form that is not read.
    #[error("the NPY file cannot be read: expected {expected}, found {found}")]
    Npy {
        /// What is read.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// Neither text nor NPY.
    #[error("the file is neither text (numbers separated by comma, semicolon, tab or space) nor NPY")]
    NotText,
    /// More numbers than are read.
    #[error("the file has more than {MAX_NUMBERS} numbers: cut it into shorter recordings")]
    TooLong,
    /// Not one whole window.
    #[error("the recording has {found} readings, one window takes {expected}: nothing is padded")]
    TooShort {
        /// Readings of a window.
        expected: usize,
        /// Readings of the file.
        found: usize,
    },
}

/// Where the windows of a recording start.
pub type Starts = std::iter::StepBy<std::ops::RangeInclusive<usize>>;

/// The readings of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    channels: usize,
    /// Reading after reading.
    numbers: Vec<f32>,
}

impl Recording {
    /// Reads a file of text or NPY for a backbone of `channels`.
    ///
    /// In text, a line is a reading and its fields are the channels. An NPY array is `[channels, readings]` or, where only
    /// that fits, `[readings, channels]`; of one channel, `[readings]`.
    ///
    /// # Errors
    /// The file is damaged, has other channels, or numbers that are not finite.
    pub fn decode(bytes: &[u8], channels: usize) -> Result<Self, RecordingError> {
        let numbers = if npy::is(bytes) { npy::read(bytes, channels)? } else { text::read(bytes, channels)? };
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(RecordingError::NotFinite {
                reading: at / channels.max(1) + 1,
                found: numbers[at].to_string(),
            });
        }
        Ok(Self { channels, numbers })
    }

    /// Number of readings.
    pub fn length(&self) -> usize {
        self.numbers.len() / self.channels.max(1)
    }

    /// The first readings of each window of `length`, `stride` apart.
    ///
    /// # Errors
    /// The recording is shorter than one window.
    pub fn starts(&self, length: usize, stride: usize) -> Result<Starts, RecordingError> {
        match self.length().checked_sub(length) {
            Some(room) => Ok((0..=room).step_by(stride.max(1))),
            None => Err(RecordingError::TooShort { expected: length, found: self.length() }),
        }
    }

    /// The window of `length` readings from `start` on; none where the recording ends before.
    pub fn window(&self, start: usize, length: usize) -> Option<Window> {
        let numbers = self.numbers.get(start * self.channels..(start + length) * self.channels)?;
        Window::new(self.channels, numbers.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_follow_each_other_and_the_rest_is_left() {
        let recording = Recording::decode(b"1\n2\n3\n4\n5\n", 1).unwrap();
        assert_eq!(recording.starts(2, 2).unwrap().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(recording.starts(2, 1).unwrap().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(recording.window(2, 2), Window::new(1, vec![3.0, 4.0]));
        assert_eq!(recording.window(4, 2), None);
        let error = recording.starts(6, 6).err().unwrap();
        assert_eq!(error, RecordingError::TooShort { expected: 6, found: 5 });
    }

    #[test]
    fn a_window_written_as_npy_is_read_back() {
        let window = Window::new(2, vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0]).unwrap();
        let recording = Recording::decode(&window.to_npy(), 2).unwrap();
        assert_eq!(recording.window(0, 3), Some(window.clone()));
        assert_eq!(Window::from_npy(&window.to_npy()), Some(window));
        assert_eq!(Window::from_npy(b"1\n2\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_stop_the_program(mut bytes in prop::collection::vec(any::<u8>(), 0..300), channels in 1_usize..5, start in 0_usize..3) {
            let starts: [&[u8]; 3] = [b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"];
            bytes.splice(0..0, starts[start].iter().copied());
            if let Ok(recording) = Recording::decode(&bytes, channels) {
                prop_assert!(recording.window(0, 1).is_none_or(|window| window.channels() == channels));
            }
            let _ = Window::from_npy(&bytes);
        }

        #[test]
        fn no_text_stops_the_program(text in "[-0-9.,; \t\ne#naif\"]{0,200}", channels in 1_usize..4) {
            let _ = Recording::decode(text.as_bytes(), channels);
        }

        #[test]
        fn damaged_npy_files_are_refused_or_read(at in 0_usize..150, byte in any::<u8>()) {
            let mut bytes = Window::new(2, (0_u8..20).map(f32::from).collect()).unwrap().to_npy();
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
            let _ = Recording::decode(&bytes, 2);
            let _ = Recording::decode(&bytes[..at], 2);
        }
    }
}
