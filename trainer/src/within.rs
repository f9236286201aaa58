//! How samples scatter around their class means, as if alike for every class. Knows nothing of how a shrinkage is chosen.
//!
//! The covariance is `Σ = (1-α) S/n + α ν I`, with S the pooled scatter within classes, `ν = tr(S)/(n·dim)` and α the
//! shrinkage. With A the scatter around the common mean and `d_c` class means from there, `S = A - Σ m_c d_c d_cᵀ`, `m_c` a
//! class' weight; so with λ = αν n/(1-α), products in the metric of `(S + λI)⁻¹` follow from those in that of `(A + λI)⁻¹`, which
//! are ridge regression's hat matrix and fitted values, by Woodbury's identity (Golub and Van Loan 2013, eq. 2.1.4; Hastie,
//! Buja and Tibshirani 1995, "Penalized Discriminant Analysis", for the relation): with `M = [√m_c d_c]`, `E = Mᵀ(A + λI)⁻¹M`
//! and `R = (I - E)⁻¹`, those of means with means are `R - I`, of a sample with means `q R`, of samples `H + q R qᵀ`, where
//! q is the sample's product with M.
//!
//! A group is left out exactly: without it the scatter is `S - V N Vᵀ`, with V its samples' deviations from their class
//! means and `N = I + 11ᵀ/n'` for those of a class that keeps n' samples (each as much as it weighs), so that the inverse
//! follows by Woodbury's identity again, and with it the means. α ν n / (1-α) is held fixed, as a penalty is.
//!
//! Invariant: Σ is positive definite; what is too ill-conditioned for the precision is refused.

use faer::{Accum, Mat, MatRef, Par, Side, linalg::matmul::matmul, prelude::Solve as _};
use ndarray::{Array2, ArrayViewMut1};

use crate::{
    Samples,
    centred::{Centred, System},
    dot::axpy,
    factor::Factor,
    penalised::{Batch, FINE, FLOOR, IllConditioned},
    precision::Precision,
    ridge::{Fit, Problem, one_hot},
    workers,
};

/// Least and largest shrinkage: the one keeps a covariance with directions that have no variance invertible, the other λ
/// finite.
const LEAST: f64 = 1e-6;
const MOST: f64 = 1.0 - 1e-8;

/// Class means and the scatter around them.
pub(crate) struct Within<'a, T> {
    problem: Problem<'a, T>,
    system: System<'a, T>,
    dim: usize,
    /// ν in the system's units, or what stands for it where no sample differs from its class mean; above 0.
    spread: f64,
    labels: Vec<usize>,
    counts: Vec<usize>,
    /// Sum of the weights of each class, `[classes]`.
    masses: Vec<f64>,
}

impl<'a, T: Precision> Within<'a, T> {
    /// Takes the samples' system, in which they are `centred`. O(n·dim·classes).
    pub(crate) fn new<S: Precision>(samples: &Samples<'_>, centred: &Centred<S>, system: System<'a, T>) -> Self {
        let (n, dim) = (samples.rows(), samples.dim());
        let (labels, counts) = (samples.labels().to_vec(), samples.counts());
        let mut masses = vec![0.0; counts.len()];
        for (&label, weight) in labels.iter().zip(system.weights) {
            masses[label] += weight;
        }
        let mut means = vec![vec![0.0; dim]; counts.len()];
        for (i, &label) in labels.iter().enumerate() {
            axpy(&mut means[label], system.weights[i] / masses[label], &samples.row(i));
        }
        let (mut trace, mut total) = (0.0, 0.0);
        let mut deviation = vec![0.0; dim];
        for (i, &label) in labels.iter().enumerate() {
            for (sum, mean) in [(&mut trace, &means[label]), (&mut total, &centred.mean)] {
                deviation.copy_from_slice(mean);
                axpy(&mut deviation, -1.0, &samples.row(i));
                *sum += system.weights[i] * crate::dot::dot(&deviation, &deviation);
            }
        }
        // Without any deviation the distance between classes is the only scale there is; below it, rounding.
        let size = if trace > 1e-24 * total { trace } else { total };
        let spread = if size > 0.0 { size / (n * dim) as f64 / (centred.unit * centred.unit) } else { 1.0 };
        let problem = Problem::new(one_hot(samples.labels(), samples.classes()).view(), system);
        Self { problem, system, dim, spread, labels, counts, masses }
    }

    /// The oracle approximating shrinkage: Chen, Wiesel, Eldar and Hero 2010, "Shrinkage Algorithms for MMSE Covariance
    /// Estimation", eq. 23, with the deviations' mean known to be 0. In 0..=1. O(order²·classes).
    pub(crate) fn oracle(&self) -> f64 {
        let (n, dim) = (self.labels.len() as f64, self.dim as f64);
        let (trace, squares) = self.moments();
        let (trace, squares) = (trace / n, squares / n / n);
        let mean = trace / dim;
        let excess = (n + 1.0) * (squares / dim / dim - mean * mean / dim);
        let shrinkage = (squares / dim / dim + mean * mean) / excess;
        if shrinkage.is_finite() && excess > 0.0 { shrinkage.clamp(LEAST, 1.0) } else { 1.0 }
    }

    /// Trace of S and sum of the squares of its entries, in the system's units.
    fn moments(&self) -> (f64, f64) {
        let Self { problem, system, labels, masses, .. } = self;
        let (order, classes) = (system.products.nrows(), masses.len());
        // S, or the products of deviations with each other, is the system's matrix less one of few columns: `left rightᵀ`.
        let (left, right) =
            if let Some(moments) = &problem.moments {
                let left = Mat::from_fn(order, classes, |j, c| moments[(j, c)] / masses[c].sqrt());
                (left.clone(), left)
            } else {
                // With Π the projection on class means, K - ΠK - KΠ + ΠKΠ = K - U (KU)ᵀ - (KU - U UᵀKU) Uᵀ, U Uᵀ = Π.
                let own = Mat::from_fn(order, classes, |i, c| {
                    if labels[i] == c { (system.weights[i] / masses[c]).sqrt() } else { 0.0 }
                });
                let images = system.products * &own;
                let inner = own.transpose() * &images;
                let less = &images - &own * inner;
                let column = |of: &Mat<f64>, i: usize, c: usize| of[(i, c % classes)];
                let left =
                    Mat::from_fn(order, 2 * classes, |i, c| column(if c < classes { &own } else { &less }, i, c));
                let right =
                    Mat::from_fn(order, 2 * classes, |i, c| column(if c < classes { &images } else { &own }, i, c));
                (left, right)
            };
        let (mut trace, mut squares) = (0.0, 0.0);
        let mut column = vec![0.0; order];
        for j in 0..order {
            let below = &mut column[j..];
            below.copy_from_slice(&system.products.col_as_slice(j)[j..]);
            for c in 0..left.ncols() {
                if right[(j, c)] != 0.0 {
                    axpy(below, -right[(j, c)], &left.col_as_slice(c)[j..]);
                }
            }
            trace += below[0];
            squares += 2.0 * crate::dot::dot(below, below) - below[0].powi(2);
        }
        (trace, squares)
    }

    /// Factors the covariance at a shrinkage in 0..=1. O(order³).
    pub(crate) fn shrink(&self, shrinkage: f64) -> Result<Shrunk<'_, 'a, T>, IllConditioned> {
        let shrinkage = shrinkage.clamp(LEAST, 1.0);
        let kept = 1.0 - shrinkage.min(MOST);
        let (n, classes) = (self.labels.len() as f64, self.masses.len());
        let fit = self.problem.at(shrinkage * self.spread * n / kept, FINE)?;
        let roots: Vec<f64> = self.masses.iter().map(|mass| mass.sqrt()).collect();
        // I - E; in the span of samples from what the fit leaves over, which is λ times its coefficients.
        let apart = if let Some(moments) = &self.problem.moments {
            let products = moments.transpose() * &fit.coefficients;
            Mat::from_fn(classes, classes, |c, k| f64::from(c == k) - products[(c, k)] / roots[c] / roots[k])
        } else {
            let products = self.problem.targets.transpose() * &fit.coefficients;
            let lambda = fit.penalised.lambda();
            Mat::from_fn(classes, classes, |c, k| {
                roots[c] * roots[k] / n + lambda * products[(c, k)] / roots[c] / roots[k]
            })
        };
        let apart = Mat::from_fn(classes, classes, |c, k| f64::midpoint(apart[(c, k)], apart[(k, c)]));
        // Positive definite but for rounding, which shows where classes have next to no scatter of their own.
        let jitter =
            (T::EPSILON <= f64::EPSILON).then(|| (-15..=-1).map(|power| 10_f64.powi(power))).into_iter().flatten();
        let factored = |jitter: f64| {
            Mat::from_fn(classes, classes, |c, k| apart[(c, k)] + jitter * f64::from(c == k)).llt(Side::Lower).ok()
        };
        let factor = std::iter::once(0.0).chain(jitter).find_map(factored).ok_or(IllConditioned)?;
        let spread = factor.solve(Mat::<f64>::identity(classes, classes));
        let of_means =
            Mat::from_fn(classes, classes, |c, k| (spread[(c, k)] - f64::from(c == k)) / roots[c] / roots[k]);
        Ok(Shrunk { within: self, shrinkage, scale: n / kept, fit, roots, spread, of_means })
    }
}

/// The covariance at a shrinkage, as a ridge fit. Products are in the metric of `(S + λI)⁻¹`.
pub(crate) struct Shrunk<'w, 'a, T> {
    within: &'w Within<'a, T>,
    /// α.
    pub(crate) shrinkage: f64,
    /// `n/(1-α)`: `Σ⁻¹` is so many times `(S + λI)⁻¹`.
    scale: f64,
    fit: Fit<'w, 'a, T>,
    /// `√m`, `[classes]`.
    roots: Vec<f64>,
    /// R, `[classes, classes]`.
    spread: Mat<f64>,
    /// Products of class means, from the common one, with each other, `[classes, classes]`.
    of_means: Mat<f64>,
}

/// Samples that are left out together, in the order of their rows.
struct Gone<'r> {
    rows: &'r [usize],
    /// Products with scaled class means, `[rows, classes]`, and those times R.
    q: MatRef<'r, f64>,
    qr: MatRef<'r, f64>,
    /// Products with each other, less what `q R qᵀ` adds, `[rows, rows]`.
    hat: Mat<f64>,
}

impl<T: Precision> Shrunk<'_, '_, T> {
    /// Directions `Σ⁻¹ (μ - mean)` in the system's coordinates `[order, classes]`, and squared lengths of `μ - mean` in the
    /// metric of `Σ⁻¹`, `[classes]`. O(order·classes²).
    pub(crate) fn directions(&self) -> (Mat<f64>, Vec<f64>) {
        let Self { scale, fit, roots, spread, .. } = self;
        let classes = roots.len();
        let mix = Mat::from_fn(classes, classes, |c, k| scale * spread[(c, k)] / roots[c] / roots[k]);
        let lengths = (0..classes).map(|c| scale * self.of_means[(c, c)]).collect();
        (&fit.coefficients * mix, lengths)
    }

    /// Squared Mahalanobis distances `[n, classes]` of samples to class means, both means and covariance those of a fit
    /// without the sample's group, and without its whole batch if `whole`. Whatever where that fit saw nothing of the class,
    /// 0 for samples of no batch. O(order²·rows) and, for groups of m, O(m²·order + m³).
    pub(crate) fn left_out(
        &self,
        batches: &[Batch<'_>],
        whole: bool,
    ) -> Result<(Array2<f64>, Array2<f64>), IllConditioned> {
        let Within { problem, system, labels, masses, .. } = self.within;
        let (n, classes) = (labels.len(), masses.len());
        let (penalised, targets) = (&self.fit.penalised, problem.targets.as_ref());
        let coefficients = self.fit.coefficients.as_ref();
        let small = Mat::from_fn(classes, coefficients.nrows(), |k, j| T::of(coefficients[(j, k)]));
        let work = |batch: &Batch<'_>| -> Result<_, IllConditioned> {
            let rows = batch.rows();
            let (residuals, whitened) = penalised.look(&rows, None, targets, coefficients, small.as_ref());
            let q = Mat::from_fn(rows.len(), classes, |a, c| {
                (targets[(rows[a], c)] - residuals[(a, c)]) / system.weights[rows[a]].sqrt() / self.roots[c]
            });
            let qr = &q * &self.spread;
            let gone = |first: usize, m: usize| Gone {
                rows: &rows[first..][..m],
                q: q.subrows(first, m),
                qr: qr.subrows(first, m),
                hat: penalised.hat(whitened.subcols(first, m)),
            };
            let mut by_group = Array2::zeros((rows.len(), classes));
            let mut first = 0;
            for group in &batch.groups {
                if let [sample] = **group {
                    let hat = penalised.hat(whitened.subcols(first, 1))[(0, 0)];
                    self.without_one(sample, (q.as_ref(), qr.as_ref(), first), hat, by_group.row_mut(first))?;
                } else {
                    let distances = self.without(&gone(first, group.len()))?;
                    by_group.slice_mut(ndarray::s![first..first + group.len(), ..]).assign(&distances);
                }
                first += group.len();
            }
            let by_batch = if whole { Some(self.without(&gone(0, rows.len()))?) } else { None };
            Ok((rows, by_group, by_batch))
        };
        let threads = if system.products.nrows() * n < 1 << 16 { 1 } else { system.threads };
        let mut by_group = Array2::zeros((n, classes));
        let mut by_batch = Array2::zeros(if whole { (n, classes) } else { (0, 0) });
        for done in workers::each(threads, batches.iter().collect(), work) {
            let (rows, of_groups, of_batch) = done?;
            for (a, &i) in rows.iter().enumerate() {
                by_group.row_mut(i).assign(&of_groups.row(a));
                if let Some(of_batch) = &of_batch {
                    by_batch.row_mut(i).assign(&of_batch.row(a));
                }
            }
        }
        Ok((by_group, by_batch))
    }

    /// Distances `[classes]` of a sample that is left out alone: [`Shrunk::without`] without its matrices. `q` and `qr` are
    /// products as in [`Gone`], in a row of those of others.
    fn without_one(
        &self,
        sample: usize,
        (q, qr, row): (MatRef<'_, f64>, MatRef<'_, f64>, usize),
        hat: f64,
        mut out: ArrayViewMut1<'_, f64>,
    ) -> Result<(), IllConditioned> {
        let Within { system, labels, counts, masses, .. } = self.within;
        let (classes, of_means) = (masses.len(), &self.of_means);
        let (label, weight) = (labels[sample], system.weights[sample]);
        let root = weight.sqrt();
        let with_mean = |k: usize| qr[(row, k)] / self.roots[k];
        let own = hat / weight + (0..classes).map(|k| qr[(row, k)] * q[(row, k)]).sum::<f64>();
        // Nothing but rounding may be left of the class.
        let left = if counts[label] == 1 { 0.0 } else { masses[label] - weight };
        let square = weight * (own - 2.0 * with_mean(label) + of_means[(label, label)]);
        let with_own = root * (own - with_mean(label));
        let (moved, shared) = if left > 0.0 { (root / left, weight / masses[label]) } else { (0.0, 0.0) };
        let kept = 1.0 - shared - square;
        // Positive definite as Σ is without the sample; rounding can only spoil that where shrinkage is next to nothing.
        let single = T::EPSILON > f64::EPSILON;
        if single && kept < FLOOR * T::EPSILON {
            return Err(IllConditioned);
        }
        let across = if kept > 0.0 { 1.0 / kept } else { 0.0 };
        // Σ without the sample is over fewer samples.
        let scale = self.scale * (1.0 - weight / labels.len() as f64);
        for k in 0..classes {
            let (mut cross, mut of_rest) = (with_mean(k), of_means[(k, k)]);
            let mut with_means = root * (with_mean(k) - of_means[(label, k)]);
            if k == label {
                of_rest += moved * (moved * square - 2.0 * with_means);
                cross -= moved * with_own;
                with_means -= moved * square;
            }
            let gap = across * (with_own - with_means).powi(2);
            out[k] = scale * (own - 2.0 * cross + of_rest + gap).max(0.0);
        }
        Ok(())
    }

    /// Distances `[rows, classes]` of samples that are left out together.
    fn without(&self, gone: &Gone<'_>) -> Result<Array2<f64>, IllConditioned> {
        let Within { system, labels, counts, masses, .. } = self.within;
        let (n, classes, m, of_means) = (labels.len(), masses.len(), gone.rows.len(), &self.of_means);
        let label = |a: usize| labels[gone.rows[a]];
        let roots: Vec<f64> = gone.rows.iter().map(|&i| system.weights[i].sqrt()).collect();
        let with_mean = Mat::from_fn(m, classes, |a, k| gone.qr[(a, k)] / self.roots[k]);
        let mut own = Mat::from_fn(m, m, |a, b| gone.hat[(a, b)] / roots[a] / roots[b]);
        matmul(own.as_mut(), Accum::Add, gone.qr, gone.q.transpose(), 1.0, Par::Seq);
        let mut present: Vec<usize> = (0..m).map(label).collect();
        present.sort_unstable();
        present.dedup();
        let (mut left, mut leaves) = (masses.clone(), 0.0);
        for &i in gone.rows {
            left[labels[i]] -= system.weights[i];
            leaves += system.weights[i];
        }
        // Nothing but rounding may be left of a class.
        for &k in &present {
            if (0..m).filter(|&a| label(a) == k).count() == counts[k] {
                left[k] = 0.0;
            }
        }
        // Products of the weighted deviations with themselves, with the samples, and with the means of the rest.
        let squares = Mat::from_fn(m, m, |a, b| {
            let (k, l) = (label(a), label(b));
            roots[a] * roots[b] * (own[(a, b)] - with_mean[(a, l)] - with_mean[(b, k)] + of_means[(k, l)])
        });
        let mut with_own = Mat::from_fn(m, m, |a, b| roots[a] * (own[(a, b)] - with_mean[(b, label(a))]));
        let mut with_means = Mat::from_fn(m, classes, |a, k| roots[a] * (with_mean[(a, k)] - of_means[(label(a), k)]));
        let mut cross = with_mean.clone();
        let mut of_rest: Vec<f64> = (0..classes).map(|k| of_means[(k, k)]).collect();
        for &k in present.iter().filter(|&&k| left[k] > 0.0) {
            // The mean without the group is μ - Σ deviations / n'.
            let moved = 1.0 / left[k];
            let of_class: Vec<usize> = (0..m).filter(|&a| label(a) == k).collect();
            let along: f64 = of_class.iter().map(|&a| roots[a] * with_means[(a, k)]).sum();
            let pairs = of_class.iter().flat_map(|&a| of_class.iter().map(move |&b| (a, b)));
            let length: f64 = pairs.map(|(a, b)| roots[a] * roots[b] * squares[(a, b)]).sum();
            of_rest[k] += moved * (moved * length - 2.0 * along);
            for b in 0..m {
                cross[(b, k)] -= moved * of_class.iter().map(|&a| roots[a] * with_own[(a, b)]).sum::<f64>();
            }
            for b in 0..m {
                with_means[(b, k)] -= moved * of_class.iter().map(|&a| roots[a] * squares[(a, b)]).sum::<f64>();
            }
        }
        let kept = Mat::from_fn(m, m, |a, b| {
            let shared =
                if label(a) == label(b) && left[label(a)] > 0.0 { roots[a] * roots[b] / masses[label(a)] } else { 0.0 };
            f64::from(a == b) - shared - squares[(a, b)]
        });
        // Positive definite as Σ is without the group; rounding can only spoil that where shrinkage is next to nothing.
        let single = T::EPSILON > f64::EPSILON;
        let across = match Factor::<f64>::new(&kept, 0.0, 1) {
            Some(factor) if !single || factor.least_pivot() >= FLOOR * T::EPSILON => {
                factor.whiten(with_own.as_mut());
                factor.whiten(with_means.as_mut());
                1.0
            }
            _ if single => return Err(IllConditioned),
            _ => 0.0,
        };
        // Σ without the group is over fewer samples.
        let scale = self.scale * (1.0 - leaves / n as f64);
        Ok(Array2::from_shape_fn((m, classes), |(a, k)| {
            let gaps = with_own.col_as_slice(a).iter().zip(with_means.col_as_slice(k));
            let gap: f64 = gaps.map(|(x, mean)| (x - mean).powi(2)).sum();
            scale * (own[(a, a)] - 2.0 * cross[(a, k)] + of_rest[k] + across * gap).max(0.0)
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::{balance, leave_out::LeaveOut, ridge::batches};
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    /// Distances to class means of the rows kept, with `(1-α)/n' (S' + αν n/(1-α) I)` written out.
    fn refit(
        (x, labels, weights): (&Array2<f32>, &[usize], &[f64]),
        kept: &[usize],
        at: usize,
        penalty: f64,
        share: f64,
    ) -> Vec<f64> {
        let dim = x.ncols();
        let classes = labels.iter().max().unwrap() + 1;
        let mut means = vec![vec![0.0; dim]; classes];
        for (class, mean) in means.iter_mut().enumerate() {
            let own: Vec<usize> = kept.iter().copied().filter(|&i| labels[i] == class).collect();
            for (j, m) in mean.iter_mut().enumerate() {
                *m = own.iter().map(|&i| weights[i] * f64::from(x[(i, j)])).sum::<f64>();
                *m /= own.iter().map(|&i| weights[i]).sum::<f64>();
            }
        }
        let covariance = Mat::from_fn(dim, dim, |a, b| {
            let scatter: f64 = kept
                .iter()
                .map(|&i| {
                    let deviation = |j: usize| f64::from(x[(i, j)]) - means[labels[i]][j];
                    weights[i] * deviation(a) * deviation(b)
                })
                .sum();
            share / kept.iter().map(|&i| weights[i]).sum::<f64>() * (scatter + if a == b { penalty } else { 0.0 })
        });
        let factor = covariance.partial_piv_lu();
        let distance = |mean: &Vec<f64>| {
            let difference = Mat::from_fn(dim, 1, |j, _| f64::from(x[(at, j)]) - mean[j]);
            (difference.transpose() * factor.solve(&difference))[(0, 0)]
        };
        means.iter().map(distance).collect()
    }

    #[test]
    fn leaving_out_is_refitting() {
        for (n, dim) in [(14, 4), (14, 9), (12, 30)] {
            let x =
                Array2::from_shape_fn((n, dim), |(i, j)| ((i * 7 + j * 5 + i * i * j) % 13) as f32 + (i % 3) as f32);
            let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
            // Groups of one class, of several, and single samples.
            let groups: Vec<usize> = (0..n).map(|i| [0, 1, 2, 0, 3, 4, 0, 5][i % 8] + 10 * (i / 8)).collect();
            let weights: Vec<f64> = (0..n).map(|i| if dim == 9 { 1.0 } else { 0.5 + (i % 4) as f64 }).collect();
            let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap().with_weights(&weights).unwrap();
            let weights = balance::weights(&samples, false);
            let leave_out = LeaveOut::new(&samples);
            let folds = leave_out.folds(&samples, 4, 0);
            let centred = Centred::<f64>::new(&samples, weights.clone(), 1);
            let within = Within::new(&samples, &centred, centred.system(1));
            let everyone: Vec<usize> = (0..n).collect();
            for shrinkage in [0.01, 0.4, 0.999] {
                let shrunk = within.shrink(shrinkage).unwrap();
                let (by_group, by_fold) = shrunk.left_out(&batches(&leave_out, &folds), true).unwrap();
                let spread = within.spread * centred.unit.powi(2);
                let penalty = shrinkage * spread * n as f64 / (1.0 - shrinkage);
                for (got, leave_out) in [(&by_group, &leave_out), (&by_fold, &folds)] {
                    for members in &leave_out.members {
                        let kept: Vec<usize> = everyone.iter().copied().filter(|i| !members.contains(i)).collect();
                        for &i in members {
                            let expected = refit((&x, &labels, &weights), &kept, i, penalty, 1.0 - shrinkage);
                            for (k, expected) in expected.iter().enumerate() {
                                let worst = (got[(i, k)] / expected - 1.0).abs();
                                assert!(worst < 1e-7, "{n} {dim} {shrinkage}: {i} {k} {} {expected}", got[(i, k)]);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_oracle_shrinks_noise_wholly_and_many_samples_hardly() {
        let of = |n: usize, dim: usize, wide: f32| {
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
            let x = Array2::from_shape_fn((n, dim), |(_, j)| {
                (random.next_u32() as f32 / 2_f32.powi(32) - 0.5) * if j == 0 { wide } else { 1.0 }
            });
            let (labels, groups) = (vec![0; n], (0..n).collect::<Vec<_>>());
            let samples = Samples::new(x.view(), &labels, &groups, 1).unwrap();
            let centred = Centred::<f64>::new(&samples, vec![1.0; n], 1);
            Within::new(&samples, &centred, centred.system(1)).oracle()
        };
        assert!(of(20, 100, 1.0) > 0.8, "{}", of(20, 100, 1.0));
        assert!(of(4000, 5, 10.0) < 0.01, "{}", of(4000, 5, 10.0));
    }

    #[test]
    fn what_the_scatter_within_classes_amounts_to_is_that_of_deviations() {
        for (n, dim) in [(20, 6), (9, 30)] {
            let x = Array2::from_shape_fn((n, dim), |(i, j)| ((i * 7 + j * 5 + i * i * j) % 13) as f32);
            let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
            let groups: Vec<usize> = (0..n).collect();
            let weights: Vec<f64> = (0..n).map(|i| 0.5 + (i % 4) as f64).collect();
            let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap().with_weights(&weights).unwrap();
            let weights = balance::weights(&samples, false);
            let centred = Centred::<f64>::new(&samples, weights.clone(), 1);
            let (trace, squares) = Within::new(&samples, &centred, centred.system(1)).moments();
            let deviations = Array2::from_shape_fn((n, dim), |(i, j)| {
                let of_class = || (0..n).filter(|&k| labels[k] == labels[i]);
                let mass: f64 = of_class().map(|k| weights[k]).sum();
                let mean = of_class().map(|k| weights[k] * f64::from(x[(k, j)])).sum::<f64>() / mass;
                weights[i].sqrt() * (f64::from(x[(i, j)]) - mean) / centred.unit
            });
            let scatter = deviations.t().dot(&deviations);
            assert!((trace / scatter.diag().sum() - 1.0).abs() < 1e-12, "{n} {dim}");
            assert!((squares / scatter.mapv(|s| s * s).sum() - 1.0).abs() < 1e-12, "{n} {dim}");
        }
    }

    #[test]
    fn samples_that_do_not_differ_have_a_covariance() {
        for value in [0.0_f32, 0.25] {
            let x = Array2::from_elem((4, 3), value);
            let samples = Samples::new(x.view(), &[0, 0, 1, 1], &[0, 1, 2, 3], 2).unwrap();
            let (leave_out, centred) = (LeaveOut::new(&samples), Centred::<f64>::new(&samples, vec![1.0; 4], 1));
            let within = Within::new(&samples, &centred, centred.system(1));
            let shrunk = within.shrink(within.oracle()).unwrap();
            let (distances, _) = shrunk.left_out(&batches(&leave_out, &leave_out), false).unwrap();
            assert!(distances.iter().all(|&x| x == 0.0), "{distances}");
        }
    }
}
