//! Heads solved from raw statistics alone: no samples, no leave-out scores, no temperature.
//!
//! Invariant: equal statistics give equal bits. Statistics of merged or subtracted parts equal those of the pooled samples,
//! so their heads do too, bit for bit: everything here is f64 arithmetic in a fixed order on integers.

use faer::{Mat, Side, prelude::Solve};
use ndarray::{Array1, Array2, Axis};

use crate::{Linear, Statistics};

impl Statistics {
    /// The directions of [`Kind::Prototype`](crate::Kind::Prototype): class sums scaled to norm 1, zero for a class
    /// without samples. O(classes·dim).
    pub fn prototype(&self) -> Linear<f64> {
        let (classes, dim) = (self.counts().len(), self.dim());
        let mut weights = Array2::from_shape_fn((classes, dim), |(c, j)| self.sums()[c * dim + j] as f64);
        for mut row in weights.rows_mut() {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            if norm > 0.0 {
                row /= norm;
            }
        }
        Linear { weights, bias: Array1::zeros(classes) }
    }

    /// The weights of [`Kind::Ridge`](crate::Kind::Ridge) at a penalty, every sample counting once: with `G` the second
    /// moment, `s_c` the class sums, `n_c` the counts and `μ` the mean, `(G - n μμᵀ + λI) w_c = s_c - n_c μ` and
    /// `b_c = n_c/n - w_c·μ`. None where nothing was added or the penalty is no finite number above zero. O(dim³).
    pub fn ridge(&self, lambda: f64) -> Option<Linear<f64>> {
        let Moments { n, shares, mean, sums, second } = self.moments()?;
        if !(lambda.is_finite() && lambda > 0.0) {
            return None;
        }
        let (dim, classes) = (mean.len(), shares.len());
        let scatter =
            Mat::from_fn(dim, dim, |i, j| second(i, j) - n * mean[i] * mean[j] + if i == j { lambda } else { 0.0 });
        let right = Mat::from_fn(dim, classes, |j, c| sums[(c, j)] - n * shares[c] * mean[j]);
        let weights = solved(&scatter, right)?;
        let bias = shares - weights.dot(&mean);
        Some(Linear { weights, bias })
    }

    /// The weights of [`Kind::Discriminant`](crate::Kind::Discriminant) at a shrinkage α: with `S` the scatter within
    /// classes, `Σ = (1-α) S/n + α tr(S)/(n·dim) I`, `w_c = Σ⁻¹(μ_c - μ)` and
    /// `b_c = ln(n_c/n) - ½ w_c·(μ_c - μ) - w_c·μ`. None where a class has no sample, none differs from its class mean, or
    /// the shrinkage is not above 0 and at most 1. O(dim³ + classes·dim²).
    pub fn discriminant(&self, shrinkage: f64) -> Option<Linear<f64>> {
        let Moments { n, shares, mean, sums, second } = self.moments()?;
        if !(shrinkage > 0.0 && shrinkage <= 1.0) || shares.iter().any(|&share| share <= 0.0) {
            return None;
        }
        let (dim, classes) = (mean.len(), shares.len());
        let means = Array2::from_shape_fn((classes, dim), |(c, j)| sums[(c, j)] / (n * shares[c]));
        let within = |i: usize, j: usize| {
            let between: f64 = (0..classes).map(|c| shares[c] * means[(c, i)] * means[(c, j)]).sum();
            second(i, j) / n - between
        };
        let spread = (0..dim).map(|j| within(j, j)).sum::<f64>() / dim as f64;
        let covariance = Mat::from_fn(dim, dim, |i, j| {
            (1.0 - shrinkage) * within(i, j) + if i == j { shrinkage * spread } else { 0.0 }
        });
        let from_mean = &means - &mean;
        let weights = solved(&covariance, Mat::from_fn(dim, classes, |j, c| from_mean[(c, j)]))?;
        let heights = (&weights * &from_mean).sum_axis(Axis(1));
        let bias = shares.mapv(f64::ln) - heights * 0.5 - weights.dot(&mean);
        Some(Linear { weights, bias })
    }

    /// What closed forms are made of; none where nothing was added.
    fn moments(&self) -> Option<Moments<impl Fn(usize, usize) -> f64>> {
        let (classes, dim) = (self.counts().len(), self.dim());
        let n = self.counts().iter().sum::<i64>() as f64;
        let step = self.quantisation().step();
        let sums = Array2::from_shape_fn((classes, dim), |(c, j)| step * self.sums()[c * dim + j] as f64);
        let second = move |i: usize, j: usize| {
            let (low, high) = (i.min(j), i.max(j));
            step * step * self.second_moment()[high * (high + 1) / 2 + low] as f64
        };
        let shares = Array1::from_iter(self.counts().iter().map(|&count| count as f64 / n));
        (n > 0.0).then(|| Moments { n, shares, mean: sums.sum_axis(Axis(0)) / n, sums, second })
    }
}

/// Statistics in the features' own units.
struct Moments<F> {
    n: f64,
    /// Share of the samples per class, `[classes]`.
    shares: Array1<f64>,
    /// `[dim]`.
    mean: Array1<f64>,
    /// `[classes, dim]`.
    sums: Array2<f64>,
    /// Entry of `Σ x xᵀ`.
    second: F,
}

/// `(matrix⁻¹ right)ᵀ`; none where the matrix is not positive definite.
fn solved(matrix: &Mat<f64>, right: Mat<f64>) -> Option<Array2<f64>> {
    let solved = matrix.llt(Side::Lower).ok()?.solve(right);
    Some(Array2::from_shape_fn((solved.ncols(), solved.nrows()), |(c, j)| solved[(j, c)]))
}
