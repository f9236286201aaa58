//! What fitting a kind costs, in floating-point operations: for who holds a clock and must stay within a time.
//! Knows nothing of clocks, and of machines only that a product of matrices takes the same time for the same count.

use crate::{Kind, Samples};

/// Folds times penalties times steps of a typical `logistic` fit.
const LOGISTIC_PASSES: f64 = 10.0 * 8.0 * 12.0;
/// Penalties that `ridge` weighs.
const PATH: f64 = 22.0;

/// About how many floating-point operations [`fit`](crate::fit()) spends on one kind for samples like these, leave-out
/// scores included. `n` samples of `dim` components, `m = min(n, dim)`, `C` classes; groups count as single samples.
///
/// | kind | operations |
/// |---|---|
/// | `shipped` | `2·n·dim·C` |
/// | `prototype` | `6·n·dim·C` |
/// | `ridge` | `n·dim·m + 9·m³ + 2·n·m·(C + 1)·22` |
/// | `biased_ridge` | those of `ridge` for `2·C` classes and 4 scales |
/// | `logistic` | those of `ridge` for its coordinates, `4·n·m·C·960` for its steps |
///
/// An order of magnitude is what it is good for: a caller calibrates it by what the kinds before took.
pub fn flops(kind: Kind, samples: &Samples<'_>) -> f64 {
    let (n, dim, classes) = (samples.rows() as f64, samples.dim() as f64, samples.classes() as f64);
    let m = n.min(dim);
    let axes = n * dim * m + 9.0 * m.powi(3);
    match kind {
        Kind::BiasedRidge => axes + 2.0 * n * m * (2.0 * classes + 1.0) * PATH + 8.0 * n * classes * PATH,
        Kind::Logistic => axes + 4.0 * n * m * classes * LOGISTIC_PASSES,
        Kind::Prototype => 6.0 * n * dim * classes,
        Kind::Ridge => axes + 2.0 * n * m * (classes + 1.0) * PATH,
        Kind::Shipped => 2.0 * n * dim * classes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;

    #[test]
    fn kinds_are_listed_cheapest_first() {
        for (n, dim, classes) in [(12, 1280, 2), (200, 160, 6), (600, 512, 10)] {
            let x = Array2::<f32>::ones((n, dim));
            let labels: Vec<usize> = (0..n).map(|i| i % classes).collect();
            let groups: Vec<usize> = (0..n).collect();
            let samples = Samples::new(x.view(), &labels, &groups, classes).unwrap();
            let costs: Vec<f64> = Kind::ALL.iter().map(|&kind| flops(kind, &samples)).collect();
            assert!(costs.is_sorted(), "{n} {dim} {classes}: {costs:?}");
        }
    }
}
