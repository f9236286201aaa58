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
    centred::{Centred, ROWS, System, centre, mirror, products},
    dot::{axpy, dot},
    exp::exp,
    factor::Factor,
    leave_out::{LeaveOut, content_hash, mark, unseen},
    penalised::{Batch, FINE, IllConditioned, ROUGH},
    picked::Picked,
    precision::Precision,
    ridge::{Problem, batches, one_hot, ranked},
    search::{Reach, search},
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
/// With more samples than this, those that penalties are ranked on are searched alone first, then as many as this near what
/// they say; all of them only where the solution is not exact, as their system is another one.
const MANY: usize = 1_000;
/// Added to the diagonal of the landmarks' kernel matrix, which is 1: duplicates make it singular.
const JITTER: f64 = 1e-8;
/// Losses closer than this are equal.
const TIE: f64 = 1e-9;

/// Solves at a penalty and γ; at the best few of either where there is none, by leave-out log-loss. Besides the solution,
/// gives scores `[n, classes]` with each sample's whole fold left out. `shared` are the samples with equal weights where others
/// have use for them, too, and they are fewer than components. O(n²·dim + n³) per width and penalty looked at, but
/// O(n·m·(m + dim) + m³) with m landmarks.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    weights: &[f64],
    given: (Option<f64>, Option<f64>),
    shared: Option<&Centred<T>>,
    threads: usize,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let n = samples.rows();
    if n <= MANY {
        let task = Task { samples, leave_out, folds, weights, shared, threads, ranked: n };
        return task.solve(&task.points(), given, Known::Nothing);
    }
    // Those that penalties are ranked on go last: what is left out of the end needs only the end of an inverse. In whole
    // folds, as classes are spread evenly over them.
    let batches = batches(leave_out, folds);
    let size = |batches: &[Batch<'_>]| batches.iter().flat_map(|batch| &batch.groups).map(|group| group.len()).sum();
    let order: Vec<usize> = batches.iter().rev().flat_map(Batch::rows).collect();
    let looked: usize = size(ranked(&batches, 0, n));
    let some = (1..=batches.len()).map(|folds| size(&batches[..folds])).find(|&rows| rows >= MANY).unwrap_or(n);
    let part = Part::new(samples, leave_out, folds, weights, &order);
    let samples = part.picked.samples().ok_or(IllConditioned)?;
    let task = part.task::<T>(&samples, threads, looked);
    let points = task.points();
    let mut known = Known::Nothing;
    for few in [looked, some].into_iter().filter(|&few| few < n) {
        let part = Part::new(&samples, &part.leave_out, &part.folds, &part.weights, &(n - few..n).collect::<Vec<_>>());
        let found = part.picked.samples().and_then(|samples| {
            let task = part.task::<T>(&samples, threads, looked);
            let points = if n <= EXACT { points.last(few) } else { task.points() };
            task.find(&points, given, known).ok()
        });
        known = match found {
            Some(found) if few == some && n <= EXACT => Known::All(found),
            Some(found) => Known::Near(found),
            None => known,
        };
    }
    let (mut solution, by_fold) = task.solve(&points, given, known)?;
    let mut place = vec![0; n];
    order.iter().enumerate().for_each(|(at, &row)| place[row] = at);
    solution.scores = solution.scores.select(Axis(0), &place);
    Ok((solution, by_fold.select(Axis(0), &place)))
}

/// Some of the samples, and how they are left out.
struct Part {
    picked: Picked,
    weights: Vec<f64>,
    leave_out: LeaveOut,
    folds: LeaveOut,
}

impl Part {
    fn new(of: &Samples<'_>, leave_out: &LeaveOut, folds: &LeaveOut, weights: &[f64], rows: &[usize]) -> Self {
        let total: f64 = rows.iter().map(|&row| weights[row]).sum();
        let share = rows.len() as f64 / total;
        Self {
            picked: Picked::new(of, rows),
            weights: rows.iter().map(|&row| share * weights[row]).collect(),
            leave_out: leave_out.select(rows),
            folds: folds.select(rows),
        }
    }

    fn task<'t, 's, T>(&'t self, samples: &'t Samples<'s>, threads: usize, ranked: usize) -> Task<'t, 's, T> {
        let Self { leave_out, folds, weights, .. } = self;
        Task { samples, leave_out, folds, weights, shared: None, threads, ranked }
    }
}

/// What is solved.
struct Task<'a, 'b, T> {
    samples: &'a Samples<'b>,
    leave_out: &'a LeaveOut,
    folds: &'a LeaveOut,
    /// Mean 1, `[n]`.
    weights: &'a [f64],
    /// The samples with equal weights, where they are fewer than components.
    shared: Option<&'a Centred<T>>,
    threads: usize,
    /// How many samples penalties are ranked on: the last ones.
    ranked: usize,
}

/// A width and a penalty: places on their paths.
#[derive(Clone, Copy)]
struct Found {
    width: usize,
    index: usize,
}

/// What fewer samples say of the best width and penalty.
#[derive(Clone, Copy)]
enum Known {
    Nothing,
    /// They lie near these.
    Near(Found),
    /// These will do.
    All(Found),
}

impl<T: Precision> Task<'_, '_, T> {
    fn points(&self) -> Points {
        Points::new(self.samples, self.shared, self.threads)
    }

    fn solve(
        &self,
        points: &Points,
        given: (Option<f64>, Option<f64>),
        known: Known,
    ) -> Result<(Solution, Array2<f64>), IllConditioned> {
        let &Self { samples, leave_out, folds, weights, threads, .. } = self;
        let found = if let Known::All(found) = known { found } else { self.find(points, given, known)? };
        let gamma = given.1.unwrap_or(points.gamma(found.width));
        let space = Space::<T>::new(points, gamma, weights, threads);
        let lambda = given.0.unwrap_or(space.penalty(found.index));
        let targets = one_hot(samples.labels(), samples.classes());
        let problem = Problem::new(targets.view(), space.system(weights, threads));
        let fit = problem.at(lambda, FINE)?;
        let (mut scores, mut by_fold) = fit.left_out(&batches(leave_out, folds), true)?;
        let unseen = unseen(samples);
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

    /// The best width and penalty where they are not given.
    fn find(
        &self,
        points: &Points,
        (lambda, gamma): (Option<f64>, Option<f64>),
        known: Known,
    ) -> Result<Found, IllConditioned> {
        let &Self { samples, leave_out, folds, weights, threads, ranked, .. } = self;
        let (start, is_near) = match known {
            Known::Nothing => (Found { width: FIRST, index: START }, false),
            Known::Near(found) | Known::All(found) => (found, true),
        };
        if lambda.is_some() && gamma.is_some() {
            return Ok(start);
        }
        let n = samples.rows();
        let first = n - ranked;
        let targets = one_hot(samples.labels(), samples.classes());
        let batches = batches(leave_out, folds);
        let batches: Vec<Batch<'_>> =
            batches.into_iter().filter(|batch| batch.groups.iter().all(|g| g[0] >= first)).collect();
        let labels = &samples.labels()[first..];
        let unseen = unseen(samples);
        let mut temperature = None;
        // The best penalty of a width among those in reach, and its loss.
        let mut look = |width: usize, reach: Option<Reach>, index: usize| {
            let space = Space::<T>::new(points, gamma.unwrap_or(points.gamma(width)), weights, threads);
            let problem = Problem::new(targets.view(), space.system(weights, threads));
            let mut known: Vec<Option<f64>> = vec![None; PATH];
            let mut loss = |index: usize| {
                if let Some(loss) = known[index] {
                    return Ok(loss);
                }
                let fit = problem.at_from(lambda.unwrap_or(space.penalty(index)), ROUGH, first)?;
                let (mut scores, _) = fit.left_out(&batches, false)?;
                mark(&mut scores, &unseen);
                let loss = calibration::loss(scores.slice(ndarray::s![first.., ..]), labels, &mut temperature);
                known[index] = Some(loss);
                Ok(loss)
            };
            let index = match (lambda, reach) {
                (None, Some(reach)) => search(PATH, reach, loss)?,
                _ => loss(index).map(|_| index)?,
            };
            // What a parabola says is no worse than the best that was looked at.
            let least = known.iter().flatten().copied().fold(f64::INFINITY, f64::min);
            Ok((Found { width, index }, least))
        };
        let reach = if is_near { Reach::Near(start.index) } else { Reach::Downhill(start.index) };
        let (mut best, mut least) = look(start.width, Some(reach), start.index)?;
        if gamma.is_some() {
            return Ok(best);
        }
        let (narrower, wider) = (start.width + 1..MULTIPLES.len(), (0..start.width).rev());
        let ways = if is_near { vec![narrower.collect()] } else { vec![narrower.collect::<Vec<_>>(), wider.collect()] };
        for way in ways {
            for width in way {
                let reach = (!is_near).then_some(Reach::Downhill(best.index));
                let (next, loss) = look(width, reach, best.index)?;
                if loss >= least - TIE {
                    break;
                }
                (best, least) = (next, loss);
            }
        }
        Ok(best)
    }
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
    fn new<T: Precision>(samples: &Samples<'_>, shared: Option<&Centred<T>>, threads: usize) -> Self {
        let n = samples.rows();
        let own;
        let (x, unit) = if let Some(shared) = shared {
            (&shared.columns, shared.unit)
        } else {
            // Nearer to 0 the products below cancel less.
            let (columns, _, unit) = centre::<T>(samples, &vec![1.0; n]);
            own = columns;
            (&own, unit)
        };
        let dim = x.nrows();
        let squares: Vec<f64> = (0..n).map(|i| dot(x.col_as_slice(i), x.col_as_slice(i))).collect();
        let variance = unit * unit * squares.iter().sum::<f64>() / n as f64;
        let exact = n <= EXACT;
        let landmarks = if exact { (0..n).collect() } else { landmarks(samples) };
        let mut distances = if let Some(shared) = shared {
            shared.system(threads).products.clone()
        } else if exact {
            products(x.transpose(), ROWS, threads)
        } else {
            let own = Mat::from_fn(dim, landmarks.len(), |j, a| x[(j, landmarks[a])]);
            let mut products = Mat::<T>::zeros(landmarks.len(), n);
            matmul(products.as_mut(), Accum::Replace, own.transpose(), x, T::of(1.0), Par::Seq);
            Mat::from_fn(landmarks.len(), n, |a, i| products[(a, i)].into())
        };
        for i in 0..n {
            for (product, &row) in distances.col_as_slice_mut(i).iter_mut().zip(&landmarks) {
                let squared = unit * unit * (squares[row] + squares[i] - 2.0 * *product);
                *product = if row == i { 0.0 } else { squared.max(0.0) };
            }
        }
        let unit = if variance > f64::MIN_POSITIVE { 0.5 / variance } else { 1.0 };
        Self { distances, landmarks, unit }
    }

    /// Those of the last samples alone, where all are landmarks.
    fn last(&self, few: usize) -> Self {
        let first = self.distances.ncols() - few;
        let distances = self.distances.submatrix(first, first, few, few).to_owned();
        Self { distances, landmarks: (0..few).collect(), unit: self.unit }
    }

    /// γ of one of the widths.
    fn gamma(&self, width: usize) -> f64 {
        MULTIPLES[width] * self.unit
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
        let mut kernel = Mat::<f64>::zeros(m, n);
        for i in 0..n {
            // Both triangles of what is symmetric are the same.
            let first = if m == n { i } else { 0 };
            let distances = &points.distances.col_as_slice(i)[first..];
            let column = &mut kernel.col_as_slice_mut(i)[first..];
            for (to, distance) in column.iter_mut().zip(distances) {
                *to = -gamma * distance;
            }
            exp(column);
        }
        if m == n {
            mirror(&mut kernel);
        }
        let average = |kernel: &Mat<f64>| {
            let mut mean = vec![0.0; m];
            for (i, w) in weights.iter().enumerate() {
                axpy(&mut mean, w / n as f64, kernel.col_as_slice(i));
            }
            mean
        };
        let space = if m == n {
            let mean = average(&kernel);
            let overall = mean.iter().zip(weights).map(|(m, w)| m * w / n as f64).sum::<f64>();
            let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
            for i in 0..n {
                for ((k, root), mean_a) in kernel.col_as_slice_mut(i).iter_mut().zip(&roots).zip(&mean) {
                    *k = root * roots[i] * (*k - mean_a - mean[i] + overall);
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
            let products = products(columns.as_ref(), ROWS, threads);
            Self { products, columns: Some(columns), mean, factor, mean_value: 0.0 }
        };
        let trace: f64 = (0..m).map(|j| space.products[(j, j)]).sum();
        let mean_value = if trace > f64::MIN_POSITIVE { trace / m as f64 } else { 1.0 };
        Self { mean_value, ..space }
    }

    /// The penalty at an index of the path.
    fn penalty(&self, index: usize) -> f64 {
        self.mean_value * 10_f64.powf(1.5 - 0.3 * index as f64)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    /// Two overlapping heaps, in pairs.
    fn heaps(n: usize) -> (Array2<f32>, Vec<usize>, Vec<usize>) {
        let labels: Vec<usize> = (0..n).map(|i| i / 2 % 2).collect();
        let x = Array2::from_shape_fn((n, 4), |(i, j)| {
            let noise = ((i * 7919 + j * 104_729 + i * i * 31) % 1009) as f32 / 1009.0;
            noise + if labels[i] == 0 { 0.0 } else { 0.3 }
        });
        (x, labels, (0..n).map(|i| i / 2).collect())
    }

    #[test]
    fn many_samples_keep_their_order_and_their_scores() {
        let n = MANY + 40;
        let (x, labels, groups) = heaps(n);
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let leave_out = LeaveOut::new(&samples);
        let (folds, weights) = (leave_out.folds(&samples, 10, 0), vec![1.0; n]);
        let given = (Some(0.1), Some(2.0));
        let (got, by_fold) = solve::<f64>(&samples, &leave_out, &folds, &weights, given, None, 2).unwrap();
        let (leave_out, folds, weights) = (&leave_out, &folds, &weights[..]);
        let task =
            Task { samples: &samples, leave_out, folds, weights, shared: None::<&Centred<f64>>, threads: 1, ranked: n };
        let (expected, folds_expected) = task.solve(&task.points(), given, Known::Nothing).unwrap();
        for (a, b) in [(&got.scores, &expected.scores), (&by_fold, &folds_expected)] {
            assert!((a - b).iter().all(|d| d.abs() < 1e-8));
        }
        // Both say the same of a feature.
        let [a, b] =
            [&got, &expected].map(|solution| solution.form.narrow().logits(x.slice(ndarray::s![3..4, ..]), |_| 1.0));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
    }

    #[test]
    fn what_few_say_of_many_costs_next_to_nothing() {
        let n = MANY + 40;
        let (x, labels, groups) = heaps(n);
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let leave_out = LeaveOut::new(&samples);
        let (folds, weights) = (leave_out.folds(&samples, 10, 0), vec![1.0; n]);
        let loss = |solution: &Solution| calibration::loss(solution.scores.view(), &labels, &mut None);
        let (near, _) = solve::<f32>(&samples, &leave_out, &folds, &weights, (None, None), None, 2).unwrap();
        let (leave_out, folds, weights) = (&leave_out, &folds, &weights[..]);
        let task =
            Task { samples: &samples, leave_out, folds, weights, shared: None::<&Centred<f32>>, threads: 2, ranked: n };
        let (best, _) = task.solve(&task.points(), (None, None), Known::Nothing).unwrap();
        assert!(loss(&near) < loss(&best) + 0.005, "{} {}", loss(&near), loss(&best));
    }
}
