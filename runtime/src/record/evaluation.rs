//! How good a head is, as JSON and in words.

use std::fmt::Write as _;

use acclimate_trainer::Evaluation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DecidedRecord;

/// How good a head is, from out-of-sample predictions or from a labelled folder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
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

/// What `evaluate` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EvaluateRecord {
    /// The task.
    pub task: String,
    /// The head that was measured.
    pub generation: u32,
    /// How good it is on the folder.
    pub evaluation: EvaluationRecord,
    /// What its answers did, where it has costs or thresholds.
    pub decided: Option<DecidedRecord>,
}

impl EvaluationRecord {
    /// The figures for people, with the confusion matrix while it is small.
    pub fn words(&self) -> String {
        let [low, high] = self.accuracy_interval;
        let how = if self.ungrouped { "single samples" } else { "groups" };
        let mut words = format!(
            "  accuracy {:.1} % ({:.1} to {:.1}, 95 %), balanced {:.1} %, macro F1 {:.3}, log-loss {:.3}, calibration error {:.3}\n  \
             {} samples in {} groups; {how} were kept apart",
            100.0 * self.accuracy,
            100.0 * low,
            100.0 * high,
            100.0 * self.balanced_accuracy,
            self.macro_f1,
            self.log_loss,
            self.ece,
            self.samples,
            self.groups
        );
        let ConfusionRecord { classes, counts } = &self.confusion;
        if classes.len() <= 12 {
            let width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
            for (class, row) in classes.iter().zip(counts) {
                let _ = write!(words, "\n  {class:width$}");
                for count in row {
                    let _ = write!(words, "{count:>6}");
                }
            }
        }
        words
    }
}
