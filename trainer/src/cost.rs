//! What fitting a kind costs, in floating-point operations: for who holds a clock and must stay within a time.
//! Knows nothing of clocks, and of machines only that a product of matrices takes the same time for the same count.

use crate::{EXACT, Kind, LANDMARKS, Samples};

/// Orders up to which every penalty of a path is looked at, and logistic regression works in principal coordinates.
const SMALL: f64 = 256.0;
/// Samples that penalties are ranked on where there are more.
const RANKED: f64 = 400.0;

/// About how many floating-point operations [`fit`](crate::fit()) spends on one kind for samples like these, leave-out
/// scores included. `n` samples of `dim` components, `m = min(n, dim)`, `C` classes, `r = min(n, 400)`, `P` penalties looked at
/// (13 where `m ≤ 256`, else 6); groups count as single samples.
///
/// | kind | operations |
/// |---|---|
/// | `shipped` | `2·n·dim·C` |
/// | `prototype` | `6·n·dim·C` |
/// | `ridge` | `n·dim·m + P·m²·(m + r) + m²·n + 2·P·n·m·C` |
/// | `biased_ridge` | those of `ridge` for `2·C` classes and 4 scales |
/// | `discriminant` | `n·dim·m + 4·m²·(m + r) + m²·n + 8·n·m·C` |
/// | `kernel` | `n·dim·m + Q·m²·(m + C) + m²·n`, m = n where the solution is exact, Q = 20 up to 1,000 samples, 3 where the solution is exact with more, else 8 |
/// | `logistic` | where `m ≤ 256`, `n·dim·m + 9·m³` for principal coordinates, `4·n·m·C` for each of 400 steps; else `n·dim·m + 5·m³` and `4·m·C·(n + m)` for each of 150 |
///
/// An order of magnitude is what it is good for: a caller calibrates it by what the kinds before took.
pub fn flops(kind: Kind, samples: &Samples<'_>) -> f64 {
    let (n, dim, classes) = (samples.rows() as f64, samples.dim() as f64, samples.classes() as f64);
    let m = n.min(dim);
    let penalties = if m <= SMALL { 13.0 } else { 6.0 };
    let looks = |penalties: f64, classes: f64| {
        n * dim * m + penalties * m * m * (m + n.min(RANKED)) + m * m * n + 2.0 * penalties * n * m * classes
    };
    match kind {
        Kind::BiasedRidge => looks(penalties, 2.0 * classes) + penalties * 8.0 * n * classes,
        Kind::Discriminant => looks(4.0, classes),
        Kind::Kernel => {
            let m = if samples.rows() <= EXACT { n } else { LANDMARKS as f64 };
            let exact = if n <= 1_000.0 { 20.0 } else { 3.0 };
            let looks = if samples.rows() <= EXACT { exact } else { 8.0 };
            n * dim * m + looks * m * m * (m + classes) + m * m * n
        }
        Kind::Logistic if m <= SMALL => n * dim * m + 9.0 * m.powi(3) + 400.0 * 4.0 * n * m * classes,
        Kind::Logistic => n * dim * m + 5.0 * m.powi(3) + 150.0 * 4.0 * m * classes * (n + m),
        Kind::Prototype => 6.0 * n * dim * classes,
        Kind::Ridge => looks(penalties, classes),
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
