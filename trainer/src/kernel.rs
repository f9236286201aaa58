//! Kernel ridge regression on one-hot targets with the Gaussian kernel `exp(-γ‖x - x'‖²)`: [`ridge`](crate::ridge) in its
//! feature space, by the same closed forms. Saunders, Gammerman and Vovk 1998, "Ridge Regression Learning Algorithm in Dual
//! Variables".
//!
//! Up to [`EXACT`] samples the solution is exact: the centred kernel matrix stands where the products of samples with each
//! other stand in ridge, intercept and leave-one-group-out included. Beyond, the kernel is that of [`LANDMARKS`] samples, as
//! many of each class as there are (Williams and Seeger 2001, "Using the Nyström Method to Speed Up Kernel Machines"):
//! leave-out then leaves out what a sample's label said, while landmarks, which have no labels, stay.
//!
//! Widths are multiples of `1 / (2·variance)`, scikit-learn's `gamma="scale"` being 2 of them.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use ndarray::{Array1, Array2, Axis};

use crate::{
    Form, Kernel, Kind, Samples, Solution, calibration,
    centred::{System, products},
    dot::dot,
    factor::Factor,
    leave_out::{LeaveOut, content_hash, mark, unseen},
    penalised::{FINE, IllConditioned, ROUGH},
    precision::Precision,
    ridge::{Problem, batches, one_hot},
    search::search,
    solution::columns,
};

/// Samples up to which the solution is exact. It takes `24·n²` bytes: 150 MB here.
pub const EXACT: usize = 2_500;
/// Support vectors of a head that was fitted on more. It takes `8·n·LANDMARKS` bytes.
pub const LANDMARKS: usize = 1_000;
/// Widths tried, and the one tried first.
const MULTIPLES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
const FIRST: usize = 2;
/// Penalties on the path, in units of the mean eigenvalue: 20 from 10^1.5 down to 10^-4.2.
const PATH: usize = 20;
/// Where the search begins: at 10^0.
const START: usize = 5;
/// Added to the diagonal of the landmarks' kernel matrix, which is 1: duplicates make it singular.
const JITTER: f64 = 1e-8;
/// Losses closer than this are equal.
const TIE: f64 = 1e-9;

/// Solves at a penalty and γ; at the best few of either where there is none, by leave-out log-loss. Besides the solution,
/// gives scores `[n, classes]` with each sample's whole fold left out. O(n²·dim + n³) per width and penalty looked at, but
/// O(n·m·(m + dim) + m³) with m landmarks.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    weights: &[f64],
    (lambda, gamma): (Option<f64>, Option<f64>),
    threads: usize,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let points = Points::new(samples);
    let (targets, batches, unseen) = (one_hot(samples), batches(leave_out, folds), unseen(samples));
    let mut near = None;
    // The best penalty of a width, its index on the path, and its loss.
    let mut look = |gamma: f64, start: usize| {
        let space = Space::<T>::new(&points, gamma, weights, threads);
        let problem = Problem::new(targets.view(), space.system(weights, threads));
        let mut loss = |lambda: f64| {
            let (mut scores, _) = problem.at(lambda, ROUGH)?.left_out(&batches, false)?;
            mark(&mut scores, &unseen);
            Ok(calibration::loss(scores.view(), samples.labels(), &mut near))
        };
        let at = |index: usize| space.mean_value * 10_f64.powf(1.5 - 0.3 * index as f64);
        let (index, lambda) = match lambda {
            Some(lambda) => (start, lambda),
            None => search(PATH, start, false, |index| loss(at(index))).map(|index| (index, at(index)))?,
        };
        Ok((gamma, lambda, index, loss(lambda)?))
    };
    let mut best = look(gamma.unwrap_or(MULTIPLES[FIRST] * points.unit), START)?;
    if gamma.is_none() {
        let (narrower, wider) = (FIRST + 1..MULTIPLES.len(), (0..FIRST).rev());
        for way in [narrower.collect::<Vec<_>>(), wider.collect()] {
            for index in way {
                let next = look(MULTIPLES[index] * points.unit, best.2)?;
                if next.3 >= best.3 - TIE {
                    break;
                }
                best = next;
            }
        }
    }
    let (gamma, lambda, ..) = best;
    let space = Space::<T>::new(&points, gamma, weights, threads);
    let problem = Problem::new(targets.view(), space.system(weights, threads));
    let fit = problem.at(lambda, FINE)?;
    let (mut scores, mut by_fold) = fit.left_out(&batches, true)?;
    mark(&mut scores, &unseen);
    mark(&mut by_fold, &unseen);
    let (coefficients, offset) = space.dual(fit.coefficients.as_ref(), weights);
    let form = Form::Kernel(Kernel {
        support: samples.features().select(Axis(0), &points.landmarks),
        quantisation: samples.quantisation(),
        coefficients,
        bias: &problem.mean - &offset,
        gamma,
    });
    Ok((Solution { kind: Kind::Kernel, form, scores, lambda: Some(lambda), scale: None }, by_fold))
}

/// Samples and those of them that the kernel is spanned by.
struct Points {
    /// Squared distances of landmarks to samples, `[m, n]`.
    distances: Mat<f64>,
    /// Rows of the landmarks; all of them where the solution is exact.
    landmarks: Vec<usize>,
    /// `1 / (2·variance)`, the sum of variances of all components; 1 where there is none.
    unit: f64,
}

impl Points {
    fn new(samples: &Samples<'_>) -> Self {
        let mut x = columns(samples);
        let (dim, n) = x.shape();
        let mut mean = vec![0.0; dim];
        for i in 0..n {
            mean.iter_mut().zip(x.col_as_slice(i)).for_each(|(m, x)| *m += x / n as f64);
        }
        // Nearer to 0 the products below cancel less.
        for i in 0..n {
            x.col_as_slice_mut(i).iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
        }
        let squares: Vec<f64> = (0..n).map(|i| dot(x.col_as_slice(i), x.col_as_slice(i))).collect();
        let variance = squares.iter().sum::<f64>() / n as f64;
        let unit = if variance > f64::MIN_POSITIVE { 0.5 / variance } else { 1.0 };
        let landmarks = if n <= EXACT { (0..n).collect() } else { landmarks(samples) };
        let own = Mat::from_fn(dim, landmarks.len(), |j, a| x[(j, landmarks[a])]);
        let mut distances = Mat::zeros(landmarks.len(), n);
        matmul(distances.as_mut(), Accum::Replace, own.transpose(), &x, -2.0, Par::Seq);
        for i in 0..n {
            for (distance, &row) in distances.col_as_slice_mut(i).iter_mut().zip(&landmarks) {
                *distance = if row == i { 0.0 } else { (*distance + squares[row] + squares[i]).max(0.0) };
            }
        }
        Self { distances, landmarks, unit }
    }
}

/// As many samples of each class, as far as they go, in an order that their content decides.
fn landmarks(samples: &Samples<'_>) -> Vec<usize> {
    let mut queues: Vec<Vec<usize>> = vec![Vec::new(); samples.classes()];
    for (row, &label) in samples.labels().iter().enumerate() {
        queues[label].push(row);
    }
    for queue in &mut queues {
        queue.sort_by_cached_key(|&row| content_hash(samples, row));
    }
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| queues.iter().filter_map(move |queue| queue.get(turn).copied()));
    turns.take(LANDMARKS).collect()
}

/// The kernel at one width, centred, in the form that ridge is solved from.
struct Space<T> {
    products: Mat<f64>,
    /// Samples in the space of the landmarks, `[m, n]`; none where all samples are landmarks.
    columns: Option<Mat<T>>,
    /// Mean of the kernel over samples, `[n]`, less its mean; with landmarks, the mean in their space, `[m]`.
    mean: Vec<f64>,
    /// Of the landmarks' kernel matrix.
    factor: Option<Factor<f64>>,
    mean_value: f64,
}

impl<T: Precision> Space<T> {
    fn new(points: &Points, gamma: f64, weights: &[f64], threads: usize) -> Self {
        let (m, n) = points.distances.shape();
        let mut kernel = Mat::from_fn(m, n, |a, i| (-gamma * points.distances[(a, i)]).exp());
        let average = |kernel: &Mat<f64>| {
            let mut mean = vec![0.0; m];
            for (i, w) in weights.iter().enumerate() {
                mean.iter_mut().zip(kernel.col_as_slice(i)).for_each(|(m, k)| *m += w / n as f64 * k);
            }
            mean
        };
        let space = if m == n {
            let mean = average(&kernel);
            let overall = mean.iter().zip(weights).map(|(m, w)| m * w / n as f64).sum::<f64>();
            for i in 0..n {
                for (a, k) in kernel.col_as_slice_mut(i).iter_mut().enumerate() {
                    *k = (weights[a] * weights[i]).sqrt() * (*k - mean[a] - mean[i] + overall);
                }
            }
            let mean = mean.iter().map(|m| m - overall).collect();
            Self { products: kernel, columns: None, mean, factor: None, mean_value: 0.0 }
        } else {
            let own = Mat::from_fn(m, m, |a, b| kernel[(a, points.landmarks[b])]);
            let factor = [JITTER, 1e-6, 1e-4, 1e-2].iter().find_map(|&jitter| Factor::new(&own, jitter, threads));
            if let Some(factor) = &factor {
                factor.whiten(kernel.as_mut());
            }
            let mean = average(&kernel);
            let columns = Mat::from_fn(m, n, |a, i| T::of(weights[i].sqrt() * (kernel[(a, i)] - mean[a])));
            let products = products(columns.as_ref(), threads);
            Self { products, columns: Some(columns), mean, factor, mean_value: 0.0 }
        };
        let trace: f64 = (0..m).map(|j| space.products[(j, j)]).sum();
        let mean_value = if trace > f64::MIN_POSITIVE { trace / m as f64 } else { 1.0 };
        Self { mean_value, ..space }
    }

    fn system<'a>(&'a self, weights: &'a [f64], threads: usize) -> System<'a, T> {
        System { products: &self.products, columns: self.columns.as_ref().map(Mat::as_ref), weights, threads }
    }

    /// Coefficients `[classes, m]` of the kernel from those `[order, classes]` of the system, and what they say at the
    /// mean, `[classes]`.
    fn dual(&self, coefficients: MatRef<'_, f64>, weights: &[f64]) -> (Array2<f64>, Array1<f64>) {
        let (m, classes) = coefficients.shape();
        let mut dual = coefficients.to_owned();
        match &self.factor {
            Some(factor) => factor.unwhiten(dual.as_mut()),
            // Their weighted sum is 0, as that of the centred targets, so the kernel's own mean needs no term.
            None => dual = Mat::from_fn(m, classes, |a, c| weights[a].sqrt() * coefficients[(a, c)]),
        }
        let at_mean = if self.factor.is_some() { coefficients } else { dual.as_ref() };
        let offset = (0..classes).map(|c| (0..m).map(|a| self.mean[a] * at_mean[(a, c)]).sum()).collect();
        (Array2::from_shape_fn((classes, m), |(c, a)| dual[(a, c)]), offset)
    }
}
