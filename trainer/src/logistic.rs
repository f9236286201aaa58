//! Multinomial logistic regression with an L2 penalty, chosen by cross-validation over groups.
//! Knows nothing of features: it works on coordinates in which the solution is the same and the problem at most `n` wide.
//!
//! Minimises `Σᵢ -wᵢ ln softmax(V zᵢ + b)[yᵢ] + λ/2 ‖V‖²` with a free intercept: scikit-learn's `LogisticRegression` at
//! `C = 1/λ` (`2/λ` for two classes, where it penalises one vector for two). At small weights the Hessian is
//! `ZZᵀ/classes + λ` (Böhning 1992), so L-BFGS starts from the inverse of that and needs tens of steps where plain
//! coordinates need hundreds.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use ndarray::{Array1, Array2, Axis};

use crate::{
    Form, Kind, Samples, Solution, calibration,
    coordinates::{Coordinates, Inverse},
    dot::{axpy, dot},
    lbfgs::Memory,
    leave_out::LeaveOut,
    penalised::IllConditioned,
    precision::Precision,
    search::{Reach, search},
    workers,
};

/// Penalties on the path, in units of the mean eigenvalue: from 10^1.5 down to 10^-3, 10 of them where all are walked along,
/// else 16, of which few are looked at.
const WALKED: usize = 10;
const SEARCHED: usize = 16;
/// Where the search begins: at 10^0.
const START: usize = 5;
/// A walk ends when so many penalties in a row did no better than the best.
const PATIENCE: usize = 2;
/// Samples that penalties are ranked on at least, in whole folds, where they are searched.
const RANKED: usize = 400;
/// Losses closer than this are equal, and the larger penalty wins.
const TIE: f64 = 1e-6;
/// Squared Newton decrement per sample, in nats, at which a fit ends: for folds, and for the head in either precision.
const ROUGH: f64 = 1e-7;
const FINE: f64 = 1e-12;
const FINE_SINGLE: f64 = 1e-9;
/// Steps at most.
const STEPS: usize = 300;

/// Weights on coordinates `[rank, classes]`, column by column, then the intercept `[classes]`.
type Parameters = Vec<f64>;
/// A penalty; with a fit there to start from and leave-out scores, where all folds were fitted there.
type Found = (f64, Option<(Parameters, Array2<f64>)>);

/// Solves at `lambda`, or where there is none at the best of the path. Leave-out scores are those of fits without each
/// group of `folds`.
/// O(n·rank·classes) per step, and O(rank²·classes) where coordinates are not principal.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    folds: &LeaveOut,
    coordinates: &Coordinates<'_, T>,
    lambda: Option<f64>,
    threads: usize,
) -> Result<Solution, IllConditioned> {
    let (n, classes, labels) = (samples.rows(), samples.classes(), samples.labels());
    let fold_of = &folds.of;
    let problem = |weight: &dyn Fn(usize) -> f64| Problem::new(labels, classes, coordinates, weight);
    let whole = problem(&|i| coordinates.weights[i]);
    let problems: Vec<Problem<'_, '_, T>> = (0..folds.members.len())
        .map(|fold| problem(&|i| if fold_of[i] == fold { 0.0 } else { coordinates.weights[i] }))
        .collect();
    // Fits without each of some folds at a penalty, from where others ended, and what they say of those folds.
    let refit = |starts: &[Parameters], lambda: f64| -> Result<(Vec<Parameters>, Array2<f64>), IllConditioned> {
        let inverse = coordinates.inverse(lambda, classes)?;
        let work = |(problem, start): (&Problem<'_, '_, T>, &Parameters)| {
            let fit = problem.minimise(start.clone(), lambda, &inverse, ROUGH);
            let logits = problem.logits(&fit);
            (fit, logits)
        };
        let done = workers::each(threads, problems.iter().zip(starts).collect(), work);
        let mut scores = Array2::from_elem((n, classes), f64::NEG_INFINITY);
        for ((rows, problem), (_, logits)) in folds.members.iter().zip(&problems).zip(&done) {
            for &i in rows {
                for c in (0..classes).filter(|&c| problem.totals[c] > 0.0) {
                    scores[(i, c)] = logits[(c, i)];
                }
            }
        }
        Ok((done.into_iter().map(|(fit, _)| fit).collect(), scores))
    };
    let unit = coordinates.unit * coordinates.unit;
    let found = match lambda {
        Some(lambda) => (lambda / unit, None),
        None if coordinates.is_principal() => walk(coordinates.mean_value, &problems, labels, refit)?,
        None => {
            let mut sum = 0;
            let enough = folds.members.iter().position(|rows| {
                sum += rows.len();
                sum >= RANKED
            });
            let ranked = enough.map_or(folds.members.len(), |last| last + 1);
            let rows = folds.members[..ranked].concat();
            let of_rows: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            let mut fits: Vec<Parameters> = problems[..ranked].iter().map(Problem::start).collect();
            let at = |index: usize| coordinates.mean_value * 10_f64.powf(1.5 - 0.3 * index as f64);
            let mut near = None;
            let best = search(SEARCHED, Reach::Downhill(START), |index| {
                let scores;
                (fits, scores) = refit(&fits, at(index))?;
                Ok(calibration::loss(scores.select(Axis(0), &rows).view(), &of_rows, &mut near))
            })?;
            (at(best), None)
        }
    };
    let (lambda, known) = found;
    let start = known.as_ref().map_or_else(|| whole.start(), |(start, _): &(Parameters, _)| start.clone());
    let fine = if T::EPSILON > f64::EPSILON { FINE_SINGLE } else { FINE };
    let fit = whole.minimise(start, lambda, &coordinates.inverse(lambda, classes)?, fine);
    let scores = match known {
        Some((_, scores)) => scores,
        None => refit(&problems.iter().map(|problem| problem.near(&fit)).collect::<Vec<_>>(), lambda)?.1,
    };
    let (weights, intercept) = fit.split_at(whole.split());
    let rank = coordinates.rows.nrows();
    let weights = coordinates.lift(Mat::from_fn(rank, classes, |j, c| weights[c * rank + j]));
    let weights = Array2::from_shape_fn((classes, samples.dim()), |(c, j)| weights[(j, c)]);
    let bias = Array1::from(intercept.to_vec()) - weights.dot(&Array1::from(coordinates.mean.to_vec()));
    let (form, lambda) = (Form::linear(weights, bias), Some(lambda * unit));
    Ok(Solution { kind: Kind::Logistic, form, scores, lambda, scale: None })
}

/// The best penalty of those walked along from large to small, where steps are cheap; with a fit there to start from, and
/// leave-out scores.
fn walk<T: Precision>(
    mean_value: f64,
    problems: &[Problem<'_, '_, T>],
    labels: &[usize],
    refit: impl Fn(&[Parameters], f64) -> Result<(Vec<Parameters>, Array2<f64>), IllConditioned>,
) -> Result<Found, IllConditioned> {
    let mut fits: Vec<Parameters> = problems.iter().map(Problem::start).collect();
    let (mut near, mut least, mut worse) = (None, f64::INFINITY, 0);
    let mut best = (mean_value, None);
    for lambda in (0..WALKED).map(|k| mean_value * 10_f64.powf(1.5 - 0.5 * k as f64)) {
        let scores;
        (fits, scores) = refit(&fits, lambda)?;
        let loss = calibration::loss(scores.view(), labels, &mut near);
        if best.1.is_none() || loss < least - TIE {
            (least, worse) = (loss, 0);
            best = (lambda, fits.first().map(|fit| (fit.clone(), scores)));
        } else {
            worse += 1;
            if worse == PATIENCE {
                break;
            }
        }
    }
    Ok(best)
}

/// The samples some fit sees.
struct Problem<'a, 'c, T: Clone> {
    labels: &'a [usize],
    coordinates: &'a Coordinates<'c, T>,
    /// How much each sample counts, `[n]`; 0 for those it does not see.
    weights: Vec<f64>,
    /// Their sums per class, `[classes]`.
    totals: Vec<f64>,
}

impl<'a, 'c, T: Precision> Problem<'a, 'c, T> {
    fn new(
        labels: &'a [usize],
        classes: usize,
        coordinates: &'a Coordinates<'c, T>,
        weight: &dyn Fn(usize) -> f64,
    ) -> Self {
        let weights: Vec<f64> = (0..labels.len()).map(weight).collect();
        let mut totals = vec![0.0; classes];
        for (&label, weight) in labels.iter().zip(&weights) {
            totals[label] += weight;
        }
        Self { labels, coordinates, weights, totals }
    }

    /// Where the intercept begins.
    fn split(&self) -> usize {
        self.coordinates.rows.nrows() * self.totals.len()
    }

    fn total(&self) -> f64 {
        self.totals.iter().sum()
    }

    /// No weights; the intercept that gives the classes' shares, next to nothing for classes not seen.
    fn start(&self) -> Parameters {
        let mut start = vec![0.0; self.split()];
        start.extend(self.totals.iter().map(|total| (total.max(1e-12) / self.total()).ln()));
        start
    }

    /// Where a fit that saw more ended, but for classes not seen.
    fn near(&self, other: &[f64]) -> Parameters {
        let mut start = self.start();
        let split = self.split();
        start[..split].copy_from_slice(&other[..split]);
        for c in (0..self.totals.len()).filter(|&c| self.totals[c] > 0.0) {
            start[split + c] = other[split + c];
        }
        start
    }

    /// Logits of all samples, `[classes, n]`.
    fn logits(&self, at: &[f64]) -> Mat<f64> {
        let Coordinates { rows, over, .. } = self.coordinates;
        let (weights, intercept) = at.split_at(self.split());
        let weights = MatRef::from_column_major_slice(weights, rows.nrows(), self.totals.len());
        let weights = Mat::from_fn(rows.nrows(), self.totals.len(), |j, c| T::of(weights[(j, c)]));
        let mut logits = Mat::<T>::zeros(self.totals.len(), self.weights.len());
        matmul(logits.as_mut(), Accum::Replace, weights.transpose(), &**rows, T::of(1.0), Par::Seq);
        Mat::from_fn(self.totals.len(), self.weights.len(), |c, i| {
            let logit: f64 = logits[(c, i)].into();
            logit * over.as_ref().map_or(1.0, |over| over[i]) + intercept[c]
        })
    }

    /// The gradient at logits; `residuals` `[classes, n]` is room for what it is made of, so that it is allocated once.
    fn gradient(&self, at: &[f64], logits: &Mat<f64>, residuals: &mut Mat<T>, lambda: f64) -> Vec<f64> {
        let Coordinates { rows, over, .. } = self.coordinates;
        let (rank, classes) = (rows.nrows(), self.totals.len());
        let mut gradient = vec![0.0; at.len()];
        let mut p = vec![0.0; classes];
        for (i, (&weight, &label)) in self.weights.iter().zip(self.labels).enumerate() {
            let residual = residuals.col_as_slice_mut(i);
            if weight <= 0.0 {
                residual.fill(T::of(0.0));
                continue;
            }
            p.copy_from_slice(logits.col_as_slice(i));
            crate::softmax(&mut p, 1.0);
            p[label] -= 1.0;
            let over = weight * over.as_ref().map_or(1.0, |over| over[i]);
            for (r, p) in residual.iter_mut().zip(&p) {
                *r = T::of(over * p);
            }
            axpy(&mut gradient[rank * classes..], weight, &p);
        }
        let mut of_weights = Mat::<T>::zeros(rank, classes);
        matmul(of_weights.as_mut(), Accum::Replace, &**rows, residuals.transpose(), T::of(1.0), Par::Seq);
        let split = self.split();
        for (c, to) in gradient[..split].chunks_exact_mut(rank.max(1)).enumerate() {
            for (to, from) in to.iter_mut().zip(of_weights.col_as_slice(c)) {
                *to = (*from).into();
            }
        }
        axpy(&mut gradient[..split], lambda, &at[..split]);
        gradient
    }

    /// Minimises from a starting point until the squared Newton decrement is below `tolerance` per sample.
    fn minimise(&self, mut at: Parameters, lambda: f64, inverse: &Inverse<T>, tolerance: f64) -> Parameters {
        let (n, classes, split) = (self.total(), self.totals.len(), self.split());
        // What the Hessian would be at even probabilities.
        let guess = |gradient: &mut [f64]| {
            let (weights, intercept) = gradient.split_at_mut(split);
            inverse.apply(weights);
            for g in intercept {
                *g *= classes as f64 / n;
            }
        };
        let mut memory = Memory::default();
        let mut logits = self.logits(&at);
        let mut residuals = Mat::zeros(classes, self.weights.len());
        let mut gradient = self.gradient(&at, &logits, &mut residuals, lambda);
        for _ in 0..STEPS {
            let direction = memory.direction(&gradient, guess);
            let slope = dot(&gradient, &direction);
            if slope.is_nan() || -slope <= tolerance * n {
                break;
            }
            let along = self.logits(&direction);
            let length = dot(&direction[..split], &direction[..split]);
            let bend = [dot(&at[..split], &direction[..split]), length];
            let t = self.line_search(&logits, &along, bend.map(|b| lambda * b));
            axpy(&mut at, t, &direction);
            let mut moved = 0.0;
            for (i, weight) in self.weights.iter().enumerate() {
                let along = along.col_as_slice(i);
                axpy(logits.col_as_slice_mut(i), t, along);
                moved += weight * dot(along, along);
            }
            let next = self.gradient(&at, &logits, &mut residuals, lambda);
            let change = next.iter().zip(&gradient).map(|(a, b)| a - b).collect();
            // The step's square in the guessed Hessian.
            let square = t * t * (moved / classes as f64 + lambda * length);
            memory.learn(direction.iter().map(|d| t * d).collect(), change, square);
            gradient = next;
        }
        at
    }

    /// The step along a direction at which the loss, convex in it, is flat to a tenth: Newton's method, bracketed.
    /// `bend` is the penalty's slope at 0 and its curvature. Only logits are needed, so a trial costs O(n·classes).
    fn line_search(&self, logits: &Mat<f64>, along: &Mat<f64>, bend: [f64; 2]) -> f64 {
        let derivatives = |t: f64| {
            let (mut slope, mut curvature) = (bend[0] + t * bend[1], bend[1]);
            let mut p = vec![0.0; self.totals.len()];
            for (i, (&weight, &label)) in self.weights.iter().zip(self.labels).enumerate() {
                if weight > 0.0 {
                    let moves = along.col_as_slice(i);
                    p.copy_from_slice(logits.col_as_slice(i));
                    axpy(&mut p, t, moves);
                    crate::softmax(&mut p, 1.0);
                    let mean = dot(&p, moves);
                    slope += weight * (mean - moves[label]);
                    curvature += weight * p.iter().zip(moves).map(|(p, m)| p * (m - mean).powi(2)).sum::<f64>();
                }
            }
            (slope, curvature)
        };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut t = 1.0;
        let start = derivatives(0.0).0.abs();
        for _ in 0..20 {
            let (slope, curvature) = derivatives(t);
            if slope.abs() <= 0.1 * start {
                break;
            }
            if slope < 0.0 {
                low = t;
            } else {
                high = t;
            }
            let newton = t - slope / curvature;
            t = if newton > low && newton < high.min(10.0 * t) {
                newton
            } else if high.is_finite() {
                f64::midpoint(low, high)
            } else {
                4.0 * t
            };
        }
        t
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::{centred::Centred, solution::columns, spectrum::Spectrum};

    #[test]
    fn every_coordinates_have_the_same_solution() {
        for (n, dim) in [(60, 40), (40, 60)] {
            let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
            let x = Array2::from_shape_fn((n, dim), |(i, j)| {
                ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f32 / 1009.0 + 0.3 * f32::from(j % 3 == labels[i])
            });
            let groups: Vec<usize> = (0..n).collect();
            let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap();
            let weights: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.5 } else { 1.5 }).collect();
            let folds = LeaveOut::new(&samples).folds(&samples, 10, 0);
            let spectrum = Spectrum::new(columns(&samples), weights.clone()).unwrap();
            let single = Centred::<f32>::new(&samples, weights, 1);
            let lambda = Some(0.5);
            let a = solve(&samples, &folds, &Coordinates::principal(&spectrum), lambda, 1).unwrap();
            let b = solve(&samples, &folds, &Coordinates::new(&single, 1).unwrap(), lambda, 2).unwrap();
            let scale = a.scores.iter().fold(1.0_f64, |scale, s| scale.max(s.abs()));
            assert!((&a.scores - &b.scores).iter().all(|d| d.abs() < 5e-3 * scale), "{n} {dim}");
            let (a, b) = (&a.linear().unwrap().weights, &b.linear().unwrap().weights);
            let scale = a.iter().fold(0.0_f64, |scale, w| scale.max(w.abs()));
            assert!((a - b).iter().all(|d| d.abs() < 5e-3 * scale), "{n} {dim}");
            // Searched for, the penalty is about the one that is walked to.
            let [a, b] = [
                solve(&samples, &folds, &Coordinates::principal(&spectrum), None, 1).unwrap(),
                solve(&samples, &folds, &Coordinates::new(&single, 1).unwrap(), None, 1).unwrap(),
            ]
            .map(|solution| calibration::loss(solution.scores.view(), &labels, &mut None));
            assert!(b < a + 0.03, "{n} {dim}: {a} {b}");
        }
    }
}
