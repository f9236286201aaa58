//! How samples scatter around their class means, as if alike for every class. Knows nothing of heads: a discriminant and
//! a distance are both built on it.
//!
//! The covariance is `Σ = (1-α) S/n + α ν I`, with S the pooled scatter within classes, `ν = tr(S)/(n·dim)` and α the
//! shrinkage. Everything here lies in the span of the centred samples, of which an orthonormal basis is taken where there are
//! fewer samples than components; across it `Σ = α ν I`.
//!
//! A group is left out exactly: without it the scatter is `S - V M Vᵀ`, with V its samples' deviations from their class
//! means and `M = I + 11ᵀ/n'` for those of a class that keeps n' samples (each as much as it weighs), so that the inverse follows by Woodbury's
//! identity (Golub and Van Loan 2013, eq. 2.1.4), and with it the means. α ν n / (1-α) is held fixed, as a penalty is.
//!
//! Invariant: Σ is positive definite.

use faer::{
    Accum, Mat, MatRef, Par, Side,
    linalg::{
        matmul::{
            matmul,
            triangular::{self, BlockStructure},
        },
        triangular_solve::solve_lower_triangular_in_place,
    },
};
use ndarray::{Array1, Array2};

use crate::{Samples, balance, dot::dot, leave_out::LeaveOut, solution::columns};

/// Least shrinkage: keeps a covariance with directions that have no variance invertible.
const LEAST: f64 = 1e-6;

/// Class means and the covariance around them.
pub(crate) struct Within {
    /// Mean of all samples, `[dim]`.
    centre: Vec<f64>,
    /// Orthonormal columns `[dim, p]`; none where `p = dim` and coordinates are components.
    basis: Option<Mat<f64>>,
    /// Centred samples in the basis, `[p, n]`.
    coordinates: Mat<f64>,
    /// Class means in the basis, `[p, classes]`.
    means: Mat<f64>,
    /// `S/n`, lower triangle, `[p, p]`.
    covariance: Mat<f64>,
    /// ν, or what stands for it where no sample differs from its class mean; above 0.
    spread: f64,
    labels: Vec<usize>,
    counts: Vec<usize>,
    /// How much each sample counts, mean 1, `[n]`.
    weights: Vec<f64>,
    /// Their sum per class, `[classes]`.
    masses: Vec<f64>,
}

impl Within {
    /// O(n·dim·p) with `p = min(n, dim)`.
    pub(crate) fn new(samples: &Samples<'_>) -> Self {
        let mut centred = columns(samples);
        let (dim, n) = centred.shape();
        let mut centre = vec![0.0; dim];
        let weights = balance::weights(samples, false);
        for i in 0..n {
            add(&mut centre, centred.col_as_slice(i), 1.0 / n as f64);
        }
        for i in 0..n {
            add(centred.col_as_slice_mut(i), &centre, -1.0);
        }
        let (basis, coordinates) = if n < dim {
            let factors = centred.qr();
            (Some(factors.compute_thin_Q()), factors.thin_R().to_owned())
        } else {
            (None, centred)
        };
        let p = coordinates.nrows();
        let (labels, counts) = (samples.labels().to_vec(), samples.counts());
        let mut masses = vec![0.0; counts.len()];
        for (&label, weight) in labels.iter().zip(&weights) {
            masses[label] += weight;
        }
        let mut means = Mat::<f64>::zeros(p, counts.len());
        for (i, &label) in labels.iter().enumerate() {
            add(means.col_as_slice_mut(label), coordinates.col_as_slice(i), weights[i] / masses[label]);
        }
        let mut deviations = coordinates.clone();
        for (i, &label) in labels.iter().enumerate() {
            let deviation = deviations.col_as_slice_mut(i);
            add(deviation, means.col_as_slice(label), -1.0);
            scale(deviation, weights[i].sqrt());
        }
        let mut covariance = Mat::<f64>::zeros(p, p);
        let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        let (left, right, share) = (&deviations, deviations.transpose(), 1.0 / n as f64);
        triangular::matmul(covariance.as_mut(), lower, Accum::Replace, left, full, right, full, share, Par::Seq);
        let trace: f64 = (0..p).map(|j| covariance[(j, j)]).sum();
        let total: f64 = (0..n).map(|i| dot(coordinates.col_as_slice(i), coordinates.col_as_slice(i))).sum();
        // Without any deviation the distance between classes is the only scale there is; below it, rounding.
        let size = if trace > 1e-24 * total / n as f64 { trace } else { total / n as f64 };
        let spread = if size > 0.0 { size / dim as f64 } else { 1.0 };
        Self { centre, basis, coordinates, means, covariance, spread, labels, counts, weights, masses }
    }

    /// The oracle approximating shrinkage: Chen, Wiesel, Eldar and Hero 2010, "Shrinkage Algorithms for MMSE Covariance
    /// Estimation", eq. 23, with the deviations' mean known to be 0. In 0..=1. O(p²).
    pub(crate) fn oracle(&self) -> f64 {
        let (n, dim) = (self.labels.len() as f64, self.centre.len() as f64);
        let (mut trace, mut squares) = (0.0, 0.0);
        for j in 0..self.covariance.nrows() {
            let column = &self.covariance.col_as_slice(j)[j..];
            trace += column[0];
            squares += 2.0 * dot(column, column) - column[0].powi(2);
        }
        let mean = trace / dim;
        let excess = (n + 1.0) * (squares / dim / dim - mean * mean / dim);
        let shrinkage = (squares / dim / dim + mean * mean) / excess;
        if shrinkage.is_finite() && excess > 0.0 { shrinkage.clamp(LEAST, 1.0) } else { 1.0 }
    }

    /// Factors the covariance at a shrinkage in 0..=1. O(p³ + n·p²).
    pub(crate) fn whiten(&self, shrinkage: f64) -> Whitened<'_> {
        let shrinkage = shrinkage.clamp(LEAST, 1.0);
        let (p, across) = (self.covariance.nrows(), shrinkage * self.spread);
        let shrunk = Mat::from_fn(p, p, |i, j| {
            let own = if i >= j { (1.0 - shrinkage) * self.covariance[(i, j)] } else { 0.0 };
            own + if i == j { across } else { 0.0 }
        });
        // Positive definite for every shrinkage above 0; rounding can only spoil that where S/n dwarfs it.
        let factor = shrunk.llt(Side::Lower).map_or_else(
            |_| Mat::from_fn(p, p, |i, j| if i == j { shrunk[(j, j)].sqrt() } else { 0.0 }),
            |factor| factor.L().to_owned(),
        );
        let solved = |what: &Mat<f64>| {
            let mut out = what.clone();
            solve_lower_triangular_in_place(factor.as_ref(), out.as_mut(), Par::Seq);
            out
        };
        let (samples, means) = (solved(&self.coordinates), solved(&self.means));
        Whitened { within: self, shrinkage, factor, samples, means }
    }
}

/// The covariance factored: `Σ = L Lᵀ` in the basis.
pub(crate) struct Whitened<'a> {
    within: &'a Within,
    /// α.
    pub(crate) shrinkage: f64,
    /// L, `[p, p]`.
    factor: Mat<f64>,
    /// `L⁻¹ x`, `[p, n]`.
    samples: Mat<f64>,
    /// `L⁻¹ μ`, `[p, classes]`.
    pub(crate) means: Mat<f64>,
}

impl Whitened<'_> {
    /// Directions `Σ⁻¹ μ` on features `[classes, dim]`, and their product with the centre `[classes]`. O(dim·p·classes).
    pub(crate) fn directions(&self) -> (Array2<f64>, Array1<f64>) {
        let mut directions = self.means.clone();
        let upper = self.factor.transpose();
        faer::linalg::triangular_solve::solve_upper_triangular_in_place(upper, directions.as_mut(), Par::Seq);
        if let Some(basis) = &self.within.basis {
            directions = basis * directions;
        }
        let weights = Array2::from_shape_fn((directions.ncols(), directions.nrows()), |(c, j)| directions[(j, c)]);
        let offset = (0..directions.ncols()).map(|c| dot(directions.col_as_slice(c), &self.within.centre)).collect();
        (weights, offset)
    }

    /// Squared Mahalanobis distances `[n, classes]` of samples to class means, both means and covariance those of a fit
    /// without the sample's group. Whatever where that fit saw nothing of the class. O(n·p·(classes + m)) for groups of m.
    pub(crate) fn left_out(&self, leave_out: &LeaveOut) -> Array2<f64> {
        let Within { labels, counts, weights, masses, .. } = self.within;
        let (n, classes) = (labels.len(), counts.len());
        let product = |a: MatRef<'_, f64>, b: MatRef<'_, f64>| {
            let mut out = Mat::<f64>::zeros(a.ncols(), b.ncols());
            matmul(out.as_mut(), Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
            out
        };
        let of_means = product(self.means.as_ref(), self.means.as_ref());
        let of_samples = product(self.samples.as_ref(), self.means.as_ref());
        let mut out = Array2::zeros((n, classes));
        for members in &leave_out.members {
            let m = members.len();
            let root = |a: usize| weights[members[a]].sqrt();
            let own = Mat::from_fn(self.samples.nrows(), m, |j, a| self.samples[(j, members[a])]);
            let mut deviations = own.clone();
            for (a, &i) in members.iter().enumerate() {
                let deviation = deviations.col_as_slice_mut(a);
                add(deviation, self.means.col_as_slice(labels[i]), -1.0);
                scale(deviation, root(a));
            }
            let mut present: Vec<usize> = members.iter().map(|&i| labels[i]).collect();
            present.sort_unstable();
            present.dedup();
            let (mut left, mut leaves) = (masses.clone(), 0.0);
            for &i in members {
                left[labels[i]] -= weights[i];
                leaves += weights[i];
            }
            // Nothing but rounding may be left of a class.
            for &k in &present {
                if members.iter().filter(|&&i| labels[i] == k).count() == counts[k] {
                    left[k] = 0.0;
                }
            }
            // Products of the deviations with themselves, with the samples, and with the means of the rest.
            let squares = product(deviations.as_ref(), deviations.as_ref());
            let mut with_own = product(deviations.as_ref(), own.as_ref());
            let mut with_means = Mat::from_fn(m, classes, |a, k| {
                root(a) * (of_samples[(members[a], k)] - of_means[(labels[members[a]], k)])
            });
            let mut cross = Mat::from_fn(m, classes, |a, k| of_samples[(members[a], k)]);
            let mut of_rest = Array1::from_shape_fn(classes, |k| of_means[(k, k)]);
            for &k in present.iter().filter(|&&k| left[k] > 0.0) {
                // The mean without the group is μ - Σ deviations / n'.
                let moved = 1.0 / left[k];
                let gone: Vec<usize> = (0..m).filter(|&a| labels[members[a]] == k).collect();
                let along: f64 = gone.iter().map(|&a| root(a) * with_means[(a, k)]).sum();
                let pairs = gone.iter().flat_map(|&a| gone.iter().map(move |&b| (a, b)));
                let length: f64 = pairs.map(|(a, b)| root(a) * root(b) * squares[(a, b)]).sum();
                of_rest[k] += moved * (moved * length - 2.0 * along);
                for b in 0..m {
                    cross[(b, k)] -= moved * gone.iter().map(|&a| root(a) * with_own[(a, b)]).sum::<f64>();
                    with_means[(b, k)] -= moved * gone.iter().map(|&a| root(a) * squares[(b, a)]).sum::<f64>();
                }
            }
            // M⁻¹ - (1-α)/n VᵀV, with M⁻¹ = I - 11ᵀ/(n' + m) within a class.
            let beta = (1.0 - self.shrinkage) / n as f64;
            let kept = Mat::from_fn(m, m, |a, b| {
                let (class, other) = (labels[members[a]], labels[members[b]]);
                let shared = if class == other && left[class] > 0.0 { root(a) * root(b) / masses[class] } else { 0.0 };
                f64::from(a == b) - shared - beta * squares[(a, b)]
            });
            // Positive definite as Σ is without the group; rounding can only spoil that where shrinkage is next to nothing.
            let beta = match kept.llt(Side::Lower) {
                Ok(factor) => {
                    solve_lower_triangular_in_place(factor.L(), with_own.as_mut(), Par::Seq);
                    solve_lower_triangular_in_place(factor.L(), with_means.as_mut(), Par::Seq);
                    beta
                }
                Err(_) => 0.0,
            };
            // Σ without the group is over fewer samples.
            let share = 1.0 - leaves / n as f64;
            for (a, &i) in members.iter().enumerate() {
                let length = dot(own.col_as_slice(a), own.col_as_slice(a));
                for k in 0..classes {
                    let across = with_own.col_as_slice(a).iter().zip(with_means.col_as_slice(k));
                    let across: f64 = across.map(|(x, mean)| (x - mean).powi(2)).sum();
                    let plain = length - 2.0 * cross[(a, k)] + of_rest[k];
                    out[(i, k)] = share * (plain + beta * across).max(0.0);
                }
            }
        }
        out
    }
}

fn add(to: &mut [f64], what: &[f64], times: f64) {
    for (a, b) in to.iter_mut().zip(what) {
        *a += times * b;
    }
}

fn scale(what: &mut [f64], by: f64) {
    for x in what {
        *x *= by;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use faer::prelude::Solve;
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
            let (within, leave_out) = (Within::new(&samples), LeaveOut::new(&samples));
            let everyone: Vec<usize> = (0..n).collect();
            for shrinkage in [0.01, 0.4, 0.999] {
                let whitened = within.whiten(shrinkage);
                let got = whitened.left_out(&leave_out);
                let penalty = shrinkage * within.spread * n as f64 / (1.0 - shrinkage);
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

    #[test]
    fn the_oracle_shrinks_noise_wholly_and_many_samples_hardly() {
        let of = |n: usize, dim: usize, wide: f32| {
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
            let x = Array2::from_shape_fn((n, dim), |(_, j)| {
                (random.next_u32() as f32 / 2_f32.powi(32) - 0.5) * if j == 0 { wide } else { 1.0 }
            });
            let (labels, groups) = (vec![0; n], (0..n).collect::<Vec<_>>());
            Within::new(&Samples::new(x.view(), &labels, &groups, 1).unwrap()).oracle()
        };
        assert!(of(20, 100, 1.0) > 0.8, "{}", of(20, 100, 1.0));
        assert!(of(4000, 5, 10.0) < 0.01, "{}", of(4000, 5, 10.0));
    }

    #[test]
    fn samples_that_do_not_differ_have_a_covariance() {
        for value in [0.0_f32, 0.25] {
            let x = Array2::from_elem((4, 3), value);
            let samples = Samples::new(x.view(), &[0, 0, 1, 1], &[0, 1, 2, 3], 2).unwrap();
            let within = Within::new(&samples);
            let distances = within.whiten(within.oracle()).left_out(&LeaveOut::new(&samples));
            assert!(distances.iter().all(|&x| x == 0.0), "{distances}");
        }
    }
}
