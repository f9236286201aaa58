//! Ridge regression on one-hot targets, with the penalty chosen by exact leave-one-group-out.
//! Knows nothing of probabilities but the calibrated log-loss that ranks penalties.
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ - W xᵢ - b‖² + λ‖W‖²` (the intercept is free).

use faer::{Mat, MatRef};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::{
    Form, Kind, Samples, Solution, calibration,
    centred::{Centred, NEXT, System, times},
    expansion::Expansion,
    leave_out::{LeaveOut, mark, unseen},
    penalised::{Batch, Errors, FINE, IllConditioned, Penalised, ROUGH},
    precision::Precision,
    search::{Reach, descend, search},
};

/// Penalties on the path, in units of the mean eigenvalue: 22 from 10^2.5 down to 10^-3.8.
const PATH: usize = 22;
/// Where the search begins where it does not look everywhere and nothing is known: at 10^0.1.
pub(crate) const START: usize = 8;
/// Orders up to this are looked at everywhere: few samples have losses with more than one valley, and cost little.
const THOROUGH: usize = 256;
/// Samples that penalties are ranked on at least, in whole folds, where samples are more than components.
const RANKED: usize = 400;

/// Solves at `lambda`, or where there is none at the best of the path. Besides the solution, gives scores `[n, classes]`
/// with each sample's whole fold left out. O(order³) per penalty that is looked at and O(n·order²) once, with
/// `order = min(n, dim)`.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    centred: &Centred<T>,
    lambda: Option<f64>,
    threads: usize,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let problem = Problem::new(one_hot(samples.labels(), samples.classes()).view(), centred.system(threads));
    let batches = batches(leave_out, folds);
    let unseen = unseen(samples);
    let unit = centred.unit * centred.unit;
    // Where every class has a single sample no score is left to rank penalties by; this one is what few samples favour.
    let lambda = lambda.or_else(|| (unseen.len() == samples.rows()).then_some(centred.mean_value));
    let mut near = None;
    let mut loss = |by_group: Array2<f64>, ranked: &[Batch<'_>]| {
        let mut scores = by_group;
        mark(&mut scores, &unseen);
        let rows: Vec<usize> = ranked.iter().flat_map(Batch::rows).collect();
        let labels: Vec<usize> = rows.iter().map(|&row| samples.labels()[row]).collect();
        calibration::loss(scores.select(Axis(0), &rows).view(), &labels, &mut near)
    };
    // The last penalty that was factored, and what was whitened with it: neither is done again.
    let mut last = None;
    let order = problem.system.products.nrows();
    let lambda = match (lambda, problem.system.columns, &problem.moments) {
        (Some(lambda), ..) => lambda,
        (None, Some(columns), Some(moments)) if order > THOROUGH && Expansion::<T>::pays(leave_out) => {
            let ranked = ranked(&batches, order, samples.rows());
            let index = descend(PATH, start(&problem.system), |at| {
                let lambda = centred.penalty(at);
                let penalised = Penalised::new(problem.system, lambda / unit, 0)?;
                let targets = problem.targets.as_ref();
                let expansion = Expansion::new(&penalised, columns, ranked, targets, moments.as_ref());
                let mut losses = [0.0; 3];
                for (to, ratio) in losses.iter_mut().zip([NEXT, 1.0, 1.0 / NEXT]) {
                    let errors = expansion.errors(ratio * lambda / unit)?;
                    *to = loss(problem.predictions(ranked, &errors, false).0, ranked);
                }
                last = Some((lambda, penalised, expansion.whitened));
                Ok(losses)
            })?;
            centred.penalty(index)
        }
        _ => choose(centred, &batches, Reach::Downhill(START), |lambda, ranked| {
            let fit = problem.at(lambda / unit, ROUGH)?;
            let loss = loss(fit.left_out(ranked, false)?.0, ranked);
            last = Some((lambda, fit.penalised, Vec::new()));
            Ok(loss)
        })?,
    };
    let fit = match last {
        Some((at, penalised, whitened)) if at.to_bits() == lambda.to_bits() => {
            Fit { whitened, ..problem.solved(penalised, FINE)? }
        }
        _ => problem.at(lambda / unit, FINE)?,
    };
    let (mut scores, mut by_fold) = fit.left_out(&batches, true)?;
    mark(&mut scores, &unseen);
    mark(&mut by_fold, &unseen);
    let weights = centred.weights_of(fit.coefficients.as_ref());
    let weights = Array2::from_shape_fn((samples.classes(), samples.dim()), |(c, j)| weights[(j, c)]);
    let bias = &problem.mean - weights.dot(&Array1::from(centred.mean.clone()));
    let form = Form::linear(weights, bias);
    Ok((Solution { kind: Kind::Ridge, form, scores, lambda: Some(lambda), scale: None }, by_fold))
}

/// Where the least loss may be expected: the fewer directions hold the variance, the further below the mean eigenvalue. With
/// `r = (Σd)²/Σd²` of them among `order` eigenvalues d, within three penalties of TrashNet's, fsdd's and made up samples' (1,000
/// samples and more; 384, 640, 1,024 and 1,280 components).
fn start<T>(system: &System<'_, T>) -> usize {
    let order = system.products.nrows();
    let trace: f64 = (0..order).map(|j| system.products[(j, j)]).sum();
    let directions = trace * trace / system.products.squared_norm_l2();
    let below = (order as f64 / directions).log(NEXT);
    // Not a number where there is no variance.
    (2.6 + 1.5 * below).round().clamp(0.0, PATH as f64) as usize
}

/// The penalty of the path with the least loss on some batches.
pub(crate) fn choose<T: Precision>(
    centred: &Centred<T>,
    batches: &[Batch<'_>],
    reach: Reach,
    mut loss: impl FnMut(f64, &[Batch<'_>]) -> Result<f64, IllConditioned>,
) -> Result<f64, IllConditioned> {
    let (dim, n) = centred.columns.shape();
    let order = n.min(dim);
    let ranked = ranked(batches, order, n);
    let reach = if order <= THOROUGH { Reach::Thorough } else { reach };
    search(PATH, reach, |index| loss(centred.penalty(index), ranked)).map(|index| centred.penalty(index))
}

/// The batches that penalties are ranked on, of `n` samples in a system of some order.
pub(crate) fn ranked<'b, 'a>(batches: &'b [Batch<'a>], order: usize, n: usize) -> &'b [Batch<'a>] {
    if n <= order {
        return batches;
    }
    let mut sum = 0;
    let enough = batches.iter().position(|batch| {
        sum += batch.groups.iter().map(|group| group.len()).sum::<usize>();
        sum >= RANKED
    });
    &batches[..enough.map_or(batches.len(), |last| last + 1)]
}

/// Folds and the groups in them.
pub(crate) fn batches<'a>(leave_out: &'a LeaveOut, folds: &LeaveOut) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = folds.members.iter().map(|_| Batch { groups: Vec::new() }).collect();
    for group in &leave_out.members {
        batches[folds.of[group[0]]].groups.push(group);
    }
    batches
}

/// 1 where a sample is of the class, else 0, `[n, classes]`.
pub(crate) fn one_hot(labels: &[usize], classes: usize) -> Array2<f64> {
    Array2::from_shape_fn((labels.len(), classes), |(i, c)| f64::from(labels[i] == c))
}

/// Least squares on any targets: what all penalties share.
pub(crate) struct Problem<'a, T> {
    system: System<'a, T>,
    /// Weighted mean of the targets, `[classes]`.
    pub(crate) mean: Array1<f64>,
    /// Weighted, centred targets, `[n, classes]`.
    pub(crate) targets: Mat<f64>,
    /// The right side of the normal equations, `[order, classes]`; none where it is the targets.
    pub(crate) moments: Option<Mat<f64>>,
}

/// A problem solved at one penalty.
pub(crate) struct Fit<'p, 'a, T> {
    problem: &'p Problem<'a, T>,
    pub(crate) penalised: Penalised<'a, T>,
    /// `[order, classes]`, in the system's units.
    pub(crate) coefficients: Mat<f64>,
    /// What [`Penalised::errors`] need not do of the first batches.
    whitened: Vec<Mat<T>>,
}

impl<'a, T: Precision> Problem<'a, T> {
    /// Takes targets `[n, classes]`. O(n·dim·classes).
    pub(crate) fn new(targets: ArrayView2<'_, f64>, system: System<'a, T>) -> Self {
        let (n, classes) = targets.dim();
        let mut mean = Array1::zeros(classes);
        for (row, w) in targets.outer_iter().zip(system.weights) {
            for (mean, target) in mean.iter_mut().zip(row) {
                *mean += w / n as f64 * target;
            }
        }
        let targets = Mat::from_fn(n, classes, |i, c| system.weights[i].sqrt() * (targets[(i, c)] - mean[c]));
        let moments = system.columns.map(|columns| times(columns, targets.as_ref()));
        Self { system, mean, targets, moments }
    }

    /// Solves at a penalty in the system's units, to a `tolerance`.
    pub(crate) fn at(&self, lambda: f64, tolerance: f64) -> Result<Fit<'_, 'a, T>, IllConditioned> {
        self.at_from(lambda, tolerance, 0)
    }

    /// The same for who leaves out only samples `from` one on, where the system is one of samples.
    pub(crate) fn at_from(&self, lambda: f64, tolerance: f64, from: usize) -> Result<Fit<'_, 'a, T>, IllConditioned> {
        self.solved(Penalised::new(self.system, lambda, from)?, tolerance)
    }

    /// The same of what was factored already.
    fn solved(&self, penalised: Penalised<'a, T>, tolerance: f64) -> Result<Fit<'_, 'a, T>, IllConditioned> {
        let right: MatRef<'_, f64> = self.moments.as_ref().unwrap_or(&self.targets).as_ref();
        let coefficients = penalised.solve(right, tolerance)?;
        Ok(Fit { problem: self, penalised, coefficients, whitened: Vec::new() })
    }

    /// What leave-out errors make of the targets, `[n, classes]`, with each group left out; and with each batch left out if
    /// `whole`. Samples of no batch are 0.
    fn predictions(&self, batches: &[Batch<'_>], errors: &[Errors], whole: bool) -> (Array2<f64>, Array2<f64>) {
        let Self { system, mean, targets, .. } = self;
        let mut by_group = Array2::zeros(targets.shape());
        let mut by_batch = Array2::zeros(if whole { targets.shape() } else { (0, 0) });
        for (batch, errors) in batches.iter().zip(errors) {
            for (a, i) in batch.groups.iter().copied().flatten().copied().enumerate() {
                let root = system.weights[i].sqrt();
                for c in 0..targets.ncols() {
                    by_group[(i, c)] = mean[c] + (targets[(i, c)] - errors.by_group[(a, c)]) / root;
                    if let Some(errors) = &errors.by_batch {
                        by_batch[(i, c)] = mean[c] + (targets[(i, c)] - errors[(a, c)]) / root;
                    }
                }
            }
        }
        (by_group, by_batch)
    }
}

impl<T: Precision> Fit<'_, '_, T> {
    /// Leave-out predictions of the targets, `[n, classes]`, with each group left out; and with each batch left out if
    /// `whole`. Samples of no batch are 0.
    pub(crate) fn left_out(
        &self,
        batches: &[Batch<'_>],
        whole: bool,
    ) -> Result<(Array2<f64>, Array2<f64>), IllConditioned> {
        let (targets, coefficients) = (self.problem.targets.as_ref(), self.coefficients.as_ref());
        let errors = self.penalised.errors(batches, &self.whitened, whole, targets, coefficients)?;
        Ok(self.problem.predictions(batches, &errors, whole))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn one_look_tells_of_its_neighbours_what_looking_at_them_would() {
        let (n, dim) = (1000, 300);
        let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let mut x = Array2::from_shape_fn((n, dim), |(i, j)| {
            ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f32 / 1009.0 + 0.05 * f32::from(j % 3 == labels[i])
        });
        // Groups of one, two and three samples; some of them hold the same picture twice.
        let groups: Vec<usize> = (0..n).map(|i| i / 6 * 3 + [0, 1, 1, 2, 2, 2][i % 6]).collect();
        for i in (5..n).step_by(12) {
            let twin = x.row(i - 1).to_owned();
            x.row_mut(i).assign(&twin);
        }
        let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap();
        let leave_out = LeaveOut::new(&samples);
        let folds = leave_out.folds(&samples, 10, 0);
        let centred = Centred::<f32>::new(&samples, vec![1.0; n], 1);
        let loss = |lambda: Option<f64>| {
            let (solution, _) = solve(&samples, &leave_out, &folds, &centred, lambda, 2).unwrap();
            calibration::loss(solution.scores.view(), &labels, &mut None)
        };
        let least = (0..PATH).step_by(2).map(|index| loss(Some(centred.penalty(index)))).fold(f64::INFINITY, f64::min);
        assert!(Expansion::<f32>::pays(&leave_out) && dim > THOROUGH);
        assert!(loss(None) < least + 0.005, "{} {least}", loss(None));

        let problem = Problem::new(one_hot(&labels, 3).view(), centred.system(1));
        let batches = batches(&leave_out, &folds);
        let at = |index: usize| centred.penalty(index) / (centred.unit * centred.unit);
        for looked in [4, 8, 12] {
            let penalised = Penalised::new(problem.system, at(looked), 0).unwrap();
            let (columns, right) = (problem.system.columns.unwrap(), problem.moments.as_ref().unwrap());
            let expansion = Expansion::new(&penalised, columns, &batches, problem.targets.as_ref(), right.as_ref());
            for (index, bound) in (looked - 2..=looked + 2).zip([0.02, 0.002, 1e-4, 0.002, 0.02]) {
                let exact = problem.at(at(index), FINE).unwrap().left_out(&batches, false).unwrap().0;
                let errors = expansion.errors(at(index)).unwrap();
                let told = problem.predictions(&batches, &errors, false).0;
                let worst = (&told - &exact).iter().fold(0.0_f64, |worst, error| worst.max(error.abs()));
                assert!(worst < bound, "{looked} {index}: {worst}");
            }
        }
    }
}
