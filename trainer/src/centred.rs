//! Weighted samples around their mean, and the products that penalised least squares is solved from.
//! Knows nothing of labels and penalties.
//!
//! With `X̃` the samples `√w (x - mean)`, one column each: from `X̃X̃ᵀ` `[dim, dim]` where samples are at least as many as
//! components, else from `X̃ᵀX̃` `[n, n]`, as any linear fit with an L2 penalty has its weights in the span of the samples.
//! Products are taken in `T` over at most [`ROWS`] terms and summed in f64.

use faer::{
    Accum, Mat, MatRef, Par,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
};

use crate::{Samples, dot::axpy, precision::Precision, workers};

/// How many times the next one a penalty of the path is: 10^0.3.
pub(crate) const NEXT: f64 = 1.995_262_314_968_879_5;
/// Columns of the products that one thread takes at once.
const STRIP: usize = 320;
/// Terms summed in `T`, before f64 takes over: of 2,048 centred terms in f32 the rounding is about 1e-6 of the mean
/// eigenvalue.
pub(crate) const ROWS: usize = 2048;
/// The same for products with few columns, where more care costs nothing.
const THIN: usize = 256;
/// Rows and columns that are mirrored or transposed at once.
const TILE: usize = 32;

/// Centred samples.
pub(crate) struct Centred<T> {
    /// `√w (x - mean) / unit`, one column per sample, `[dim, n]`.
    pub(crate) columns: Mat<T>,
    /// Weighted mean, `[dim]`.
    pub(crate) mean: Vec<f64>,
    /// Weight per sample, mean 1, `[n]`.
    pub(crate) weights: Vec<f64>,
    /// A power of two near the largest component: neither huge nor tiny features leave the range of f32.
    pub(crate) unit: f64,
    /// Mean square along a principal axis, in the samples' own units: what penalties are measured in. 1 where there is
    /// no variance.
    pub(crate) mean_value: f64,
    /// Both triangles of the products, `[order, order]`.
    products: Mat<f64>,
}

/// What penalised least squares is solved from.
#[derive(Clone, Copy)]
pub(crate) struct System<'a, T> {
    /// Both triangles, `[order, order]`.
    pub(crate) products: &'a Mat<f64>,
    /// The columns that `products` are the second moment of, `[order, n]`; none where `products` are those of samples with
    /// each other, `order = n`.
    pub(crate) columns: Option<MatRef<'a, T>>,
    /// Weight per sample, `[n]`.
    pub(crate) weights: &'a [f64],
    /// Threads to use at most.
    pub(crate) threads: usize,
}

impl<T: Precision> Centred<T> {
    /// Takes weights `[n]` with mean 1. O(n·dim·min(n, dim)).
    pub(crate) fn new(samples: &Samples<'_>, weights: Vec<f64>, threads: usize) -> Self {
        let (columns, mean, unit) = centre::<T>(samples, &weights);
        let (dim, n) = columns.shape();
        let products = products(if n < dim { columns.transpose() } else { columns.as_ref() }, ROWS, threads);
        let order = products.nrows();
        let trace: f64 = (0..order).map(|j| products[(j, j)]).sum();
        let mean_value = if trace > 0.0 { trace * unit * unit / order as f64 } else { 1.0 };
        Self { columns, mean, weights, unit, mean_value, products }
    }

    /// The penalty at an index of the path, in the samples' own units.
    pub(crate) fn penalty(&self, index: usize) -> f64 {
        self.mean_value * 10_f64.powf(2.5) / NEXT.powi(index as i32)
    }

    /// In units of [`Centred::unit`].
    pub(crate) fn system(&self, threads: usize) -> System<'_, T> {
        let primal = self.products.nrows() == self.columns.nrows();
        let columns = primal.then(|| self.columns.as_ref());
        System { products: &self.products, columns, weights: &self.weights, threads }
    }

    /// The system in double precision, whatever the samples are in, where it is one of samples with each other.
    pub(crate) fn spanned(&self, threads: usize) -> Option<System<'_, f64>> {
        let dual = self.products.nrows() < self.columns.nrows();
        dual.then_some(System { products: &self.products, columns: None, weights: &self.weights, threads })
    }

    /// Weights `[dim, k]` on features from coefficients `[order, k]` of the system: `X̃ c` where those are of samples.
    /// O(n·dim·k).
    pub(crate) fn weights_of(&self, coefficients: MatRef<'_, f64>) -> Mat<f64> {
        let scale = faer::Scale(1.0 / self.unit);
        if coefficients.nrows() == self.columns.nrows() {
            coefficients * scale
        } else {
            times(self.columns.as_ref(), coefficients) * scale
        }
    }
}

/// Samples `√w (x - mean) / unit`, one column each `[dim, n]`, their weighted mean `[dim]`, and the unit: a power of two
/// near the largest component.
pub(crate) fn centre<T: Precision>(samples: &Samples<'_>, weights: &[f64]) -> (Mat<T>, Vec<f64>, f64) {
    let (n, dim) = (samples.rows(), samples.dim());
    let (mut mean, mut largest) = (vec![0.0; dim], 0.0_f32);
    for (i, w) in weights.iter().enumerate() {
        let row = samples.row(i);
        axpy(&mut mean, w / n as f64, &row);
        largest = row.iter().fold(largest, |most, x| most.max(x.abs()));
    }
    let unit = if largest > 0.0 { 2.0_f64.powi(f64::from(largest).log2() as i32) } else { 1.0 };
    let mut columns = Mat::<T>::zeros(dim, n);
    for (i, w) in weights.iter().enumerate() {
        let scale = w.sqrt() / unit;
        for ((to, &x), mean) in columns.col_as_slice_mut(i).iter_mut().zip(samples.row(i).iter()).zip(&mean) {
            *to = T::of(scale * (f64::from(x) - mean));
        }
    }
    (columns, mean, unit)
}

/// `columns · c` in f64 sums of products in `T`.
pub(crate) fn times<T: Precision>(columns: MatRef<'_, T>, c: MatRef<'_, f64>) -> Mat<f64> {
    let (dim, n) = columns.shape();
    let mut sum = Mat::<f64>::zeros(dim, c.ncols());
    let mut part = Mat::<T>::zeros(dim, c.ncols());
    for first in (0..n).step_by(THIN) {
        let width = THIN.min(n - first);
        let c = Mat::from_fn(width, c.ncols(), |i, k| T::of(c[(first + i, k)]));
        matmul(part.as_mut(), Accum::Replace, columns.subcols(first, width), &c, T::of(1.0), Par::Seq);
        for k in 0..c.ncols() {
            for (sum, part) in sum.col_as_slice_mut(k).iter_mut().zip(part.col_as_slice(k)) {
                *sum += (*part).into();
            }
        }
    }
    sum
}

/// Both triangles of `x xᵀ` for `x` `[order, terms]`, of which at most `at_once` are summed in `T`.
pub(crate) fn products<T: Precision>(x: MatRef<'_, T>, at_once: usize, threads: usize) -> Mat<f64> {
    let (order, terms) = x.shape();
    let mut out = Mat::<f64>::zeros(order, order);
    for start in (0..terms).step_by(at_once) {
        let x = x.subcols(start, at_once.min(terms - start));
        let mut strips = Vec::new();
        let mut rest = out.as_mut();
        while rest.ncols() > 0 {
            let first = order - rest.ncols();
            let (strip, right) = rest.split_at_col_mut(STRIP.min(order - first));
            strips.push((first, strip));
            rest = right;
        }
        workers::each(if order * terms < 1 << 16 { 1 } else { threads }, strips, |(first, mut strip)| {
            let (width, height) = (strip.ncols(), order - first);
            let mut part = Mat::<T>::zeros(height, width);
            let own = x.subrows(first, width);
            let across = (own.row_stride() == 1).then(|| transposed(own));
            let right = across.as_ref().map_or(own.transpose(), Mat::as_ref);
            let (diagonal, below) = part.as_mut().split_at_row_mut(width);
            let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
            triangular::matmul(diagonal, lower, Accum::Replace, own, full, right, full, T::of(1.0), Par::Seq);
            let left = x.subrows(first + width, height - width);
            matmul(below, Accum::Replace, left, right, T::of(1.0), Par::Seq);
            for k in 0..width {
                if let Some(to) = strip.as_mut().col_mut(k).try_as_col_major_mut() {
                    let to = to.as_slice_mut();
                    for (to, part) in to[first + k..].iter_mut().zip(&part.col_as_slice(k)[k..]) {
                        *to += (*part).into();
                    }
                }
            }
        });
    }
    mirror(&mut out);
    out
}

/// `xᵀ` in columns, tile by tile: whole rows would leave the cache between two columns. A product is a third faster where
/// the terms of its right side lie side by side, which pays for putting them there.
pub(crate) fn transposed<T: Precision>(x: MatRef<'_, T>) -> Mat<T> {
    let (rows, columns) = x.shape();
    let mut out = Mat::<T>::zeros(columns, rows);
    let mut tile = [[T::of(0.0); TILE]; TILE];
    for left in (0..columns).step_by(TILE) {
        let width = TILE.min(columns - left);
        for top in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - top);
            for (j, to) in tile.iter_mut().enumerate().take(width) {
                let column =
                    x.col(left + j).try_as_col_major().map(faer::col::generic::Col::as_slice).unwrap_or_default();
                to[..height].copy_from_slice(&column[top..top + height]);
            }
            for i in 0..height {
                let to = &mut out.col_as_slice_mut(top + i)[left..left + width];
                to.iter_mut().zip(&tile).for_each(|(to, column)| *to = column[i]);
            }
        }
    }
    out
}

/// Copies the lower triangle to the upper one, tile by tile: whole columns would leave the cache between two uses.
pub(crate) fn mirror(matrix: &mut Mat<f64>) {
    let order = matrix.nrows();
    for left in (0..order).step_by(TILE) {
        for top in (0..=left).step_by(TILE) {
            for j in left..order.min(left + TILE) {
                for i in top..j.min(top + TILE) {
                    matrix[(i, j)] = matrix[(j, i)];
                }
            }
        }
    }
}
