//! How much each sample counts in a fit. Knows nothing of heads.
//!
//! Invariant: weights are finite, above zero, and of mean 1; they are all exactly 1 where nothing asks for others.

use std::{fmt, str::FromStr};

use crate::Samples;

/// Classes count alike where the largest has more than so many times the samples of the smallest.
pub const IMBALANCE: usize = 3;

/// Whether the classes count alike, whatever their numbers of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weighting {
    /// Where the counts differ by more than [`IMBALANCE`], whichever has the smaller balanced log-loss out of sample,
    /// kind by kind; else [`Weighting::None`].
    #[default]
    Auto,
    /// Every class has the same sum of weights.
    Balanced,
    /// Every sample has the weight it was given.
    None,
}

/// A word that names no weighting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("weighting is {0:?}, expected auto, balanced or none")]
pub struct WeightingError(String);

impl fmt::Display for Weighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Balanced => "balanced",
            Self::None => "none",
        })
    }
}

impl FromStr for Weighting {
    type Err = WeightingError;

    fn from_str(word: &str) -> Result<Self, WeightingError> {
        let all = [Self::Auto, Self::Balanced, Self::None];
        all.into_iter().find(|weighting| weighting.to_string() == word).ok_or_else(|| WeightingError(word.to_owned()))
    }
}

/// Whether the largest class has more than [`IMBALANCE`] times the samples of the smallest.
pub(crate) fn is_lopsided(samples: &Samples<'_>) -> bool {
    let counts = samples.counts();
    let (smallest, largest) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    largest > IMBALANCE * smallest
}

/// The samples' own weights, scaled to mean 1, `[n]`; where `balanced`, every class has the same sum.
pub(crate) fn weights(samples: &Samples<'_>, balanced: bool) -> Vec<f64> {
    let own = |row: usize| samples.weights().map_or(1.0, |weights| weights[row]);
    let (n, classes) = (samples.rows() as f64, samples.classes() as f64);
    if balanced {
        let mut sums = vec![0.0; samples.classes()];
        samples.labels().iter().enumerate().for_each(|(row, &label)| sums[label] += own(row));
        let share = n / classes;
        samples.labels().iter().enumerate().map(|(row, &label)| own(row) * (share / sums[label])).collect()
    } else if samples.weights().is_some() {
        let sum: f64 = (0..samples.rows()).map(own).sum();
        (0..samples.rows()).map(|row| own(row) * (n / sum)).collect()
    } else {
        vec![1.0; samples.rows()]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;

    #[test]
    fn weightings_survive_their_words() {
        for weighting in [Weighting::Auto, Weighting::Balanced, Weighting::None] {
            assert_eq!(weighting.to_string().parse(), Ok(weighting));
        }
        assert_eq!("Auto".parse::<Weighting>(), Err(WeightingError("Auto".into())));
    }

    #[test]
    fn balanced_classes_have_equal_sums_in_the_samples_own_proportions() {
        let x = Array2::<f32>::ones((5, 1));
        let groups = [0, 1, 2, 3, 4];
        let samples = Samples::new(x.view(), &[0, 0, 0, 0, 1], &groups, 2).unwrap();
        assert!(is_lopsided(&samples));
        assert_eq!(weights(&samples, false), [1.0; 5]);
        assert_eq!(weights(&samples, true), [0.625, 0.625, 0.625, 0.625, 2.5]);
        let own = [4.0, 4.0, 4.0, 8.0, 20.0];
        let samples = samples.with_weights(&own).unwrap();
        assert_eq!(weights(&samples, false), [0.5, 0.5, 0.5, 1.0, 2.5]);
        assert_eq!(weights(&samples, true), [0.5, 0.5, 0.5, 1.0, 2.5]);
    }
}
