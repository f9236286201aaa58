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

use crate::{Samples, precision::Precision, workers};

/// Columns of the products that one thread takes at once.
const STRIP: usize = 256;
/// Terms summed in `T`, before f64 takes over: of 2,048 centred terms in f32 the rounding is about 1e-6 of the mean
/// eigenvalue.
const ROWS: usize = 2048;
/// The same for products with few columns, where more care costs nothing.
const THIN: usize = 256;

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
        let (n, dim) = (samples.rows(), samples.dim());
        let features = samples.features();
        let features = features.as_standard_layout();
        let rows = || features.as_slice().unwrap_or_default().chunks_exact(dim);
        let (mut mean, mut largest) = (vec![0.0; dim], 0.0_f32);
        for (row, w) in rows().zip(&weights) {
            let share = w / n as f64;
            for (mean, &x) in mean.iter_mut().zip(row) {
                *mean += share * f64::from(x);
                largest = largest.max(x.abs());
            }
        }
        let unit = if largest > 0.0 { 2.0_f64.powi(f64::from(largest).log2() as i32) } else { 1.0 };
        let mut columns = Mat::<T>::zeros(dim, n);
        for (i, (row, w)) in rows().zip(&weights).enumerate() {
            let scale = w.sqrt() / unit;
            for ((to, &x), mean) in columns.col_as_slice_mut(i).iter_mut().zip(row).zip(&mean) {
                *to = T::of(scale * (f64::from(x) - mean));
            }
        }
        let products =
            if n < dim { products(columns.transpose(), threads) } else { products(columns.as_ref(), threads) };
        let order = products.nrows();
        let trace: f64 = (0..order).map(|j| products[(j, j)]).sum();
        let mean_value = if trace > 0.0 { trace * unit * unit / order as f64 } else { 1.0 };
        Self { columns, mean, weights, unit, mean_value, products }
    }

    /// In units of [`Centred::unit`].
    pub(crate) fn system(&self, threads: usize) -> System<'_, T> {
        let primal = self.products.nrows() == self.columns.nrows();
        let columns = primal.then(|| self.columns.as_ref());
        System { products: &self.products, columns, weights: &self.weights, threads }
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

/// Both triangles of `x xᵀ` for `x` `[order, terms]`.
pub(crate) fn products<T: Precision>(x: MatRef<'_, T>, threads: usize) -> Mat<f64> {
    let (order, terms) = x.shape();
    let mut out = Mat::<f64>::zeros(order, order);
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
        for start in (0..terms).step_by(ROWS) {
            let x = x.subcols(start, ROWS.min(terms - start));
            let own = x.subrows(first, width);
            let (diagonal, below) = part.as_mut().split_at_row_mut(width);
            let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
            triangular::matmul(diagonal, lower, Accum::Replace, own, full, own.transpose(), full, T::of(1.0), Par::Seq);
            let left = x.subrows(first + width, height - width);
            matmul(below, Accum::Replace, left, own.transpose(), T::of(1.0), Par::Seq);
            for k in 0..width {
                if let Some(to) = strip.as_mut().col_mut(k).try_as_col_major_mut() {
                    let to = to.as_slice_mut();
                    for (to, part) in to[first + k..].iter_mut().zip(&part.col_as_slice(k)[k..]) {
                        *to += (*part).into();
                    }
                }
            }
        }
    });
    for j in 0..order {
        for i in 0..j {
            out[(i, j)] = out[(j, i)];
        }
    }
    out
}
