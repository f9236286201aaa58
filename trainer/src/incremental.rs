//! Ridge that takes one more label, or gives one back, as a border instead of a refit.
//! Knows nothing of how the penalty is chosen: that is `ridge.rs`' with [`fit`](crate::fit).
//!
//! With `A = [X̂ᵀX̂ + λD]`, `X̂` the samples with a 1 behind each and `D` the identity but 0 there (the intercept is free),
//! it keeps `P = A⁻¹`, the weights, and of every sample what is fitted to it. A sample x with target y is a border
//! (Sherman and Morrison 1950): with `u = P x`, `s = 1 + xᵀu`, `P -= uuᵀ/s` and `W += u (y - Wᵀx)ᵀ/s`; taken back it is the same
//! with `s = 1 - xᵀu` and the signs turned. The blocks `H_gg` of the hat matrix follow, `H_gg -= (X_gᵀu)(X_gᵀu)ᵀ/s`, so
//! that leave-group-out stays exact: errors `(I - H_gg)⁻¹ e_g` (Cook and Weisberg 1982, eq. 2.2.23).
//! Both cost O(dim² + n·dim); a refit costs O(n·dim² + dim³).
//!
//! Invariant: after [`REFRESH`] borders `P` is computed anew, so rounding does not add up: answers are those of a refit to
//! 1e-6. Integer sums (`Statistics`) stay the exact record.

use std::collections::BTreeMap;

use faer::{
    Accum, Mat, Par, Side,
    linalg::{matmul::matmul, solvers::DenseSolveCore as _},
    prelude::Solve as _,
};
use ndarray::{Array1, Array2};

use crate::{
    FitError, Form, Kind, Samples, Solution,
    dot::dot,
    leave_out::{self, LeaveOut},
};

/// Borders after which everything is computed anew.
pub const REFRESH: usize = 256;

/// The samples of a group, by rising index, and the lower triangle of `H_gg`, row by row.
#[derive(Clone, Debug, Default)]
struct Block {
    members: Vec<usize>,
    hat: Vec<Vec<f64>>,
}

/// A ridge fit that labels are added to and taken from. The penalty stays what it was made with: choose it anew where the
/// number of samples has doubled ([`Incremental::outgrown`]).
///
/// Memory: about `8·((dim+1)² + n·(dim + 1 + classes))` bytes, 34 MB at 2,000 samples of 1,280 components.
#[derive(Clone, Debug)]
pub struct Incremental {
    lambda: f64,
    classes: usize,
    /// Samples it was made with.
    begun_with: usize,
    /// Borders since `P` was computed.
    borders: usize,
    /// Samples with a 1 behind each, one column per sample, `[dim + 1, n]`.
    columns: Vec<Vec<f64>>,
    labels: Vec<usize>,
    /// `[dim + 1, dim + 1]`.
    inverse: Mat<f64>,
    /// `[dim + 1, classes]`.
    weights: Mat<f64>,
    groups: Vec<usize>,
    /// Blocks of the hat matrix.
    blocks: BTreeMap<usize, Block>,
    /// Fitted values, sample by sample, `[n][classes]`.
    fitted: Vec<Vec<f64>>,
}

impl Incremental {
    /// Starts from samples of equal weight at a penalty. O(n·dim² + dim³).
    ///
    /// # Errors
    /// When `lambda` is not a finite number above 0, there is one class only, or the numbers are singular at this penalty.
    pub fn new(samples: &Samples<'_>, lambda: f64) -> Result<Self, FitError> {
        if samples.classes() < 2 {
            return Err(FitError::OneClass);
        }
        if !(lambda.is_finite() && lambda > 0.0) {
            return Err(FitError::Lambda { lambda });
        }
        let columns = samples.features().outer_iter().map(|row| extended(row.iter().copied())).collect();
        let mut incremental = Self {
            lambda,
            classes: samples.classes(),
            begun_with: samples.rows(),
            borders: 0,
            columns,
            labels: samples.labels().to_vec(),
            inverse: Mat::new(),
            weights: Mat::new(),
            groups: samples.groups().to_vec(),
            blocks: BTreeMap::new(),
            fitted: Vec::new(),
        };
        incremental.refresh()?;
        Ok(incremental)
    }

    /// Adds a labelled feature `[dim]` of a group, behind the others; a label beyond the classes adds a class.
    /// O(dim² + n·dim).
    ///
    /// # Errors
    /// As [`Incremental::new`].
    ///
    /// # Panics
    /// When the feature is not of the samples' dim: the caller mixed up two backbones.
    pub fn add(&mut self, feature: &[f32], label: usize, group: usize) -> Result<(), FitError> {
        assert_eq!(feature.len(), self.dim(), "feature and samples are of different backbones");
        if label >= self.classes {
            self.widen(label + 1);
        }
        let x = extended(feature.iter().copied());
        let (along, square) = self.border(&x, label, 1.0);
        let fitted = self.predict(&x);
        let after = 1.0 / (1.0 + square);
        let block = self.blocks.entry(group).or_default();
        let mut row: Vec<f64> = block.members.iter().map(|&i| along[i] * after).collect();
        row.push(square * after);
        block.members.push(self.labels.len());
        block.hat.push(row);
        self.columns.push(x);
        self.labels.push(label);
        self.groups.push(group);
        self.fitted.push(fitted);
        self.age()
    }

    /// Takes the sample at an index out again; those behind move up. The classes stay. O(dim² + n·dim).
    ///
    /// # Errors
    /// As [`Incremental::new`].
    ///
    /// # Panics
    /// When there is no such sample, or it is the last one.
    pub fn remove(&mut self, index: usize) -> Result<(), FitError> {
        assert!(self.labels.len() > 1, "the last sample cannot be taken out");
        let (x, label, group) = (self.columns.remove(index), self.labels.remove(index), self.groups.remove(index));
        self.fitted.remove(index);
        let mut leverage = 0.0;
        if let Some(block) = self.blocks.get_mut(&group)
            && let Ok(at) = block.members.binary_search(&index)
        {
            block.members.remove(at);
            leverage = block.hat.remove(at)[at];
            for row in &mut block.hat[at..] {
                row.remove(at);
            }
        }
        self.blocks.retain(|_, block| !block.members.is_empty());
        let later = self.blocks.values_mut().flat_map(|block| &mut block.members).filter(|member| **member > index);
        later.for_each(|member| *member -= 1);
        if 1.0 - leverage < 1e-9 {
            // Nothing else holds this direction: the border would divide by rounding.
            return self.refresh();
        }
        self.border(&x, label, -1.0);
        self.age()
    }

    /// Whether there are so many more samples than at the start that the penalty should be chosen anew.
    pub fn outgrown(&self) -> bool {
        self.labels.len() >= 2 * self.begun_with
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        self.inverse.nrows() - 1
    }

    /// The head as it stands, with every sample's scores from a fit without its group, `[n, classes]`, in the order they
    /// came. O((n + dim)·classes), and O(m³) per group of m.
    pub fn solution(&self) -> Solution {
        let (dim, n) = (self.dim(), self.labels.len());
        let weights = Array2::from_shape_fn((self.classes, dim), |(c, j)| self.weights[(j, c)]);
        let bias = Array1::from_shape_fn(self.classes, |c| self.weights[(dim, c)]);
        let target = |i: usize, c: usize| f64::from(self.labels[i] == c);
        let mut scores = Array2::zeros((n, self.classes));
        let leave_out = LeaveOut::of(&self.labels, &self.groups, self.classes);
        for members in &leave_out.members {
            let block = &self.blocks[&self.groups[members[0]]];
            let places: Vec<usize> = members.iter().filter_map(|i| block.members.binary_search(i).ok()).collect();
            let m = members.len();
            let kept = Mat::from_fn(m, m, |a, b| f64::from(a == b) - block.hat[places[a.max(b)]][places[a.min(b)]]);
            let errors = Mat::from_fn(m, self.classes, |a, c| target(members[a], c) - self.fitted[members[a]][c]);
            let errors = match kept.llt(Side::Lower) {
                Ok(factor) => factor.solve(&errors),
                Err(_) => errors,
            };
            for (a, &i) in members.iter().enumerate() {
                for c in 0..self.classes {
                    scores[(i, c)] = target(i, c) - errors[(a, c)];
                }
            }
        }
        for at in leave_out::single(&self.labels, self.classes) {
            scores[at] = f64::NEG_INFINITY;
        }
        let lambda = Some(self.lambda);
        Solution { kind: Kind::Ridge, form: Form::linear(weights, bias), scores, lambda, scale: None }
    }

    /// Changes everything by one sample, `sign` 1 to add it and -1 to take it out; gives `x_iᵀu` of all others, and `xᵀu`.
    fn border(&mut self, x: &[f64], label: usize, sign: f64) -> (Vec<f64>, f64) {
        let order = x.len();
        let mut u = vec![0.0; order];
        for (j, &x) in x.iter().enumerate() {
            let column = self.inverse.col_as_slice(j);
            for (u, p) in u.iter_mut().zip(column) {
                *u += x * p;
            }
        }
        let square = dot(x, &u);
        let scale = sign / (1.0 + sign * square);
        for (j, &uj) in u.iter().enumerate() {
            let share = scale * uj;
            for (p, u) in self.inverse.col_as_slice_mut(j).iter_mut().zip(&u) {
                *p -= share * u;
            }
        }
        let errors: Vec<f64> =
            (0..self.classes).map(|c| scale * (f64::from(label == c) - dot(x, self.weights.col_as_slice(c)))).collect();
        for (c, error) in errors.iter().enumerate() {
            for (w, u) in self.weights.col_as_slice_mut(c).iter_mut().zip(&u) {
                *w += error * u;
            }
        }
        let along: Vec<f64> = self.columns.iter().map(|column| dot(column, &u)).collect();
        for (fitted, along) in self.fitted.iter_mut().zip(&along) {
            for (fitted, error) in fitted.iter_mut().zip(&errors) {
                *fitted += error * along;
            }
        }
        for block in self.blocks.values_mut() {
            for (row, &i) in block.hat.iter_mut().zip(&block.members) {
                for (h, &k) in row.iter_mut().zip(&block.members) {
                    *h -= scale * along[i] * along[k];
                }
            }
        }
        (along, square)
    }

    fn predict(&self, x: &[f64]) -> Vec<f64> {
        (0..self.classes).map(|c| dot(x, self.weights.col_as_slice(c))).collect()
    }

    /// Adds classes without samples: their target was 0 for all.
    fn widen(&mut self, classes: usize) {
        let order = self.weights.nrows();
        let old = std::mem::replace(&mut self.weights, Mat::zeros(order, classes));
        self.weights.as_mut().subcols_mut(0, self.classes).copy_from(&old);
        self.fitted.iter_mut().for_each(|fitted| fitted.resize(classes, 0.0));
        self.classes = classes;
    }

    fn age(&mut self) -> Result<(), FitError> {
        self.borders += 1;
        if self.borders < REFRESH { Ok(()) } else { self.refresh() }
    }

    /// Computes everything from the samples.
    fn refresh(&mut self) -> Result<(), FitError> {
        let (n, order) = (self.columns.len(), self.columns[0].len());
        let x = Mat::from_fn(order, n, |j, i| self.columns[i][j]);
        let mut normal = Mat::<f64>::zeros(order, order);
        matmul(normal.as_mut(), Accum::Replace, &x, x.transpose(), 1.0, Par::Seq);
        for j in 0..order - 1 {
            normal[(j, j)] += self.lambda;
        }
        let factor = normal.llt(Side::Lower).map_err(|_| FitError::NoConvergence { rows: n, dim: order - 1 })?;
        self.inverse = factor.inverse();
        let targets = Mat::from_fn(n, self.classes, |i, c| f64::from(self.labels[i] == c));
        self.weights = &self.inverse * (&x * targets);
        let images = &self.inverse * &x;
        self.blocks.clear();
        for (i, &group) in self.groups.iter().enumerate() {
            let block = self.blocks.entry(group).or_default();
            block.members.push(i);
            block.hat.push(block.members.iter().map(|&k| dot(x.col_as_slice(k), images.col_as_slice(i))).collect());
        }
        self.fitted = self.columns.iter().map(|x| self.predict(x)).collect();
        self.borders = 0;
        Ok(())
    }
}

/// A feature with a 1 behind it, for the intercept.
fn extended(feature: impl Iterator<Item = f32>) -> Vec<f64> {
    feature.map(f64::from).chain([1.0]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::{FitOptions, solve};

    fn feature(i: usize, dim: usize) -> Vec<f32> {
        let raw: Vec<f32> = (0..dim)
            .map(|j| ((i * 89 + j * 57 + i * j * 31) % 251) as f32 + if j == i % 3 { 80.0 } else { 0.0 })
            .collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / norm).collect()
    }

    /// Compares with a refit of what is left, named by the indices of their features.
    fn assert_refit(incremental: &Incremental, rows: &[usize], dim: usize, size: usize) {
        let x = Array2::from_shape_fn((rows.len(), dim), |(a, j)| feature(rows[a], dim)[j]);
        let labels: Vec<usize> = rows.iter().map(|row| row % 3).collect();
        let groups: Vec<usize> = rows.iter().map(|row| row / size).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap();
        let expected = solve(Kind::Ridge, &samples, Some(0.05), &FitOptions::default()).unwrap();
        let got = incremental.solution();
        let (a, b) = (got.linear().unwrap(), expected.linear().unwrap());
        let differences =
            (&a.weights - &b.weights).into_iter().chain(&a.bias - &b.bias).chain(&got.scores - &expected.scores);
        let worst = differences.fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-6, "{dim}, {} samples: {worst}", rows.len());
    }

    #[test]
    fn borders_are_refits() {
        for (dim, size) in [(3, 1), (40, 1), (40, 2), (5, 4)] {
            let x = Array2::from_shape_fn((12, dim), |(i, j)| feature(i, dim)[j]);
            let (labels, groups): (Vec<usize>, Vec<usize>) = (0..12).map(|i| (i % 3, i / size)).unzip();
            let mut incremental =
                Incremental::new(&Samples::new(x.view(), &labels, &groups, 3).unwrap(), 0.05).unwrap();
            let mut rows: Vec<usize> = (0..12).collect();
            assert_refit(&incremental, &rows, dim, size);
            for i in 12..30 {
                incremental.add(&feature(i, dim), i % 3, i / size).unwrap();
                rows.push(i);
                assert_eq!(incremental.outgrown(), rows.len() >= 24);
            }
            assert_refit(&incremental, &rows, dim, size);
            for at in [0, 7, 20] {
                incremental.remove(at).unwrap();
                rows.remove(at);
            }
            assert_refit(&incremental, &rows, dim, size);
            // Past a refresh, there and back.
            for _ in 0..REFRESH {
                incremental.add(&feature(99, dim), 0, 1).unwrap();
                incremental.remove(rows.len()).unwrap();
            }
            assert_refit(&incremental, &rows, dim, size);
        }
    }

    #[test]
    fn a_new_class_is_learnt_from_its_first_label() {
        let x = Array2::from_shape_fn((6, 4), |(i, j)| feature(i, 4)[j]);
        let samples = Samples::new(x.view(), &[0, 1, 0, 1, 0, 1], &[0, 1, 2, 3, 4, 5], 2).unwrap();
        let mut incremental = Incremental::new(&samples, 0.05).unwrap();
        incremental.add(&[0.0, 0.0, 0.0, 1.0], 2, 6).unwrap();
        let solution = incremental.solution();
        assert_eq!(solution.scores.dim(), (7, 3));
        assert_eq!(solution.scores[(6, 2)], f64::NEG_INFINITY, "nothing of the class is left without it");
        assert!(solution.scores[(0, 2)].is_finite());
        assert!(incremental.predict(&[0.0, 0.0, 0.0, 1.0, 1.0])[2] > 0.2);
    }

    #[test]
    fn what_cannot_be_fitted_is_an_error() {
        let x = Array2::<f32>::ones((2, 2));
        let one = Samples::new(x.view(), &[0, 0], &[0, 1], 1).unwrap();
        assert_eq!(Incremental::new(&one, 1.0).unwrap_err(), FitError::OneClass);
        let two = Samples::new(x.view(), &[0, 1], &[0, 1], 2).unwrap();
        assert_eq!(Incremental::new(&two, 0.0).unwrap_err(), FitError::Lambda { lambda: 0.0 });
    }
}
