//! Multinomial logistic regression with an L2 penalty, chosen by cross-validation over groups.
//! Knows nothing of features: it works on the samples' principal coordinates, where the solution is the same and the
//! problem at most `n` wide.
//!
//! Minimises `Σᵢ -wᵢ ln softmax(V zᵢ + b)[yᵢ] + λ/2 ‖V‖²` with a free intercept: scikit-learn's `LogisticRegression` at
//! `C = 1/λ` (`2/λ` for two classes, where it penalises one vector for two). At small weights the Hessian in principal
//! coordinates is diagonal, `values/classes + λ` (Böhning 1992), so L-BFGS starts from that and needs tens of steps
//! where plain coordinates need hundreds.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use ndarray::{Array1, Array2};

use crate::{
    Form, Kind, Samples, Solution, calibration,
    dot::dot,
    lbfgs::{Memory, axpy},
    leave_out::LeaveOut,
    spectrum::Spectrum,
};

/// Penalties tried, in units of the mean eigenvalue: 10 from 10^1.5 down to 10^-3.
const PATH: usize = 10;
/// The path ends when so many penalties in a row did no better than the best.
const PATIENCE: usize = 2;
/// Losses closer than this are equal, and the larger penalty wins.
const TIE: f64 = 1e-6;
/// Squared Newton decrement per sample, in nats, at which a fit ends: for folds and for the head.
const ROUGH: f64 = 1e-7;
const FINE: f64 = 1e-12;
/// Steps at most.
const STEPS: usize = 300;

/// Weights on principal coordinates `[rank, classes]`, column by column, then the intercept `[classes]`.
type Parameters = Vec<f64>;

/// Solves at `lambda`, or where there is none at the best of the path. Leave-out scores are those of fits without each
/// group of `folds`.
/// O(n·rank·classes) per step.
pub(crate) fn solve(
    samples: &Samples<'_>,
    folds: &LeaveOut,
    spectrum: &Spectrum,
    lambda: Option<f64>,
    threads: usize,
) -> Solution {
    let (n, classes) = (samples.rows(), samples.classes());
    // Principal coordinates are of weighted samples; here the weight is that of a sample's loss.
    let unweighted = spectrum.unweighted();
    let rows = unweighted.as_ref().unwrap_or(&spectrum.rows);
    let fold_of = &folds.of;
    let problems: Vec<Problem<'_>> = (0..folds.members.len())
        .map(|fold| {
            let weight = |i: usize| if fold_of[i] == fold { 0.0 } else { spectrum.weights[i] };
            Problem::new(samples.labels(), classes, rows, &spectrum.values, weight)
        })
        .collect();
    let mut fits: Vec<Parameters> = problems.iter().map(Problem::start).collect();
    let lambdas = match lambda {
        Some(lambda) => vec![lambda],
        None => (0..PATH).map(|k| spectrum.mean_value * 10_f64.powf(1.5 - 0.5 * k as f64)).collect(),
    };
    let mut near = None;
    let mut best: Option<(f64, f64, Array2<f64>, Parameters)> = None;
    let mut worse = 0;
    for lambda in lambdas {
        advance(&problems, &mut fits, lambda, threads);
        let mut scores = Array2::from_elem((n, classes), f64::NEG_INFINITY);
        for (fold, (problem, fit)) in problems.iter().zip(&fits).enumerate() {
            let logits = problem.logits(fit);
            for i in (0..n).filter(|&i| fold_of[i] == fold) {
                for c in (0..classes).filter(|&c| problem.totals[c] > 0.0) {
                    scores[(i, c)] = logits[(c, i)];
                }
            }
        }
        let loss = calibration::loss(scores.view(), samples.labels(), &mut near);
        if best.as_ref().is_none_or(|(least, ..)| loss < least - TIE) {
            best = Some((loss, lambda, scores, fits.first().cloned().unwrap_or_default()));
            worse = 0;
        } else {
            worse += 1;
            if worse == PATIENCE {
                break;
            }
        }
    }
    let (_, lambda, scores, start) = best.unwrap_or((0.0, 1.0, Array2::zeros((n, classes)), Vec::new()));
    let whole = Problem::new(samples.labels(), classes, rows, &spectrum.values, |i| spectrum.weights[i]);
    let fit = whole.minimise(start, lambda, FINE);
    let (weights, intercept) = fit.split_at(whole.split());
    let weights = spectrum.lift(Mat::from_fn(rows.nrows(), classes, |j, c| weights[c * rows.nrows() + j]));
    let weights = Array2::from_shape_fn((classes, samples.dim()), |(c, j)| weights[(j, c)]);
    let bias = Array1::from(intercept.to_vec()) - weights.dot(&Array1::from(spectrum.mean.clone()));
    Solution { kind: Kind::Logistic, form: Form::linear(weights, bias), scores, lambda: Some(lambda), scale: None }
}

/// Takes each fold's fit to a penalty, from where it is, on as many threads as allowed.
fn advance(problems: &[Problem<'_>], fits: &mut [Parameters], lambda: f64, threads: usize) {
    let share = problems.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        for (problems, fits) in problems.chunks(share).zip(fits.chunks_mut(share)) {
            let work = move || {
                for (problem, fit) in problems.iter().zip(fits) {
                    *fit = problem.minimise(std::mem::take(fit), lambda, ROUGH);
                }
            };
            if share == problems.len() && threads <= 1 {
                work();
            } else {
                scope.spawn(work);
            }
        }
    });
}

/// The samples some fit sees.
struct Problem<'a> {
    labels: &'a [usize],
    rows: &'a Mat<f64>,
    values: &'a [f64],
    /// How much each sample counts, `[n]`; 0 for those it does not see.
    weights: Vec<f64>,
    /// Their sums per class, `[classes]`.
    totals: Vec<f64>,
}

impl<'a> Problem<'a> {
    fn new(
        labels: &'a [usize],
        classes: usize,
        rows: &'a Mat<f64>,
        values: &'a [f64],
        weight: impl Fn(usize) -> f64,
    ) -> Self {
        let weights: Vec<f64> = (0..labels.len()).map(weight).collect();
        let mut totals = vec![0.0; classes];
        for (&label, weight) in labels.iter().zip(&weights) {
            totals[label] += weight;
        }
        Self { labels, rows, values, weights, totals }
    }

    /// Where the intercept begins.
    fn split(&self) -> usize {
        self.values.len() * self.totals.len()
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

    /// Logits of all samples, `[classes, n]`.
    fn logits(&self, at: &[f64]) -> Mat<f64> {
        let (weights, intercept) = at.split_at(self.split());
        let weights = faer::MatRef::from_column_major_slice(weights, self.values.len(), self.totals.len());
        let mut logits = Mat::from_fn(self.totals.len(), self.weights.len(), |c, _| intercept[c]);
        matmul(logits.as_mut(), Accum::Add, weights.transpose(), self.rows, 1.0, Par::Seq);
        logits
    }

    /// The gradient at logits: also the residuals' place, `[classes, n]`, so that it is allocated once.
    fn gradient(&self, at: &[f64], logits: &Mat<f64>, residuals: &mut Mat<f64>, lambda: f64) -> Vec<f64> {
        let (rank, classes) = (self.values.len(), self.totals.len());
        let mut gradient = vec![0.0; at.len()];
        for (i, (&weight, &label)) in self.weights.iter().zip(self.labels).enumerate() {
            let residual = residuals.col_as_slice_mut(i);
            if weight <= 0.0 {
                residual.fill(0.0);
                continue;
            }
            residual.copy_from_slice(logits.col_as_slice(i));
            crate::softmax(residual, 1.0);
            residual[label] -= 1.0;
            for r in residual.iter_mut() {
                *r *= weight;
            }
            axpy(&mut gradient[rank * classes..], 1.0, residual);
        }
        let (weights, _) = gradient.split_at_mut(rank * classes);
        let weights = faer::MatMut::from_column_major_slice_mut(weights, rank, classes);
        matmul(weights, Accum::Replace, self.rows, residuals.transpose(), 1.0, Par::Seq);
        let split = self.split();
        axpy(&mut gradient[..split], lambda, &at[..split]);
        gradient
    }

    /// Minimises from a starting point until the squared Newton decrement is below `tolerance` per sample.
    fn minimise(&self, mut at: Parameters, lambda: f64, tolerance: f64) -> Parameters {
        let (n, classes, split) = (self.total(), self.totals.len(), self.split());
        // An inverse Hessian at even probabilities, for the share of weight seen.
        let share = n / self.weights.len() as f64 / classes as f64;
        let per_axis: Vec<f64> = self.values.iter().map(|value| 1.0 / (share * value + lambda)).collect();
        let mut diagonal: Vec<f64> = per_axis.iter().copied().cycle().take(split).collect();
        diagonal.resize(at.len(), classes as f64 / n);
        let mut memory = Memory::default();
        let mut logits = self.logits(&at);
        let mut residuals = Mat::zeros(classes, self.weights.len());
        let mut gradient = self.gradient(&at, &logits, &mut residuals, lambda);
        for _ in 0..STEPS {
            let direction = memory.direction(&gradient, &diagonal);
            let slope = dot(&gradient, &direction);
            if slope.is_nan() || -slope <= tolerance * n {
                break;
            }
            let along = self.logits(&direction);
            let bend = [dot(&at[..split], &direction[..split]), dot(&direction[..split], &direction[..split])];
            let t = self.line_search(&logits, &along, bend.map(|b| lambda * b));
            axpy(&mut at, t, &direction);
            for i in 0..self.weights.len() {
                axpy(logits.col_as_slice_mut(i), t, along.col_as_slice(i));
            }
            let next = self.gradient(&at, &logits, &mut residuals, lambda);
            let change = next.iter().zip(&gradient).map(|(a, b)| a - b).collect();
            memory.learn(direction.iter().map(|d| t * d).collect(), change);
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
