//! When a head should answer `unknown`. Knows nothing of the head: only of what the samples are like.
//!
//! Two scores, both from the stored features nearest to the one in question, added in units of their spread over samples
//! left out:
//! - how little evidence there is for one class alone, `s₂ - 2 s₁` with `s₁ ≥ s₂` the largest entries of
//!   `s = Yᵀ(K + λI)⁻¹ k(x)`: kernel ridge regression on one-hot targets without intercept (Rasmussen and Williams 2006,
//!   eq. 2.25), which falls to 0 away from the samples and is divided between classes;
//! - the distance to the nearest sample (k nearest neighbours: Sun, Ming, Zhu and Li 2022).
//!
//! `K` is Gaussian, `exp(-γ‖x-y‖²)`, with `γ` [`WIDTH`] over the median squared distance. Leaving out group g, exactly: with
//! `A = (K + λI)⁻¹` and `α = A Y`, `s_g = y_g - A_gg⁻¹ α_g`. `cargo xtask report unknown` compares with shrunk Mahalanobis
//! distance, nearest neighbours and the largest probability.
//!
//! Invariant: the threshold comes from scores of samples that had no part in them.

use std::collections::BTreeMap;

use faer::{Mat, Side, prelude::Solve};
use ndarray::{Array2, Axis};

use crate::{
    Quantisation, Samples,
    centred::products,
    dot::{dot, norm},
    exp::exp,
    factor::Factor,
    leave_out::LeaveOut,
    wide::wide,
};

/// Share of known samples that may be called unknown.
pub const FALSE_UNKNOWN_RATE: f64 = 0.02;

/// Features stored at most: 0.9 MB of codes at 1,280 components.
pub const STORED: usize = 700;

/// γ times the median squared distance between samples.
const WIDTH: f64 = 8.0;
/// λ, with kernels that are 1 at distance 0.
const PENALTY: f64 = 0.1;
/// Weight of the distance.
const NEAREST: f64 = 1.0;
/// Numbers compared side by side.
const LANES: usize = 8;
/// Components whose products of codes f32 sums exactly, where codes are within ±128: 1024·128² = 2²⁴.
const TERMS: usize = 1024;

/// How unlike everything learnt a feature is, and from where on it is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Novelty {
    /// What it is measured with.
    pub measure: Measure,
    /// Largest score of what is known.
    pub threshold: f32,
    /// The share of known samples the threshold gives up.
    pub false_unknown_rate: f64,
}

/// What novelty is measured with.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Cosine distance to the nearest class mean, as heads of format 1 have it.
    Means {
        /// Class means, `[classes, dim]`, L2 norm 1.
        means: Array2<f32>,
    },
    /// The score of this module.
    Samples(Stored),
}

/// Stored features and what was fitted to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// 8-bit codes, `[stored, dim]`.
    pub codes: Array2<u8>,
    /// What they mean.
    pub quantisation: Quantisation,
    /// `(K + λI)⁻¹ Y`, `[stored, classes]`.
    pub coefficients: Array2<f32>,
    /// γ, above 0.
    pub gamma: f32,
    /// Mean and spread over samples left out, of the evidence and of the distance.
    pub units: [f32; 4],
}

impl Novelty {
    /// Fits one or more classes: a task of one class is an anomaly task, where this is all there is to fit.
    ///
    /// Of more than [`STORED`] samples as many are stored, evenly of each class and of as many groups as there are. The
    /// threshold is the `1 - false_unknown_rate` quantile (rate clamped to 0..=1; the k-th smallest of n with
    /// `k = ⌈(n+1)(1-rate)⌉`, at most n, as in conformal prediction) of the scores of the stored samples with their group
    /// left out. Where no score can be had, as with a single sample, nothing is unknown. O(m²·dim + m³) for m stored.
    pub fn fit(samples: &Samples<'_>, false_unknown_rate: f64) -> Self {
        let rate = if false_unknown_rate.is_nan() { FALSE_UNKNOWN_RATE } else { false_unknown_rate.clamp(0.0, 1.0) };
        Self::with_groups(samples, &LeaveOut::new(samples), rate, 1)
    }

    pub(crate) fn with_groups(samples: &Samples<'_>, leave_out: &LeaveOut, rate: f64, threads: usize) -> Self {
        let fitted = Fitted::new(samples, leave_out, threads);
        let Fitted { codes, quantisation, coefficients, gamma, left_out } = fitted;
        let unit = |of: usize| -> [f64; 2] {
            let n = left_out.len() as f64;
            let mean = left_out.iter().map(|score| score[of]).sum::<f64>() / n;
            let spread = (left_out.iter().map(|score| (score[of] - mean).powi(2)).sum::<f64>() / n).sqrt();
            // Where all are alike there is nothing to measure in.
            let (mean, spread) = (mean as f32, spread.max(1e-6) as f32);
            if left_out.is_empty() { [0.0, 1.0] } else { [f64::from(mean), f64::from(spread)] }
        };
        let units = [unit(0), unit(1)];
        let mut scores: Vec<f64> = left_out.iter().map(|score| total(*score, units)).collect();
        scores.sort_by(f64::total_cmp);
        let rank = ((scores.len() + 1) as f64 * (1.0 - rate)).ceil() as usize;
        let threshold = match scores.len() {
            0 => f32::MAX,
            // Rounded up, and by what codes and f32 lose: the sample that set the threshold is within it.
            n => (scores[rank.clamp(1, n) - 1] as f32 + 1e-4).next_up(),
        };
        let units = [units[0][0], units[0][1], units[1][0], units[1][1]].map(|unit| unit as f32);
        let measure = Measure::Samples(Stored { codes, quantisation, coefficients, gamma: gamma as f32, units });
        Self { measure, threshold, false_unknown_rate: rate }
    }

    /// How unlike everything learnt a feature of norm 1 is; larger is stranger. O(stored·dim).
    ///
    /// # Panics
    /// When `feature` is not of the stored features' dim: the caller mixed up two backbones.
    pub fn score(&self, feature: &[f32]) -> f32 {
        assert_eq!(feature.len(), self.measure.dim(), "feature and novelty are of different backbones");
        match &self.measure {
            Measure::Means { means } => cosine_distance(means, feature),
            Measure::Samples(stored) => stored.score(feature),
        }
    }

    /// Whether the feature lies beyond the threshold.
    pub fn is_unknown(&self, feature: &[f32]) -> bool {
        self.score(feature) > self.threshold
    }
}

impl Measure {
    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        match self {
            Self::Means { means } => means.ncols(),
            Self::Samples(stored) => stored.codes.ncols(),
        }
    }
}

impl Stored {
    fn score(&self, feature: &[f32]) -> f32 {
        let own = dot(feature, feature);
        let mut nearest = f64::INFINITY;
        let mut evidence = vec![0.0; self.coefficients.ncols()];
        let (step, mut other) = (self.quantisation.step(), vec![0.0; feature.len()]);
        for (codes, coefficients) in self.codes.rows().into_iter().zip(self.coefficients.rows()) {
            self.quantisation.values(codes.to_slice().unwrap_or_default(), &mut other);
            let squared = (own + step * (step * dot(&other, &other) - 2.0 * dot(feature, &other))).max(0.0);
            nearest = nearest.min(squared);
            let kernel = (-f64::from(self.gamma) * squared).exp();
            for (sum, &coefficient) in evidence.iter_mut().zip(coefficients) {
                *sum += kernel * f64::from(coefficient);
            }
        }
        let [a, b, c, d] = self.units.map(f64::from);
        total([ambiguity(evidence.iter().copied()), nearest.sqrt()], [[a, b], [c, d]]) as f32
    }
}

/// `s₂ - 2 s₁`; `-2 s₁` where there is one class.
fn ambiguity(evidence: impl Iterator<Item = f64>) -> f64 {
    let mut top = [f64::NEG_INFINITY; 2];
    for s in evidence {
        if s > top[0] {
            top = [s, top[0]];
        } else if s > top[1] {
            top[1] = s;
        }
    }
    if top[1].is_finite() { top[1] - 2.0 * top[0] } else { -2.0 * top[0] }
}

/// Evidence and distance in units of their spread.
fn total(score: [f64; 2], units: [[f64; 2]; 2]) -> f64 {
    let scaled = |of: usize| (score[of] - units[of][0]) / units[of][1];
    scaled(0) + NEAREST * scaled(1)
}

/// `1 - cos` to the nearest mean, in 0..=2.
fn cosine_distance(means: &Array2<f32>, feature: &[f32]) -> f32 {
    let norm = norm(feature);
    let product = |mean: ndarray::ArrayView1<'_, f32>| -> f64 {
        mean.iter().zip(feature).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let best = means.axis_iter(Axis(0)).map(product).fold(f64::NEG_INFINITY, f64::max);
    let cosine = if norm > 0.0 && best.is_finite() { best / norm } else { 0.0 };
    (1.0 - cosine).clamp(0.0, 2.0) as f32
}

/// A fit and what it says of the stored samples without their groups.
struct Fitted {
    codes: Array2<u8>,
    quantisation: Quantisation,
    coefficients: Array2<f32>,
    gamma: f64,
    /// Evidence and distance, of those that have any.
    left_out: Vec<[f64; 2]>,
}

impl Fitted {
    fn new(samples: &Samples<'_>, leave_out: &LeaveOut, threads: usize) -> Self {
        let rows = stored_rows(samples, leave_out);
        let (n, dim, classes) = (rows.len(), samples.dim(), samples.classes());
        let ranges = rows.iter().map(|&row| range(&samples.row(row)));
        let (largest, least) = ranges.fold((0.0_f32, 0.0_f32), |a, b| (a.0.max(b.0), a.1.min(b.1)));
        let full_scale = if largest.max(-least) > 0.0 { largest.max(-least) } else { 1.0 };
        let quantisation = Quantisation { full_scale, signed: least < 0.0 };
        let mut codes = Array2::zeros((n, dim));
        let mut numbers = Mat::<f32>::zeros(dim, n);
        for (i, &row) in rows.iter().enumerate() {
            let coded = quantisation.encode_slice(&samples.row(row)).codes;
            let numbers = numbers.col_as_slice_mut(i);
            quantisation.values(&coded, numbers);
            if !quantisation.signed {
                // Distances do not change.
                for number in numbers {
                    *number -= 128.0;
                }
            }
            codes.row_mut(i).assign(&ndarray::aview1(&coded));
        }
        let distances = Distances::new(products(numbers.transpose(), TERMS, threads), quantisation.step());
        let gamma = WIDTH / distances.median();
        let mut kernel = Mat::<f64>::zeros(n, n);
        for j in 0..n {
            let below = &mut kernel.col_as_slice_mut(j)[j..];
            below.iter_mut().zip(j..).for_each(|(to, i)| *to = -gamma * distances.squared(i, j));
            exp(below);
        }
        let one_hot = |i: usize, c: usize| f64::from(samples.labels()[rows[i]] == c);
        let targets = Mat::from_fn(n, classes, one_hot);
        let mut alpha = Mat::from_fn(n, classes, |i, c| one_hot(i, c) as f32);
        // K is positive semidefinite and λ above 0: rounding cannot undo that by as much, also in f32.
        let inverse = if let Some(factor) = Factor::<f32>::new(&kernel, PENALTY, threads) {
            factor.solve(alpha.as_mut());
            factor.inverse(0)
        } else {
            alpha *= faer::Scale((1.0 / (1.0 + PENALTY)) as f32);
            Mat::<f32>::identity(n, n) * faer::Scale((1.0 + PENALTY).sqrt().recip() as f32)
        };
        let of: Vec<usize> = rows.iter().map(|&row| leave_out.of[row]).collect();
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, &group) in of.iter().enumerate() {
            members.entry(group).or_default().push(i);
        }
        let mut left_out = Vec::with_capacity(n);
        for group in members.values().filter(|group| group.len() < n) {
            // A column of L⁻¹ begins at its diagonal, and A = L⁻ᵀL⁻¹.
            let block = Mat::from_fn(group.len(), group.len(), |a, b| {
                let first = group[a].max(group[b]);
                dot(&inverse.col_as_slice(group[a])[first..], &inverse.col_as_slice(group[b])[first..])
            });
            let own = Mat::from_fn(group.len(), classes, |a, c| f64::from(alpha[(group[a], c)]));
            let Ok(llt) = block.llt(Side::Lower) else { continue };
            let residuals = llt.solve(&own);
            for (a, &i) in group.iter().enumerate() {
                let evidence = ambiguity((0..classes).map(|c| targets[(i, c)] - residuals[(a, c)]));
                left_out.push([evidence, distances.nearest(i, &of).sqrt()]);
            }
        }
        let coefficients = Array2::from_shape_fn((n, classes), |(i, c)| alpha[(i, c)]);
        Self { codes, quantisation, coefficients, gamma, left_out }
    }
}

/// The largest and the least component; 0 at least and at most.
fn range(x: &[f32]) -> (f32, f32) {
    wide(
        #[inline(always)]
        || {
            let (mut largest, mut least) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            for block in x.chunks(LANES) {
                for (lane, &x) in block.iter().enumerate() {
                    (largest[lane], least[lane]) = (largest[lane].max(x), least[lane].min(x));
                }
            }
            let largest = largest.into_iter().fold(0.0, f32::max);
            (largest, least.into_iter().fold(0.0, f32::min))
        },
    )
}

/// Which rows are stored, in order: of each class the same number, and first one of every group.
fn stored_rows(samples: &Samples<'_>, leave_out: &LeaveOut) -> Vec<usize> {
    let n = samples.rows();
    if n <= STORED {
        return (0..n).collect();
    }
    let mut place = vec![0; n];
    for members in &leave_out.members {
        for (at, &row) in members.iter().enumerate() {
            place[row] = at;
        }
    }
    let mut queues: Vec<Vec<usize>> = vec![Vec::new(); samples.classes()];
    for (row, &label) in samples.labels().iter().enumerate() {
        queues[label].push(row);
    }
    let share = STORED.div_ceil(samples.classes());
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(n);
    for queue in &mut queues {
        queue.sort_by_key(|&row| (place[row], row));
        // Evenly over the first of every group, so that neither old nor new samples are preferred.
        let first = queue.iter().take_while(|&&row| place[row] == 0).count();
        let step = |at: usize| if at < first { (at * share) % first.max(1) } else { at };
        order.extend(queue.iter().enumerate().map(|(at, &row)| (step(at), row)));
    }
    order.sort_unstable();
    let mut rows: Vec<usize> = order.into_iter().take(STORED).map(|(_, row)| row).collect();
    rows.sort_unstable();
    rows
}

/// Distances between the features that codes stand for.
struct Distances {
    /// Of codes, `[n, n]`: integers, and exact.
    products: Mat<f64>,
    /// Their diagonal, side by side.
    squares: Vec<f64>,
    /// What a code means.
    step: f64,
}

impl Distances {
    fn new(products: Mat<f64>, step: f64) -> Self {
        let squares = (0..products.ncols()).map(|i| products[(i, i)]).collect();
        Self { products, squares, step }
    }

    /// `‖x_i - x_j‖²`.
    fn squared(&self, i: usize, j: usize) -> f64 {
        let Self { products, squares, step } = self;
        step * step * (squares[i] + squares[j] - 2.0 * products[(i, j)])
    }

    /// The least `‖x_i - x_j‖²` to one of another group.
    fn nearest(&self, i: usize, of: &[usize]) -> f64 {
        let Self { products, squares, step } = self;
        let (products, own) = (products.col_as_slice(i), of[i]);
        // Side by side and without a jump: as many at once as the processor can.
        let least = wide(
            #[inline(always)]
            || {
                let mut least = [f64::INFINITY; LANES];
                let blocks = products.chunks(LANES).zip(squares.chunks(LANES)).zip(of.chunks(LANES));
                for ((products, squares), groups) in blocks {
                    for (lane, ((product, square), &group)) in products.iter().zip(squares).zip(groups).enumerate() {
                        let rest = if group == own { f64::INFINITY } else { square - 2.0 * product };
                        least[lane] = least[lane].min(rest);
                    }
                }
                least
            },
        );
        step * step * (squares[i] + least.into_iter().fold(f64::INFINITY, f64::min))
    }

    /// The median of the distances between different samples; 1 where there is none above rounding.
    fn median(&self) -> f64 {
        let n = self.products.ncols();
        let mut all: Vec<f64> = (0..n).flat_map(|j| (j + 1..n).map(move |i| self.squared(i, j))).collect();
        if all.is_empty() {
            return 1.0;
        }
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable_by(middle, f64::total_cmp);
        if *median > 1e-9 { *median } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn one_class_is_enough_and_strangers_are_unknown() {
        let x = array![[1.0_f32, 0.1, 0.0], [1.0, -0.1, 0.0], [1.0, 0.0, 0.1], [1.0, 0.05, 0.1]];
        let samples = Samples::new(x.view(), &[0; 4], &[0, 1, 2, 3], 1).unwrap();
        let novelty = Novelty::fit(&samples, FALSE_UNKNOWN_RATE);
        assert!(x.outer_iter().all(|row| !novelty.is_unknown(row.as_slice().unwrap())));
        assert!(novelty.is_unknown(&[0.0, 1.0, 0.0]));
        assert!(novelty.is_unknown(&[-1.0, 0.0, 0.0]));
    }

    /// Two heaps in eight dimensions, one group each pair.
    fn heaps(n: usize) -> (Array2<f32>, Vec<usize>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let label = |i: usize| usize::from(i % 4 >= 2);
        let x = Array2::from_shape_fn((n, 8), |(i, j)| {
            0.6 * (rng.random::<f32>() - 0.5) + if j == label(i) { 1.0 } else { 0.0 }
        });
        (x, (0..n).map(label).collect(), (0..n).map(|i| i / 2).collect())
    }

    #[test]
    fn scores_without_a_group_are_those_of_a_fit_without_it() {
        let (x, labels, groups) = heaps(24);
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let all = Fitted::new(&samples, &LeaveOut::new(&samples), 1);
        let rest: Vec<usize> = (2..24).collect();
        let (rest_labels, rest_groups) = (labels[2..].to_vec(), groups[2..].to_vec());
        let rest = x.select(Axis(0), &rest);
        let without = Samples::new(rest.view(), &rest_labels, &rest_groups, 2).unwrap();
        let Fitted { codes, coefficients, .. } = Fitted::new(&without, &LeaveOut::new(&without), 1);
        // With the width and the codes of the fit on all.
        let largest = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert_eq!(all.quantisation.full_scale, largest);
        let stored = Stored {
            codes,
            quantisation: all.quantisation,
            coefficients,
            gamma: all.gamma as f32,
            units: [0.0, 1.0, 0.0, f32::MAX],
        };
        let found = stored.score(&x.row(0).to_vec());
        assert!((f64::from(found) - all.left_out[0][0]).abs() < 0.05, "{found} {:?}", all.left_out[0]);
    }

    #[test]
    fn as_many_are_called_unknown_as_was_said() {
        let (x, labels, groups) = heaps(1000);
        let known = x.slice(ndarray::s![..400, ..]);
        let samples = Samples::new(known, &labels[..400], &groups[..400], 2).unwrap();
        for rate in [0.02, 0.1, 0.5] {
            let novelty = Novelty::fit(&samples, rate);
            let unknown = (400..1000).filter(|&row| novelty.is_unknown(&x.row(row).to_vec())).count();
            let share = unknown as f64 / 600.0;
            assert!((share - rate).abs() < 0.02 + 0.1 * rate, "{share} of new ones at {rate}");
        }
        assert!(Novelty::fit(&samples, 0.02).is_unknown(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn no_more_are_stored_than_fit_and_every_class_has_its_share() {
        let n = STORED + 300;
        let x = Array2::from_shape_fn((n, 2), |(i, j)| if j == 0 { 1.0 } else { (i as f32 * 0.7).sin() });
        let labels: Vec<usize> = (0..n).map(|i| usize::from(i % 20 == 0)).collect();
        let groups: Vec<usize> = (0..n).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let rows = stored_rows(&samples, &LeaveOut::new(&samples));
        assert_eq!(rows.len(), STORED);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(rows.iter().filter(|&&row| labels[row] == 1).count(), n / 20);
        assert!(rows.iter().filter(|&&row| row >= n / 2).count() > STORED / 3, "old samples are preferred");
    }

    #[test]
    fn a_single_sample_calls_nothing_unknown() {
        let x = array![[0.6_f32, 0.8]];
        let novelty = Novelty::fit(&Samples::new(x.view(), &[0], &[0], 1).unwrap(), FALSE_UNKNOWN_RATE);
        assert_eq!(novelty.threshold, f32::MAX);
        assert!(!novelty.is_unknown(&[-0.6, -0.8]));
    }

    #[test]
    fn class_means_of_older_heads_are_still_measured_with() {
        let measure = Measure::Means { means: array![[1.0, 0.0], [0.0, 1.0]] };
        let novelty = Novelty { measure, threshold: 0.3, false_unknown_rate: 0.02 };
        assert!((novelty.score(&[-1.0, 0.0]) - 1.0).abs() < 1e-6);
        assert!(!novelty.is_unknown(&[0.0, 2.0]) && novelty.is_unknown(&[-0.6, -0.8]));
    }
}
