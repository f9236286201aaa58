//! The learning curve: what more labels would buy, from the samples at hand.
//!
//! Knows nothing of the head in service or of time: a caller with a clock says whether the next size may start. Every
//! accuracy is of samples in groups that the head did not see. Read next: `learning_curve/power_law.rs`.
//!
//! Ridge is fitted on some of each class's groups, a few times at each of five sizes, and asked about the others. It stands
//! for all kinds: what is predicted is a gain, and the kinds gain alike. O(5 ridges of four fifths of the samples).

mod power_law;

use std::collections::BTreeMap;

use faer::Mat;
use ndarray::{Array2, Axis};

use self::power_law::PowerLaw;
use crate::{
    FitError, FitOptions, GROUPS_PROVED, Kind, Samples, cost::flops, evaluation::most_probable, leave_out::mix, solve,
};

/// Shares of each class's groups that are learnt from, and how often: so that every group is asked about at every size.
const SHARES: [(f64, usize); 5] = [(0.2, 8), (0.3, 6), (0.45, 5), (0.65, 4), (0.8, 5)];
/// Samples that are learnt from at most, so that the cost is bounded.
const MOST_SAMPLES: usize = 3_000;
/// A gain worth saying, in shares of accuracy.
pub const WORTH: f64 = 0.02;
/// Less than this for 100 more is flat.
pub const FLAT: f64 = 0.01;
/// A 95 % interval of what twice as many buy that is wider than this says nothing.
const UNTOLD: f64 = 0.1;

/// Accuracy by how much was learnt from, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningCurve {
    /// What was measured, least first.
    pub points: Vec<CurvePoint>,
    /// Groups there are now.
    pub groups: usize,
    /// Samples there are now.
    pub samples: usize,
    law: PowerLaw,
}

/// Accuracy at one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Groups learnt from, mean.
    pub groups: f64,
    /// Samples learnt from, mean.
    pub samples: f64,
    /// Share of the others that are recognised.
    pub accuracy: f64,
    /// Its standard error, clustered by group.
    pub standard_error: f64,
}

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// As likely too high as too low.
    pub median: f64,
    /// Between what it lies, 19 times of 20.
    pub interval: (f64, f64),
}

impl Estimate {
    fn of((median, interval): (f64, (f64, f64))) -> Self {
        Self { median, interval }
    }
}

/// What more labels buy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forecast {
    /// Little: 100 more groups gain less than [`FLAT`].
    Flat {
        /// What 100 more gain.
        per_hundred: Estimate,
    },
    /// Too uncertain to say.
    Untold {
        /// What twice as many would gain.
        doubled: Estimate,
    },
    /// So many more groups gain [`WORTH`].
    Worth {
        /// How many; the upper end may be infinite.
        groups: Estimate,
    },
}

/// Why there is no curve.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// Nothing to tell apart.
    #[error("a learning curve needs two classes")]
    OneClass,
    /// A class cannot be divided.
    #[error("a learning curve needs {GROUPS_PROVED} groups of every class, class {class} has {groups}")]
    TooFewGroups {
        /// The class.
        class: usize,
        /// Groups it has.
        groups: usize,
    },
    /// The caller's clock said no.
    #[error("there was no time for a learning curve")]
    NoTime,
    /// A head could not be fitted.
    #[error("could not fit a part of the samples")]
    Fit(#[from] FitError),
    /// The accuracies have no usable covariance.
    #[error("the accuracies of a learning curve do not fit together: this is a bug, please report it")]
    Law,
}

impl LearningCurve {
    /// Measures it. `may_start` is told about how many floating-point operations the next size takes; `seed` deals groups.
    ///
    /// # Errors
    /// When there is too little to divide, no time, or a part cannot be fitted.
    pub fn measure(
        samples: &Samples<'_>,
        seed: u64,
        threads: usize,
        may_start: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Self, CurveError> {
        if samples.classes() < 2 {
            return Err(CurveError::OneClass);
        }
        let of_class = groups_by_class(samples);
        if let Some((class, groups)) = of_class.iter().enumerate().find(|(_, groups)| groups.len() < GROUPS_PROVED) {
            return Err(CurveError::TooFewGroups { class, groups: groups.len() });
        }
        let within = (MOST_SAMPLES as f64 / samples.rows() as f64 / SHARES[SHARES.len() - 1].0).min(1.0);
        let options = FitOptions { seed, threads, ..FitOptions::default() };
        let mut sizes = Vec::with_capacity(SHARES.len());
        for (size, (share, times)) in SHARES.into_iter().enumerate() {
            let share = share * within;
            // As of samples that have as many rows: the cost of ridge grows with their square, where they are few.
            let flops = times as f64 * share * share * flops(Kind::Ridge, samples);
            if !may_start(flops) {
                return Err(CurveError::NoTime);
            }
            sizes.push(Size::measure(samples, &of_class, share, times, mix(seed ^ size as u64), &options)?);
        }
        let groups: usize = of_class.iter().map(Vec::len).sum();
        let covariance = covariance(samples, &sizes);
        let points: Vec<CurvePoint> = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| CurvePoint {
                groups: size.groups,
                samples: size.samples,
                accuracy: size.accuracy,
                standard_error: covariance[(i, i)].max(0.0).sqrt(),
            })
            .collect();
        let shares: Vec<f64> = points.iter().map(|point| point.groups / groups as f64).collect();
        let accuracies: Vec<f64> = points.iter().map(|point| point.accuracy).collect();
        let law = PowerLaw::fit(&shares, &accuracies, covariance).ok_or(CurveError::Law)?;
        Ok(Self { points, groups, samples: samples.rows(), law })
    }

    /// Accuracy with so many groups more, of a ridge.
    pub fn accuracy(&self, more: f64) -> Estimate {
        Estimate::of(self.law.accuracy(1.0 + more / self.groups as f64))
    }

    /// What so many groups more gain.
    pub fn gain(&self, more: f64) -> Estimate {
        Estimate::of(self.law.gain(1.0 + more / self.groups as f64))
    }

    /// How many groups more gain so much; infinite where no number does.
    pub fn groups_for(&self, gain: f64) -> Estimate {
        let (size, (soonest, latest)) = self.law.size_for(gain);
        let more = |size: f64| (size - 1.0) * self.groups as f64;
        Estimate { median: more(size), interval: (more(soonest), more(latest)) }
    }

    /// What to say of it.
    pub fn forecast(&self) -> Forecast {
        let per_hundred = self.gain(100.0);
        let doubled = self.gain(self.groups as f64);
        let groups = self.groups_for(WORTH);
        if per_hundred.median < FLAT {
            Forecast::Flat { per_hundred }
        } else if doubled.interval.1 - doubled.interval.0 > UNTOLD || !groups.median.is_finite() {
            Forecast::Untold { doubled }
        } else {
            Forecast::Worth { groups }
        }
    }
}

/// The rows of every group of each class; a group of several counts for that of its first sample.
fn groups_by_class(samples: &Samples<'_>) -> Vec<Vec<Vec<usize>>> {
    let mut places: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut of_class: Vec<Vec<Vec<usize>>> = vec![Vec::new(); samples.classes()];
    for (row, (&label, &group)) in samples.labels().iter().zip(samples.groups()).enumerate() {
        let &mut (class, at) = places.entry(group).or_insert_with(|| {
            of_class[label].push(Vec::new());
            (label, of_class[label].len() - 1)
        });
        of_class[class][at].push(row);
    }
    of_class
}

/// What was measured at one size.
struct Size {
    groups: f64,
    samples: f64,
    accuracy: f64,
    /// How often each sample was recognised when it was asked about, `[n]`; none where it never was.
    recognised: Vec<Option<f64>>,
    /// Variance of the mean over times: who is learnt from is chance as well.
    variance: f64,
}

impl Size {
    fn measure(
        samples: &Samples<'_>,
        of_class: &[Vec<Vec<usize>>],
        share: f64,
        times: usize,
        seed: u64,
        options: &FitOptions,
    ) -> Result<Self, CurveError> {
        let shuffled: Vec<Vec<&Vec<usize>>> = of_class.iter().map(|groups| shuffle(groups, seed)).collect();
        let mut lambda = None;
        let (mut right, mut asked) = (vec![0.0; samples.rows()], vec![0.0; samples.rows()]);
        let (mut learnt_groups, mut learnt_samples, mut accuracies) = (0, 0, Vec::with_capacity(times));
        for time in 0..times {
            let mut learnt = vec![false; samples.rows()];
            for groups in &shuffled {
                // A window that goes round: every group is left out of about as many.
                let count = ((share * groups.len() as f64).round() as usize).clamp(1, groups.len() - 1);
                let start = time * groups.len() / times;
                learnt_groups += count;
                for step in 0..count {
                    groups[(start + step) % groups.len()].iter().for_each(|&row| learnt[row] = true);
                }
            }
            let (inside, outside): (Vec<usize>, Vec<usize>) = (0..samples.rows()).partition(|&row| learnt[row]);
            learnt_samples += inside.len();
            let answers = answers(samples, &inside, &outside, &mut lambda, options)?;
            let mut correct = 0;
            for (&row, class) in outside.iter().zip(answers) {
                let hit = class == samples.labels()[row];
                right[row] += f64::from(u8::from(hit));
                asked[row] += 1.0;
                correct += usize::from(hit);
            }
            accuracies.push(correct as f64 / outside.len() as f64);
        }
        let recognised: Vec<Option<f64>> =
            right.iter().zip(&asked).map(|(right, asked)| (*asked > 0.0).then(|| right / asked)).collect();
        let known: Vec<f64> = recognised.iter().copied().flatten().collect();
        let mean = accuracies.iter().sum::<f64>() / times as f64;
        let squares: f64 = accuracies.iter().map(|accuracy| (accuracy - mean).powi(2)).sum();
        Ok(Self {
            groups: learnt_groups as f64 / times as f64,
            samples: learnt_samples as f64 / times as f64,
            accuracy: known.iter().sum::<f64>() / known.len() as f64,
            recognised,
            variance: squares / ((times - 1) * times) as f64,
        })
    }
}

/// Groups in an order that the seed deals.
fn shuffle(groups: &[Vec<usize>], seed: u64) -> Vec<&Vec<usize>> {
    let mut order: Vec<(u64, &Vec<usize>)> =
        groups.iter().map(|rows| (mix(seed ^ mix(rows[0] as u64)), rows)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, rows)| rows).collect()
}

/// What a ridge on some rows answers about others. The penalty is chosen the first time and stands for others of the size.
fn answers(
    samples: &Samples<'_>,
    inside: &[usize],
    outside: &[usize],
    lambda: &mut Option<f64>,
    options: &FitOptions,
) -> Result<Vec<usize>, CurveError> {
    // A group of several classes may have taken all of one away.
    let mut present: Vec<usize> = inside.iter().map(|&row| samples.labels()[row]).collect();
    present.sort_unstable();
    present.dedup();
    if let [only] = present[..] {
        return Ok(vec![only; outside.len()]);
    }
    let labels: Vec<usize> =
        inside.iter().map(|&row| present.partition_point(|&class| class < samples.labels()[row])).collect();
    let groups: Vec<usize> = inside.iter().map(|&row| samples.groups()[row]).collect();
    let x = samples.features().select(Axis(0), inside);
    let part = Samples::new(x.view(), &labels, &groups, present.len())
        .expect("a part of samples is finite, and its classes are those it has");
    let solution = solve(Kind::Ridge, &part, *lambda, options)?;
    *lambda = solution.lambda;
    let asked: Array2<f64> = samples.features().select(Axis(0), outside).mapv(f64::from);
    let linear = solution.linear().expect("a ridge is linear");
    let scores = asked.dot(&linear.weights.t()) + &linear.bias;
    Ok(scores.rows().into_iter().map(|row| present[most_probable(row)]).collect())
}

/// Covariance of the accuracies: the same samples were asked about at every size, clustered by group; and who was learnt from.
fn covariance(samples: &Samples<'_>, sizes: &[Size]) -> Mat<f64> {
    let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (row, group) in samples.groups().iter().enumerate() {
        let sum = sums.entry(*group).or_insert_with(|| vec![0.0; sizes.len()]);
        for (sum, size) in sum.iter_mut().zip(sizes) {
            *sum += size.recognised[row].map_or(0.0, |right| right - size.accuracy);
        }
    }
    let groups = sums.len() as f64;
    let counts: Vec<f64> = sizes.iter().map(|size| size.recognised.iter().flatten().count() as f64).collect();
    Mat::from_fn(sizes.len(), sizes.len(), |i, j| {
        let products: f64 = sums.values().map(|sum| sum[i] * sum[j]).sum();
        let own = if i == j { sizes[i].variance } else { 0.0 };
        groups / (groups - 1.0) * products / (counts[i] * counts[j]) + own
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    const CLASSES: usize = 3;
    const DIM: usize = 24;

    /// Clouds around the axes, so many of each class, each with copies that lie close.
    fn clouds(per_class: usize, copies: usize, far: f32, seed: u64) -> (Array2<f32>, Vec<usize>, Vec<usize>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let n = per_class * CLASSES * copies;
        let (labels, groups): (Vec<usize>, Vec<usize>) = (0..n).map(|i| (i / copies % CLASSES, i / copies)).unzip();
        let mut x = Array2::zeros((n, DIM));
        for row in 0..n {
            for column in 0..DIM {
                let own =
                    if row % copies > 0 { x[(row - row % copies, column)] } else { random.random_range(-1.0..1.0) };
                let axis = if row % copies == 0 && column == labels[row] { far } else { 0.0 };
                x[(row, column)] = own + axis + if row % copies > 0 { random.random_range(-0.01..0.01) } else { 0.0 };
            }
        }
        (x, labels, groups)
    }

    fn measured(of: &(Array2<f32>, Vec<usize>, Vec<usize>), threads: usize) -> Result<LearningCurve, CurveError> {
        let samples = Samples::new(of.0.view(), &of.1, &of.2, CLASSES).unwrap();
        LearningCurve::measure(&samples, 1, threads, &mut |_| true)
    }

    #[test]
    fn more_is_better_and_said_to_be() {
        let curve = measured(&clouds(30, 1, 0.6, 1), 1).unwrap();
        assert_eq!((curve.points.len(), curve.groups, curve.samples), (5, 90, 90));
        assert!(curve.points[4].accuracy > curve.points[0].accuracy + 0.05, "{:?}", curve.points);
        assert!(curve.points.iter().all(|point| point.standard_error > 0.0 && point.standard_error < 0.15));
        let (some, many) = (curve.gain(30.0), curve.gain(300.0));
        assert!(0.0 <= some.interval.0 && some.median < many.median && many.median <= many.interval.1);
        assert!(curve.accuracy(300.0).median > curve.points[4].accuracy);
    }

    #[test]
    fn what_is_learnt_already_is_flat() {
        let curve = measured(&clouds(30, 1, 4.0, 2), 1).unwrap();
        assert!(matches!(curve.forecast(), Forecast::Flat { per_hundred } if per_hundred.median < 0.005), "{curve:?}");
    }

    #[test]
    fn the_same_samples_give_the_same_bits_on_any_number_of_threads() {
        let clouds = clouds(20, 1, 0.6, 3);
        assert_eq!(measured(&clouds, 1).unwrap(), measured(&clouds, 3).unwrap());
    }

    #[test]
    fn copies_teach_nothing_and_prove_nothing() {
        let (x, labels, groups) = clouds(20, 4, 0.6, 4);
        let grouped = measured(&(x.clone(), labels.clone(), groups), 1).unwrap();
        let single = measured(&(x, labels, (0..240).collect()), 1).unwrap();
        assert_eq!((grouped.groups, grouped.samples, single.groups), (60, 240, 240));
        assert!(grouped.points[4].accuracy < single.points[4].accuracy - 0.1, "{grouped:?} {single:?}");
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        let (x, mut labels, groups) = clouds(5, 1, 0.6, 5);
        labels[0] = 1;
        assert_eq!(
            measured(&(x.clone(), labels, groups.clone()), 1),
            Err(CurveError::TooFewGroups { class: 0, groups: 4 })
        );
        let one = Samples::new(x.view(), &[0; 15], &groups, 1).unwrap();
        assert_eq!(LearningCurve::measure(&one, 1, 1, &mut |_| true), Err(CurveError::OneClass));
        let (x, labels, groups) = clouds(20, 1, 0.6, 6);
        let samples = Samples::new(x.view(), &labels, &groups, CLASSES).unwrap();
        let mut flops = Vec::new();
        let stopped = LearningCurve::measure(&samples, 1, 1, &mut |more| {
            flops.push(more);
            flops.len() < 3
        });
        assert_eq!(stopped, Err(CurveError::NoTime));
        assert!(flops.is_sorted() && flops[0] > 0.0, "{flops:?}");
    }
}
