//! What logistic regression is solved in: samples in coordinates of at most `n` components, and the inverse of the Hessian
//! that its search starts from. Knows nothing of labels.
//!
//! Few coordinates are principal axes, where that inverse is diagonal. More are those of the samples themselves, or, where
//! samples are fewer than components, of the Cholesky factor of their products `K = LLᵀ`, `Z = Lᵀ`, in single precision: a
//! factor for each penalty costs a fraction of one eigendecomposition.
//!
//! Invariant: `Zᵀ Z` are the products of weighted, centred samples, so that a penalty on weights means the same.

use std::borrow::Cow;

use faer::{Mat, MatMut};

use crate::{
    centred::{Centred, ROWS, products},
    factor::Factor,
    penalised::IllConditioned,
    precision::Precision,
    spectrum::Spectrum,
};

/// Added to the products of samples with each other, as a share of the mean: they are singular, as samples are centred.
const JITTER: f64 = 1e-6;

/// Samples, one column each.
pub(crate) struct Coordinates<'a, T: Clone> {
    /// `√w (x - mean) / unit` in coordinates, `[rank, n]`.
    pub(crate) rows: Cow<'a, Mat<T>>,
    /// `1/√w`, `[n]`; none where every weight is 1.
    pub(crate) over: Option<Vec<f64>>,
    /// Mean 1, `[n]`.
    pub(crate) weights: &'a [f64],
    /// Weighted mean of features, `[dim]`.
    pub(crate) mean: &'a [f64],
    /// What the rows are divided by.
    pub(crate) unit: f64,
    /// Mean square along an axis, in the rows' units.
    pub(crate) mean_value: f64,
    threads: usize,
    moment: Moment<'a, T>,
}

/// `Z Zᵀ`, and how weights on coordinates become weights on features.
enum Moment<'a, T> {
    /// Diagonal.
    Principal(&'a Spectrum),
    /// That of the samples themselves.
    Own(&'a Centred<T>),
    /// That of a factor's coordinates.
    Spanned { moment: Mat<f64>, factor: Factor<T>, centred: &'a Centred<T> },
}

/// `(Z Zᵀ/classes + λ)⁻¹`.
pub(crate) enum Inverse<T> {
    /// `[rank]`.
    Diagonal(Vec<f64>),
    /// Of `Z Zᵀ + classes·λ`.
    Factor(Factor<T>, f64),
}

impl<'a> Coordinates<'a, f64> {
    /// In principal coordinates.
    pub(crate) fn principal(spectrum: &'a Spectrum) -> Self {
        Self {
            rows: Cow::Borrowed(&spectrum.rows),
            over: over(&spectrum.weights),
            weights: &spectrum.weights,
            mean: &spectrum.mean,
            unit: 1.0,
            mean_value: spectrum.mean_value,
            threads: 1,
            moment: Moment::Principal(spectrum),
        }
    }
}

impl<'a, T: Precision> Coordinates<'a, T> {
    /// In coordinates of the samples, or of their span. O(n³) there.
    pub(crate) fn new(centred: &'a Centred<T>, threads: usize) -> Result<Self, IllConditioned> {
        let system = centred.system(threads);
        let mean_value = centred.mean_value / (centred.unit * centred.unit);
        let (rows, moment) = if system.columns.is_some() {
            (Cow::Borrowed(&centred.columns), Moment::Own(centred))
        } else {
            let factor = Factor::new(system.products, JITTER * mean_value, threads).ok_or(IllConditioned)?;
            let rows = factor.transposed();
            let moment = products(rows.as_ref(), ROWS, threads);
            (Cow::Owned(rows), Moment::Spanned { moment, factor, centred })
        };
        let (weights, mean) = (&centred.weights[..], &centred.mean[..]);
        Ok(Self { rows, over: over(weights), weights, mean, unit: centred.unit, mean_value, threads, moment })
    }

    /// Whether coordinates are principal.
    pub(crate) fn is_principal(&self) -> bool {
        matches!(self.moment, Moment::Principal(_))
    }

    /// The inverse at a penalty in the rows' units. O(rank³/3) where it is not diagonal.
    pub(crate) fn inverse(&self, lambda: f64, classes: usize) -> Result<Inverse<T>, IllConditioned> {
        let classes = classes as f64;
        let moment = match &self.moment {
            Moment::Principal(spectrum) => {
                let diagonal = spectrum.values.iter().map(|value| 1.0 / (value / classes + lambda));
                return Ok(Inverse::Diagonal(diagonal.collect()));
            }
            Moment::Own(centred) => centred.system(self.threads).products,
            Moment::Spanned { moment, .. } => moment,
        };
        let factor = Factor::new(moment, classes * lambda, self.threads).ok_or(IllConditioned)?;
        Ok(Inverse::Factor(factor, classes))
    }

    /// Weights `[dim, classes]` on features from weights `[rank, classes]` on coordinates.
    pub(crate) fn lift(&self, weights: Mat<f64>) -> Mat<f64> {
        match &self.moment {
            Moment::Principal(spectrum) => spectrum.lift(weights),
            Moment::Own(centred) => centred.weights_of(weights.as_ref()),
            Moment::Spanned { factor, centred, .. } => {
                let (rank, classes) = weights.shape();
                let mut dual = Mat::from_fn(rank, classes, |j, c| T::of(weights[(j, c)]));
                factor.unwhiten(dual.as_mut());
                centred.weights_of(Mat::from_fn(rank, classes, |i, c| dual[(i, c)].into()).as_ref())
            }
        }
    }
}

impl<T: Precision> Inverse<T> {
    /// In place, on weights `[rank, classes]`, column by column.
    pub(crate) fn apply(&self, weights: &mut [f64]) {
        match self {
            Self::Diagonal(diagonal) => {
                for column in weights.chunks_exact_mut(diagonal.len().max(1)) {
                    column.iter_mut().zip(diagonal).for_each(|(w, d)| *w *= d);
                }
            }
            Self::Factor(factor, classes) => {
                let rank = factor.order();
                let mut narrow: Vec<T> = weights.iter().map(|&w| T::of(classes * w)).collect();
                factor.solve(MatMut::from_column_major_slice_mut(&mut narrow, rank, weights.len() / rank));
                weights.iter_mut().zip(narrow).for_each(|(w, narrow)| *w = narrow.into());
            }
        }
    }
}

fn over(weights: &[f64]) -> Option<Vec<f64>> {
    let alike = weights.iter().all(|w| (w - 1.0).abs() <= 0.0);
    (!alike).then(|| weights.iter().map(|w| 1.0 / w.sqrt()).collect())
}
