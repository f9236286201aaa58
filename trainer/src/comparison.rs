//! Two heads on the same samples, both out-of-sample.
//!
//! Knows nothing of verdicts. Invariant: a sample takes part only if neither head was fitted on it or, for one that was
//! fitted on it, its leave-out score was kept; and no sample of its group may have leaked it.

use std::collections::BTreeSet;

use ndarray::{Array1, ArrayView1};

use crate::evaluation::most_probable;
use crate::interval::GroupedMean;
use crate::log_loss;
use crate::verdict::{FORGOTTEN, InService, JudgeInput};

/// Fewer groups than this are not tested: with four degrees of freedom and less, a few unlike groups decide.
pub const GROUPS_TO_TEST: usize = 5;

/// Candidate and head in service on the same samples, both out-of-sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Samples compared: those labelled with a class that both heads know, less the excluded.
    pub samples: usize,
    /// Groups among them.
    pub groups: usize,
    /// Samples left out because the head in service was fitted on one of their group, or has no score for them.
    pub excluded: usize,
    /// Mean log-loss difference, candidate minus in service: below zero is better.
    pub difference: f64,
    /// Its standard error by group ([`GroupedMean::standard_error`]); infinite with one group.
    pub standard_error: f64,
    /// One-sided p-value of "the candidate is worse", Student's t with `groups − 1` degrees of freedom; none with
    /// fewer than [`GROUPS_TO_TEST`] groups.
    pub p_worse: Option<f64>,
    /// The candidate's accuracy on these samples, between the classes that both know.
    pub accuracy: f64,
    /// The accuracy of the head in service on these samples, between the classes that both know.
    pub accuracy_in_service: f64,
}

/// A comparison, and what each class lost by the candidate.
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    /// Sum of the log-loss differences per class of the snapshot.
    pub(crate) lost: Vec<f64>,
}

/// Compares on the classes that both heads know, each head's probabilities renormalised over them: what a new class
/// takes from the old ones is for the new class's floor to judge, and what a forgotten class would have taken is no merit
/// of the candidate. `None` where no sample is left, or only one class is known to both.
pub(crate) fn compare(input: &JudgeInput<'_>, in_service: &InService<'_>) -> Option<Compared> {
    // (column of the head in service, column of the candidate)
    let shared: Vec<(usize, usize)> =
        in_service.classes.iter().copied().enumerate().filter(|&(_, class)| class != FORGOTTEN).collect();
    if shared.len() < 2 {
        return None;
    }
    let mut position = vec![None; input.classes];
    for (index, &(_, class)) in shared.iter().enumerate() {
        position[class] = Some(index);
    }
    let fitted_groups: BTreeSet<usize> =
        input.groups.iter().zip(in_service.fitted_on).filter(|&(_, &fitted)| fitted).map(|(&group, _)| group).collect();

    let (mut differences, mut groups) = (Vec::new(), Vec::new());
    let (mut right, mut right_in_service, mut excluded) = (0usize, 0usize, 0usize);
    let mut lost = vec![0.0; input.classes];
    for (row, (&label, &group)) in input.labels.iter().zip(input.groups).enumerate() {
        let Some(target) = position[label] else {
            continue;
        };
        let scores = in_service.probabilities.row(row);
        let leaked = !in_service.fitted_on[row] && fitted_groups.contains(&group);
        if leaked || !scores.iter().all(|p| p.is_finite()) {
            excluded += 1;
            continue;
        }
        let candidate = restrict(input.candidate.row(row), shared.iter().map(|&(_, class)| class));
        let served = restrict(scores, shared.iter().map(|&(column, _)| column));
        let difference = log_loss(candidate.view(), target) - log_loss(served.view(), target);
        lost[label] += difference;
        differences.push(difference);
        groups.push(group);
        right += usize::from(most_probable(candidate.view()) == target);
        right_in_service += usize::from(most_probable(served.view()) == target);
    }
    if differences.is_empty() {
        return None;
    }
    let mean = GroupedMean::new(&differences, &groups);
    let n = mean.samples as f64;
    let comparison = Comparison {
        samples: mean.samples,
        groups: mean.groups,
        excluded,
        difference: mean.mean,
        standard_error: mean.standard_error,
        p_worse: tested(&mean),
        accuracy: right as f64 / n,
        accuracy_in_service: right_in_service as f64 / n,
    };
    Some(Compared { comparison, lost })
}

/// The p-value of a mean above zero, where there are groups enough to believe it.
pub(crate) fn tested(mean: &GroupedMean) -> Option<f64> {
    mean.p_above_zero.filter(|_| mean.groups >= GROUPS_TO_TEST)
}

/// Some columns of a row, scaled to sum to 1. A row with nothing in them stays 0, which the log-loss floors.
fn restrict(row: ArrayView1<'_, f64>, columns: impl Iterator<Item = usize>) -> Array1<f64> {
    let mut kept: Array1<f64> = columns.map(|column| row[column]).collect();
    let sum = kept.sum();
    if sum > 0.0 {
        kept /= sum;
    }
    kept
}
