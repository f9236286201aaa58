//! Raw integer sums of feature codes: all that closed-form heads need, in a form that adds and subtracts exactly.
//! Knows nothing of features as numbers, of centring, weights or penalties: those belong to solving.
//!
//! Invariant: equal multisets of (codes, label) give equal statistics, bit for bit, whatever the order, the blocking
//! and the machine; removing undoes adding. Second moments are products of f32 matrices of at most 258 rows: each sum
//! stays within 258·255² < 2²⁴, so f32 holds it exactly.

mod digest;
mod error;

use std::borrow::Cow;

use faer::{
    Accum, MatMut, MatRef, Par,
    linalg::matmul::{
        matmul,
        triangular::{self, BlockStructure},
    },
};
use ndarray::ArrayView2;

pub use self::error::StatisticsError;

use crate::{Quantisation, centred::transposed, wide::wide};

/// Rows per exact f32 product: 258·255² = 16 776 450 < 2²⁴.
const BLOCK: usize = 258;
/// Columns per product: bounds the scratch memory and skips most of the half below the diagonal.
const STRIP: usize = 320;
/// More classes than this is a corrupted label.
const MAX_CLASSES: usize = 10_000;

/// Raw integer sums of 8-bit codes.
///
/// | what | shape | type |
/// |---|---|---|
/// | counts | `[classes]` | i64 |
/// | class sums | `[classes, dim]`, row by row | i64 |
/// | second moment of all classes together | upper triangle by columns: entry `(i, j)`, `i ≤ j`, at `j(j+1)/2 + i` | i64 |
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    dim: usize,
    quantisation: Quantisation,
    counts: Vec<i64>,
    sums: Vec<i64>,
    moment: Vec<i64>,
}

impl Statistics {
    /// Statistics of nothing.
    pub fn new(dim: usize, quantisation: Quantisation) -> Self {
        Self { dim, quantisation, counts: Vec::new(), sums: Vec::new(), moment: vec![0; packed(dim)] }
    }

    /// Puts stored parts together again: counts, class sums and packed second moment, as the accessors gave them.
    ///
    /// # Errors
    /// When the lengths do not belong together or a count is negative.
    pub fn from_parts(
        dim: usize,
        quantisation: Quantisation,
        counts: Vec<i64>,
        sums: Vec<i64>,
        moment: Vec<i64>,
    ) -> Result<Self, StatisticsError> {
        let check = |part, found, expected| {
            if found == expected { Ok(()) } else { Err(StatisticsError::Parts { part, expected, found }) }
        };
        check("class sums", sums.len(), counts.len().saturating_mul(dim))?;
        check("second moment", moment.len(), packed(dim))?;
        if let Some(class) = counts.iter().position(|&n| n < 0) {
            return Err(StatisticsError::Absent { class, removed: -counts[class], held: 0 });
        }
        Ok(Self { dim, quantisation, counts, sums, moment })
    }

    /// Adds rows of codes `[n, dim]` with their labels `[n]`; a label beyond the classes adds classes. O(n·dim²).
    ///
    /// # Errors
    /// When shapes differ or a label is absurd; nothing is added then.
    pub fn add(&mut self, codes: ArrayView2<'_, u8>, labels: &[usize]) -> Result<(), StatisticsError> {
        let change = self.tally(codes, labels)?;
        self.grow(change.len());
        self.apply(codes, labels, 1);
        Ok(())
    }

    /// Takes rows back that were added before, in any order. O(n·dim²).
    ///
    /// # Errors
    /// When shapes differ or there are not as many samples of a class; nothing is removed then.
    pub fn remove(&mut self, codes: ArrayView2<'_, u8>, labels: &[usize]) -> Result<(), StatisticsError> {
        let change = self.tally(codes, labels)?;
        self.check_held(&change)?;
        self.apply(codes, labels, -1);
        Ok(())
    }

    /// Adds other statistics, class index by class index: the result is that of the pooled samples. O(dim²).
    ///
    /// # Errors
    /// When dim or quantisation differ; nothing changes then.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        self.check_alike(other)?;
        self.grow(other.counts.len());
        self.combine(other, 1);
        Ok(())
    }

    /// Takes other statistics back that were merged before. O(dim²).
    ///
    /// # Errors
    /// When dim or quantisation differ, or the other holds more samples of a class; nothing changes then.
    pub fn subtract(&mut self, other: &Self) -> Result<(), StatisticsError> {
        self.check_alike(other)?;
        self.check_held(&other.counts)?;
        self.combine(other, -1);
        Ok(())
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// What the codes mean.
    pub fn quantisation(&self) -> Quantisation {
        self.quantisation
    }

    /// Samples per class, `[classes]`.
    pub fn counts(&self) -> &[i64] {
        &self.counts
    }

    /// Sums of codes per class, `[classes, dim]`, row by row.
    pub fn sums(&self) -> &[i64] {
        &self.sums
    }

    /// Sums of products of codes, upper triangle by columns: entry `(i, j)`, `i ≤ j`, at `j(j+1)/2 + i`.
    pub fn second_moment(&self) -> &[i64] {
        &self.moment
    }

    /// Checks shapes and counts labels, `[largest label + 1]`.
    fn tally(&self, codes: ArrayView2<'_, u8>, labels: &[usize]) -> Result<Vec<i64>, StatisticsError> {
        if codes.ncols() != self.dim {
            return Err(StatisticsError::Dim { expected: self.dim, found: codes.ncols() });
        }
        if codes.nrows() != labels.len() {
            return Err(StatisticsError::Labels { rows: codes.nrows(), labels: labels.len() });
        }
        if let Some(&label) = labels.iter().find(|&&label| label >= MAX_CLASSES) {
            return Err(StatisticsError::ClassLimit { label });
        }
        let mut change = vec![0; labels.iter().max().map_or(0, |&label| label + 1)];
        for &label in labels {
            change[label] += 1;
        }
        Ok(change)
    }

    fn check_held(&self, change: &[i64]) -> Result<(), StatisticsError> {
        for (class, &removed) in change.iter().enumerate() {
            let held = self.counts.get(class).copied().unwrap_or(0);
            if removed > held {
                return Err(StatisticsError::Absent { class, removed, held });
            }
        }
        Ok(())
    }

    fn check_alike(&self, other: &Self) -> Result<(), StatisticsError> {
        if other.dim != self.dim {
            return Err(StatisticsError::Dim { expected: self.dim, found: other.dim });
        }
        if other.quantisation != self.quantisation {
            let (expected, found) = (self.quantisation, other.quantisation);
            return Err(StatisticsError::Quantisation { expected, found });
        }
        Ok(())
    }

    fn grow(&mut self, classes: usize) {
        if classes > self.counts.len() {
            self.counts.resize(classes, 0);
            self.sums.resize(classes * self.dim, 0);
        }
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        let each = |ours: &mut Vec<i64>, theirs: &[i64]| {
            for (a, b) in ours.iter_mut().zip(theirs) {
                *a += sign * b;
            }
        };
        each(&mut self.counts, &other.counts);
        each(&mut self.sums, &other.sums);
        each(&mut self.moment, &other.moment);
    }

    /// Adds `sign` times the rows; shapes are checked and the classes exist.
    fn apply(&mut self, codes: ArrayView2<'_, u8>, labels: &[usize], sign: i64) {
        let dim = self.dim;
        for (row, &label) in codes.outer_iter().zip(labels) {
            self.counts[label] += sign;
            for (sum, &code) in self.sums[label * dim..][..dim].iter_mut().zip(row) {
                *sum += sign * i64::from(self.quantisation.value(code));
            }
        }
        let mut product = vec![0.0_f32; dim * dim.min(STRIP)];
        for rows in codes.axis_chunks_iter(ndarray::Axis(0), BLOCK) {
            // One column per sample.
            let mut block = vec![0.0; rows.len()];
            for (row, to) in rows.outer_iter().zip(block.chunks_exact_mut(dim.max(1))) {
                let row = row.to_slice().map_or_else(|| Cow::Owned(row.to_vec()), Cow::Borrowed);
                self.quantisation.values(&row, to);
            }
            let x = MatRef::from_column_major_slice(&block, dim, rows.nrows());
            for first in (0..dim).step_by(STRIP) {
                let width = STRIP.min(dim - first);
                let height = first + width;
                let strip = MatMut::from_column_major_slice_mut(&mut product[..height * width], height, width);
                let (above, diagonal) = strip.split_at_row_mut(first);
                let own = x.subrows(first, width);
                let across = transposed(own);
                let (upper, full) = (BlockStructure::TriangularUpper, BlockStructure::Rectangular);
                matmul(above, Accum::Replace, x.subrows(0, first), across.as_ref(), 1.0, Par::Seq);
                triangular::matmul(diagonal, upper, Accum::Replace, own, full, across.as_ref(), full, 1.0, Par::Seq);
                for (j, column) in (first..height).zip(product.chunks_exact(height)) {
                    add(&mut self.moment[packed(j)..][..=j], column, sign as f32);
                }
            }
        }
    }
}

/// Adds integers that came as f32 or takes them away, many at once: they are far from the ends of an i64, and looking
/// for those at each would take longer than the products.
fn add(to: &mut [i64], exact: &[f32], sign: f32) {
    wide(
        #[inline(always)]
        || {
            for (entry, &exact) in to.iter_mut().zip(exact) {
                *entry = entry.wrapping_add(i64::from((sign * exact) as i32));
            }
        },
    );
}

/// Entries of a packed triangle of `dim` columns: where column `dim` starts.
fn packed(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;

    const UNSIGNED: Quantisation = Quantisation { full_scale: 0.5, signed: false };

    fn codes(rows: usize, dim: usize) -> Array2<u8> {
        Array2::from_shape_fn((rows, dim), |(i, j)| (i * 89 + j * 57 + i * j * 31) as u8)
    }

    #[test]
    fn sums_are_those_of_integer_arithmetic() {
        for signed in [false, true] {
            let quantisation = Quantisation { full_scale: 0.5, signed };
            let (x, dim) = (codes(300, 300), 300);
            let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
            let mut statistics = Statistics::new(dim, quantisation);
            statistics.add(x.view(), &labels).unwrap();
            let v = x.mapv(|code| i64::from(quantisation.value(code)));
            for (i, j) in [(0, 0), (3, 299), (255, 256), (299, 299), (17, 255)] {
                let expected: i64 = (0..300).map(|row| v[(row, i)] * v[(row, j)]).sum();
                assert_eq!(statistics.second_moment()[packed(j) + i], expected, "({i}, {j})");
            }
            let expected: i64 = (0..300).filter(|row| row % 3 == 1).map(|row| v[(row, 7)]).sum();
            assert_eq!(statistics.sums()[dim + 7], expected);
            assert_eq!(statistics.counts(), [100, 100, 100]);
        }
    }

    #[test]
    fn the_largest_block_is_exact() {
        let x = Array2::from_elem((BLOCK + 1, 3), 255_u8);
        let mut statistics = Statistics::new(3, UNSIGNED);
        statistics.add(x.view(), &[0; BLOCK + 1]).unwrap();
        assert_eq!(statistics.second_moment(), [259 * 255 * 255; 6]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let x = codes(2, 3);
        let mut statistics = Statistics::new(3, UNSIGNED);
        statistics.add(x.view(), &[0, 1]).unwrap();
        let before = statistics.clone();
        let wide = codes(2, 4);
        assert_eq!(statistics.add(wide.view(), &[0, 1]), Err(StatisticsError::Dim { expected: 3, found: 4 }));
        assert_eq!(statistics.add(x.view(), &[0]), Err(StatisticsError::Labels { rows: 2, labels: 1 }));
        let label = usize::MAX;
        assert_eq!(statistics.add(x.view(), &[0, label]), Err(StatisticsError::ClassLimit { label }));
        let absent = StatisticsError::Absent { class: 1, removed: 2, held: 1 };
        assert_eq!(statistics.remove(x.view(), &[1, 1]), Err(absent.clone()));
        let mut other = Statistics::new(3, UNSIGNED);
        other.add(x.view(), &[1, 1]).unwrap();
        assert_eq!(statistics.subtract(&other), Err(absent));
        let signed = Statistics::new(3, Quantisation { signed: true, ..UNSIGNED });
        assert!(matches!(statistics.merge(&signed), Err(StatisticsError::Quantisation { .. })));
        assert!(matches!(statistics.merge(&Statistics::new(4, UNSIGNED)), Err(StatisticsError::Dim { .. })));
        assert_eq!(statistics, before);
    }

    #[test]
    fn parts_go_together_again() {
        let mut statistics = Statistics::new(3, UNSIGNED);
        statistics.add(codes(5, 3).view(), &[0, 1, 2, 0, 1]).unwrap();
        let Statistics { dim, quantisation, counts, sums, moment } = statistics.clone();
        let again = Statistics::from_parts(dim, quantisation, counts.clone(), sums.clone(), moment.clone());
        assert_eq!(again, Ok(statistics));
        let short = Statistics::from_parts(dim, quantisation, counts, sums[1..].to_vec(), moment);
        assert_eq!(short, Err(StatisticsError::Parts { part: "class sums", expected: 9, found: 8 }));
    }
}
