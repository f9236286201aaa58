//! Backbones compared on a task, as JSON.

use serde::{Deserialize, Serialize};

use super::ComparisonRecord;

/// One backbone on a task's own samples, as `model compare` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BackboneRecord {
    /// Its name.
    pub backbone: String,
    /// `in_use`, `better`, `worse`, `no_difference` or `too_few_groups`.
    pub standing: String,
    /// Share of samples classified as labelled, out of sample.
    pub accuracy: f64,
    /// 95 % interval of the accuracy, clustered by group.
    pub accuracy_interval: [f64; 2],
    /// Out-of-sample log-loss, nats.
    pub log_loss: f64,
    /// Samples compared on.
    pub samples: usize,
    /// Groups that they fall into.
    pub groups: usize,
    /// Kind of head that was selected.
    pub kind: String,
    /// The paired comparison with the backbone in use, whose scores stand for the head in service; none for itself.
    pub against_in_use: Option<ComparisonRecord>,
    /// Components of its feature.
    pub dim: usize,
    /// Milliseconds from a stored sample to its feature, the middle one.
    pub sample_ms: f64,
    /// Size of its file.
    pub bytes: u64,
    /// Largest resident memory of the program while it ran; none where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// What ran it.
    pub extractor: String,
}
