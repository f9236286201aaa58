//! What a fit sees: labelled features and the groups that may not be split.
//!
//! Invariant, checked once here and trusted by every head: at least one row and one column, features that are finite and of
//! a size that can be squared and summed, labels below the number of classes, and at least one sample of every class.

use std::ops::RangeInclusive;

use ndarray::ArrayView2;

use crate::Quantisation;

/// What penalties and widths may be, and the largest component of all features, unless it is 0. Beyond that, sums
/// and quotients leave what numbers can say.
pub const SIZES: RangeInclusive<f64> = 1e-12..=1e12;

/// What a weight may be: sums of larger and smaller ones would lose the smaller.
pub const WEIGHTS: RangeInclusive<f64> = 1e-6..=1e6;

/// Labelled features.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    features: ArrayView2<'a, f32>,
    labels: &'a [usize],
    groups: &'a [usize],
    classes: usize,
    norms: Option<&'a [f32]>,
    weights: Option<&'a [f64]>,
    quantisation: Option<Quantisation>,
}

/// Why samples cannot be fitted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplesError {
    /// No rows or no columns.
    #[error("samples have shape [{rows}, {dim}], expected at least one row and one column: label some samples first")]
    Empty {
        /// Rows found.
        rows: usize,
        /// Columns found.
        dim: usize,
    },
    /// A class nobody has labelled a sample of.
    #[error("class {class} has no samples: leave it out of the classes or label one")]
    EmptyClass {
        /// The class.
        class: usize,
    },
    /// Labels or groups do not match the features row for row.
    #[error("samples have {rows} features but {labels} labels and {groups} groups, expected as many of each")]
    Lengths {
        /// Rows of features.
        rows: usize,
        /// Labels given.
        labels: usize,
        /// Groups given.
        groups: usize,
    },
    /// A NaN or an infinity.
    #[error("feature of sample {row} is not finite at component {column}")]
    NotFinite {
        /// The sample.
        row: usize,
        /// The component.
        column: usize,
    },
    /// Too large or too small to compute with.
    #[error(
        "the largest component of the features is {largest:e}, expected 0 or a size from 1e-12 to 1e12: scale them"
    )]
    Size {
        /// Its size.
        largest: f32,
    },
    /// A label outside the classes.
    #[error("sample {row} is labelled {label}, expected a class below {classes}")]
    UnknownClass {
        /// The sample.
        row: usize,
        /// Its label.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// A weight that is none.
    #[error("weight of sample {row} is not a number from 1e-6 to 1e6")]
    Weight {
        /// The sample.
        row: usize,
    },
    /// Not one weight per sample.
    #[error("samples have {rows} features but {weights} weights, expected as many")]
    Weights {
        /// Rows of features.
        rows: usize,
        /// Weights given.
        weights: usize,
    },
}

impl<'a> Samples<'a> {
    /// Checks and takes decoded codes `[n, dim]`, one label in `0..classes` and one group per row. Groups are any
    /// numbers; equal ones may not be split between fitting and judging.
    ///
    /// # Errors
    /// When the invariant of this module does not hold.
    pub fn new(
        features: ArrayView2<'a, f32>,
        labels: &'a [usize],
        groups: &'a [usize],
        classes: usize,
    ) -> Result<Self, SamplesError> {
        let (rows, dim) = features.dim();
        if rows == 0 || dim == 0 {
            return Err(SamplesError::Empty { rows, dim });
        }
        if labels.len() != rows || groups.len() != rows {
            return Err(SamplesError::Lengths { rows, labels: labels.len(), groups: groups.len() });
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(SamplesError::UnknownClass { row, label: labels[row], classes });
        }
        let samples = Self { features, labels, groups, classes, norms: None, weights: None, quantisation: None };
        if classes > rows || samples.counts().contains(&0) {
            let class = (0..classes).find(|class| !labels.contains(class)).unwrap_or(classes);
            return Err(SamplesError::EmptyClass { class });
        }
        if let Some(((row, column), _)) = features.indexed_iter().find(|(_, x)| !x.is_finite()) {
            return Err(SamplesError::NotFinite { row, column });
        }
        let largest = features.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        if largest > 0.0 && !SIZES.contains(&f64::from(largest)) {
            return Err(SamplesError::Size { largest });
        }
        Ok(samples)
    }

    /// With the norms `[n]` that the features had, none of them beyond [`SIZES`]: what starts from a model's own classifier needs
    /// them all.
    #[must_use]
    pub fn with_norms(self, norms: &'a [f32]) -> Self {
        let whole =
            norms.len() == self.rows() && norms.iter().all(|norm| (0.0..=*SIZES.end()).contains(&f64::from(*norm)));
        Self { norms: whole.then_some(norms), ..self }
    }

    /// With a weight per sample, `[n]`: how much each counts in a fit, in any unit. Leave-out holds them fixed.
    ///
    /// # Errors
    /// When there is not one per sample, or one is not within [`WEIGHTS`].
    pub fn with_weights(self, weights: &'a [f64]) -> Result<Self, SamplesError> {
        if weights.len() != self.rows() {
            return Err(SamplesError::Weights { rows: self.rows(), weights: weights.len() });
        }
        match weights.iter().position(|weight| !WEIGHTS.contains(weight)) {
            Some(row) => Err(SamplesError::Weight { row }),
            None => Ok(Self { weights: Some(weights), ..self }),
        }
    }

    /// With the quantisation that the features were decoded with: a head that keeps some of them then keeps codes.
    #[must_use]
    pub fn with_quantisation(self, quantisation: Quantisation) -> Self {
        Self { quantisation: Some(quantisation), ..self }
    }

    /// What the features were decoded with; none unless it is known.
    pub fn quantisation(&self) -> Option<Quantisation> {
        self.quantisation
    }

    /// How much each sample counts, `[n]`; none where all count alike.
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// The norm each feature had, `[n]`; none unless every one is known.
    pub fn norms(&self) -> Option<&'a [f32]> {
        self.norms
    }

    /// Decoded codes, `[n, dim]`.
    pub fn features(&self) -> ArrayView2<'a, f32> {
        self.features
    }

    /// Class per row, `[n]`.
    pub fn labels(&self) -> &'a [usize] {
        self.labels
    }

    /// Group per row, `[n]`.
    pub fn groups(&self) -> &'a [usize] {
        self.groups
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        self.features.ncols()
    }

    /// Samples per class, `[classes]`.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in self.labels {
            counts[label] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;

    #[test]
    fn what_breaks_the_invariant_is_named() {
        let x = array![[1.0_f32, 0.0], [0.0, 1.0]];
        let new = |labels: &[usize], groups: &[usize], classes| {
            Samples::new(x.view(), labels, groups, classes).map(|samples| samples.counts())
        };
        assert_eq!(new(&[0, 1], &[7, 9], 2), Ok(vec![1, 1]));
        assert_eq!(new(&[0], &[7, 9], 2), Err(SamplesError::Lengths { rows: 2, labels: 1, groups: 2 }));
        assert_eq!(new(&[0, 2], &[7, 9], 2), Err(SamplesError::UnknownClass { row: 1, label: 2, classes: 2 }));
        assert_eq!(new(&[0, 0], &[7, 9], 2), Err(SamplesError::EmptyClass { class: 1 }));
        assert_eq!(new(&[0, 1], &[7, 9], usize::MAX), Err(SamplesError::EmptyClass { class: 2 }));
        let weigh = |weights: &[f64]| {
            let samples = Samples::new(x.view(), &[0, 1], &[7, 9], 2).unwrap();
            Samples::with_weights(samples, weights).map(|_| ())
        };
        assert_eq!(weigh(&[1.0]), Err(SamplesError::Weights { rows: 2, weights: 1 }));
        assert_eq!(weigh(&[1.0, 0.0]), Err(SamplesError::Weight { row: 1 }));
        assert_eq!(weigh(&[f64::NAN, 1.0]), Err(SamplesError::Weight { row: 0 }));
        let bad = array![[1.0_f32, f32::NAN]];
        let got = Samples::new(bad.view(), &[0], &[0], 1).map(|_| ());
        assert_eq!(got, Err(SamplesError::NotFinite { row: 0, column: 1 }));
        for largest in [1e-13_f32, 1e13] {
            let x = array![[0.0, largest]];
            assert_eq!(Samples::new(x.view(), &[0], &[0], 1).map(|_| ()), Err(SamplesError::Size { largest }));
        }
        let none = ndarray::Array2::<f32>::zeros((0, 3));
        let got = Samples::new(none.view(), &[], &[], 0).map(|_| ());
        assert_eq!(got, Err(SamplesError::Empty { rows: 0, dim: 3 }));
    }
}
