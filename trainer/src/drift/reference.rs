//! What learnt features look like, on few directions. Knows nothing of what comes later.
//!
//! A class that turns up more often is no drift, so what is described is not a feature but its residual: the difference to
//! the mean of the learnt features that were taken for the same class **without their own group**, as the features to come
//! are. Groups count once, however many near-duplicates they hold.
//!
//! Invariant: variances are above zero and come from groups that had no say in the directions or means they were taken on.

use faer::{Mat, Side};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::dot::dot;
use crate::leave_out::mix;

/// Directions at most.
const DIRECTIONS: usize = 32;
/// Groups for each direction, at least: the power lost to estimating one more is not worth it before.
const GROUPS_PER_DIRECTION: usize = 4;
/// Parts the groups are dealt into to estimate variances.
const FOLDS: usize = 5;
/// Fewest groups that say anything.
const GROUPS: usize = 20;
/// Directions the search carries along beyond those wanted, and how often it goes over the samples.
const SPARE: usize = 8;
const ROUNDS: usize = 5;

/// The learnt features' residuals on their leading principal directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Orthonormal, `[r, dim]`.
    pub directions: Array2<f32>,
    /// Mean feature of what was taken for each class, on the directions, `[classes, r]`; of everything where nothing was.
    pub means: Array2<f64>,
    /// Groups behind each of these means, `[classes]`; a group that was taken for several counts in parts.
    pub counts: Vec<f64>,
    /// Variance of a group's mean residual along each direction, `[r]`.
    pub variances: Vec<f64>,
    /// Groups that variances were estimated from.
    pub groups: usize,
}

/// Why nothing can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Too few groups, or features that do not vary.
    #[error(
        "learnt features fill {groups} groups that differ, expected at least {GROUPS}: label samples of other moments"
    )]
    Few {
        /// Groups found.
        groups: usize,
    },
    /// Lengths that do not belong together, or a class that is none.
    #[error("learnt features have {rows} rows, but {predicted} predictions below {classes} and {groups} groups")]
    Lengths {
        /// Rows of features.
        rows: usize,
        /// Predictions that are classes.
        predicted: usize,
        /// Classes.
        classes: usize,
        /// Groups given.
        groups: usize,
    },
}

impl Reference {
    /// Describes learnt features `[n, dim]` with the class that a head that had not seen their group took each for
    /// (`predicted`, `[n]`, below `classes`) and their groups `[n]`.
    ///
    /// There are `min(32, groups/4, dim)` directions, found by block power iteration (Halko, Martinsson and Tropp 2011,
    /// "Finding structure with randomness", algorithm 4.4). Any directions give a valid test; leading ones see what moves
    /// most. In-sample variances along leading directions are too large (the directions were chosen for that), so they
    /// come from five folds of groups. O(n·dim·r).
    ///
    /// # Errors
    /// With fewer than 20 groups, features that do not vary, or lengths that differ.
    pub fn new(
        features: ArrayView2<'_, f32>,
        predicted: &[usize],
        groups: &[usize],
        classes: usize,
    ) -> Result<Self, ReferenceError> {
        let rows = features.nrows();
        let known = predicted.iter().filter(|&&class| class < classes).count();
        if known != rows || predicted.len() != rows || groups.len() != rows {
            return Err(ReferenceError::Lengths { rows, predicted: known, classes, groups: groups.len() });
        }
        let members = gather(predicted, groups);
        let few = ReferenceError::Few { groups: members.len() };
        if members.len() < GROUPS {
            return Err(few);
        }
        let rank = DIRECTIONS.min(members.len() / GROUPS_PER_DIRECTION).min(features.ncols());
        let learnt = Learnt { features, predicted, classes };
        let every: Vec<&[usize]> = members.iter().map(Vec::as_slice).collect();
        let (cells, directions) = learnt.describe(&every, rank);
        let (mut squares, mut tested) = (vec![0.0; directions.nrows()], 0_usize);
        for fold in 0..FOLDS {
            let part = |held: bool| {
                let dealt = every.iter().enumerate().filter(|(number, _)| (number % FOLDS == fold) == held);
                dealt.map(|(_, members)| *members).collect::<Vec<_>>()
            };
            let (cells, directions) = learnt.describe(&part(false), rank);
            for group in
                part(true).into_iter().filter(|group| group.iter().all(|&row| cells.counts[predicted[row]] > 0.0))
            {
                let (residual, inflation) = learnt.residual(group, &cells);
                for (square, direction) in squares.iter_mut().zip(directions.rows()) {
                    *square += direction.dot(&residual).powi(2) / inflation;
                }
                tested += 1;
            }
        }
        let largest = squares.iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> = (0..squares.len()).filter(|&j| squares[j] > 1e-12 * largest).collect();
        if kept.is_empty() || tested < GROUPS {
            return Err(few);
        }
        let directions = directions.select(Axis(0), &kept);
        Ok(Self {
            means: cells.means.dot(&directions.t()),
            directions: directions.mapv(|x| x as f32),
            counts: cells.counts,
            variances: kept.iter().map(|&j| squares[j] / tested as f64).collect(),
            groups: tested,
        })
    }

    /// Where a feature taken for a class lies, relative to what was taken for it, `[r]`. O(r·dim).
    ///
    /// # Panics
    /// When the feature is of another dim, or there is no such class.
    pub fn residual(&self, feature: &[f32], predicted: usize) -> Vec<f64> {
        assert_eq!(feature.len(), self.directions.ncols(), "feature and reference are of different backbones");
        let directions = self.directions.as_standard_layout();
        let rows = directions.as_slice().unwrap_or_default().chunks_exact(feature.len().max(1));
        rows.zip(self.means.row(predicted)).map(|(row, mean)| dot(row, feature) - mean).collect()
    }
}

/// The rows of each group, groups in the order of the classes that their first rows were taken for.
fn gather(predicted: &[usize], groups: &[usize]) -> Vec<Vec<usize>> {
    let mut numbers = std::collections::BTreeMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (row, &group) in groups.iter().enumerate() {
        let number = *numbers.entry(group).or_insert(members.len());
        if number == members.len() {
            members.push(Vec::new());
        }
        members[number].push(row);
    }
    // Dealt into folds one after another, each class is then spread evenly.
    members.sort_by_key(|rows| predicted[rows[0]]);
    members
}

struct Learnt<'a> {
    features: ArrayView2<'a, f32>,
    predicted: &'a [usize],
    classes: usize,
}

/// Means of what was taken for each class.
struct Cells {
    means: Array2<f64>,
    counts: Vec<f64>,
}

impl Learnt<'_> {
    /// Cell means of these groups and the leading directions of their residuals, `[rank, dim]`.
    fn describe(&self, groups: &[&[usize]], rank: usize) -> (Cells, Array2<f64>) {
        let dim = self.features.ncols();
        let mut means = Array2::<f64>::zeros((self.classes, dim));
        let mut counts = vec![0.0; self.classes];
        let mut all = ndarray::Array1::<f64>::zeros(dim);
        for group in groups {
            let share = 1.0 / group.len() as f64;
            for &row in *group {
                let class = self.predicted[row];
                counts[class] += share;
                add(means.row_mut(class), self.features.row(row), share);
                add(all.view_mut(), self.features.row(row), share);
            }
        }
        all /= groups.len() as f64;
        for (mut mean, &count) in means.outer_iter_mut().zip(&counts) {
            if count > 0.0 {
                mean /= count;
            } else {
                mean.assign(&all);
            }
        }
        let cells = Cells { means, counts };
        let mut residuals = Mat::<f64>::zeros(dim, groups.len());
        for (column, group) in groups.iter().enumerate() {
            let (residual, _) = self.residual(group, &cells);
            residuals.col_as_slice_mut(column).copy_from_slice(residual.as_slice().unwrap_or_default());
        }
        let directions = leading(&residuals, rank);
        (cells, directions)
    }

    /// A group's mean residual `[dim]`, and how much larger its variance is than that of a residual to true means.
    fn residual(&self, group: &[usize], cells: &Cells) -> (ndarray::Array1<f64>, f64) {
        let share = 1.0 / group.len() as f64;
        let mut residual = ndarray::Array1::<f64>::zeros(self.features.ncols());
        let mut tally = vec![0.0; self.classes];
        for &row in group {
            add(residual.view_mut(), self.features.row(row), share);
            residual.scaled_add(-share, &cells.means.row(self.predicted[row]));
            tally[self.predicted[row]] += share;
        }
        (residual, 1.0 + of_means(&tally, 1.0, &cells.counts))
    }
}

/// What the error of the means adds to the variance of the mean of `n` residuals with this tally: `Σ_c (t_c/n)²/n_c`.
pub(super) fn of_means(tally: &[f64], n: f64, counts: &[f64]) -> f64 {
    let all = counts.iter().sum::<f64>();
    let count = |count: f64| if count > 0.0 { count } else { all };
    tally.iter().zip(counts).map(|(t, &c)| (t / n).powi(2) / count(c)).sum()
}

fn add(mut to: ndarray::ArrayViewMut1<'_, f64>, what: ArrayView1<'_, f32>, factor: f64) {
    for (to, &what) in to.iter_mut().zip(what) {
        *to += factor * f64::from(what);
    }
}

/// Leading left singular directions of `residuals` `[dim, m]`, in falling order, `[rank, dim]`.
fn leading(residuals: &Mat<f64>, rank: usize) -> Array2<f64> {
    let (dim, m) = residuals.shape();
    let block = (rank + SPARE).min(dim).min(m);
    // A fixed block of signs to start from.
    let start = Mat::from_fn(m, block, |i, j| if mix((i * block + j) as u64) & 1 == 0 { 1.0 } else { -1.0 });
    let mut basis = (residuals * start).qr().compute_thin_Q();
    for _ in 0..ROUNDS {
        basis = (residuals * (residuals.transpose() * &basis)).qr().compute_thin_Q();
    }
    let seen = residuals.transpose() * &basis;
    let rank = rank.min(block);
    match (seen.transpose() * &seen).self_adjoint_eigen(Side::Lower) {
        Ok(eigen) => {
            let vectors = &basis * eigen.U();
            // Values rise.
            Array2::from_shape_fn((rank, dim), |(j, i)| vectors[(i, block - 1 - j)])
        }
        // The basis itself is as valid, if not in order.
        Err(_) => Array2::from_shape_fn((rank, dim), |(j, i)| basis[(i, j)]),
    }
}
