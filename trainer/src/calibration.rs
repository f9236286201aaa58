//! One temperature for all scores: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks".
//! Knows nothing of heads: scores and labels in, one scalar out.
//!
//! Invariant: the temperature is finite and above zero, and 1 where scores say nothing.

use std::ops::Range;

use ndarray::{ArrayView2, Axis};

use crate::{LOG_LOSS_FLOOR, exp::exp};

/// Newton steps at most; the bracket halves in each, so this is far more than is needed.
const STEPS: usize = 60;

/// Differences of scores below this share of the largest are rounding.
const ROUNDING: f64 = 1e-9;

/// The temperature at which `softmax(scores / temperature)` has the least log-loss on the labels, for leave-out scores
/// `[n, classes]`; `-inf` marks a class the fitted part never saw, and a sample of such a class is skipped.
///
/// The loss is convex in `β = 1 / temperature`; its derivative is bracketed and solved by Newton's method. Where every
/// sample is right the loss falls without end, so targets are smoothed by `1 / (n + 2)` as in Platt 1999,
/// "Probabilistic outputs for support vector machines": n samples cannot show more confidence than that.
/// O(n·classes) per step.
pub fn temperature(scores: ArrayView2<'_, f64>, labels: &[usize]) -> f64 {
    minimise(scores, labels, None, 1e-9)
}

/// Where a sample's gaps lie, their mean and the largest.
struct Row {
    range: Range<usize>,
    mean: f64,
    top: f64,
}

/// [`temperature`] to a relative `tolerance`, starting near another one.
fn minimise(scores: ArrayView2<'_, f64>, labels: &[usize], near: Option<f64>, tolerance: f64) -> f64 {
    let mut gaps = Vec::with_capacity(scores.len());
    let mut rows = Vec::with_capacity(labels.len());
    let (mut spread, mut largest) = (0.0, 0.0_f64);
    for (row, &label) in scores.axis_iter(Axis(0)).zip(labels) {
        let Some(&own) = row.get(label).filter(|own| own.is_finite()) else {
            continue;
        };
        largest = largest.max(own.abs());
        let start = gaps.len();
        gaps.extend(row.iter().filter(|score| score.is_finite()).map(|score| score - own));
        let count = (gaps.len() - start) as f64;
        let mean = gaps[start..].iter().sum::<f64>() / count;
        spread += gaps[start..].iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        let top = gaps[start..].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        rows.push(Row { range: start..gaps.len(), mean, top });
    }
    let n = rows.len() as f64;
    let scale = (spread / n).sqrt();
    // Scores that differ by rounding say nothing, however well rounding goes with the labels.
    if !(scale.is_finite() && scale > ROUNDING * largest && (1.0 / scale).is_finite()) {
        return 1.0;
    }
    let smoothing = 1.0 / (n + 2.0);
    let mut exps = vec![0.0; gaps.len()];
    // The mean loss' first and second derivative in β. A target smoothed by ε has mean gap ε·mean.
    let mut derivatives = |beta: f64| {
        for Row { range, top, .. } in &rows {
            for (to, gap) in exps[range.clone()].iter_mut().zip(&gaps[range.clone()]) {
                *to = beta * (gap - top);
            }
        }
        exp(&mut exps);
        let (mut slope, mut curvature) = (0.0, 0.0);
        for Row { range, mean, .. } in &rows {
            let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
            for (e, gap) in exps[range.clone()].iter().zip(&gaps[range.clone()]) {
                sum += e;
                first += e * gap;
                second += e * gap * gap;
            }
            first /= sum;
            slope += first - smoothing * mean;
            curvature += second / sum - first * first;
        }
        (slope / n, curvature / n)
    };
    let (mut low, mut high) = (1e-3 / scale, 1e4 / scale);
    if derivatives(low).0 >= 0.0 {
        return 1.0 / low;
    }
    let mut beta = near.map_or(1.0 / scale, |near| (1.0 / near).clamp(low, high));
    for _ in 0..STEPS {
        let (slope, curvature) = derivatives(beta);
        if slope < 0.0 {
            low = beta;
        } else {
            high = beta;
        }
        let newton = beta - slope / curvature;
        let next = if newton > low && newton < high { newton } else { (low * high).sqrt() };
        if (next / beta - 1.0).abs() < tolerance {
            return 1.0 / next;
        }
        beta = next;
    }
    1.0 / beta
}

/// Mean log-loss of scores `[n, classes]` at their best temperature, to about 1e-9: what penalties are ranked by.
/// `near` is the temperature of the penalty before, if any, and becomes this one's.
pub(crate) fn loss(scores: ArrayView2<'_, f64>, labels: &[usize], near: &mut Option<f64>) -> f64 {
    // The loss is flat at its minimum: half as many digits of the temperature do.
    let temperature = minimise(scores, labels, *near, 1e-5);
    *near = Some(temperature);
    let mut exps = Vec::with_capacity(scores.len());
    for row in scores.axis_iter(Axis(0)) {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        exps.extend(row.iter().map(|score| if top.is_finite() { (score - top) / temperature } else { top }));
    }
    exp(&mut exps);
    let losses = exps.chunks_exact(scores.ncols().max(1)).zip(labels).map(|(exps, &label)| {
        let sum: f64 = exps.iter().sum();
        let own = if sum > 0.0 { exps[label] / sum } else { 0.0 };
        -own.max(LOG_LOSS_FLOOR).ln()
    });
    losses.sum::<f64>() / labels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn overconfident_scores_are_cooled_to_their_accuracy() {
        // Right 80 times of 100 by a margin of 50: the best two-class confidence is 0.8, smoothed by 1/102.
        let scores = Array2::from_shape_fn((100, 2), |(i, c)| if (i < 80) == (c == 0) { 50.0 } else { 0.0 });
        let t = temperature(scores.view(), &[0; 100]);
        let expected = (1.0 - 1.0 / 102.0) * 0.8 + 0.5 / 102.0;
        let confidence = 1.0 / (1.0 + (-50.0 / t).exp());
        assert!((confidence - expected).abs() < 1e-6, "{confidence}");
    }

    #[test]
    fn scaling_the_scores_scales_the_temperature() {
        let scores =
            Array2::from_shape_fn((40, 3), |(i, c)| ((i * 7 + c * 5) % 11) as f64 - if c == 0 { 0.0 } else { 4.0 });
        let t = temperature(scores.view(), &[0; 40]);
        for scale in [1e-6, 1e6] {
            let scaled = temperature((&scores * scale).view(), &[0; 40]);
            assert!((scaled / (t * scale) - 1.0).abs() < 1e-6, "{scaled} {t}");
        }
    }

    #[test]
    fn separated_scores_stay_finite() {
        let scores = array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]];
        let t = temperature(scores.view(), &[0, 1, 0]);
        let confidence = 1.0 / (1.0 + (-1.0 / t).exp());
        assert!((confidence - 0.9).abs() < 1e-6, "three samples show no more than 1 - 1/10: {confidence}");
    }

    #[test]
    fn scores_that_say_nothing_have_temperature_one() {
        assert_eq!(temperature(Array2::zeros((4, 3)).view(), &[0, 1, 2, 0]), 1.0);
        assert_eq!(temperature(Array2::zeros((4, 1)).view(), &[0; 4]), 1.0);
        assert_eq!(temperature(Array2::zeros((0, 2)).view(), &[]), 1.0);
        let rounding = Array2::from_shape_fn((4, 2), |(i, c)| 1.0 + if i % 2 == c { 1e-15 } else { 0.0 });
        assert_eq!(temperature(rounding.view(), &[0, 1, 0, 1]), 1.0);
        let unseen = array![[f64::NEG_INFINITY, 1.0]];
        assert_eq!(temperature(unseen.view(), &[0]), 1.0);
    }

    #[test]
    fn scores_worse_than_chance_are_flattened() {
        let scores = array![[1.0, 0.0], [0.0, 1.0]];
        let t = temperature(scores.view(), &[1, 0]);
        assert!(t > 100.0 && t.is_finite(), "{t}");
    }
}
