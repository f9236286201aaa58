//! Penalised least squares at one penalty: coefficients, and predictions for samples that were left out.
//! Knows nothing of features, classes and how penalties are chosen.
//!
//! With `H` the weighted hat matrix, intercept included, and `r` the weighted residuals, refitting without group g leaves
//! `(I - H_gg)⁻¹ r_g` on it (Cook and Weisberg 1982, eq. 2.2.23; for single samples Allen's PRESS). That is the refit
//! itself, mean and intercept included; λ and the weights `w` are held fixed. `H` comes from the Cholesky factor
//! `LLᵀ` of the penalised products: as `√w√wᵀ/n + UᵀU`, `U = L⁻¹X̃`, from those of components, and as
//! `√w√wᵀ/n + I - λUᵀU`, `U = L⁻¹`, from those of samples, where `r = λ(LLᵀ)⁻¹ỹ`.
//!
//! Invariant: what is too ill-conditioned for the precision is refused, never answered wrongly.

use faer::{
    Accum, ColRef, Mat, MatRef, Par,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
};

use crate::{
    centred::{System, times},
    dot::dot,
    factor::Factor,
    precision::Precision,
    workers,
};

/// Steps of refinement end below this share of the coefficients: to rank penalties, and for good.
pub(crate) const ROUGH: f64 = 1e-3;
pub(crate) const FINE: f64 = 1e-9;
/// Refinements at most.
const REFINEMENTS: usize = 8;
/// Penalties below this share of the trace are rounding in f64, and count as this.
const LEAST: f64 = 1e-14;

/// Differences from 1 below so many times the precision are rounding.
pub(crate) const FLOOR: f64 = 256.0;

/// The precision does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IllConditioned;

/// Samples that are left out together, and the groups among them that are left out on their own.
pub(crate) struct Batch<'a> {
    pub(crate) groups: Vec<&'a [usize]>,
}

impl Batch<'_> {
    /// Its samples, group by group.
    pub(crate) fn rows(&self) -> Vec<usize> {
        self.groups.concat()
    }
}

/// Leave-out errors of a batch in the order of its rows, weighted, `[rows, targets]`.
pub(crate) struct Errors {
    pub(crate) by_group: Mat<f64>,
    pub(crate) by_batch: Option<Mat<f64>>,
}

/// A system with its penalty, factored.
pub(crate) struct Penalised<'a, T> {
    pub(crate) system: System<'a, T>,
    lambda: f64,
    pub(crate) factor: Factor<T>,
    /// `L⁻¹` where the system is one of samples, from a sample on.
    inverse: Option<Mat<T>>,
    /// That sample; of those before nothing is asked.
    from: usize,
}

impl<'a, T: Precision> Penalised<'a, T> {
    /// Only samples `from` one on can be left out where the system is one of samples. O(order³/3), and there as much again
    /// for those that can.
    pub(crate) fn new(system: System<'a, T>, lambda: f64, from: usize) -> Result<Self, IllConditioned> {
        let order = system.products.nrows();
        let factored = |lambda| Factor::new(system.products, lambda, system.threads);
        let (lambda, factor) = match factored(lambda) {
            Some(factor) => (lambda, factor),
            None if T::EPSILON > f64::EPSILON => return Err(IllConditioned),
            None => {
                let trace: f64 = (0..order).map(|j| system.products[(j, j)]).sum();
                let mut floors = (0..6).map(|k| lambda.max(LEAST * 10_f64.powi(k) * trace));
                floors.find_map(|floor| Some((floor, factored(floor)?))).ok_or(IllConditioned)?
            }
        };
        let inverse = system.columns.is_none().then(|| factor.inverse(from));
        Ok(Self { system, lambda, factor, inverse, from })
    }

    /// `(A + λI)⁻¹ b` for `b` `[order, targets]`, refined in f64 until steps are below `tolerance` of the answer.
    pub(crate) fn solve(&self, b: MatRef<'_, f64>, tolerance: f64) -> Result<Mat<f64>, IllConditioned> {
        let (order, targets) = b.shape();
        let rough = |b: MatRef<'_, f64>| {
            let mut x = Mat::from_fn(order, targets, |i, j| T::of(b[(i, j)]));
            self.factor.solve(x.as_mut());
            Mat::from_fn(order, targets, |i, j| x[(i, j)].into())
        };
        let mut x = rough(b);
        // No eigenvalue is above the trace: so well conditioned, the first answer is as good as was asked for.
        let trace: f64 = (0..order).map(|j| self.system.products[(j, j)]).sum();
        if trace / self.lambda * T::EPSILON < 0.1 * tolerance {
            return Ok(x);
        }
        let mut before = f64::INFINITY;
        for _ in 0..REFINEMENTS {
            let mut residual = Mat::from_fn(order, targets, |i, j| b[(i, j)] - self.lambda * x[(i, j)]);
            matmul(residual.as_mut(), Accum::Add, self.system.products, &x, -1.0, Par::Seq);
            let step = rough(residual.as_ref());
            x += &step;
            let share = step.norm_l2() / x.norm_l2();
            // What is left shrinks by the same share with every step.
            let left = share * share / before.min(1.0);
            if share <= tolerance || left <= 0.1 * tolerance || x.norm_l2() <= 0.0 {
                return Ok(x);
            }
            if share.is_nan() || share > 0.5 * before {
                // As good as it gets in f64; f32 has f64 to fall back to.
                return if T::EPSILON > f64::EPSILON || share.is_nan() { Err(IllConditioned) } else { Ok(x) };
            }
            before = share;
        }
        if T::EPSILON > f64::EPSILON { Err(IllConditioned) } else { Ok(x) }
    }

    /// Leave-out errors of each batch, given the weighted, centred targets `[n, targets]` and their coefficients
    /// `[order, targets]`; those of whole batches too if `whole`. Of the first batches `known` are the columns of `U`.
    /// O(order²·rows) and, per group of m > 1, O(m²·order + m³).
    pub(crate) fn errors(
        &self,
        batches: &[Batch<'_>],
        known: &[Mat<T>],
        whole: bool,
        targets: MatRef<'_, f64>,
        coefficients: MatRef<'_, f64>,
    ) -> Result<Vec<Errors>, IllConditioned> {
        let small = Mat::from_fn(coefficients.ncols(), coefficients.nrows(), |k, j| T::of(coefficients[(j, k)]));
        let threads = if self.system.products.nrows() * targets.nrows() < 1 << 16 { 1 } else { self.system.threads };
        let work = |(at, batch): (usize, &Batch<'_>)| {
            let rows = batch.rows();
            let (residuals, whitened) = self.look(&rows, known.get(at), targets, coefficients, small.as_ref());
            let mut by_group = Mat::zeros(rows.len(), targets.ncols());
            let mut first = 0;
            for group in &batch.groups {
                let (own, u) = (residuals.subrows(first, group.len()), whitened.subcols(first, group.len()));
                if let [sample] = **group {
                    let over = 1.0 / self.kept(sample, u)?;
                    (0..own.ncols()).for_each(|k| by_group[(first, k)] = own[(0, k)] * over);
                } else {
                    let errors = self.left_out(group, own, u)?;
                    by_group.as_mut().subrows_mut(first, group.len()).copy_from(errors);
                }
                first += group.len();
            }
            let by_batch =
                if whole { Some(self.left_out(&rows, residuals.as_ref(), whitened.as_ref())?) } else { None };
            Ok(Errors { by_group, by_batch })
        };
        workers::each(threads, batches.iter().enumerate().collect(), work).into_iter().collect()
    }

    /// The penalty, which f64 may have raised to what it can tell from nothing.
    pub(crate) fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Their part of the hat matrix, `[m, m]`, for samples with columns `u` `[order, m]`; without the intercept's.
    pub(crate) fn hat(&self, u: MatRef<'_, T>) -> Mat<f64> {
        let m = u.ncols();
        let product = squares(u);
        match self.inverse {
            None => product,
            Some(_) => Mat::from_fn(m, m, |a, b| f64::from(a == b) - self.lambda * product[(a, b)]),
        }
    }

    /// Residuals `[rows, targets]` and columns of `U` `[order, rows]` of some samples, unless those are known; `small` are the
    /// coefficients `[targets, order]` in `T`.
    pub(crate) fn look(
        &self,
        rows: &[usize],
        known: Option<&Mat<T>>,
        targets: MatRef<'_, f64>,
        coefficients: MatRef<'_, f64>,
        small: MatRef<'_, T>,
    ) -> (Mat<f64>, Mat<T>) {
        match (self.system.columns, &self.inverse) {
            (Some(columns), _) => {
                let mut own = gathered(columns, rows, 0);
                let mut fitted = Mat::<T>::zeros(small.nrows(), rows.len());
                matmul(fitted.as_mut(), Accum::Replace, small, &own, T::of(1.0), Par::Seq);
                let residuals = Mat::from_fn(rows.len(), targets.ncols(), |a, k| {
                    let fitted: f64 = fitted[(k, a)].into();
                    targets[(rows[a], k)] - fitted
                });
                match known {
                    Some(known) => own.clone_from(known),
                    None => self.factor.whiten(own.as_mut()),
                }
                (residuals, own)
            }
            (None, inverse) => {
                let residuals =
                    Mat::from_fn(rows.len(), targets.ncols(), |a, k| self.lambda * coefficients[(rows[a], k)]);
                let own = inverse.as_ref().map(|inverse| gathered(inverse.as_ref(), rows, self.from));
                (residuals, own.unwrap_or_else(Mat::new))
            }
        }
    }

    /// `1 - H_ii` of a sample with column `u` `[order, 1]`.
    fn kept(&self, sample: usize, u: MatRef<'_, T>) -> Result<f64, IllConditioned> {
        let share = self.system.weights[sample] / self.system.weights.len() as f64;
        let kept = match self.inverse {
            None => 1.0 - square(u.col(0)) - share,
            Some(_) => self.lambda * square(u.col(0)) - share,
        };
        // Below this the difference is rounding; f64 has no better to fall back to.
        let floor = FLOOR * T::EPSILON;
        let refused = kept < floor && T::EPSILON > f64::EPSILON;
        if refused { Err(IllConditioned) } else { Ok(kept.max(floor)) }
    }

    /// `(I - H_gg)⁻¹ r_g` for a group with residuals `[m, targets]` and columns `u` `[order, m]`.
    fn left_out(
        &self,
        group: &[usize],
        residuals: MatRef<'_, f64>,
        u: MatRef<'_, T>,
    ) -> Result<Mat<f64>, IllConditioned> {
        let n = self.system.weights.len() as f64;
        let roots: Vec<f64> = group.iter().map(|&i| (self.system.weights[i] / n).sqrt()).collect();
        let share = |a: usize, b: usize| roots[a] * roots[b];
        let (order, m) = u.shape();
        if let [sample] = *group {
            return Ok(residuals * faer::Scale(1.0 / self.kept(sample, u)?));
        }
        if self.inverse.is_none() && m > order + 1 {
            return self.left_out_of_many(group, residuals, u);
        }
        let products = squares(u);
        let keep = Mat::from_fn(m, m, |a, b| match self.inverse {
            None => f64::from(a == b) - products[(a, b)] - share(a, b),
            Some(_) => self.lambda * products[(a, b)] - share(a, b),
        });
        divide(&keep, residuals, FLOOR * T::EPSILON)
    }

    /// The same for more samples than components, by Woodbury's identity: `(I - VᵀV)⁻¹ = I + Vᵀ(I - VVᵀ)⁻¹V` with `V` the
    /// columns and the intercept's row.
    fn left_out_of_many(
        &self,
        group: &[usize],
        residuals: MatRef<'_, f64>,
        u: MatRef<'_, T>,
    ) -> Result<Mat<f64>, IllConditioned> {
        let (order, m) = u.shape();
        let n = self.system.weights.len() as f64;
        let last = |a: usize| T::of((self.system.weights[group[a]] / n).sqrt());
        let v = Mat::from_fn(order + 1, m, |j, a| if j < order { u[(j, a)] } else { last(a) });
        let products = squares(v.transpose());
        let keep = Mat::from_fn(order + 1, order + 1, |a, b| f64::from(a == b) - products[(a, b)]);
        let inner = divide(&keep, times(v.as_ref(), residuals).as_ref(), FLOOR * T::EPSILON)?;
        Ok(residuals + times(v.transpose(), inner.as_ref()))
    }
}

/// `keep⁻¹ residuals`: positive definite for every λ > 0, which rounding can spoil where the penalty is next to nothing. What is
/// below `floor` is rounding: refused where there is a better precision, and left as it is where there is none.
pub(crate) fn divide(keep: &Mat<f64>, residuals: MatRef<'_, f64>, floor: f64) -> Result<Mat<f64>, IllConditioned> {
    let best = floor <= FLOOR * f64::EPSILON;
    match Factor::<f64>::new(keep, 0.0, 1) {
        Some(factor) if best || factor.least_pivot() >= floor => {
            let mut errors = residuals.to_owned();
            factor.solve(errors.as_mut());
            Ok(errors)
        }
        _ if best => Ok(residuals.to_owned()),
        _ => Err(IllConditioned),
    }
}

/// The columns of some samples, of which a matrix holds those from the `first` one on.
pub(crate) fn gathered<T: Precision>(from: MatRef<'_, T>, rows: &[usize], first: usize) -> Mat<T> {
    let mut to = Mat::zeros(from.nrows(), rows.len());
    for (a, &i) in rows.iter().enumerate() {
        let from = from.col(i - first);
        match from.try_as_col_major() {
            Some(from) => to.col_as_slice_mut(a).copy_from_slice(from.as_slice()),
            None => to.col_mut(a).copy_from(from),
        }
    }
    to
}

/// The square of a single column.
pub(crate) fn square<T: Precision>(u: ColRef<'_, T>) -> f64 {
    let column = u.try_as_col_major().map(faer::col::generic::Col::as_slice).unwrap_or_default();
    dot(column, column)
}

/// `uᵀu`, both triangles, for `u` `[order, m]`.
pub(crate) fn squares<T: Precision>(u: MatRef<'_, T>) -> Mat<f64> {
    let m = u.ncols();
    if m == 1 {
        return Mat::full(1, 1, square(u.col(0)));
    }
    let mut lower = Mat::<T>::zeros(m, m);
    let (triangle, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    triangular::matmul(lower.as_mut(), triangle, Accum::Replace, u.transpose(), full, u, full, T::of(1.0), Par::Seq);
    Mat::from_fn(m, m, |a, b| lower[(a.max(b), a.min(b))].into())
}
