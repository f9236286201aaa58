//! Windows: readings that stood one after the other, cut to one length, at one rate. Knows nothing of lines, frames or what
//! a window is of.
//!
//! Invariants: no window reaches over a gap; nothing is padded; memory is bounded by one window and the resampler.

use std::time::Duration;

use crate::resample::{MAX_RATIO, Resampler};
use crate::shape::{Channel, MAX_CHANNELS, Shape};

/// Readings of a window at most, and numbers.
pub const MAX_LENGTH: usize = 1 << 16;
const MAX_NUMBERS: usize = 1 << 22;
/// Rates that differ by less are one: an oscillator of a board is not better, and neither is a sketch's `delay`.
const SAME_RATE: f64 = 0.03;

/// What windows are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Readings of a window.
    pub length: usize,
    /// Readings from the start of one to the start of the next.
    pub stride: usize,
    /// The channels that are kept, by name or by number from 1, in this order; all where empty.
    pub channels: Vec<String>,
    /// Readings a second; as the device gives them where none.
    pub rate_hz: Option<f64>,
}

/// Why no windows can be cut.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// The device has no such channel.
    #[error("cutting windows: the device has no channel `{wanted}`, only {has}")]
    Channel {
        /// What was asked for.
        wanted: String,
        /// What there is.
        has: String,
    },
    /// Not a length and stride that can be.
    #[error(
        "cutting windows: a window of {length} readings, one every {stride}: expected 1 to {MAX_LENGTH} readings, and a stride of 1 or more"
    )]
    Length {
        /// Readings of a window.
        length: usize,
        /// Readings between two starts.
        stride: usize,
    },
    /// Rates too far apart.
    #[error("cutting windows: {found} readings a second come, {wanted} are wanted: more than {MAX_RATIO} times apart")]
    Rate {
        /// What the device gives.
        found: f64,
        /// What was asked for.
        wanted: f64,
    },
    /// Too many numbers.
    #[error("cutting windows: {channels} channels of {length} readings: more than {MAX_NUMBERS} numbers in a window")]
    TooLarge {
        /// Channels.
        channels: usize,
        /// Readings.
        length: usize,
    },
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window<'a> {
    /// The numbers, `[length, channels]`.
    pub readings: &'a [f32],
    /// The channels.
    pub channels: &'a [Channel],
    /// Readings a second, where known.
    pub rate_hz: Option<f64>,
    /// When its last reading was made or came: host time.
    pub ended: Duration,
    /// The stretch without gaps that it is of, numbered from 1.
    pub stretch: u64,
}

/// What became of readings so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Gaps over which no window reaches.
    pub gaps: u64,
    /// Readings that are in no window, because a gap came before one was whole.
    pub dropped: u64,
    /// Windows given.
    pub windows: u64,
}

/// Cuts windows.
#[derive(Clone, Debug)]
pub struct Windows {
    setup: Setup,
    /// What the device gives, once that is known.
    source: Option<Source>,
    /// Readings that are not yet given, at the rate of windows.
    rows: Vec<f32>,
    /// Readings to leave out before the next window: where the stride is longer than a window.
    skip: usize,
    /// Nothing came since the last gap.
    broken: bool,
    stretch: u64,
    counts: Counts,
}

#[derive(Clone, Debug)]
struct Source {
    shape: Shape,
    /// Which values of a reading are kept.
    kept: Vec<usize>,
    channels: Vec<Channel>,
    rate: Rate,
}

#[derive(Clone, Debug)]
enum Rate {
    AsIs,
    /// It is not known how fast readings come, and should be.
    Awaited,
    Resampled(Box<Resampler>),
}

impl Windows {
    /// For windows of one kind.
    ///
    /// # Errors
    /// When there can be none such.
    pub fn new(setup: Setup) -> Result<Self, WindowError> {
        let Setup { length, stride, channels, rate_hz } = &setup;
        if !(1..=MAX_LENGTH).contains(length) || *stride == 0 {
            return Err(WindowError::Length { length: *length, stride: *stride });
        }
        if channels.len() > MAX_CHANNELS || channels.len().max(1) * length > MAX_NUMBERS {
            return Err(WindowError::TooLarge { channels: channels.len(), length: *length });
        }
        if let Some(wanted) = rate_hz.filter(|hz| !(hz.is_finite() && *hz > 0.0)) {
            return Err(WindowError::Rate { found: 0.0, wanted });
        }
        let counts = Counts::default();
        Ok(Self { setup, source: None, rows: Vec::new(), skip: 0, broken: true, stretch: 0, counts })
    }

    /// What the device gives from now on. Where that is other than before, what was begun is not carried on.
    ///
    /// # Errors
    /// When windows cannot be cut from it; then none are until it is something else.
    pub fn begin(&mut self, shape: &Shape) -> Result<(), WindowError> {
        if let Some(source) = &mut self.source
            && source.shape.channels == shape.channels
            && (source.shape.rate_hz == shape.rate_hz || self.setup.rate_hz.is_none())
        {
            source.shape.rate_hz = shape.rate_hz;
            return Ok(());
        }
        self.gap();
        self.source = None;
        let find = |wanted: &String| {
            let named = shape.channels.iter().position(|channel| channel.name == *wanted);
            let numbered =
                || wanted.parse().ok().and_then(|n: usize| n.checked_sub(1)).filter(|n| *n < shape.channels.len());
            named.or_else(numbered).ok_or_else(|| WindowError::Channel { wanted: wanted.clone(), has: shape.names() })
        };
        let kept = match self.setup.channels.as_slice() {
            [] => (0..shape.channels.len()).collect(),
            wanted => wanted.iter().map(find).collect::<Result<Vec<_>, _>>()?,
        };
        if kept.len() > MAX_CHANNELS || kept.len() * self.setup.length > MAX_NUMBERS {
            return Err(WindowError::TooLarge { channels: kept.len(), length: self.setup.length });
        }
        let rate = match (shape.rate_hz, self.setup.rate_hz) {
            (_, None) => Rate::AsIs,
            (None, Some(_)) => Rate::Awaited,
            (Some(found), Some(wanted)) if (found / wanted - 1.0).abs() <= SAME_RATE => Rate::AsIs,
            (Some(found), Some(wanted)) => {
                let resampler = Resampler::new(kept.len(), found, wanted);
                Rate::Resampled(Box::new(resampler.ok_or(WindowError::Rate { found, wanted })?))
            }
        };
        let channels = kept.iter().map(|&at| shape.channels[at].clone()).collect();
        self.source = Some(Source { shape: shape.clone(), kept, channels, rate });
        Ok(())
    }

    /// Takes readings that follow those before, `[rows, channels of the device]`; the last of them is of `at`, host time.
    pub fn push(&mut self, rows: &[f32], at: Duration, mut sink: impl FnMut(Window<'_>)) {
        let Some(source) = &mut self.source else { return };
        let (width, kept) = (source.shape.channels.len(), &source.kept);
        if width == 0 || matches!(source.rate, Rate::Awaited) {
            return;
        }
        if std::mem::take(&mut self.broken) {
            self.stretch += 1;
        }
        let rate_hz = self.setup.rate_hz.or(source.shape.rate_hz);
        let numbers = self.setup.length * kept.len();
        let (stretch, stride, channels) = (self.stretch, self.setup.stride, &source.channels);
        let (own, skip, counts) = (&mut self.rows, &mut self.skip, &mut self.counts);
        let mut take = |row: &[f32]| {
            if *skip > 0 {
                *skip -= 1;
                return;
            }
            own.extend_from_slice(row);
            if own.len() < numbers {
                return;
            }
            counts.windows += 1;
            sink(Window { readings: own, channels, rate_hz, ended: at, stretch });
            *skip = stride.saturating_sub(numbers / row.len());
            own.drain(..(stride * row.len()).min(numbers));
        };
        let mut row = Vec::with_capacity(kept.len());
        for reading in rows.chunks_exact(width) {
            row.clear();
            row.extend(kept.iter().map(|&at| reading[at]));
            match &mut source.rate {
                Rate::Resampled(resampler) => resampler.push(&row, &mut take),
                Rate::AsIs | Rate::Awaited => take(&row),
            }
        }
    }

    /// Readings were lost, or the device was away: what comes does not follow what came.
    pub fn gap(&mut self) {
        if std::mem::replace(&mut self.broken, true) {
            return;
        }
        if let Some(source) = &mut self.source {
            self.counts.dropped += (self.rows.len() / source.kept.len().max(1)) as u64;
            if let Rate::Resampled(resampler) = &mut source.rate {
                resampler.reset();
            }
        }
        self.counts.gaps += 1;
        self.rows.clear();
        self.skip = 0;
    }

    /// What became of readings so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    fn setup(length: usize, stride: usize) -> Setup {
        Setup { length, stride, channels: Vec::new(), rate_hz: None }
    }

    fn cutter(setup: Setup, shape: &Shape) -> Windows {
        let mut windows = Windows::new(setup).unwrap();
        windows.begin(shape).unwrap();
        windows
    }

    fn push(windows: &mut Windows, rows: &[f32]) -> Vec<Vec<f32>> {
        let mut found = Vec::new();
        windows.push(rows, Duration::ZERO, |window| found.push(window.readings.to_vec()));
        found
    }

    #[test]
    fn windows_overlap_follow_each_other_or_stand_apart() {
        let rows: Vec<f32> = (0..9_u8).map(f32::from).collect();
        let cut = |stride| push(&mut cutter(setup(3, stride), &Shape::columns(1, None)), &rows);
        assert_eq!(cut(3), [[0., 1., 2.], [3., 4., 5.], [6., 7., 8.]]);
        assert_eq!(cut(2), [[0., 1., 2.], [2., 3., 4.], [4., 5., 6.], [6., 7., 8.]]);
        assert_eq!(cut(5), [[0., 1., 2.], [5., 6., 7.]]);
    }

    #[test]
    fn no_window_reaches_over_a_gap() {
        let mut windows = cutter(setup(2, 2), &Shape::columns(1, None));
        assert_eq!(push(&mut windows, &[1., 2., 3.]), [[1., 2.]]);
        windows.gap();
        windows.gap();
        assert_eq!(push(&mut windows, &[4., 5., 6.]), [[4., 5.]]);
        assert_eq!(windows.counts(), Counts { gaps: 1, dropped: 1, windows: 2 });
    }

    #[test]
    fn channels_are_chosen_by_name_or_number_and_carry_their_unit() {
        let channel = |name: &str, unit: &str| Channel { name: name.to_owned(), unit: unit.to_owned() };
        let shape = Shape { channels: vec![channel("x", "g"), channel("y", "g"), channel("t", "°C")], rate_hz: None };
        let wanted = Setup { channels: vec!["t".to_owned(), "1".to_owned()], ..setup(1, 1) };
        let mut windows = cutter(wanted.clone(), &shape);
        windows.push(&[1., 2., 30.], Duration::from_secs(7), |window| {
            assert_eq!(window.readings, [30., 1.]);
            assert_eq!(window.channels, [shape.channels[2].clone(), shape.channels[0].clone()]);
            assert_eq!((window.ended, window.stretch), (Duration::from_secs(7), 1));
        });
        let error = Windows::new(wanted).unwrap().begin(&Shape::columns(2, None)).unwrap_err();
        assert_eq!(error.to_string(), "cutting windows: the device has no channel `t`, only 1, 2");
    }

    #[test]
    fn readings_are_resampled_to_the_rate_that_is_wanted_once_theirs_is_known() {
        let wanted = Setup { rate_hz: Some(50.0), ..setup(10, 10) };
        let mut windows = cutter(wanted, &Shape::columns(2, None));
        let rows: Vec<f32> = (0..200).flat_map(|n| [n as f32, 7.0]).collect();
        assert!(push(&mut windows, &rows).is_empty(), "how fast they come is not known");
        windows.begin(&Shape::columns(2, Some(100.0))).unwrap();
        let cut = push(&mut windows, &rows);
        assert_eq!(cut.len(), 8, "200 readings give 100, less those at the ends");
        for pair in cut.concat().chunks(4) {
            let [a, constant, b, _] = pair else { unreachable!("of four") };
            assert!((b - a - 2.0).abs() < 1e-3 && (constant - 7.0).abs() < 1e-5, "{pair:?}");
        }
        windows.begin(&Shape::columns(2, Some(51.0))).unwrap();
        assert_eq!(push(&mut windows, &rows)[0][..4], [0., 7., 1., 7.], "as good as the same");
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let refused = |setup: Setup| Windows::new(setup).unwrap_err().to_string();
        assert!(refused(setup(0, 1)).contains("a window of 0 readings"));
        assert!(refused(setup(5, 0)).contains("one every 0"));
        assert!(refused(Setup { rate_hz: Some(f64::NAN), ..setup(1, 1) }).contains("NaN"));
        let mut windows = Windows::new(Setup { rate_hz: Some(1.0), ..setup(2, 2) }).unwrap();
        let error = windows.begin(&Shape::columns(1, Some(1000.0))).unwrap_err();
        assert!(error.to_string().contains("1000 readings a second come, 1 are wanted"), "{error}");
        assert!(push(&mut windows, &[1., 2.]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default() })]

        /// Every window is of readings in a row, whatever the pieces and gaps, and memory is bounded.
        #[test]
        fn windows_are_of_readings_in_a_row(
            length in 1usize..20, stride in 1usize..30, pieces in prop::collection::vec((0usize..50, any::<bool>()), 1..40),
        ) {
            let mut windows = cutter(setup(length, stride), &Shape::columns(1, None));
            let mut next = 0.0_f32;
            for (piece, gap) in pieces {
                let rows: Vec<f32> = (0..piece).map(|n| next + n as f32).collect();
                let start = next;
                next += piece as f32;
                for window in push(&mut windows, &rows) {
                    prop_assert!(window.windows(2).all(|pair| pair[1].to_bits() == (pair[0] + 1.0).to_bits()));
                    prop_assert_eq!(window.len(), length);
                    prop_assert!(window[length - 1] >= start);
                }
                prop_assert!(windows.rows.len() < length.max(1));
                if gap {
                    windows.gap();
                    next += 1000.0;
                }
            }
        }
    }
}
