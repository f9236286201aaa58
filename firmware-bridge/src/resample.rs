//! Readings at one rate from readings at another: a windowed sinc, as long as the lower of the two rates needs it, so that
//! nothing above half of that rate is folded into what is kept. Knows nothing of windows or gaps.
//!
//! Invariants: a constant comes out as it went in; however the readings are cut into pieces, the same come out; nothing is
//! made of readings that were not there, so the first and last few give no reading of their own ([`Resampler::reach`]).

/// Zero crossings of the sinc on each side.
const LOBES: f64 = 8.0;
/// Of half the lower rate, how much is let through.
const PASS: f64 = 0.9;
/// How much faster or slower one rate may be than the other.
pub const MAX_RATIO: f64 = 256.0;

/// Resamples one stretch without gaps.
#[derive(Clone, Debug)]
pub struct Resampler {
    channels: usize,
    /// Readings that go in for each that comes out.
    step: f64,
    /// Of the lower rate to the one that goes in.
    cutoff: f64,
    /// Readings on each side that a reading is made of.
    reach: usize,
    /// The readings that are still needed, one after the other.
    rows: Vec<f32>,
    /// Where the next one lies, in readings from the first of `rows`.
    next: f64,
    weights: Vec<f64>,
    out: Vec<f32>,
}

impl Resampler {
    /// From a rate to another, both above 0 and within [`MAX_RATIO`] of each other; none otherwise.
    pub fn new(channels: usize, from_hz: f64, to_hz: f64) -> Option<Self> {
        let step = from_hz / to_hz;
        let sane = channels > 0 && (1.0 / MAX_RATIO..=MAX_RATIO).contains(&step);
        sane.then(|| {
            let cutoff = PASS * step.recip().min(1.0);
            let reach = (LOBES / cutoff).ceil() as usize;
            let (rows, weights, out) = (Vec::new(), Vec::with_capacity(2 * reach + 1), vec![0.0; channels]);
            Self { channels, step, cutoff, reach, rows, next: reach as f64, weights, out }
        })
    }

    /// Readings on each side that a reading is made of.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Begins another stretch.
    pub fn reset(&mut self) {
        self.rows.clear();
        self.next = self.reach as f64;
    }

    /// Takes readings, `[rows, channels]`; gives those that can be made now, one at a time.
    pub fn push(&mut self, rows: &[f32], mut sink: impl FnMut(&[f32])) {
        self.rows.extend_from_slice(rows);
        let there = self.rows.len() / self.channels;
        while (self.next.floor() as usize) + self.reach < there {
            self.one();
            sink(&self.out);
            self.next += self.step;
        }
        let done = (self.next.floor() as usize).saturating_sub(self.reach).min(there);
        self.rows.drain(..done * self.channels);
        self.next -= done as f64;
    }

    fn one(&mut self) {
        let middle = self.next.floor() as usize;
        let first = (middle + 1).saturating_sub(self.reach);
        let last = middle + self.reach;
        self.weights.clear();
        self.weights.extend((first..=last).map(|at| kernel(self.next - at as f64, self.cutoff, self.reach as f64)));
        let sum: f64 = self.weights.iter().sum();
        for (channel, out) in self.out.iter_mut().enumerate() {
            let values = self.rows[first * self.channels..].iter().skip(channel).step_by(self.channels);
            let weighed: f64 = self.weights.iter().zip(values).map(|(weight, value)| weight * f64::from(*value)).sum();
            *out = (weighed / sum) as f32;
        }
    }
}

/// A sinc of a cutoff (of half the rate), times a Blackman window of half width `reach`.
fn kernel(distance: f64, cutoff: f64, reach: f64) -> f64 {
    use std::f64::consts::PI;
    let place = distance / reach;
    if place.abs() >= 1.0 {
        return 0.0;
    }
    let window = 0.42 + 0.5 * (PI * place).cos() + 0.08 * (2.0 * PI * place).cos();
    let x = PI * distance * cutoff;
    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
    sinc * window
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    /// What becomes of a swing of `hz`, from one rate to another, and where the first reading lies in seconds.
    fn swing(hz: f64, from: f64, to: f64) -> (Vec<f32>, f64) {
        let mut resampler = Resampler::new(1, from, to).expect("rates that can be resampled");
        let start = resampler.reach() as f64 / from;
        let rows: Vec<f32> =
            (0..4000).map(|n| (f64::from(n) / from * hz * std::f64::consts::TAU).sin() as f32).collect();
        let mut out = Vec::new();
        resampler.push(&rows, |row| out.push(row[0]));
        (out, start)
    }

    #[test]
    fn what_is_below_the_lower_rate_stays_and_what_is_above_goes() {
        for (from, to) in [(100.0, 32.0), (104.0, 100.0), (62.5, 25.0), (25.0, 100.0), (1000.0, 100.0)] {
            let lower = f64::min(from, to);
            for share in [0.01, 0.1, 0.25] {
                let hz = share * lower;
                let (out, start) = swing(hz, from, to);
                assert!(out.len() as f64 > 3500.0 * to / from);
                let expected = |n: usize| ((start + n as f64 / to) * hz * std::f64::consts::TAU).sin();
                let worst = out
                    .iter()
                    .enumerate()
                    .map(|(n, &found)| (f64::from(found) - expected(n)).abs())
                    .fold(0.0, f64::max);
                assert!(worst < 0.01, "{hz} Hz from {from} to {to}: {worst}");
            }
            if to < 0.5 * from {
                let (out, _) = swing(0.8 * to, from, to);
                let loudest = out.iter().fold(0.0_f32, |loudest, value| loudest.max(value.abs()));
                assert!(loudest < 0.01, "{} Hz from {from} to {to}: {loudest}", 0.8 * to);
            }
        }
    }

    #[test]
    fn rates_without_sense_are_refused() {
        for (from, to) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, 1000.0), (1000.0, 1.0), (-1.0, 1.0)] {
            assert!(Resampler::new(1, from, to).is_none(), "{from} to {to}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2), cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn constants_and_any_pieces(
            to in 1.0..400.0_f64, pieces in prop::collection::vec(1usize..70, 1..30), value in -1e3..1e3_f32,
        ) {
            let (Some(mut whole), Some(mut cut)) = (Resampler::new(2, 100.0, to), Resampler::new(2, 100.0, to)) else {
                return Ok(());
            };
            let rows: Vec<f32> = (0..pieces.iter().sum::<usize>()).flat_map(|n| [value, (n as f32 * 0.7).sin()]).collect();
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            whole.push(&rows, |row| expected.push([row[0], row[1]]));
            let mut at = 0;
            for piece in pieces {
                cut.push(&rows[2 * at..2 * (at + piece)], |row| found.push([row[0], row[1]]));
                at += piece;
                prop_assert!(cut.rows.len() <= 2 * (2 * cut.reach() + cut.step.ceil() as usize + 2 + piece));
            }
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found[0] - value).abs() <= 1e-5 * value.abs().max(1.0));
                prop_assert!((found[1] - expected[1]).abs() < 1e-5);
            }
        }
    }
}
