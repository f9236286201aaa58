//! Error as a power law of the number of groups that were learnt from, with what is not known about it.
//!
//! Knows nothing about heads or samples: sizes, accuracies and their covariance in, gains with intervals out.
//!
//! `error(x·n) = e·(u + (1 - u)·x^-c)`: at the size there is now the error is e, u of it stays however much is learnt from,
//! and c says how fast the rest goes. This is the three-parameter law of Figueroa et al. 2012 ("Predicting sample size
//! required for classification performance"), written so that each number can be believed or not by itself. A least-squares
//! fit of three numbers to five uncertain points says anything, so all (u, c) of a grid are weighed by how well they fit
//! (generalised least squares, e integrated out) and by what learning curves are like: u is rather small, and c lies around
//! 0.35, a factor of 1.8 either way (Hestness et al. 2017 found 0.07 to 0.35 for whole networks; heads on frozen features go
//! faster at first).

use faer::{Mat, Side, linalg::solvers::Solve as _};

/// Exponents that are considered, evenly in their logarithm.
const EXPONENTS: (f64, f64, usize) = (0.1, 1.6, 16);
/// The usual exponent, and the standard deviation of its logarithm.
const USUAL_EXPONENT: (f64, f64) = (0.35, 0.6);
/// Shares of the error that stay: this many, from 0 on, evenly below 1.
const STAYING: usize = 20;
/// Standard deviations from the mean of e that stand for its distribution, seven of equal weight: the middles of sevenths.
const ERRORS: [f64; 7] = [-1.465_2, -0.791_6, -0.366_1, 0.0, 0.366_1, 0.791_6, 1.465_2];
/// Standard error of every point beside chance: no curve is exactly a power law.
const MISFIT: f64 = 0.005;

/// What may be the law, and how likely each is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PowerLaw(Vec<Law>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Law {
    weight: f64,
    /// e.
    error: f64,
    /// u.
    stays: f64,
    /// c.
    exponent: f64,
}

impl PowerLaw {
    /// From accuracies at sizes, as shares of the size there is now, and their covariance without the misfit. None where
    /// that is no covariance.
    pub(super) fn fit(sizes: &[f64], accuracies: &[f64], mut covariance: Mat<f64>) -> Option<Self> {
        let points = sizes.len();
        for i in 0..points {
            covariance[(i, i)] += MISFIT * MISFIT;
        }
        let factor = covariance.llt(Side::Lower).ok()?;
        let errors: Vec<f64> = accuracies.iter().map(|accuracy| 1.0 - accuracy).collect();
        let against = |values: &[f64]| -> Vec<f64> {
            let solved = factor.solve(Mat::from_fn(points, 1, |i, _| values[i]));
            (0..points).map(|i| solved[(i, 0)]).collect()
        };
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let weighted = against(&errors);
        let squares = product(&errors, &weighted);

        let mut laws = Vec::with_capacity(EXPONENTS.2 * STAYING * ERRORS.len());
        let mut fits = Vec::with_capacity(EXPONENTS.2 * STAYING);
        for step in 0..EXPONENTS.2 {
            let way = step as f64 / (EXPONENTS.2 - 1) as f64;
            let exponent = EXPONENTS.0 * (EXPONENTS.1 / EXPONENTS.0).powf(way);
            let unusual = (exponent / USUAL_EXPONENT.0).ln() / USUAL_EXPONENT.1;
            for stays in (0..STAYING).map(|step| step as f64 / STAYING as f64) {
                let shape: Vec<f64> = sizes.iter().map(|size| stays + (1.0 - stays) * size.powf(-exponent)).collect();
                let precision = product(&shape, &against(&shape));
                let mean = product(&shape, &weighted) / precision;
                let misfit = squares - precision * mean * mean;
                let log_weight = -0.5 * (misfit + precision.ln() + unusual * unusual) + (1.0 - stays).ln();
                fits.push(log_weight);
                let deviation = precision.sqrt().recip();
                laws.extend(ERRORS.map(|far| {
                    let error = (mean + far * deviation).clamp(0.0, 1.0);
                    Law { weight: 0.0, error, stays, exponent }
                }));
            }
        }
        let most = fits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !most.is_finite() {
            return None;
        }
        for (laws, log_weight) in laws.chunks_exact_mut(ERRORS.len()).zip(fits) {
            for law in laws {
                law.weight = (log_weight - most).exp();
            }
        }
        Some(Self(laws))
    }

    /// The median of what `of` makes of a law, and between what 95 % lie.
    fn spread(&self, of: impl Fn(&Law) -> f64) -> (f64, (f64, f64)) {
        let mut values: Vec<(f64, f64)> = self.0.iter().map(|law| (of(law), law.weight)).collect();
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = values.iter().map(|(_, weight)| weight).sum();
        let at = |share: f64| {
            let mut sum = 0.0;
            let reached = values.iter().find(|(_, weight)| {
                sum += weight;
                sum >= share * total
            });
            reached.or(values.last()).map_or(0.0, |(value, _)| *value)
        };
        (at(0.5), (at(0.025), at(0.975)))
    }

    /// Accuracy at a size, as a share of the one there is now.
    pub(super) fn accuracy(&self, size: f64) -> (f64, (f64, f64)) {
        self.spread(|law| 1.0 - law.error_at(size))
    }

    /// Accuracy at a size less that at the one there is now.
    pub(super) fn gain(&self, size: f64) -> (f64, (f64, f64)) {
        self.spread(|law| law.error - law.error_at(size))
    }

    /// At what size the accuracy is so much above what it is now; infinite where it never is.
    pub(super) fn size_for(&self, gain: f64) -> (f64, (f64, f64)) {
        self.spread(|law| law.size_for(gain))
    }
}

impl Law {
    fn error_at(&self, size: f64) -> f64 {
        self.error * (self.stays + (1.0 - self.stays) * size.powf(-self.exponent))
    }

    fn size_for(&self, gain: f64) -> f64 {
        let left = 1.0 - gain / (self.error * (1.0 - self.stays));
        if left > 0.0 { left.powf(-self.exponent.recip()) } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SIZES: [f64; 5] = [0.2, 0.3, 0.45, 0.65, 0.8];

    fn fitted(error: f64, stays: f64, exponent: f64, deviation: f64) -> PowerLaw {
        let law = Law { weight: 1.0, error, stays, exponent };
        let accuracies = SIZES.map(|size| 1.0 - law.error_at(size));
        let covariance = Mat::from_fn(5, 5, |i, j| if i == j { deviation * deviation } else { 0.0 });
        PowerLaw::fit(&SIZES, &accuracies, covariance).unwrap()
    }

    #[test]
    fn points_without_error_give_the_law_back() {
        for (error, stays, exponent) in [(0.3, 0.0, 0.35), (0.1, 0.2, 0.5), (0.4, 0.5, 0.8)] {
            let law = fitted(error, stays, exponent, 1e-4);
            let true_gain = error * (1.0 - stays) * (1.0 - 2.0_f64.powf(-exponent));
            let (gain, _) = law.gain(2.0);
            assert!((gain - true_gain).abs() < 0.01, "{gain} of {true_gain}");
            let (accuracy, _) = law.accuracy(1.0);
            assert!((accuracy + error - 1.0).abs() < 0.01, "{accuracy}");
        }
    }

    /// Sum of twelve uniform numbers: as good as normal here.
    fn normal(random: &mut ChaCha8Rng) -> f64 {
        (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0
    }

    /// An interval of 95 % is one of laws as they are expected, seen through noise as it is stated: so are these.
    #[test]
    fn of_laws_that_are_expected_the_intervals_hold_as_many_as_they_say() {
        const DRAWS: usize = 1000;
        let mut random = ChaCha8Rng::seed_from_u64(0x00c0_ffee);
        let mut held = 0;
        for _ in 0..DRAWS {
            let exponent = loop {
                let exponent = USUAL_EXPONENT.0 * (USUAL_EXPONENT.1 * normal(&mut random)).exp();
                if (EXPONENTS.0..=EXPONENTS.1).contains(&exponent) {
                    break exponent;
                }
            };
            // Of density 2 (1 - u).
            let stays = 1.0 - random.random_range(0.0_f64..1.0).sqrt();
            let law = Law { weight: 1.0, error: random.random_range(0.05..0.5), stays, exponent };
            let deviation = random.random_range(0.005..0.03);
            let covariance = Mat::from_fn(5, 5, |i, j| if i == j { deviation * deviation } else { 0.0 });
            let noise = f64::hypot(deviation, MISFIT);
            let accuracies = SIZES.map(|size| 1.0 - law.error_at(size) + noise * normal(&mut random));
            let found = PowerLaw::fit(&SIZES, &accuracies, covariance).unwrap();
            let true_gain = law.error - law.error_at(2.0);
            let (_, (low, high)) = found.gain(2.0);
            held += usize::from((low..=high).contains(&true_gain));
        }
        // Of a thousand, 950 are due; a binomial deviation is seven.
        assert!((925..=975).contains(&held), "{held} of {DRAWS}");
    }

    #[test]
    fn what_is_less_certain_is_told_less_certainly() {
        let width = |law: PowerLaw| law.gain(3.0).1.1 - law.gain(3.0).1.0;
        let (sure, unsure) = (width(fitted(0.3, 0.2, 0.4, 0.003)), width(fitted(0.3, 0.2, 0.4, 0.05)));
        assert!(unsure > 1.3 * sure, "{sure} {unsure}");
    }

    #[test]
    fn a_size_and_its_gain_are_one_anothers_inverse() {
        let law = fitted(0.3, 0.1, 0.4, 0.01);
        let (size, (soonest, latest)) = law.size_for(0.02);
        assert!(1.0 < soonest && soonest <= size && size <= latest, "{soonest} {size} {latest}");
        assert!((law.gain(size).0 - 0.02).abs() < 0.002, "{}", law.gain(size).0);
        assert_eq!(law.size_for(0.5).0, f64::INFINITY, "there are not so many errors");
    }

    #[test]
    fn no_error_is_no_gain() {
        let law = PowerLaw::fit(&SIZES, &[1.0; 5], Mat::zeros(5, 5)).unwrap();
        let (gain, (low, high)) = law.gain(10.0);
        assert!(gain.abs() < 0.01 && low >= 0.0 && high < 0.02, "{low} {gain} {high}");
    }

    #[test]
    fn what_is_no_covariance_is_refused() {
        assert_eq!(PowerLaw::fit(&SIZES, &[0.5; 5], Mat::from_fn(5, 5, |_, _| f64::NAN)), None);
        assert_eq!(PowerLaw::fit(&SIZES, &[0.5; 5], Mat::from_fn(5, 5, |i, j| if i == j { -1.0 } else { 0.0 })), None);
    }
}
