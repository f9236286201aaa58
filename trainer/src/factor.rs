//! The Cholesky factor of a symmetric matrix with a penalty on its diagonal. Knows nothing of what the matrix means.
//!
//! Blocked by hand: at orders of about 1,000 in f32 this takes two thirds of the time of faer's own recursion, and its
//! products can be shared among threads.

use faer::{
    Accum, Mat, MatMut, MatRef, Par, Side,
    linalg::{
        matmul::{
            matmul,
            triangular::{self, BlockStructure},
        },
        triangular_inverse::invert_lower_triangular,
        triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place},
    },
};

use crate::{precision::Precision, workers};

/// Columns eliminated at once.
const BLOCK: usize = 128;
/// Columns of what is left that one thread updates at once.
const STRIP: usize = 256;
/// Orders below this are not worth a second thread.
pub(crate) const SHARED: usize = 512;

/// `L` with `L Lᵀ = A + λI`, in `T`; `A` is kept in f64 by whoever made it.
pub(crate) struct Factor<T> {
    lower: Mat<T>,
}

impl<T: Precision> Factor<T> {
    /// Takes both triangles of `A` `[order, order]`. `None` where `A + λI` is not positive definite in this precision.
    /// O(order³/3).
    pub(crate) fn new(a: &Mat<f64>, lambda: f64, threads: usize) -> Option<Self> {
        let order = a.nrows();
        let threads = if order < SHARED { 1 } else { threads };
        let mut lower = Mat::<T>::zeros(order, order);
        for j in 0..order {
            for (to, from) in lower.col_as_slice_mut(j)[j..].iter_mut().zip(&a.col_as_slice(j)[j..]) {
                *to = T::of(*from);
            }
            lower[(j, j)] = T::of(a[(j, j)] + lambda);
        }
        let mut first = 0;
        while first < order {
            let width = BLOCK.min(order - first);
            let left = order - first;
            let rest = lower.as_mut().submatrix_mut(first, first, left, left);
            let (mut corner, _, mut below, rest) = rest.split_at_mut(width, width);
            let factor = corner.as_ref().llt(Side::Lower).ok()?;
            corner.copy_from(factor.L());
            solve_lower_triangular_in_place(corner.as_ref(), below.as_mut().transpose_mut(), Par::Seq);
            update(rest, below.as_ref(), threads);
            first += width;
        }
        let finite = (0..order).all(|j| {
            let pivot: f64 = lower[(j, j)].into();
            pivot.is_finite() && pivot > 0.0
        });
        finite.then_some(Self { lower })
    }

    /// `L⁻¹ x` in place, for `x` `[order, n]`. O(order²·n).
    pub(crate) fn whiten(&self, x: MatMut<'_, T>) {
        solve_lower_triangular_in_place(self.lower.as_ref(), x, Par::Seq);
    }

    /// `(L Lᵀ)⁻¹ x` in place.
    pub(crate) fn solve(&self, mut x: MatMut<'_, T>) {
        self.whiten(x.as_mut());
        self.unwhiten(x);
    }

    /// `L⁻ᵀ x` in place.
    pub(crate) fn unwhiten(&self, x: MatMut<'_, T>) {
        solve_upper_triangular_in_place(self.lower.transpose(), x, Par::Seq);
    }

    /// How many rows.
    pub(crate) fn order(&self) -> usize {
        self.lower.nrows()
    }

    /// `Lᵀ`, 0 below the diagonal.
    pub(crate) fn transposed(&self) -> Mat<T> {
        let order = self.order();
        Mat::from_fn(order, order, |i, j| if i <= j { self.lower[(j, i)] } else { T::of(0.0) })
    }

    /// The least square on the diagonal of `L`.
    pub(crate) fn least_pivot(&self) -> f64 {
        let pivots = (0..self.lower.nrows()).map(|j| self.lower[(j, j)].into().powi(2));
        pivots.fold(f64::INFINITY, f64::min)
    }

    /// `L⁻¹`, lower triangle, from a row and column on: the columns there need nothing else. O(m³/3) for m of them.
    pub(crate) fn inverse(&self, from: usize) -> Mat<T> {
        let left = self.lower.nrows() - from;
        let mut inverse = Mat::zeros(left, left);
        invert_lower_triangular(inverse.as_mut(), self.lower.submatrix(from, from, left, left), Par::Seq);
        inverse
    }
}

/// The lower triangle of `rest -= below belowᵀ`.
fn update<T: Precision>(mut rest: MatMut<'_, T>, below: MatRef<'_, T>, threads: usize) {
    let mut strips = Vec::new();
    let mut first = 0;
    while rest.ncols() > 0 {
        let width = STRIP.min(rest.ncols());
        let (strip, right) = rest.split_at_col_mut(width);
        strips.push((first, strip));
        (first, rest) = (first + width, right);
    }
    workers::each(threads, strips, |(first, strip)| {
        let (width, height) = (strip.ncols(), below.nrows() - first);
        let (diagonal, lower) = strip.split_at_row_mut(first).1.split_at_row_mut(width);
        let own = below.subrows(first, width);
        let (triangle, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        let minus = T::of(-1.0);
        triangular::matmul(diagonal, triangle, Accum::Add, own, full, own.transpose(), full, minus, Par::Seq);
        matmul(lower, Accum::Add, below.subrows(first + width, height - width), own.transpose(), minus, Par::Seq);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn case(order: usize) -> Mat<f64> {
        let x = Mat::<f64>::from_fn(order, order, |i, j| ((i * 7 + j * j * 3 + i * j) % 13) as f64 - 6.0);
        &x * x.transpose()
    }

    fn check<T: Precision>(order: usize, tolerance: f64) {
        let a = case(order);
        let factor = Factor::<T>::new(&a, 0.5 * order as f64, 1).unwrap();
        let shared = Factor::<T>::new(&a, 0.5 * order as f64, 3).unwrap();
        assert_eq!(factor.lower, shared.lower);
        let x = Mat::from_fn(order, 2, |i, j| (i as f64 * 0.3 + j as f64).sin());
        let mut b = Mat::from_fn(order, 2, |i, j| {
            T::of((0..order).map(|k| a[(i, k)] * x[(k, j)]).sum::<f64>() + 0.5 * order as f64 * x[(i, j)])
        });
        factor.solve(b.as_mut());
        let worst = (0..order).map(|i| (b[(i, 0)].into() - x[(i, 0)]).abs()).fold(0.0, f64::max);
        assert!(worst < tolerance, "{order}: {worst}");
    }

    #[test]
    fn solving_undoes_multiplying() {
        for order in [1, 2, BLOCK, BLOCK + 1, 2 * BLOCK + STRIP + 3] {
            check::<f64>(order, 1e-9);
            check::<f32>(order, 2e-2);
        }
        check::<f64>(SHARED + 5, 1e-9);
    }

    #[test]
    fn what_is_not_positive_is_refused() {
        let mut a = case(3);
        a[(1, 1)] = -1e3;
        assert!(Factor::<f64>::new(&a, 1.0, 1).is_none());
        a[(1, 1)] = f64::NAN;
        assert!(Factor::<f32>::new(&a, 1.0, 1).is_none());
    }
}
