//! Tasks, the models they can use, and the state of this machine, as JSON.

use serde::{Deserialize, Serialize};

/// A task, as `init` and `task list` print it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct TaskRecord {
    /// Its name.
    pub task: String,
    /// Name of its backbone.
    pub backbone: String,
    /// SHA-256 that names exactly what computes its features.
    pub backbone_id: String,
    /// The model's file; none for the built-in one.
    pub model: Option<String>,
    /// Components of a feature.
    pub dim: usize,
    /// What makes a group.
    pub group_by: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// Samples stored.
    pub samples: usize,
    /// Samples with a label.
    pub labelled: usize,
    /// The head in service.
    pub in_service: Option<u32>,
    /// Digest of the labelled samples' statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics_digest: Option<String>,
    /// When it was made.
    pub created: String,
    /// The data directory.
    pub store: String,
}

/// A backbone, as `model list` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ModelRecord {
    /// Its name.
    pub name: String,
    /// Components of its feature.
    pub dim: usize,
    /// Size of its file.
    pub bytes: u64,
    /// Its licence.
    pub licence: String,
    /// Where its file can be downloaded; none where it must be supplied.
    pub url: Option<String>,
    /// Whether it can be used now.
    pub available: bool,
    /// Its file; none for the built-in one.
    pub file: Option<String>,
}

/// A model's file, as `model pull` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct PullRecord {
    /// Name of the model.
    pub name: String,
    /// `pulled`, `copied`, `here` where it was there before, or `failed`.
    pub status: String,
    /// Its file; none for the built-in one.
    pub file: Option<String>,
    /// Bytes that were moved.
    pub bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// A model that was taken in, as `model add` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AddedModelRecord {
    /// Its name.
    pub name: String,
    /// `added`, or `here` where it was there before.
    pub status: String,
    /// Where its manifest comes from.
    pub manifest: String,
    /// What in it is guessed.
    pub guesses: Vec<String>,
    /// The feature tensor.
    pub tensor: String,
    /// How it is pooled.
    pub pool: String,
    /// Components of the feature.
    pub dim: usize,
    /// Its folder, where it was added.
    pub folder: Option<String>,
}

/// One check of `doctor`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CheckRecord {
    /// What was tried.
    pub check: String,
    /// `fine`, `poor` or `broken`.
    pub status: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}
