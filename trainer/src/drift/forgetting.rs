//! How fast to forget where the world moves on steadily: each step multiplies what was learnt by γ. Knows no clock: a step
//! is what the caller counts, a sample, an hour or a day.
//!
//! | stated | γ |
//! |---|---|
//! | a half-life of `h` steps | `2^(-1/h)` |
//! | `ρ`, the variance of a step of the drift over that of a sample | `1 - (√(ρ² + 4ρ) - ρ)/2` |
//!
//! The second is the steady state of Kalman's filter for a mean on a random walk: no γ has a smaller error (Muth 1960,
//! "Optimal properties of exponentially weighted forecasts").

use faer::{Mat, Side, prelude::Solve};
use ndarray::{Array1, Array2, ArrayView2};

use crate::Linear;

/// A forgetting factor, above 0 and up to 1, which forgets nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forgetting {
    gamma: f64,
}

/// What no forgetting factor follows from.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("forgetting: {what} is {found}, expected a finite number {expected}")]
pub struct ForgettingError {
    what: &'static str,
    found: f64,
    expected: &'static str,
}

impl Forgetting {
    /// γ itself.
    ///
    /// # Errors
    /// When it is not above 0 and at most 1.
    pub fn new(gamma: f64) -> Result<Self, ForgettingError> {
        let error = ForgettingError { what: "the factor", found: gamma, expected: "above 0 and at most 1" };
        if gamma > 0.0 && gamma <= 1.0 { Ok(Self { gamma }) } else { Err(error) }
    }

    /// From the steps after which a sample counts half.
    ///
    /// # Errors
    /// When that is not above 0.
    pub fn half_life(steps: f64) -> Result<Self, ForgettingError> {
        let error = ForgettingError { what: "the half-life", found: steps, expected: "above 0" };
        if steps > 0.0 && steps.is_finite() { Self::new((-1.0 / steps).exp2()) } else { Err(error) }
    }

    /// From the drift's variance in one step over a sample's variance, one sample a step.
    ///
    /// # Errors
    /// When that is negative.
    pub fn drift_rate(ratio: f64) -> Result<Self, ForgettingError> {
        let error = ForgettingError { what: "the drift rate", found: ratio, expected: "of at least 0" };
        if !(ratio >= 0.0 && ratio.is_finite()) {
            return Err(error);
        }
        // 1 - (√(ρ² + 4ρ) - ρ)/2 without its cancellation for large ρ.
        Self::new(2.0 / (ratio + 2.0 + (ratio * ratio + 4.0 * ratio).sqrt()))
    }

    /// γ.
    pub fn gamma(self) -> f64 {
        self.gamma
    }

    /// What samples of these ages in steps weigh, for [`Samples::with_weights`](crate::Samples::with_weights), `[n]`:
    /// `γ^age`.
    pub fn weights(self, ages: &[f64]) -> Vec<f64> {
        ages.iter().map(|&age| self.gamma.powf(age.max(0.0))).collect()
    }

    /// How many samples of equal weight tell as much as `n` with these weights, one a step (Kish 1965):
    /// `(Σw)²/Σw² = (1 - γⁿ)(1 + γ) / ((1 + γⁿ)(1 - γ))`.
    pub fn effective_samples(self, n: usize) -> f64 {
        let n = n as f64;
        if self.gamma >= 1.0 {
            return n;
        }
        let last = self.gamma.powf(n);
        (1.0 - last) * (1.0 + self.gamma) / ((1.0 + last) * (1.0 - self.gamma))
    }
}

/// Weighted moments of samples and one-hot labels, forgotten by scaling: what ridge regression needs of a stream.
///
/// The exact integers of [`Statistics`](crate::Statistics) cannot be scaled; these are their real-valued counterpart.
#[derive(Clone, Debug)]
pub struct Moments {
    forgetting: Forgetting,
    /// `Σ w z zᵀ` with `z = (x, 1)`, `[dim + 1, dim + 1]`.
    second: Array2<f64>,
    /// `Σ w z yᵀ`, `[dim + 1, classes]`.
    targets: Array2<f64>,
}

impl Moments {
    /// Moments of nothing.
    pub fn new(dim: usize, classes: usize, forgetting: Forgetting) -> Self {
        Self { forgetting, second: Array2::zeros((dim + 1, dim + 1)), targets: Array2::zeros((dim + 1, classes)) }
    }

    /// One step: what was learnt is multiplied by γ, and samples `[n, dim]` of these classes join with weight 1.
    /// O(dim² + n·dim²).
    ///
    /// # Panics
    /// When a feature is of another dim or a label no class.
    pub fn observe(&mut self, features: ArrayView2<'_, f32>, labels: &[usize]) {
        self.second *= self.forgetting.gamma;
        self.targets *= self.forgetting.gamma;
        let dim = self.second.nrows() - 1;
        let z =
            Array2::from_shape_fn(
                (features.nrows(), dim + 1),
                |(i, j)| {
                    if j < dim { f64::from(features[(i, j)]) } else { 1.0 }
                },
            );
        self.second += &z.t().dot(&z);
        for (row, &label) in z.outer_iter().zip(labels) {
            let mut column = self.targets.column_mut(label);
            column += &row;
        }
    }

    /// Ridge regression on what is remembered, intercept free: `λ` in units of weight. None before there is something to
    /// solve. O(dim³).
    pub fn ridge(&self, lambda: f64) -> Option<Linear<f64>> {
        let (size, classes) = self.targets.dim();
        let dim = size - 1;
        let weight = self.second[(dim, dim)];
        if weight <= 0.0 {
            return None;
        }
        let mean = |j: usize| self.second[(j, dim)] / weight;
        let normal = Mat::from_fn(dim, dim, |i, j| {
            self.second[(i, j)] - weight * mean(i) * mean(j) + if i == j { lambda } else { 0.0 }
        });
        let share = |c: usize| self.targets[(dim, c)] / weight;
        let right = Mat::from_fn(dim, classes, |j, c| self.targets[(j, c)] - weight * mean(j) * share(c));
        let solved = normal.llt(Side::Lower).ok()?.solve(right);
        let weights = Array2::from_shape_fn((classes, dim), |(c, j)| solved[(j, c)]);
        let means: Array1<f64> = (0..dim).map(mean).collect();
        let bias = (0..classes).map(|c| share(c) - weights.row(c).dot(&means)).collect();
        Some(Linear { weights, bias })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::leave_out::mix;

    /// Standard normal numbers (Box and Muller 1958).
    fn normal(seed: u64) -> f64 {
        let uniform = |seed: u64| ((mix(seed) >> 11) as f64 + 0.5) / 2_f64.powi(53);
        (-2.0 * uniform(2 * seed).ln()).sqrt() * (std::f64::consts::TAU * uniform(2 * seed + 1)).cos()
    }

    /// Mean squared error of forecasts of a random walk seen through noise.
    fn error(gamma: f64, ratio: f64, seed: u64) -> f64 {
        let (mut place, mut sum, mut weight, mut error) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..4000_u64 {
            place += ratio.sqrt() * normal(seed * 100_000 + 2 * i);
            if i > 500 {
                error += (place - sum / weight).powi(2);
            }
            sum = gamma * sum + place + normal(seed * 100_000 + 2 * i + 1);
            weight = gamma * weight + 1.0;
        }
        error / 3499.0
    }

    #[test]
    fn the_closed_form_has_the_smallest_error_on_a_drifting_mean() {
        for ratio in [0.001, 0.03, 0.5] {
            let best = Forgetting::drift_rate(ratio).unwrap().gamma();
            let mean = |gamma: f64| (1..=6).map(|seed| error(gamma, ratio, seed)).sum::<f64>() / 6.0;
            let slower = 1.0 - (1.0 - best) / 1.7;
            let faster = 1.0 - ((1.0 - best) * 1.7).min(0.99);
            assert!(mean(best) < mean(slower) && mean(best) < mean(faster), "{ratio}");
        }
    }

    #[test]
    fn half_lives_and_sample_sizes_are_what_they_say() {
        let week = Forgetting::half_life(7.0).unwrap();
        assert!((week.weights(&[0.0, 7.0, 14.0])[2] - 0.25).abs() < 1e-12);
        let weights = week.weights(&(0..50).map(f64::from).collect::<Vec<_>>());
        let (sum, squares) = weights.iter().fold((0.0, 0.0), |(a, b), w| (a + w, b + w * w));
        assert!((week.effective_samples(50) - sum * sum / squares).abs() < 1e-9);
        assert_eq!(Forgetting::drift_rate(0.0).unwrap().effective_samples(50), 50.0);
        assert!(Forgetting::new(0.0).is_err() && Forgetting::half_life(-1.0).is_err());
        assert!(Forgetting::drift_rate(f64::NAN).is_err() && Forgetting::new(1.5).is_err());
    }

    #[test]
    fn scaling_moments_is_weighting_samples() {
        let (n, dim) = (12, 3);
        let x = Array2::from_shape_fn((n, dim), |(i, j)| normal((i * dim + j) as u64) as f32);
        let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
        let forgetting = Forgetting::new(0.8).unwrap();
        let mut moments = Moments::new(dim, 2, forgetting);
        assert!(moments.ridge(0.3).is_none());
        for i in 0..n {
            moments.observe(x.slice(ndarray::s![i..=i, ..]), &labels[i..=i]);
        }
        let got = moments.ridge(0.3).unwrap();
        // The gradient of Σ w ‖y - Wx - b‖² + λ‖W‖² is zero.
        let ages: Vec<f64> = (0..n).rev().map(|age| age as f64).collect();
        let weights = forgetting.weights(&ages);
        for class in 0..2 {
            let off = |i: usize| {
                let fitted = got.weights.row(class).dot(&x.row(i).mapv(f64::from)) + got.bias[class];
                weights[i] * (fitted - f64::from(labels[i] == class))
            };
            assert!((0..n).map(off).sum::<f64>().abs() < 1e-12);
            for j in 0..dim {
                let slope: f64 = (0..n).map(|i| off(i) * f64::from(x[(i, j)])).sum();
                assert!((slope + 0.3 * got.weights[(class, j)]).abs() < 1e-12);
            }
        }
    }
}
