//! Ridge regression on one-hot targets, with the penalty chosen by exact leave-one-group-out.
//! Knows nothing of probabilities but the calibrated log-loss that ranks penalties.
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ - W xᵢ - b‖² + λ‖W‖²` (the intercept is free). With `H` the weighted hat matrix, intercept
//! included (`H = √w√wᵀ/Σw + Z (ZᵀZ + λI)⁻¹ Zᵀ`), and `r` the weighted residuals, refitting without group g leaves
//! `(I - H_gg)⁻¹ r_g` on it (Cook and Weisberg 1982, eq. 2.2.23; for single samples Allen's PRESS). That is the refit
//! itself, mean and intercept included; λ and the weights `w` are held fixed.

use faer::{
    Accum, Mat, MatRef, Par, Side,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
    prelude::Solve,
};
use ndarray::{Array1, Array2, ArrayView2};

use crate::{
    Form, Kind, Samples, Solution, calibration,
    leave_out::{LeaveOut, unseen},
    spectrum::Spectrum,
};

/// Penalties tried, in units of the mean eigenvalue: 22 from 10^2.5 down to 10^-3.8.
const PATH: usize = 22;
/// Columns per product over several penalties: bounds the memory.
const WIDTH: usize = 256;
/// Losses closer than this are equal, and the larger penalty wins.
const TIE: f64 = 1e-9;

/// Solves at `lambda`, or where there is none at the best of the path. O(n·rank·classes) per penalty, and
/// O(m²·rank + m³) per penalty and group of m > 1.
pub(crate) fn solve(samples: &Samples<'_>, leave_out: &LeaveOut, spectrum: &Spectrum, lambda: Option<f64>) -> Solution {
    let lambdas = lambda.map_or_else(|| path(spectrum), |lambda| vec![lambda]);
    let problem = Problem::new(one_hot(samples).view(), leave_out, spectrum);
    let unseen = unseen(samples);
    let mut near = None;
    let mut best: Option<(f64, f64, Array2<f64>)> = None;
    for chunk in lambdas.chunks((WIDTH / samples.classes()).max(1)) {
        for (&lambda, mut scores) in chunk.iter().zip(problem.scores(chunk)) {
            for &at in &unseen {
                scores[at] = f64::NEG_INFINITY;
            }
            let loss = calibration::loss(scores.view(), samples.labels(), &mut near);
            if best.as_ref().is_none_or(|(least, ..)| loss < least - TIE) {
                best = Some((loss, lambda, scores));
            }
        }
    }
    let (_, lambda, scores) = best.unwrap_or((0.0, 1.0, Array2::zeros((samples.rows(), samples.classes()))));
    let weights = spectrum.lift(problem.coefficients(lambda));
    let weights = Array2::from_shape_fn((samples.classes(), samples.dim()), |(c, j)| weights[(j, c)]);
    let bias = &problem.mean - weights.dot(&Array1::from(spectrum.mean.clone()));
    Solution { kind: Kind::Ridge, form: Form::linear(weights, bias), scores, lambda: Some(lambda), scale: None }
}

/// The penalties tried.
pub(crate) fn path(spectrum: &Spectrum) -> Vec<f64> {
    (0..PATH).map(|k| spectrum.mean_value * 10_f64.powf(2.5 - 0.3 * k as f64)).collect()
}

/// 1 where a sample is of the class, else 0, `[n, classes]`.
pub(crate) fn one_hot(samples: &Samples<'_>) -> Array2<f64> {
    let labels = samples.labels();
    Array2::from_shape_fn((samples.rows(), samples.classes()), |(i, c)| f64::from(labels[i] == c))
}

/// Least squares on any targets: what all penalties share.
pub(crate) struct Problem<'a> {
    leave_out: &'a LeaveOut,
    spectrum: &'a Spectrum,
    /// Weighted mean of the targets, `[classes]`.
    pub(crate) mean: Array1<f64>,
    /// Weighted, centred targets, `[classes, n]`.
    targets: Mat<f64>,
    /// `Zᵀ targets`, `[rank, classes]`.
    moments: Mat<f64>,
}

impl<'a> Problem<'a> {
    /// Takes targets `[n, classes]`.
    pub(crate) fn new(targets: ArrayView2<'_, f64>, leave_out: &'a LeaveOut, spectrum: &'a Spectrum) -> Self {
        let (n, classes) = targets.dim();
        let mut mean = Array1::zeros(classes);
        for (row, w) in targets.outer_iter().zip(&spectrum.weights) {
            for (mean, target) in mean.iter_mut().zip(row) {
                *mean += w / n as f64 * target;
            }
        }
        let targets = Mat::from_fn(classes, n, |c, i| spectrum.weights[i].sqrt() * (targets[(i, c)] - mean[c]));
        let mut moments = Mat::zeros(spectrum.values.len(), classes);
        matmul(moments.as_mut(), Accum::Replace, &spectrum.rows, targets.transpose(), 1.0, Par::Seq);
        Self { leave_out, spectrum, mean, targets, moments }
    }

    /// Weights on principal coordinates, `[rank, classes]`.
    pub(crate) fn coefficients(&self, lambda: f64) -> Mat<f64> {
        Mat::from_fn(self.moments.nrows(), self.moments.ncols(), |j, c| {
            self.moments[(j, c)] / (self.spectrum.values[j] + lambda)
        })
    }

    /// Leave-out predictions of the targets, `[n, classes]`, for each penalty.
    pub(crate) fn scores(&self, lambdas: &[f64]) -> Vec<Array2<f64>> {
        let rows = &self.spectrum.rows;
        let (rank, n) = rows.shape();
        let classes = self.targets.nrows();
        let coefficients = Mat::from_fn(rank, lambdas.len() * classes, |j, kc| {
            self.moments[(j, kc % classes)] / (self.spectrum.values[j] + lambdas[kc / classes])
        });
        let mut fitted = Mat::zeros(lambdas.len() * classes, n);
        matmul(fitted.as_mut(), Accum::Replace, coefficients.transpose(), rows, 1.0, Par::Seq);
        let inverse: Vec<f64> =
            self.spectrum.values.iter().flat_map(|v| lambdas.iter().map(move |l| 1.0 / (v + l))).collect();
        let mut out = vec![Array2::zeros((n, classes)); lambdas.len()];
        for members in &self.leave_out.members {
            let residuals = |k: usize| {
                Mat::from_fn(members.len(), classes, |a, c| {
                    self.targets[(c, members[a])] - fitted[(k * classes + c, members[a])]
                })
            };
            let left_out: Vec<Mat<f64>> = if let [i] = members[..] {
                let keep = self.kept(i, &inverse, lambdas.len());
                keep.iter().enumerate().map(|(k, keep)| residuals(k) * faer::Scale(1.0 / keep)).collect()
            } else {
                let group = Mat::from_fn(rank, members.len(), |j, a| rows[(j, members[a])]);
                (0..lambdas.len())
                    .map(|k| self.solve_group(members, group.as_ref(), lambdas[k], residuals(k)))
                    .collect()
            };
            for (scores, errors) in out.iter_mut().zip(left_out) {
                for (a, &i) in members.iter().enumerate() {
                    let root = self.spectrum.weights[i].sqrt();
                    for c in 0..classes {
                        scores[(i, c)] = self.mean[c] + (self.targets[(c, i)] - errors[(a, c)]) / root;
                    }
                }
            }
        }
        out
    }

    /// `1 - h_ii` per penalty.
    fn kept(&self, i: usize, inverse: &[f64], penalties: usize) -> Vec<f64> {
        let mut leverage = vec![self.spectrum.weights[i] / self.targets.ncols() as f64; penalties];
        for (z, inverse) in self.spectrum.rows.col_as_slice(i).iter().zip(inverse.chunks_exact(penalties)) {
            for (h, inverse) in leverage.iter_mut().zip(inverse) {
                *h += z * z * inverse;
            }
        }
        leverage.iter().map(|h| (1.0 - h).max(f64::EPSILON)).collect()
    }

    /// `(I - H_gg)⁻¹ r_g` for the group whose coordinates are `group`, `[rank, m]`.
    fn solve_group(&self, members: &[usize], group: MatRef<'_, f64>, lambda: f64, residuals: Mat<f64>) -> Mat<f64> {
        let (m, n) = (members.len(), self.targets.ncols() as f64);
        let scaled = Mat::from_fn(group.nrows(), m, |j, a| group[(j, a)] / (self.spectrum.values[j] + lambda));
        let mut keep = Mat::from_fn(m, m, |a, b| {
            f64::from(a == b) - (self.spectrum.weights[members[a]] * self.spectrum.weights[members[b]]).sqrt() / n
        });
        let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        triangular::matmul(keep.as_mut(), lower, Accum::Add, group.transpose(), full, &scaled, full, -1.0, Par::Seq);
        // Positive definite for every λ > 0; rounding can only spoil that where the penalty is next to nothing.
        match keep.llt(Side::Lower) {
            Ok(factor) => factor.solve(residuals),
            Err(_) => residuals,
        }
    }
}
