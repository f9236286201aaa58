//! What the command line prints as JSON (DESIGN section 7): one type a document, versioned by their golden examples.
//!
//! Domain types are not `Serialize`; they become records here, at the edge.

use acclimate_trainer::Evaluation;
use serde::{Deserialize, Serialize};

/// How good a head is, from out-of-sample predictions or from a labelled folder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EvaluationRecord {
    /// Samples scored.
    pub samples: usize,
    /// Groups that they fall into.
    pub groups: usize,
    /// Some class had fewer than two groups, so single samples were left out instead.
    pub ungrouped: bool,
    /// Share of samples classified as labelled.
    pub accuracy: f64,
    /// 95 % interval of the accuracy, clustered by group.
    pub accuracy_interval: [f64; 2],
    /// Mean of the classes' recalls.
    pub balanced_accuracy: f64,
    /// Mean of the classes' F1 scores.
    pub macro_f1: f64,
    /// Mean negative log-probability of the label, in nats.
    pub log_loss: f64,
    /// Expected calibration error, debiased.
    pub ece: f64,
    /// What was taken for what.
    pub confusion: ConfusionRecord,
}

/// A confusion matrix: rows are labels, columns predictions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ConfusionRecord {
    /// Names of rows and columns.
    pub classes: Vec<String>,
    /// Counts, `[label][prediction]`.
    pub counts: Vec<Vec<u64>>,
}

impl EvaluationRecord {
    /// Writes an evaluation down with the names of its classes.
    pub fn new(evaluation: &Evaluation, classes: &[String]) -> Self {
        Self {
            samples: evaluation.samples,
            groups: evaluation.groups,
            ungrouped: evaluation.ungrouped,
            accuracy: evaluation.accuracy,
            accuracy_interval: evaluation.accuracy_interval.into(),
            balanced_accuracy: evaluation.balanced_accuracy,
            macro_f1: evaluation.macro_f1,
            log_loss: evaluation.log_loss,
            ece: evaluation.ece,
            confusion: ConfusionRecord {
                classes: classes.to_vec(),
                counts: evaluation.confusion.rows().into_iter().map(|row| row.to_vec()).collect(),
            },
        }
    }
}

/// What `adapt` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AdaptationRecord {
    /// The task.
    pub task: String,
    /// `activated`, `rejected` or `not_enough_samples`.
    pub verdict: String,
    /// The head is in service without proof: some class has too few groups to judge by.
    pub unproved: bool,
    /// Why, as tokens with words.
    pub reasons: Vec<Note>,
    /// What to do next.
    pub next: Vec<Note>,
    /// Number of the new head; a rejected one has a number too.
    pub generation: Option<u64>,
    /// Kind of the new head.
    pub head: Option<String>,
    /// Its regularisation.
    pub lambda: Option<f64>,
    /// Labelled samples it was fitted on.
    pub samples: usize,
    /// Names of its classes.
    pub classes: Vec<String>,
    /// Groups that the samples fall into.
    pub groups: usize,
    /// Single samples were left out, not groups, for some class.
    pub ungrouped: bool,
    /// The candidate, on samples it was not fitted on.
    pub evaluation: Option<EvaluationRecord>,
    /// The head in service before, on the same samples.
    pub in_service: Option<EvaluationRecord>,
    /// The paired test.
    pub comparison: Option<ComparisonRecord>,
    /// What was tried.
    pub candidates: Vec<CandidateRecord>,
    /// Where the time went.
    pub seconds: Seconds,
}

/// A reason or an advice: a token for programs and the words for people.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Stable, `snake_case`.
    pub token: String,
    /// For people.
    pub words: String,
}

/// The paired comparison of a candidate with the head in service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ComparisonRecord {
    /// Samples compared.
    pub samples: usize,
    /// Groups that they fall into.
    pub groups: usize,
    /// Samples left out because the head in service has seen their group.
    pub excluded: usize,
    /// Mean log-loss of the candidate less that of the head in service, nats; negative is better.
    pub difference: f64,
    /// Standard error of the difference, clustered by group.
    pub standard_error: f64,
    /// One-sided probability of such a loss if the candidate were no worse.
    pub p: f64,
    /// Accuracy of the candidate on the compared samples.
    pub candidate_accuracy: f64,
    /// Accuracy of the head in service on the same samples.
    pub in_service_accuracy: f64,
}

/// A head that was tried.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CandidateRecord {
    /// Kind of head.
    pub head: String,
    /// Its regularisation.
    pub lambda: Option<f64>,
    /// Leave-out log-loss, nats.
    pub log_loss: f64,
    /// Standard error of the log-loss, clustered by group.
    pub standard_error: f64,
    /// Leave-out accuracy.
    pub accuracy: f64,
    /// This one went before the judge.
    pub selected: bool,
}

/// Where an adaptation's time went.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Seconds {
    /// Reading the samples.
    pub load: f64,
    /// Fitting and judging.
    pub fit: f64,
    /// All of it.
    pub total: f64,
}

/// What `classify` prints for one picture.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PredictionRecord {
    /// The file.
    pub input: String,
    /// The best class, also when `unknown`.
    pub class: String,
    /// Its calibrated probability.
    pub confidence: f64,
    /// The picture is unlike everything learnt.
    pub unknown: bool,
    /// Probability of each class; they sum to 1.
    pub scores: std::collections::BTreeMap<String, f64>,
    /// The head that answered.
    pub generation: u64,
}

/// What `evaluate` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EvaluateRecord {
    /// The task.
    pub task: String,
    /// The head that was measured.
    pub generation: u64,
    /// How good it is on the folder.
    pub evaluation: EvaluationRecord,
}

/// One line of `add`: a picture that is acknowledged, or why it is not.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AddRecord {
    /// The file.
    pub input: String,
    /// Its sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// `added`, `known`, `relabelled` or `failed`.
    pub status: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One line of `classify` for an input that could not be classified.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FailedRecord {
    /// The file.
    pub input: String,
    /// Why.
    pub error: String,
}
