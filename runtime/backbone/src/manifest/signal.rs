//! `[input]` with `kind = "signal"`: how a window of readings becomes the input tensor.
//!
//! Knows keys and their rules, nothing about files of readings. Invariant: a [`SignalInput`] has one mean and one standard
//! deviation per channel.

use super::{ElementType, keys::Keys};

/// Most channels of a window, and most readings of one channel.
const MAX_CHANNELS: i64 = 1024;
const MAX_LENGTH: i64 = 1 << 20;
/// Most numbers in a window: 16 MiB of them.
const MAX_NUMBERS: usize = 1 << 22;

/// The `[input]` table with `kind = "signal"`.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalInput {
    /// Name of the graph's input.
    pub tensor: String,
    /// Order of axes.
    pub layout: SignalLayout,
    /// Numbers in one reading.
    pub channels: usize,
    /// Readings in one window.
    pub length: usize,
    /// Subtracted per channel.
    pub mean: Vec<f32>,
    /// Divided by per channel.
    pub std: Vec<f32>,
    /// Readings a second, for people; nothing is resampled.
    pub rate_hz: Option<f32>,
    /// What the numbers are, for people: `g`, `m/s²`, or one word per channel.
    pub unit: Option<String>,
}

words! {
    /// Order of a signal tensor's axes.
    SignalLayout {
        /// Batch, 1, channels, length.
        N1cl = "n1cl",
        /// Batch, 1, length, channels.
        N1lc = "n1lc",
        /// Batch, channels, length.
        Ncl = "ncl",
        /// Batch, channels, length, 1.
        Ncl1 = "ncl1",
        /// Batch, length: one channel.
        Nl = "nl",
        /// Batch, length, channels.
        Nlc = "nlc",
        /// Batch, length, channels, 1.
        Nlc1 = "nlc1",
    }
}

impl SignalLayout {
    /// Whether a reading's numbers lie together in memory.
    pub fn channels_last(self) -> bool {
        matches!(self, Self::N1lc | Self::Nlc | Self::Nlc1)
    }
}

impl SignalInput {
    /// Shape of the input tensor for `batch` windows.
    pub fn shape(&self, batch: usize) -> Vec<usize> {
        let (channels, length) = (self.channels, self.length);
        match self.layout {
            SignalLayout::N1cl => vec![batch, 1, channels, length],
            SignalLayout::N1lc => vec![batch, 1, length, channels],
            SignalLayout::Ncl => vec![batch, channels, length],
            SignalLayout::Ncl1 => vec![batch, channels, length, 1],
            SignalLayout::Nl => vec![batch, length],
            SignalLayout::Nlc => vec![batch, length, channels],
            SignalLayout::Nlc1 => vec![batch, length, channels, 1],
        }
    }
}

/// Reads what is left of `[input]` once `kind = "signal"` was taken.
pub(super) fn read_signal(keys: &mut Keys<'_>) -> Option<SignalInput> {
    let tensor = keys.string("tensor");
    let layout = keys.word("layout", Some(SignalLayout::Ncl), SignalLayout::WORDS, SignalLayout::from_word);
    let only = |word: &str| ElementType::from_word(word).filter(|&element| element == ElementType::F32);
    let dtype = keys.word("dtype", Some(ElementType::F32), &["f32"], only);
    let channels = keys.integer("channels", 1..=MAX_CHANNELS).map(|channels| channels as usize);
    let length = keys.integer("length", 1..=MAX_LENGTH).map(|length| length as usize);
    let (finite, above) = ("finite numbers", "numbers above 0");
    let mean = keys.per_channel("mean", channels, 0.0, f32::is_finite, finite);
    let std = keys.per_channel("std", channels, 1.0, |std| std.is_finite() && std > 0.0, above);
    let positive = |rate: f32| rate.is_finite() && rate > 0.0;
    let rate_hz = keys.optional_float("rate_hz", "a number above 0", positive);
    let unit = keys.optional_string("unit");
    let (channels, length, layout) = (channels?, length?, layout?);
    let single = layout != SignalLayout::Nl || channels == 1;
    keys.rule(single, "channels", "1 with layout = \"nl\", which has no axis for them", channels);
    let bounded = channels.saturating_mul(length) <= MAX_NUMBERS;
    keys.rule(
        bounded,
        "length",
        &format!("channels × length of at most {MAX_NUMBERS}"),
        channels.saturating_mul(length),
    );
    dtype?;
    Some(SignalInput {
        tensor: tensor?,
        layout,
        channels,
        length,
        mean: mean?,
        std: std?,
        rate_hz: rate_hz?,
        unit: unit?,
    })
}
