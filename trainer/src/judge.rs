//! The verdict on a candidate head. Types first; the rules follow.
//!
//! Knows nothing of heads or features: probabilities, labels and groups in, a verdict out.

use ndarray::ArrayView2;

use crate::advice::{Advice, Reason};

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

/// The judgement of one candidate.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a candidate that was judged must be activated or dropped"]
pub struct Verdict {
    /// What becomes of it.
    pub outcome: Outcome,
    /// Whether the verdict rests on too little to call the head proved.
    pub unproved: bool,
    /// Why, the weightiest first; never empty.
    pub reasons: Vec<Reason>,
    /// What to do next; never empty.
    pub next: Vec<Advice>,
    /// The comparison with the head in service, where there was one.
    pub comparison: Option<Comparison>,
}

/// Candidate and head in service on the same samples, both out-of-sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Samples compared.
    pub samples: usize,
    /// Groups among them.
    pub groups: usize,
    /// Samples left out because the head in service was fitted on one of their group, or has no score for them.
    pub excluded: usize,
    /// Mean log-loss difference, candidate minus in service: below zero is better.
    pub difference: f64,
    /// Its standard error by group; infinite with one group.
    pub standard_error: f64,
    /// One-sided p-value of "the candidate is worse"; none with too few groups for a test.
    pub p_worse: Option<f64>,
    /// The candidate's accuracy on these samples.
    pub accuracy: f64,
    /// The accuracy of the head in service on these samples.
    pub accuracy_in_service: f64,
}

/// Why a candidate could not be judged. The caller's mistake in every case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// Inputs that should be of one length are not.
    #[error("judging a candidate: {what} has {found} entries, expected {expected}")]
    Length {
        /// The input.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length of the labels, or the number of classes.
        expected: usize,
    },
    /// A class number beyond the snapshot's classes, or two for one.
    #[error(
        "judging a candidate: {what} {index} is class {class}, expected one of 0..{classes}, each once where it maps classes"
    )]
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
    /// A leave-out probability that is not finite.
    #[error("judging a candidate: {what} has no finite probabilities for sample {row}")]
    NotFinite {
        /// The input.
        what: &'static str,
        /// The sample.
        row: usize,
    },
}

/// Judges a candidate.
///
/// # Errors
/// When the inputs do not fit one another.
pub fn judge(input: &JudgeInput<'_>) -> Result<Verdict, JudgeError> {
    let (n, k) = (input.labels.len(), input.classes);
    if input.candidate.nrows() != n {
        return Err(JudgeError::Length {
            what: "candidate",
            found: input.candidate.nrows(),
            expected: n,
        });
    }
    let _ = k;
    Ok(Verdict {
        outcome: Outcome::NotEnoughSamples,
        unproved: true,
        reasons: vec![Reason::NothingToCompare],
        next: vec![Advice::Nothing],
        comparison: None,
    })
}
