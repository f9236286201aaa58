//! What goes into a judgement and what comes out of it.
//!
//! Knows nothing of the rules, which are in [`judge`](crate::judge()). Invariant: an input that passed `check` indexes
//! safely: every length agrees, every class number has a column.

use std::collections::BTreeSet;

use ndarray::{ArrayView1, ArrayView2, Axis};

use crate::advice::{Advice, Reason};
use crate::comparison::Comparison;

/// Stands in [`InService::classes`] for a class that the snapshot no longer has.
pub const FORGOTTEN: usize = usize::MAX;

/// The head in service, as it scores the snapshot's samples.
#[derive(Clone, Copy, Debug)]
pub struct InService<'a> {
    /// Probabilities `[n, classes in service]`: the kept leave-out score where the head was fitted on the sample, else
    /// the plain score. A row that is not finite (no score was kept) is left out of the comparison.
    pub probabilities: ArrayView2<'a, f64>,
    /// `[n]`: true where the head was fitted on the sample, so that its row is a kept leave-out score.
    pub fitted_on: &'a [bool],
    /// The snapshot's class for each class of the head in service, or [`FORGOTTEN`].
    pub classes: &'a [usize],
}

impl InService<'_> {
    /// `[n]`: whether the head in service is scored fairly on a sample: out-of-sample, and not after a look at its
    /// group.
    pub fn fair(&self, groups: &[usize]) -> Vec<bool> {
        let seen: BTreeSet<usize> =
            groups.iter().zip(self.fitted_on).filter(|&(_, &fitted)| fitted).map(|(&group, _)| group).collect();
        let fair = |((row, group), &fitted): ((ArrayView1<'_, f64>, &usize), &bool)| {
            (fitted || !seen.contains(group)) && row.iter().all(|p| p.is_finite())
        };
        self.probabilities.axis_iter(Axis(0)).zip(groups).zip(self.fitted_on).map(fair).collect()
    }
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug)]
pub struct JudgeInput<'a> {
    /// The candidate's leave-out probabilities `[n, classes]`.
    pub candidate: ArrayView2<'a, f64>,
    /// Labels `[n]`, each below `classes`.
    pub labels: &'a [usize],
    /// Group ids `[n]`.
    pub groups: &'a [usize],
    /// Classes of the snapshot, with samples or without.
    pub classes: usize,
    /// Whether some class had fewer than two groups and fell back to single samples.
    pub ungrouped: bool,
    /// `[n]`: labelled, or relabelled, since the head in service was fitted. Not looked at for a first head.
    pub new: &'a [bool],
    /// Leave-out probabilities of `prototype` `[n, classes]`, the yardstick of a first head.
    pub prototype: ArrayView2<'a, f64>,
    /// The head in service; none for a task's first head.
    pub in_service: Option<InService<'a>>,
    /// A person's word that the new labels are right, whatever the older ones say.
    pub trust_labels: bool,
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes into service.
    Activated,
    /// It cannot be judged.
    NotEnoughSamples,
    /// The head in service stays.
    Rejected,
}

impl Outcome {
    /// A stable name without spaces, for JSON and metrics.
    pub fn token(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::NotEnoughSamples => "not_enough_samples",
            Self::Rejected => "rejected",
        }
    }
}

/// The judgement of one candidate.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a candidate that was judged must be activated or dropped"]
pub struct Verdict {
    /// What becomes of it.
    pub outcome: Outcome,
    /// Whether the verdict rests on too little to call the head proved: a class with fewer than [`GROUPS_PROVED`](crate::GROUPS_PROVED) groups,
    /// or no comparison that could be tested.
    pub unproved: bool,
    /// Why; those that decided against the candidate first. Never empty.
    pub reasons: Vec<Reason>,
    /// What to do next. Never empty.
    pub next: Vec<Advice>,
    /// The comparison with the head in service, where there was one.
    pub comparison: Option<Comparison>,
}

/// Why a candidate could not be judged. The caller's mistake in every case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A class number beyond the snapshot's classes, or the same class twice where classes are mapped.
    #[error("judging a candidate: {what} {index} is class {class}, expected one of 0..{classes} that is not taken")]
    Class {
        /// The input.
        what: &'static str,
        /// Which entry.
        index: usize,
        /// The class it names.
        class: usize,
        /// Classes of the snapshot.
        classes: usize,
    },
    /// Inputs that should be of one length are not.
    #[error("judging a candidate: {what} number {found}, expected {expected}")]
    Length {
        /// The input.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A leave-out probability that is not finite.
    #[error("judging a candidate: the leave-out probabilities of {what} are not finite for sample {row}")]
    NotFinite {
        /// The head.
        what: &'static str,
        /// The sample.
        row: usize,
    },
}

/// Checks that the inputs fit one another.
pub(crate) fn check(input: &JudgeInput<'_>) -> Result<(), JudgeError> {
    let (n, classes) = (input.labels.len(), input.classes);
    let mut lengths = vec![
        ("the candidate's rows", input.candidate.nrows(), n),
        ("the candidate's classes", input.candidate.ncols(), classes),
        ("the prototype's rows", input.prototype.nrows(), n),
        ("the prototype's classes", input.prototype.ncols(), classes),
        ("group ids", input.groups.len(), n),
        ("marks of new labels", input.new.len(), n),
    ];
    if let Some(served) = &input.in_service {
        lengths.extend([
            ("the rows of the head in service", served.probabilities.nrows(), n),
            ("the marks of what the head in service was fitted on", served.fitted_on.len(), n),
            ("the mapped classes of the head in service", served.classes.len(), served.probabilities.ncols()),
        ]);
    }
    if let Some(&(what, found, expected)) = lengths.iter().find(|(_, found, expected)| found != expected) {
        return Err(JudgeError::Length { what, found, expected });
    }
    if let Some((index, &class)) = input.labels.iter().enumerate().find(|(_, class)| **class >= classes) {
        return Err(JudgeError::Class { what: "the label of sample", index, class, classes });
    }
    let mut taken = BTreeSet::new();
    for (index, &class) in input.in_service.iter().flat_map(|served| served.classes.iter().enumerate()) {
        if class != FORGOTTEN && (class >= classes || !taken.insert(class)) {
            return Err(JudgeError::Class { what: "the mapping of in-service class", index, class, classes });
        }
    }
    for (what, heads) in [("the candidate", input.candidate), ("prototype", input.prototype)] {
        if let Some(row) = heads.axis_iter(Axis(0)).position(|row| !row.iter().all(|p| p.is_finite())) {
            return Err(JudgeError::NotFinite { what, row });
        }
    }
    Ok(())
}
