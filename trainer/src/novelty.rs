//! When a head should answer `unknown`. Knows nothing of the head: only of where the classes lie.
//!
//! Invariant: the threshold comes from distances of samples to means they are no part of.

use ndarray::{Array2, Axis};

use crate::{Samples, leave_out::LeaveOut, prototype::Directions, solution::columns};

/// Share of known samples that may be called unknown.
pub const FALSE_UNKNOWN_RATE: f64 = 0.02;

/// Cosine distance to the nearest class mean; a feature beyond the threshold is unlike everything learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct Novelty {
    /// Class means, `[classes, dim]`, L2 norm 1.
    pub means: Array2<f32>,
    /// Largest distance, in 0..=2, of what is known.
    pub threshold: f32,
    /// The share of known samples the threshold gives up.
    pub false_unknown_rate: f64,
}

impl Novelty {
    /// Fits one or more classes: a task of one class is an anomaly task, where this is all there is to fit.
    ///
    /// The threshold is the `1 - false_unknown_rate` quantile (rate clamped to 0..=1; the k-th smallest of n with
    /// `k = ⌈(n+1)(1-rate)⌉`, at most n, as in conformal prediction) of the samples' distances with their group left
    /// out. Where no distance can be had, as with a single sample, nothing is unknown. O(n·classes·dim).
    pub fn fit(samples: &Samples<'_>, false_unknown_rate: f64) -> Self {
        let leave_out = LeaveOut::new(samples);
        Self::from_directions(&Directions::new(samples, &leave_out, &columns(samples)), samples, false_unknown_rate)
    }

    pub(crate) fn from_directions(directions: &Directions, samples: &Samples<'_>, false_unknown_rate: f64) -> Self {
        let rate = if false_unknown_rate.is_nan() { FALSE_UNKNOWN_RATE } else { false_unknown_rate.clamp(0.0, 1.0) };
        let norm = |row: usize| samples.features().row(row).iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let nearest = directions.scores.axis_iter(Axis(0)).enumerate().map(|(row, scores)| {
            let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if norm(row) > 0.0 { 1.0 - best / norm(row) } else { 1.0 }
        });
        let mut distances: Vec<f64> = nearest.filter(|distance| distance.is_finite()).collect();
        distances.sort_by(f64::total_cmp);
        let rank = ((distances.len() + 1) as f64 * (1.0 - rate)).ceil() as usize;
        let threshold = match distances.len() {
            0 => 2.0,
            n => distances[rank.clamp(1, n) - 1],
        };
        // Rounded up: the sample that set the threshold is within it.
        let threshold = (threshold as f32).next_up().clamp(0.0, 2.0);
        Self { means: directions.means.mapv(|x| x as f32), threshold, false_unknown_rate: rate }
    }

    /// `1 - cos` to the nearest class mean, in 0..=2.
    ///
    /// # Panics
    /// When `feature` is not of the means' dim: the caller mixed up two backbones.
    pub fn distance(&self, feature: &[f32]) -> f32 {
        assert_eq!(feature.len(), self.means.ncols(), "feature and means are of different backbones");
        let norm = feature.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let product = |mean: ndarray::ArrayView1<'_, f32>| -> f64 {
            mean.iter().zip(feature).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let best = self.means.axis_iter(Axis(0)).map(product).fold(f64::NEG_INFINITY, f64::max);
        let cosine = if norm > 0.0 && best.is_finite() { best / norm } else { 0.0 };
        (1.0 - cosine).clamp(0.0, 2.0) as f32
    }

    /// Whether the feature lies beyond the threshold.
    pub fn is_unknown(&self, feature: &[f32]) -> bool {
        self.distance(feature) > self.threshold
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;

    #[test]
    fn one_class_is_enough_and_strangers_are_unknown() {
        let x = array![[1.0_f32, 0.1, 0.0], [1.0, -0.1, 0.0], [1.0, 0.0, 0.1], [1.0, 0.05, 0.1]];
        let samples = Samples::new(x.view(), &[0; 4], &[0, 1, 2, 3], 1).unwrap();
        let novelty = Novelty::fit(&samples, FALSE_UNKNOWN_RATE);
        assert!(x.outer_iter().all(|row| !novelty.is_unknown(row.as_slice().unwrap())));
        assert!(novelty.is_unknown(&[0.0, 1.0, 0.0]));
        assert!((novelty.distance(&[-1.0, -0.0125, -0.05]) - 2.0).abs() < 1e-3);
    }

    #[test]
    fn the_threshold_is_a_leave_out_quantile() {
        // Nine near-duplicates in one group and one odd sample, all of one class, two groups.
        let mut x = Array2::from_elem((10, 2), 0.0_f32);
        x.column_mut(0).fill(1.0);
        x[(9, 0)] = 0.0;
        x[(9, 1)] = 1.0;
        let groups = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let samples = Samples::new(x.view(), &[0; 10], &groups, 1).unwrap();
        // Left out together, the nine see only the odd one: all distances are 1.
        let novelty = Novelty::fit(&samples, 0.5);
        assert!((novelty.threshold - 1.0).abs() < 1e-6, "{}", novelty.threshold);
    }

    #[test]
    fn a_single_sample_calls_nothing_unknown() {
        let x = array![[0.6_f32, 0.8]];
        let novelty = Novelty::fit(&Samples::new(x.view(), &[0], &[0], 1).unwrap(), FALSE_UNKNOWN_RATE);
        assert_eq!(novelty.threshold, 2.0);
        assert!(!novelty.is_unknown(&[-0.6, -0.8]));
    }
}
