//! Prediction sets: the classes a sample may be of, so that the true one is among them with a stated probability.
//! Knows nothing of heads: out-of-sample probabilities and labels in, thresholds out.
//!
//! A class is in the set where `1 - p ≤ t`, which gives the smallest sets on average of all that cover as often (Sadinle,
//! Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error levels"). `t` is a quantile of
//! `1 - p[label]` of samples left out of the fit (Vovk 2015, "Cross-conformal predictors"). Samples of a group are not
//! exchangeable, groups are taken to be: of K groups each weighs `1 / (K + 1)`, shared by its samples, and the last share
//! is that of the group to come (Lee, Barber and Willett 2023, "Distribution-free inference with hierarchical data").
//!
//! What is promised: a sample of a new group is covered at the stated rate *on average over fits*, as far as a fit without
//! one group scores it like the fit on all (Barber, Candès, Ramdas and Tibshirani 2021, "Predictive inference with the
//! jackknife+", section 5). Nothing is promised of each class alone, nor of what is of no known class.
//! Invariant: thresholds are in 0..=1 and do not fall.

use std::collections::BTreeMap;

use ndarray::{ArrayView1, ArrayView2, Axis};

use crate::evaluation::most_probable;

/// Thresholds kept: one for each thousandth of coverage.
pub const COVERAGES: usize = 1000;

/// Thresholds of prediction sets, by coverage.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformal {
    /// `[COVERAGES - 1]`: entry `k` is the largest `1 - p` of a class in a set of coverage `(k + 1) / COVERAGES`. 1 takes
    /// every class: there are too few groups to promise more.
    pub thresholds: Vec<f32>,
}

/// A coverage that no set has.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("coverage is {0}, expected a number from 0.001 to 0.999")]
pub struct CoverageError(f64);

impl Conformal {
    /// From out-of-sample probabilities `[n, classes]`, labels `[n]` and groups `[n]`. Rows that are not numbers count as
    /// probability 0. O(n·(classes + log n)).
    pub fn new(probabilities: ArrayView2<'_, f64>, labels: &[usize], groups: &[usize]) -> Self {
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for &group in groups {
            *sizes.entry(group).or_default() += 1;
        }
        let share = 1.0 / (sizes.len() + 1) as f64;
        let rows = probabilities.axis_iter(Axis(0)).zip(labels).zip(groups);
        let mut scores: Vec<(f64, f64)> = rows
            .map(|((row, &label), group)| {
                let own = row.get(label).copied().filter(|p| p.is_finite()).unwrap_or(0.0);
                ((1.0 - own).clamp(0.0, 1.0), share / sizes[group] as f64)
            })
            .collect();
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut at = scores.iter().scan(0.0, |sum, &(score, share)| {
            *sum += share;
            Some((score, *sum))
        });
        let mut current = at.next();
        let thresholds = (1..COVERAGES).map(|k| {
            // The sum of shares is rounded; a coverage it equals is reached.
            let coverage = k as f64 / COVERAGES as f64 - 1e-9;
            while current.is_some_and(|(_, sum)| sum < coverage) {
                current = at.next();
            }
            current.map_or(1.0, |(score, _)| (score as f32).next_up().min(1.0))
        });
        Self { thresholds: thresholds.collect() }
    }

    /// The classes that a sample with these probabilities `[classes]` may be of, the likeliest first. Never empty: where
    /// no class is likely enough it is the likeliest, so a head that errs less often than `1 - coverage` covers more
    /// than it was asked to. Coverage is rounded up to a thousandth.
    ///
    /// # Errors
    /// When the coverage is not from 0.001 to 0.999.
    pub fn set(&self, probabilities: &[f64], coverage: f64) -> Result<Vec<usize>, CoverageError> {
        let thousandths = (coverage * COVERAGES as f64 - 1e-9).ceil();
        if !(thousandths >= 1.0 && thousandths < COVERAGES as f64) {
            return Err(CoverageError(coverage));
        }
        let threshold = self.thresholds.get(thousandths as usize - 1).copied().unwrap_or(1.0);
        let likely = |class: &usize| 1.0 - probabilities[*class] <= f64::from(threshold);
        let mut set: Vec<usize> = (0..probabilities.len()).filter(likely).collect();
        set.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        if set.is_empty() {
            set.push(most_probable(ArrayView1::from(probabilities)));
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// Probabilities of a calibrated head: labels are drawn from them.
    fn calibrated(n: usize, rng: &mut ChaCha8Rng) -> (Array2<f64>, Vec<usize>) {
        let mut p = Array2::from_shape_fn((n, 4), |_| -rng.random::<f64>().max(1e-12).ln().powi(3));
        p.mapv_inplace(f64::abs);
        let mut labels = Vec::new();
        for mut row in p.rows_mut() {
            let sum = row.sum();
            row /= sum;
            let mut at = rng.random::<f64>();
            let label = row.iter().position(|&p| {
                at -= p;
                at < 0.0
            });
            labels.push(label.unwrap_or(3));
        }
        (p, labels)
    }

    #[test]
    fn the_true_class_is_in_the_set_as_often_as_was_asked() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for coverage in [0.8, 0.9, 0.95] {
            let (mut covered, mut asked) = (0_u32, 0_u32);
            for _ in 0..200 {
                let (p, labels) = calibrated(99, &mut rng);
                let conformal = Conformal::new(p.view(), &labels, &(0..99).collect::<Vec<_>>());
                let (p, labels) = calibrated(200, &mut rng);
                for (row, label) in p.rows().into_iter().zip(labels) {
                    covered += u32::from(conformal.set(&row.to_vec(), coverage).unwrap().contains(&label));
                    asked += 1;
                }
            }
            let found = f64::from(covered) / f64::from(asked);
            assert!((found - coverage).abs() < 0.01, "asked for {coverage}, found {found}");
        }
    }

    #[test]
    fn copies_of_a_sample_in_its_group_promise_no_more() {
        let p = Array2::from_shape_fn((20, 2), |(i, c)| if c == 0 { 1.0 - 0.01 * i as f64 } else { 0.01 * i as f64 });
        let single = Conformal::new(p.view(), &[0; 20], &(0..20).collect::<Vec<_>>());
        let rows: Vec<usize> = (0..20).flat_map(|i| std::iter::repeat_n(i, 1 + i % 3)).collect();
        let copies = p.select(Axis(0), &rows);
        assert_eq!(Conformal::new(copies.view(), &vec![0; rows.len()], &rows), single);
        // 20 groups promise 20 / 21 and no more.
        assert!(single.thresholds[951] < 1.0 && single.thresholds[952] == 1.0, "{:?}", &single.thresholds[948..955]);
        assert_eq!(single.set(&[0.9, 0.1], 0.99), Ok(vec![0, 1]));
    }

    #[test]
    fn a_set_is_never_empty_and_the_likeliest_comes_first() {
        let sure = Conformal::new(Array2::from_elem((30, 1), 1.0).view(), &[0; 30], &(0..30).collect::<Vec<_>>());
        assert_eq!(sure.set(&[0.2, 0.5, 0.3], 0.9), Ok(vec![1]));
        let loose = Conformal { thresholds: vec![0.75; COVERAGES - 1] };
        assert_eq!(loose.set(&[0.2, 0.3, 0.5], 0.9), Ok(vec![2, 1]));
        for wrong in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
            assert!(loose.set(&[1.0], wrong).is_err(), "{wrong}");
        }
    }
}
