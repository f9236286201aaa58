//! What fitting a kind costs, in floating-point operations: for who holds a clock and must stay within a time.
//! Knows nothing of clocks, and of machines only that a product of matrices takes the same time for the same count.

use crate::{EXACT, Kind, LANDMARKS, Samples};

/// Folds times penalties times steps of a typical `logistic` fit.
const LOGISTIC_PASSES: f64 = 10.0 * 8.0 * 12.0;

/// Penalties looked at over all widths in a typical `kernel` fit.
const KERNEL_PENALTIES: f64 = 20.0;

/// About how many floating-point operations [`fit`](crate::fit()) spends on one kind for samples like these, leave-out
/// scores included. `n` samples of `dim` components, `m = min(n, dim)`, `C` classes, `P` penalties looked at (22 where
/// `m ≤ 256`, else about 8); groups count as single samples.
///
/// | kind | operations |
/// |---|---|
/// | `shipped` | `2·n·dim·C` |
/// | `prototype` | `6·n·dim·C` |
/// | `ridge` | `n·dim·m + P·m²·(m + min(n, 500)) + 2·P·n·m·C` |
/// | `biased_ridge` | those of `ridge` for `2·C` classes and 4 scales |
/// | `discriminant` | `n·dim·m + 4·(m³ + 2·n·m·(dim + C))` |
/// | `kernel` | `n·dim·m + 20·m·n·(m + C)`, m = n where the solution is exact |
/// | `logistic` | `n·dim·m + 9·m³` for principal coordinates, `4·n·m·C` for each of 960 steps |
///
/// An order of magnitude is what it is good for: a caller calibrates it by what the kinds before took.
pub fn flops(kind: Kind, samples: &Samples<'_>) -> f64 {
    let (n, dim, classes) = (samples.rows() as f64, samples.dim() as f64, samples.classes() as f64);
    let m = n.min(dim);
    let penalties = if m <= 256.0 { 22.0 } else { 8.0 };
    let ridge = |classes: f64| n * dim * m + penalties * m * (m * (m + n.min(500.0)) + 2.0 * n * classes);
    match kind {
        Kind::BiasedRidge => ridge(2.0 * classes) + penalties * 8.0 * n * classes,
        Kind::Discriminant => n * dim * m + 4.0 * m * (m * m + 2.0 * n * (dim + classes)),
        Kind::Kernel => {
            let m = if samples.rows() <= EXACT { n } else { LANDMARKS as f64 };
            n * dim * m + KERNEL_PENALTIES * m * (m * n + n * classes)
        }
        Kind::Logistic => n * dim * m + 9.0 * m.powi(3) + 4.0 * n * m * classes * LOGISTIC_PASSES,
        Kind::Prototype => 6.0 * n * dim * classes,
        Kind::Ridge => ridge(classes),
        Kind::Shipped => 2.0 * n * dim * classes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;

    #[test]
    fn more_of_anything_costs_more_and_more_classes_cost_logistic_most() {
        let cost = |kind, n: usize, dim: usize, classes: usize| {
            let x = Array2::<f32>::ones((n, dim));
            let labels: Vec<usize> = (0..n).map(|i| i % classes).collect();
            let groups: Vec<usize> = (0..n).collect();
            flops(kind, &Samples::new(x.view(), &labels, &groups, classes).unwrap())
        };
        for kind in Kind::ALL {
            let base = cost(kind, 60, 40, 3);
            assert!(base > 0.0 && cost(kind, 120, 40, 3) > base && cost(kind, 60, 80, 3) > base, "{kind}");
            assert!(cost(kind, 60, 40, 6) > base, "{kind}");
        }
        assert!(cost(Kind::Prototype, 60, 40, 3) < cost(Kind::Ridge, 60, 40, 3));
        assert!(cost(Kind::Ridge, 200, 160, 6) < cost(Kind::Logistic, 200, 160, 6));
    }
}
