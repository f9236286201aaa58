//! Products of features with the weights of classes, summed in f64, as many classes side by side as the processor can.
//! Knows nothing of what they mean.
//!
//! Invariant: each sum is one chain of fused multiply-adds from the first component to the last, so equal numbers give equal
//! bits on every processor, and however many features are asked for at once. One without such an instruction, as x86-64 before
//! AVX2, takes some fifty nanoseconds for each.

use std::{array, iter::zip};

use ndarray::{Array2, ArrayView2};
use pulp::{Arch, Simd, WithSimd};

use crate::wide::wide;

/// For fewer features than this the weights are not laid out anew.
const FEW: usize = 4;
/// Classes whose chains run beside one another for a single feature.
const CLASSES: usize = 8;
/// Features, and vectors of classes, that are summed at once: nine sums, and what they are made of, fill sixteen registers.
const ROWS: usize = 3;
const VECTORS: usize = 3;

/// `units weightsᵀ`, `[n, classes]`, of units `[n, dim]` and weights `[classes, dim]`. O(n·classes·dim).
pub(crate) fn inner_products(units: ArrayView2<'_, f32>, weights: ArrayView2<'_, f32>) -> Array2<f64> {
    let (n, dim) = units.dim();
    let mut out = Array2::zeros((n, weights.nrows()));
    let (units, weights) = (units.as_standard_layout(), weights.as_standard_layout());
    if let (Some(units), Some(weights), Some(out)) = (units.as_slice(), weights.as_slice(), out.as_slice_mut())
        && dim > 0
        && !out.is_empty()
    {
        if n < FEW {
            few(units, weights, dim, out);
        } else {
            Arch::new().dispatch(Many { units, weights, dim, out });
        }
    }
    out
}

/// Feature by feature.
fn few(units: &[f32], weights: &[f32], dim: usize, out: &mut [f64]) {
    let classes = weights.len() / dim;
    wide(
        #[inline(always)]
        || {
            for (unit, out) in zip(units.chunks_exact(dim), out.chunks_exact_mut(classes)) {
                for (first, out) in zip((0..classes).step_by(CLASSES), out.chunks_mut(CLASSES)) {
                    // The last one again where there are not as many.
                    let rows: [&[f32]; CLASSES] =
                        array::from_fn(|k| &weights[(first + k).min(classes - 1) * dim..][..dim]);
                    let mut sums = [0.0; CLASSES];
                    for (j, &x) in unit.iter().enumerate() {
                        zip(&mut sums, rows)
                            .for_each(|(sum, row)| *sum = f64::from(x).mul_add(f64::from(row[j]), *sum));
                    }
                    out.copy_from_slice(&sums[..out.len()]);
                }
            }
        },
    );
}

/// Many features.
struct Many<'a> {
    units: &'a [f32],
    weights: &'a [f32],
    dim: usize,
    /// `[n, classes]`.
    out: &'a mut [f64],
}

impl WithSimd for Many<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "what is not inlined is not compiled for wide vectors")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { units, weights, dim, out } = self;
        let classes = weights.len() / dim;
        let vectors = classes.div_ceil(S::F64_LANES);
        let width = vectors * S::F64_LANES;
        // Classes side by side, `[dim, width]`.
        let mut wide = vec![0.0; dim * width];
        for (class, row) in weights.chunks_exact(dim).enumerate() {
            zip(wide.iter_mut().skip(class).step_by(width), row).for_each(|(to, &w)| *to = f64::from(w));
        }
        let wide = S::as_simd_f64s(&wide).0;
        let (mut across, mut sums) = (vec![0.0; ROWS * dim], vec![0.0; ROWS * width]);
        for (units, out) in zip(units.chunks(ROWS * dim), out.chunks_mut(ROWS * classes)) {
            if units.len() == ROWS * dim {
                sum_rows::<S, ROWS>(simd, units, wide, &mut across, &mut sums);
            } else {
                for (unit, sums) in zip(units.chunks_exact(dim), sums.chunks_exact_mut(width)) {
                    sum_rows::<S, 1>(simd, unit, wide, &mut across[..dim], sums);
                }
            }
            zip(out.chunks_exact_mut(classes), sums.chunks_exact(width))
                .for_each(|(out, sums)| out.copy_from_slice(&sums[..classes]));
        }
    }
}

/// Sums `[R, width]` of units `[R, dim]`, with `across` `[dim, R]` to work in.
#[expect(clippy::inline_always, reason = "what is not inlined is not compiled for wide vectors")]
#[inline(always)]
fn sum_rows<S: Simd, const R: usize>(simd: S, units: &[f32], wide: &[S::f64s], across: &mut [f64], sums: &mut [f64]) {
    let dim = units.len() / R;
    let rows: [&[f32]; R] = array::from_fn(|r| &units[r * dim..][..dim]);
    for (j, to) in across.chunks_exact_mut(R).enumerate() {
        zip(to, rows).for_each(|(to, row)| *to = f64::from(row[j]));
    }
    let sums = S::as_mut_simd_f64s(sums).0;
    let vectors = sums.len() / R;
    let mut first = 0;
    while first < vectors {
        first += match vectors - first {
            1 => sum_block::<S, R, 1>(simd, across, wide, first, sums),
            2 => sum_block::<S, R, 2>(simd, across, wide, first, sums),
            _ => sum_block::<S, R, VECTORS>(simd, across, wide, first, sums),
        };
    }
}

/// `V` vectors of each row, from one on; how many that are.
#[expect(clippy::inline_always, reason = "what is not inlined is not compiled for wide vectors")]
#[inline(always)]
fn sum_block<S: Simd, const R: usize, const V: usize>(
    simd: S,
    across: &[f64],
    wide: &[S::f64s],
    first: usize,
    sums: &mut [S::f64s],
) -> usize {
    let vectors = sums.len() / R;
    let mut block = [[simd.splat_f64s(0.0); V]; R];
    for (x, w) in zip(across.chunks_exact(R), wide.chunks_exact(vectors)) {
        let w = &w[first..first + V];
        for (sums, &x) in zip(&mut block, x) {
            let x = simd.splat_f64s(x);
            for (sum, &w) in zip(sums, w) {
                *sum = simd.mul_add_f64s(x, w, *sum);
            }
        }
    }
    for (r, block) in block.iter().enumerate() {
        sums[r * vectors + first..][..V].copy_from_slice(block);
    }
    V
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, s};

    #[test]
    fn every_shape_is_summed_component_by_component() {
        for (n, classes, dim) in [(1, 1, 1), (2, 9, 5), (3, 17, 33), (4, 1, 7), (5, 6, 40), (9, 10, 64), (13, 27, 3)] {
            let number = |i: usize, j: usize| ((i * 31 + j * 17 + i * j) % 101) as f32 / 101.0 - 0.4;
            let units = Array2::from_shape_fn((n, dim), |(i, j)| number(i, j));
            let weights = Array2::from_shape_fn((classes, dim), |(c, j)| number(j, c));
            let expected = Array2::from_shape_fn((n, classes), |(i, c)| {
                let pairs = zip(units.row(i), weights.row(c));
                pairs.fold(0.0, |sum, (&x, &w)| f64::from(x).mul_add(f64::from(w), sum))
            });
            assert_eq!(inner_products(units.view(), weights.view()), expected, "{n} {classes} {dim}");
            for i in 0..n {
                let one = inner_products(units.slice(s![i..=i, ..]), weights.view());
                assert_eq!(one.row(0), expected.row(i));
            }
            // Laid out otherwise, and from its end.
            let (mut turned, mut upside) = (Array2::zeros((dim, n)), expected);
            turned.assign(&units.t());
            turned.invert_axis(Axis(1));
            upside.invert_axis(Axis(0));
            assert_eq!(inner_products(turned.t(), weights.view()), upside);
        }
    }

    #[test]
    fn of_nothing_there_are_no_products() {
        let none =
            |n, classes, dim| inner_products(Array2::zeros((n, dim)).view(), Array2::zeros((classes, dim)).view());
        assert_eq!(none(0, 3, 4).dim(), (0, 3));
        assert_eq!(none(5, 0, 4).dim(), (5, 0));
        assert_eq!(none(5, 3, 0), Array2::<f64>::zeros((5, 3)));
    }
}
