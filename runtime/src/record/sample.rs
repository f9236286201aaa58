//! Samples on their way in, at rest and on their way out, as JSON.

use serde::{Deserialize, Serialize};

use crate::store::{Added, Sample};

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

/// What `sample export` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SampleExportRecord {
    /// The task.
    pub task: String,
    /// Labelled samples written.
    pub samples: usize,
    /// Components of a feature.
    pub dim: usize,
    /// The task's classes; labels count in this order.
    pub classes: Vec<String>,
    /// The head whose leave-out probabilities are in the file.
    pub generation: Option<u32>,
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

impl AddRecord {
    /// A picture that is acknowledged.
    pub fn new(input: String, added: &Added) -> Self {
        let status = match added {
            Added::Known(_) => "known",
            Added::New(_) => "added",
            Added::Relabelled { .. } => "relabelled",
        };
        Self { input, sample: Some(added.id().to_string()), status: status.to_owned(), error: None }
    }

    /// A picture that is not.
    pub fn failed(input: &str, error: &str) -> Self {
        Self { input: input.to_owned(), sample: None, status: "failed".to_owned(), error: Some(error.to_owned()) }
    }
}

/// A sample, as `label`, `sample list` and `sample show` print it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SampleRecord {
    /// Its id: the first half of its content's SHA-256.
    pub sample: String,
    /// Its label.
    pub label: Option<String>,
    /// Where it came from.
    pub source: String,
    /// Media type of the payload.
    pub media: String,
    /// Size of the payload.
    pub bytes: usize,
    /// How many codes of its feature are clipped.
    pub saturated: usize,
    /// What computed its feature.
    pub extractor: String,
    /// When it was stored.
    pub added: String,
}

/// What `sample list --suspect` prints of each sample.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SuspectRecord {
    /// The sample.
    #[serde(flatten)]
    pub of: SampleRecord,
    /// The class it looks like.
    pub looks_like: String,
    /// How many times as probable as its label that is, for a head that was fitted without it.
    pub odds: f64,
}

/// What `sample list --most-useful` prints of each sample.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct UsefulRecord {
    /// The sample.
    #[serde(flatten)]
    pub of: SampleRecord,
    /// `typical` or `doubtful`.
    pub because: String,
    /// Of a doubtful one: how much more probable its likeliest class is than the next.
    pub margin: Option<f64>,
}

impl From<&Sample> for SampleRecord {
    fn from(sample: &Sample) -> Self {
        Self {
            sample: sample.id.to_string(),
            label: sample.label.clone(),
            source: sample.source.clone(),
            media: sample.media.clone(),
            bytes: sample.bytes,
            saturated: sample.saturated,
            extractor: sample.extractor.clone(),
            added: sample.added.to_string(),
        }
    }
}

/// What `sample show` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SampleDetailRecord {
    /// The sample.
    #[serde(flatten)]
    pub of: SampleRecord,
    /// Every claim about it, oldest first.
    pub claims: Vec<ClaimRecord>,
}

/// One claim about a sample.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ClaimRecord {
    /// The class; none takes the claims before it back.
    pub class: Option<String>,
    /// Who said so.
    pub who: String,
    /// When.
    pub time: String,
}

/// What `forget` prints: the receipt, or with `done` false what would go.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ForgetRecord {
    /// The task.
    pub task: String,
    /// Whether it was done.
    pub done: bool,
    /// Samples that go.
    pub samples: Vec<String>,
    /// Generations that go, because they were fitted on what goes.
    pub generations: Vec<u32>,
    /// The head in service is one of them.
    pub refit: bool,
    /// The head in service from now on, where it had to be fitted anew.
    pub refitted: Option<u32>,
    /// Digest of the statistics before.
    pub digest_before: Option<String>,
    /// And after: that of a store that never had the samples.
    pub digest_after: Option<String>,
}
