//! Leave-out errors at penalties near one that was factored, without another factorisation. Knows nothing of losses, and
//! nothing of how penalties are chosen.
//!
//! With `C = λ₀(A + λ₀I)⁻¹` and `δ = λ/λ₀ - 1`, `(A + λI)⁻¹ = (C⁻¹ + δI)⁻¹/λ₀`. Its quadratic forms in the samples that are
//! left out, and what it makes of the right sides, need no more than the moments `vᵀCᵏv` (Golub and Meurant 2010, "Matrices,
//! Moments and Quadrature", ch. 6 and 7). Those of samples are taken by the Gauss-Radau rule with a node at 1, which no
//! eigenvalue of `C` is above: exact at λ₀, and so are its first two derivatives. Those of right sides are taken by Galerkin's
//! method in the spaces of `Cv, C²v, C³v`.

use faer::{Accum, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};

use crate::{
    factor::Factor,
    leave_out::LeaveOut,
    penalised::{Batch, Errors, FLOOR, IllConditioned, Penalised, divide, gathered, square, squares},
    precision::Precision,
    workers,
};

/// Directions for each right side.
const RIGHT: usize = 3;
/// Moments of each sample.
const OWN: usize = 3;
/// Groups of more samples have more to expand than it costs to factor again.
const MANY: usize = 8;

/// What is known around a penalty.
pub(crate) struct Expansion<T> {
    lambda: f64,
    /// `L⁻¹X` of each batch with `LLᵀ = A + λ₀I`, which leaving out at the penalty itself needs too.
    pub(crate) whitened: Vec<Mat<T>>,
    /// `bᵀCᵏb` for k of 1 to 6, of every right side.
    moments: Vec<[f64; 2 * RIGHT]>,
    parts: Vec<Part>,
    /// What `1 - H` is at least, and what of a moment is rounding.
    floor: f64,
}

/// A batch.
struct Part {
    groups: Vec<Group>,
    /// Weighted, centred targets, `[rows, targets]`.
    targets: Mat<f64>,
    /// What the right sides' directions say of the samples: `[rows, targets]` of each.
    told: [Mat<f64>; RIGHT],
}

/// Samples that are left out together.
struct Group {
    /// `XᵀCᵏX/λ₀` for k of 1 to 3, `[m, m]`.
    moments: [Mat<f64>; OWN],
    /// The intercept's part of the hat matrix is the product of these.
    roots: Vec<f64>,
}

impl<T: Precision> Expansion<T> {
    /// Whether groups are small enough for it to pay.
    pub(crate) fn pays(leave_out: &LeaveOut) -> bool {
        leave_out.members.iter().all(|group| group.len() <= MANY)
    }

    /// Takes a system of components with its penalty, factored, the batches that are asked for, all targets `[n, targets]`
    /// and the right side `[order, targets]` of their normal equations. O(order²·(rows + targets)).
    pub(crate) fn new(
        penalised: &Penalised<'_, T>,
        columns: MatRef<'_, T>,
        batches: &[Batch<'_>],
        targets: MatRef<'_, f64>,
        right: MatRef<'_, f64>,
    ) -> Self {
        let (lambda, factor, weights) = (penalised.lambda(), &penalised.factor, penalised.system.weights);
        let mut at = Mat::from_fn(right.nrows(), right.ncols(), |i, k| T::of(right[(i, k)]));
        let mut moments = vec![[0.0; 2 * RIGHT]; right.ncols()];
        let directions: [Mat<T>; RIGHT] = std::array::from_fn(|power| {
            for power in [2 * power, 2 * power + 1] {
                half(factor, power, at.as_mut());
                let unit = lambda.powi(power as i32 + 1);
                moments.iter_mut().enumerate().for_each(|(k, to)| to[power] = unit * square(at.col(k)));
            }
            at.clone()
        });
        let work = |batch: &Batch<'_>| {
            let rows = batch.rows();
            let mut own = gathered(columns, &rows, 0);
            let told = std::array::from_fn(|power| {
                let mut told = Mat::<T>::zeros(rows.len(), targets.ncols());
                let one = T::of(1.0);
                matmul(told.as_mut(), Accum::Replace, own.transpose(), &directions[power], one, Par::Seq);
                let unit = lambda.powi(power as i32);
                Mat::from_fn(rows.len(), targets.ncols(), |a, k| unit * told[(a, k)].into())
            });
            let mut groups: Vec<Group> = batch.groups.iter().map(|group| Group::new(group, weights)).collect();
            let mut whitened = Mat::new();
            for power in 0..OWN {
                half(factor, power, own.as_mut());
                if power == 0 {
                    whitened = own.clone();
                }
                let unit = lambda.powi(power as i32);
                let mut first = 0;
                for group in &mut groups {
                    let own = own.subcols(first, group.roots.len());
                    group.moments[power] = squares(own) * faer::Scale(unit);
                    first += group.roots.len();
                }
            }
            let targets = Mat::from_fn(rows.len(), targets.ncols(), |a, k| targets[(rows[a], k)]);
            (Part { groups, targets, told }, whitened)
        };
        let parts = workers::each(penalised.system.threads, batches.iter().collect(), work);
        let (parts, whitened) = parts.into_iter().unzip();
        Self { lambda, whitened, moments, parts, floor: FLOOR * T::EPSILON }
    }

    /// Leave-out errors of each batch at a penalty, as [`Penalised::errors`] has them for groups.
    pub(crate) fn errors(&self, lambda: f64) -> Result<Vec<Errors>, IllConditioned> {
        let delta = lambda / self.lambda - 1.0;
        let shares: Vec<[f64; RIGHT]> = self.moments.iter().map(|moments| self.shares(moments, delta)).collect();
        self.parts.iter().map(|part| self.errors_of(part, delta, &shares)).collect()
    }

    /// Of each direction, for a right side.
    fn shares(&self, moments: &[f64; 2 * RIGHT], delta: f64) -> [f64; RIGHT] {
        let inner = Mat::from_fn(RIGHT, RIGHT, |i, j| moments[i + j] + delta * moments[i + j + 1]);
        // On both sides: the moments, and the directions themselves.
        let outer = Mat::from_fn(RIGHT, RIGHT + 1, |i, j| if j == 0 { moments[i] } else { f64::from(i + 1 == j) });
        let outer = reduced(inner, outer, self.floor);
        std::array::from_fn(|j| (0..RIGHT).map(|i| outer[(i, 0)] * outer[(i, j + 1)]).sum())
    }

    fn errors_of(&self, part: &Part, delta: f64, shares: &[[f64; RIGHT]]) -> Result<Errors, IllConditioned> {
        let residuals = Mat::from_fn(part.targets.nrows(), part.targets.ncols(), |a, k| {
            let fitted = (0..RIGHT).map(|power| shares[k][power] * part.told[power][(a, k)]).sum::<f64>();
            part.targets[(a, k)] - fitted
        });
        let mut by_group = Mat::zeros(residuals.nrows(), residuals.ncols());
        let mut first = 0;
        for group in &part.groups {
            let m = group.roots.len();
            let own = residuals.subrows(first, m);
            let hat = group.hat(delta, self.floor);
            let mut to = by_group.as_mut().subrows_mut(first, m);
            if m == 1 {
                let over = 1.0 / (1.0 - hat[(0, 0)]).max(self.floor);
                (0..own.ncols()).for_each(|k| to[(0, k)] = own[(0, k)] * over);
            } else {
                let keep = Mat::from_fn(m, m, |a, b| f64::from(a == b) - hat[(a, b)]);
                to.copy_from(divide(&keep, own, self.floor)?);
            }
            first += m;
        }
        Ok(Errors { by_group, by_batch: None })
    }
}

impl Group {
    fn new(group: &[usize], weights: &[f64]) -> Self {
        let roots = group.iter().map(|&i| (weights[i] / weights.len() as f64).sqrt()).collect();
        Self { moments: [const { Mat::new() }; OWN], roots }
    }

    /// The hat matrix, intercept included, `[m, m]`. With `f(c) = 1/(1 + δc)`, `f(c) = f(1) (1 + δ (1 - c) f(c))`: what is
    /// left of the measure `c dμ` is `(1 - c) c dμ`, for which the one-point Gauss rule has the moments.
    fn hat(&self, delta: f64, floor: f64) -> Mat<f64> {
        let (m, [first, second, third]) = (self.roots.len(), &self.moments);
        let left = first - second;
        let inner = &left + faer::Scale(delta) * (second - third);
        let outer = reduced(inner, left, floor);
        let rest = outer.transpose() * &outer;
        Mat::from_fn(m, m, |a, b| {
            (first[(a, b)] + delta * rest[(a, b)]) / (1.0 + delta) + self.roots[a] * self.roots[b]
        })
    }
}

/// The next half of a product with `(LLᵀ)⁻¹`, of which so many halves were taken before.
fn half<T: Precision>(factor: &Factor<T>, before: usize, x: MatMut<'_, T>) {
    if before.is_multiple_of(2) {
        factor.whiten(x);
    } else {
        factor.unwhiten(x);
    }
}

/// `L⁻¹ outer` with `LLᵀ` the inner products of some directions `[d, d]`; a direction that adds less than `floor` of itself to
/// those before adds nothing.
fn reduced(mut inner: Mat<f64>, mut outer: Mat<f64>, floor: f64) -> Mat<f64> {
    for j in 0..inner.nrows() {
        let own = inner[(j, j)];
        for k in 0..=j {
            let product = (0..k).map(|t| inner[(j, t)] * inner[(k, t)]).sum::<f64>();
            let rest = inner[(j, k)] - product;
            inner[(j, k)] = match (k < j, inner[(k, k)]) {
                (true, 0.0) => 0.0,
                (true, pivot) => rest / pivot,
                (false, _) if rest > floor * own => rest.sqrt(),
                _ => 0.0,
            };
        }
        for c in 0..outer.ncols() {
            let product = (0..j).map(|t| inner[(j, t)] * outer[(t, c)]).sum::<f64>();
            let rest = outer[(j, c)] - product;
            outer[(j, c)] = if inner[(j, j)] > 0.0 { rest / inner[(j, j)] } else { 0.0 };
        }
    }
    outer
}
