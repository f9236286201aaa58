//! Windows of readings, and how they become input tensors.
//!
//! Knows numbers and layouts, nothing about tasks. Invariant: every number of a [`Window`] is finite.

mod npy;
mod recording;
mod text;

pub use self::recording::{Recording, RecordingError, Starts};
use crate::manifest::SignalInput;

/// Part of every signal backbone's id: raised when `preprocess` gives other numbers for the same window.
pub const PREPROCESSING_VERSION: u64 = 1;

/// Readings that are one sample: `length` times `channels` finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    channels: usize,
    /// Reading after reading.
    numbers: Vec<f32>,
}

impl Window {
    /// A window of `numbers`, reading after reading; none where they are not whole readings, or not all finite.
    pub fn new(channels: usize, numbers: Vec<f32>) -> Option<Self> {
        let whole = channels > 0 && !numbers.is_empty() && numbers.len().is_multiple_of(channels);
        (whole && numbers.iter().all(|number| number.is_finite())).then_some(Self { channels, numbers })
    }

    /// Numbers in one reading.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of readings.
    pub fn length(&self) -> usize {
        self.numbers.len() / self.channels
    }

    /// The numbers, reading after reading.
    pub fn readings(&self) -> &[f32] {
        &self.numbers
    }

    /// The window as an NPY file of `[channels, length]`: the same bytes for the same numbers.
    pub fn to_npy(&self) -> Vec<u8> {
        let (channels, length) = (self.channels, self.length());
        let numbers =
            (0..channels).flat_map(|channel| (0..length).map(move |at| self.numbers[at * channels + channel]));
        npy::write(channels, length, numbers)
    }

    /// The window that [`Window::to_npy`] wrote; none where it did not.
    pub fn from_npy(bytes: &[u8]) -> Option<Self> {
        let channels = npy::first_axis(bytes).filter(|channels| *channels > 0)?;
        Self::new(channels, npy::read(bytes, channels).ok()?)
    }
}

/// The input tensor's numbers, in its order.
pub(crate) fn preprocess(window: &Window, input: &SignalInput) -> Vec<f32> {
    let fits = (window.channels(), window.length()) == (input.channels, input.length);
    assert!(fits, "a bug: the window was made for another backbone");
    let standard = |at: usize, channel: usize| {
        (window.numbers[at * input.channels + channel] - input.mean[channel]) / input.std[channel]
    };
    let (channels, length) = (0..input.channels, 0..input.length);
    if input.layout.channels_last() {
        length.flat_map(|at| channels.clone().map(move |channel| standard(at, channel))).collect()
    } else {
        channels.flat_map(|channel| length.clone().map(move |at| standard(at, channel))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;
    use crate::manifest::SignalLayout;

    #[test]
    fn the_tensor_follows_the_layout() {
        let window = Window::new(2, vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0]).unwrap();
        let input = |layout| SignalInput {
            tensor: "input".to_owned(),
            layout,
            channels: 2,
            length: 3,
            mean: vec![1.0, 0.0],
            std: vec![1.0, 10.0],
            rate_hz: None,
            unit: None,
        };
        assert_eq!(preprocess(&window, &input(SignalLayout::Ncl)), [0.0, 1.0, 2.0, 1.0, 2.0, 3.0]);
        assert_eq!(preprocess(&window, &input(SignalLayout::Nlc)), [0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(input(SignalLayout::N1lc).shape(4), [4, 1, 3, 2]);
    }

    #[test]
    fn what_is_not_finite_or_not_whole_is_no_window() {
        assert_eq!(Window::new(2, vec![1.0, 2.0, 3.0]), None);
        assert_eq!(Window::new(1, vec![1.0, f32::NAN]), None);
        assert_eq!(Window::new(1, Vec::new()), None);
    }
}
