//! Heads solved from raw statistics alone: no samples, no leave-out scores, no temperature.
//!
//! Invariant: equal statistics give equal bits. Statistics of merged or subtracted parts equal those of the pooled samples,
//! so their heads do too, bit for bit: everything here is f64 arithmetic in a fixed order on integers.

use faer::{Mat, Side, prelude::Solve};
use ndarray::{Array1, Array2};

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
        let (classes, dim) = (self.counts().len(), self.dim());
        let n = self.counts().iter().sum::<i64>() as f64;
        if !(n > 0.0 && lambda.is_finite() && lambda > 0.0) {
            return None;
        }
        let step = self.quantisation().step();
        let sum = |c: usize, j: usize| step * self.sums()[c * dim + j] as f64;
        let mean: Vec<f64> = (0..dim).map(|j| (0..classes).map(|c| sum(c, j)).sum::<f64>() / n).collect();
        let moment = |i: usize, j: usize| step * step * self.second_moment()[j * (j + 1) / 2 + i] as f64;
        let scatter = Mat::from_fn(dim, dim, |i, j| {
            let (low, high) = (i.min(j), i.max(j));
            moment(low, high) - n * mean[i] * mean[j] + if i == j { lambda } else { 0.0 }
        });
        let right = Mat::from_fn(dim, classes, |j, c| sum(c, j) - self.counts()[c] as f64 * mean[j]);
        let solved = scatter.llt(Side::Lower).ok()?.solve(right);
        let weights = Array2::from_shape_fn((classes, dim), |(c, j)| solved[(j, c)]);
        let shares = Array1::from_iter(self.counts().iter().map(|&count| count as f64 / n));
        let bias = shares - weights.dot(&Array1::from(mean));
        Some(Linear { weights, bias })
    }
}
