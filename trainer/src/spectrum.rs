//! The samples in the coordinates of their own principal axes: one eigendecomposition that every penalised head shares.
//! Knows nothing of labels and penalties.
//!
//! With `X̃` the centred, weighted samples, `X̃ = Z Vᵀ`, `ZᵀZ = diag(values)`: any linear fit with an L2 penalty has its
//! weights in the span of the samples, so it is found exactly from Z, which has at most `min(n, dim)` columns.
//! Invariant: values are positive; axes without variance (constants, duplicates) are dropped.

use faer::{
    Accum, Mat, Par, Side,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
};

use crate::FitError;

/// Axes with less than this share of the largest axis' variance are rounding. 8-bit codes have noise far above it.
const RANK_TOLERANCE: f64 = 1e-12;

/// Principal coordinates of weighted, centred samples.
pub(crate) struct Spectrum {
    /// `√w (x - mean)` in principal coordinates, `[rank, n]`, one column per sample.
    pub(crate) rows: Mat<f64>,
    /// Sum of squares along each axis, `[rank]`.
    pub(crate) values: Vec<f64>,
    /// Weighted mean, `[dim]`.
    pub(crate) mean: Vec<f64>,
    /// Weight per sample, mean 1, `[n]`.
    pub(crate) weights: Vec<f64>,
    /// The trace over `min(n, dim)`: what penalties are measured in. 1 where there is no variance.
    pub(crate) mean_value: f64,
    centred: Mat<f64>,
}

impl Spectrum {
    /// Takes features, one column per sample `[dim, n]`, and weights `[n]` with mean 1. O(n·dim·m + m³), `m = min(n, dim)`.
    pub(crate) fn new(mut columns: Mat<f64>, weights: Vec<f64>) -> Result<Self, FitError> {
        let (dim, n) = columns.shape();
        let mut mean = vec![0.0; dim];
        for (i, w) in weights.iter().enumerate() {
            for (m, x) in mean.iter_mut().zip(columns.col_as_slice(i)) {
                *m += w / n as f64 * x;
            }
        }
        for (i, w) in weights.iter().enumerate() {
            for (m, x) in mean.iter().zip(columns.col_as_slice_mut(i)) {
                *x = w.sqrt() * (*x - m);
            }
        }
        let order = n.min(dim);
        let (left, right) =
            if n <= dim { (columns.transpose(), columns.as_ref()) } else { (columns.as_ref(), columns.transpose()) };
        let mut gram = Mat::<f64>::zeros(order, order);
        let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        triangular::matmul(gram.as_mut(), lower, Accum::Replace, left, full, right, full, 1.0, Par::Seq);
        let trace: f64 = (0..order).map(|j| gram[(j, j)]).sum();
        // faer comes without its `rayon` feature: this runs on the calling thread, with the same bits everywhere.
        let eigen = gram.self_adjoint_eigen(Side::Lower).map_err(|_| FitError::NoConvergence { rows: n, dim })?;
        let all: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        // They come in rising order, so the axes worth keeping are the last ones.
        let tolerance = all.last().map_or(0.0, |top| top * RANK_TOLERANCE).max(f64::MIN_POSITIVE);
        let first = all.partition_point(|&value| value <= tolerance);
        let values = all[first..].to_vec();
        let axes = eigen.U().subcols(first, values.len());
        let mut rows = Mat::<f64>::zeros(values.len(), n);
        if n <= dim {
            for i in 0..n {
                for (j, value) in values.iter().enumerate() {
                    rows[(j, i)] = value.sqrt() * axes[(i, j)];
                }
            }
        } else {
            matmul(rows.as_mut(), Accum::Replace, axes.transpose(), &columns, 1.0, Par::Seq);
        }
        let mean_value = if trace > 0.0 { trace / order as f64 } else { 1.0 };
        Ok(Self { rows, values, mean, weights, mean_value, centred: columns })
    }

    /// Weights `[dim, classes]` on features from weights `[rank, classes]` on principal coordinates:
    /// `V c = X̃ᵀ Z diag(1/values) c`.
    pub(crate) fn lift(&self, mut coefficients: Mat<f64>) -> Mat<f64> {
        let classes = coefficients.ncols();
        for c in 0..classes {
            for (a, value) in coefficients.col_as_slice_mut(c).iter_mut().zip(&self.values) {
                *a /= value;
            }
        }
        let mut dual = Mat::<f64>::zeros(self.rows.ncols(), classes);
        matmul(dual.as_mut(), Accum::Replace, self.rows.transpose(), &coefficients, 1.0, Par::Seq);
        let mut weights = Mat::<f64>::zeros(self.centred.nrows(), classes);
        matmul(weights.as_mut(), Accum::Replace, &self.centred, &dual, 1.0, Par::Seq);
        weights
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    /// Products of samples' coordinates are those of the samples, and lifted weights say what coordinates said.
    fn assert_faithful(dim: usize, n: usize, rank: usize) {
        // The first component repeats the third, the fourth is constant.
        let x = Mat::from_fn(dim, n, |j, i| match j {
            3 => 2.5,
            2 => 1.0 / (1 + i) as f64,
            _ => 1.0 / (1 + i + j) as f64 + ((i * j + i * i) % 7) as f64,
        });
        let x = Mat::from_fn(dim, n, |j, i| x[(if j == 0 { 2 } else { j }, i)]);
        let weights: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.5 } else { 1.5 }).collect();
        let spectrum = Spectrum::new(x.clone(), weights.clone()).unwrap();
        assert_eq!(spectrum.values.len(), rank, "{:?}", spectrum.values);
        let centred = Mat::from_fn(dim, n, |j, i| {
            let mean = (0..n).map(|k| weights[k] * x[(j, k)]).sum::<f64>() / n as f64;
            weights[i].sqrt() * (x[(j, i)] - mean)
        });
        let difference = centred.transpose() * &centred - spectrum.rows.transpose() * &spectrum.rows;
        assert!(difference.norm_max() < 1e-9, "{}", difference.norm_max());
        let coefficients = Mat::from_fn(rank, 2, |j, c| (j + c) as f64 - 1.0);
        let lifted = spectrum.lift(coefficients.clone());
        let difference = lifted.transpose() * &centred - coefficients.transpose() * &spectrum.rows;
        assert!(difference.norm_max() < 1e-8, "{}", difference.norm_max());
    }

    #[test]
    fn coordinates_are_faithful_and_drop_what_repeats() {
        assert_faithful(6, 12, 4);
        assert_faithful(12, 6, 5);
    }

    #[test]
    fn samples_without_variance_have_no_axes() {
        let spectrum = Spectrum::new(Mat::from_fn(4, 3, |_, _| 0.25), vec![1.0; 3]).unwrap();
        assert!(spectrum.values.is_empty());
        assert_eq!(spectrum.mean_value, 1.0);
    }
}
