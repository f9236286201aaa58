//! From files to payloads: what is kept of each sample, a chunk at a time. A picture's file is one sample; a recording is cut
//! into windows, each of which is one.
//!
//! Knows nothing about labels, engines or the store. Memory is bounded by the chunk and the largest file that is read.

use std::io::Read as _;
use std::path::Path;

use acclimate_backbone::signal::{Recording, RecordingError, Starts, Window};
use acclimate_backbone::{BackboneError, Input, PictureError, SignalInput, checksum};

use crate::inputs::Item;

/// Pictures in a chunk, and windows; fewer windows where they are long.
const PICTURES: usize = 16;
const WINDOWS: usize = 64;
const NUMBERS: usize = 1 << 22;

/// Largest file that is read, bytes.
const MAX_FILE: u64 = 64 << 20;

/// Why one input gave no feature. The rest of an import goes on.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The engine failed on it, or its output is no feature.
    #[error("could not compute the feature")]
    Feature(#[source] BackboneError),
    /// A stored window is longer than the backbone's.
    #[error(
        "the sample is a window of {found} readings, the backbone takes {expected}: choose a backbone for windows of that length"
    )]
    Length {
        /// Readings of the backbone's windows.
        expected: usize,
        /// Readings of this one.
        found: usize,
    },
    /// It is not a picture that can be decoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The file cannot be read.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
    /// It is not a recording for this backbone.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The file is too large.
    #[error("the file has more than {} MiB: larger files are not read", MAX_FILE >> 20)]
    Size,
}

/// What is kept of a sample: from these bytes alone its feature can be computed again.
#[derive(Clone, Debug)]
pub struct Payload {
    /// A picture's file as it is, a window as NPY.
    pub bytes: Vec<u8>,
    /// Media type of the bytes.
    pub media: &'static str,
    /// The window that the bytes hold, of signals.
    pub window: Option<Cut>,
}

/// A window and where it was cut from.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The readings.
    pub window: Window,
    /// The start of the recording's SHA-256: windows of one recording have the same.
    pub recording: u64,
}

impl Payload {
    /// One stored sample: a picture, or exactly one window.
    ///
    /// # Errors
    /// When it is not a window of the backbone's channels and length. Pictures are decoded later.
    pub fn of_sample(input: &Input, bytes: Vec<u8>) -> Result<Self, InputError> {
        let Input::Signal(signal) = input else {
            return Ok(Self { media: sample_media(&bytes), bytes, window: None });
        };
        let recording = Recording::decode(&bytes, signal.channels)?;
        // Too short is told as of a file.
        let _: Starts = recording.starts(signal.length, signal.length)?;
        if recording.length() != signal.length {
            return Err(InputError::Length { expected: signal.length, found: recording.length() });
        }
        let window = recording.window(0, signal.length);
        let window = window.expect("a bug: the recording was just seen to be one window long");
        Ok(Self::of_window(window, start_of_sum(&bytes)))
    }

    fn of_window(window: Window, recording: u64) -> Self {
        Self { bytes: window.to_npy(), media: "application/x-npy", window: Some(Cut { window, recording }) }
    }
}

/// One sample, or one file that gives none.
#[derive(Debug)]
pub struct Loaded<'a> {
    /// The file that it comes from.
    pub item: &'a Item,
    /// Its name for people and records: the path as it was given, and which readings of it where it holds several windows.
    pub name: String,
    /// What is kept of it.
    pub payload: Result<Payload, InputError>,
}

/// Reads files in order; an iterator over chunks.
#[derive(Debug)]
pub struct Loader<'a> {
    items: std::slice::Iter<'a, Item>,
    files: usize,
    input: &'a Input,
    stride: Option<usize>,
    open: Option<Open<'a>>,
    left_over: usize,
}

/// A recording whose windows are not all cut yet.
#[derive(Debug)]
struct Open<'a> {
    item: &'a Item,
    recording: Recording,
    sum: u64,
    starts: Starts,
    single: bool,
}

impl<'a> Loader<'a> {
    /// Reads `items` for a backbone with this input. Windows start `stride` readings apart; by default they follow each
    /// other without overlap.
    pub fn new(items: &'a [Item], input: &'a Input, stride: Option<usize>) -> Self {
        Self { items: items.iter(), files: items.len(), input, stride, open: None, left_over: 0 }
    }

    /// Files that were taken up so far.
    pub fn files(&self) -> u64 {
        (self.files - self.items.len()) as u64
    }

    /// Readings at the ends of recordings that were no whole window any more.
    pub fn left_over(&self) -> usize {
        self.left_over
    }

    fn next_one(&mut self) -> Option<Loaded<'a>> {
        let Input::Signal(signal) = self.input else {
            let item = self.items.next()?;
            let payload = read(&item.path).and_then(|bytes| Payload::of_sample(self.input, bytes));
            return Some(Loaded { item, name: item.name(), payload });
        };
        loop {
            if let Some(open) = &mut self.open
                && let Some(start) = open.starts.next()
            {
                return Some(open.cut(start, signal.length));
            }
            let item = self.items.next()?;
            match self.open(item, signal) {
                Ok(open) => self.open = Some(open),
                Err(error) => return Some(Loaded { item, name: item.name(), payload: Err(error) }),
            }
        }
    }

    fn open(&mut self, item: &'a Item, signal: &SignalInput) -> Result<Open<'a>, InputError> {
        let bytes = read(&item.path)?;
        let recording = Recording::decode(&bytes, signal.channels)?;
        let stride = self.stride.unwrap_or(signal.length);
        let starts = recording.starts(signal.length, stride)?;
        self.left_over += (recording.length() - signal.length) % stride;
        let single = recording.length() == signal.length;
        Ok(Open { item, recording, sum: start_of_sum(&bytes), starts, single })
    }
}

impl<'a> Open<'a> {
    fn cut(&self, start: usize, length: usize) -> Loaded<'a> {
        let window = self.recording.window(start, length).expect("a bug: a window starts too late in its recording");
        let name = self.item.name();
        let name = if self.single { name } else { format!("{name}[{start}..{}]", start + length) };
        Loaded { item: self.item, name, payload: Ok(Payload::of_window(window, self.sum)) }
    }
}

impl<'a> Iterator for Loader<'a> {
    type Item = Vec<Loaded<'a>>;

    fn next(&mut self) -> Option<Vec<Loaded<'a>>> {
        let most = match self.input {
            Input::Image(_) => PICTURES,
            Input::Signal(signal) => (NUMBERS / (signal.channels * signal.length)).clamp(1, WINDOWS),
        };
        let chunk: Vec<_> = std::iter::from_fn(|| self.next_one()).take(most).collect();
        (!chunk.is_empty()).then_some(chunk)
    }
}

/// Reads a file, or standard input for `-`, up to the limit.
fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let mut payload = Vec::new();
    let taken = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut payload)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut payload))
    };
    taken.map_err(InputError::Read)?;
    if payload.len() as u64 > MAX_FILE { Err(InputError::Size) } else { Ok(payload) }
}

/// What windows of one recording have in common: the start of the SHA-256 of its bytes.
pub(crate) fn start_of_sum(bytes: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = checksum::of(bytes);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Media type by the first bytes; what no picture or array starts with is refused when it is decoded.
pub(crate) fn sample_media(payload: &[u8]) -> &'static str {
    match payload {
        [0xff, 0xd8, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "application/x-npy",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use acclimate_backbone::SignalLayout;

    use super::*;

    fn input() -> Input {
        Input::Signal(SignalInput {
            tensor: "x".into(),
            layout: SignalLayout::Ncl,
            channels: 2,
            length: 3,
            mean: vec![0.0; 2],
            std: vec![1.0; 2],
            rate_hz: None,
            unit: None,
        })
    }

    fn items(folder: &Path, files: &[(&str, &str)]) -> Vec<Item> {
        let item = |(name, text): &(&str, &str)| {
            std::fs::write(folder.join(name), text).unwrap();
            Item { path: folder.join(name), label: None, group: None }
        };
        files.iter().map(item).collect()
    }

    #[test]
    fn a_recording_is_cut_into_windows_that_stand_alone() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x,y\n1,1\n2,2\n3,3\n4,4\n5,5\n6,6\n7,7\n";
        let items = items(folder.path(), &[("long.csv", long), ("short.csv", "1,1\n"), ("one.csv", "4 4\n5 5\n6 6\n")]);
        let input = input();
        let mut loader = Loader::new(&items, &input, None);
        let chunk = loader.next().unwrap();
        assert!(loader.next().is_none());
        assert_eq!(loader.left_over(), 1);
        let names: Vec<_> = chunk.iter().map(|one| one.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["long.csv[0..3]", "long.csv[3..6]", "short.csv", "one.csv"]);
        let cuts: Vec<_> = chunk.iter().filter_map(|one| one.payload.as_ref().ok()).collect();
        let recording = |index: usize| cuts[index].window.as_ref().unwrap().recording;
        assert_eq!(recording(0), recording(1));
        assert_ne!(recording(0), recording(2));
        assert_eq!(cuts[1].bytes, cuts[2].bytes, "the same readings are the same sample wherever they come from");
        let again = Payload::of_sample(&input, cuts[1].bytes.clone()).unwrap();
        assert_eq!(again.window.unwrap().window, cuts[1].window.as_ref().unwrap().window);
        let error = chunk[2].payload.as_ref().err().unwrap().to_string();
        assert_eq!(error, "the recording has 1 readings, one window takes 3: nothing is padded");
    }

    #[test]
    fn windows_may_overlap_and_come_in_chunks() {
        let folder = tempfile::tempdir().unwrap();
        let long = "1,1\n".repeat(200);
        let items = items(folder.path(), &[("long.csv", &long)]);
        let chunks: Vec<usize> = Loader::new(&items, &input(), Some(1)).map(|chunk| chunk.len()).collect();
        assert_eq!(chunks, [64, 64, 64, 6]);
        let whole = Payload::of_sample(&input(), long.into_bytes()).unwrap_err();
        assert!(matches!(whole, InputError::Length { expected: 3, found: 200 }), "{whole}");
    }
}
