//! Heads and what they answer, as JSON.

use acclimate_trainer::{CoverageError, Feature};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DecisionRecord, EvaluationRecord, LearningCurveRecord};
use crate::store::{Generation, Installed, StoredHead};
use crate::sync::KeyId;

/// What `classify` prints for one picture.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct PredictionRecord {
    /// The file.
    pub input: String,
    /// The class it is answered with, also when `unknown`.
    pub class: String,
    /// Its calibrated probability.
    pub confidence: f64,
    /// The picture is unlike everything learnt, or below the threshold of its class or of the task.
    pub unknown: bool,
    /// Below the threshold of its class, or of the task.
    #[serde(default)]
    pub unsure: bool,
    /// With `--coverage`: the classes that it may be, the likeliest first; never empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
    /// Probability of each class; they sum to 1.
    pub scores: std::collections::BTreeMap<String, f64>,
    /// The head that answered.
    pub generation: u32,
}

/// Why a head has no set of classes to answer with.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// Not a share.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
    /// It was not fitted here, or before sets were.
    #[error("generation {0} has no thresholds of sets of classes: adapt again, then the new head has them")]
    NoThresholds(Generation),
}

/// A generation, as `head` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct HeadRecord {
    /// Its number.
    pub generation: u32,
    /// Whether it is in service.
    pub in_service: bool,
    /// `adapted`, `adjusted`, `imported`, `installed`, `refitted` or `shipped`.
    pub origin: String,
    /// Too few groups of this device to prove it.
    #[serde(default)]
    pub unproved: bool,
    /// Whose it is, where another device has signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FromRecord>,
    /// Kind of head.
    pub head: String,
    /// Its regularisation.
    pub lambda: Option<f64>,
    /// Its classes.
    pub classes: Vec<String>,
    /// Samples it was fitted on, by class.
    pub samples: Vec<u64>,
    /// Leave-out accuracy when it was fitted.
    pub accuracy: Option<f64>,
    /// 95 % interval of the accuracy.
    pub accuracy_interval: Option<[f64; 2]>,
    /// When it was recorded.
    pub created: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// Whose head it is, where another device has signed it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct FromRecord {
    /// What the key that signed it was called here then.
    pub signer: String,
    /// SHA-256 of the key.
    pub key: String,
    /// Where it was in service.
    pub device: String,
    /// The signer's number.
    pub number: u64,
    /// When it was signed, RFC 3339 UTC.
    pub issued: String,
}

impl From<&Installed> for FromRecord {
    fn from(of: &Installed) -> Self {
        Self {
            signer: of.name.clone(),
            key: KeyId(of.signer).to_string(),
            device: of.device.clone(),
            number: of.sequence,
            issued: format!("{:.0}", of.issued),
        }
    }
}

/// One line of `classify` for an input that could not be classified.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FailedRecord {
    /// The file.
    pub input: String,
    /// Why.
    pub error: String,
}

/// What `head show` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HeadDetailRecord {
    /// The generation.
    #[serde(flatten)]
    pub of: HeadRecord,
    /// What it has been adjusted to without labels, since it was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusted: Option<AdjustedRecord>,
    /// How good it was, when it was fitted, on samples left out.
    pub evaluation: Option<EvaluationRecord>,
    /// What more labels would have bought then; none where it was not made by an adaptation here.
    #[serde(default)]
    pub learning_curve: Option<LearningCurveRecord>,
    /// How it answers, where that is not just the likeliest class.
    pub decision: Option<DecisionRecord>,
    /// Divides the logits.
    pub temperature: f64,
    /// Where it was fitted.
    pub device: String,
    /// The head in service when it was fitted.
    pub parent: Option<u32>,
}

/// What a head was adjusted to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AdjustedRecord {
    /// Samples without labels.
    pub samples: u64,
    /// Groups among them.
    pub groups: u64,
    /// Chance of such samples where nothing changed.
    pub p: f64,
}

/// What `head export` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ExportRecord {
    /// The generation.
    #[serde(flatten)]
    pub head: HeadRecord,
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// How an ONNX file was compared with the live head before it was written.
    pub check: Option<CheckedRecord>,
}

/// A comparison of an exported file with the live head.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CheckedRecord {
    /// Inputs that both were asked about.
    pub inputs: usize,
    /// Whether they were made up, because no payload is kept.
    pub synthetic: bool,
    /// Largest difference of a probability.
    pub difference: f64,
    /// What ran both.
    pub extractor: String,
}

impl PredictionRecord {
    /// What a head says about a feature, with a set of classes if it is told how often that must have the true one. Below
    /// the threshold of the task an answer is `unknown` whatever the head's own are.
    ///
    /// # Errors
    /// When the head has no thresholds of sets, or no set has such a coverage.
    pub fn new(
        input: String,
        stored: &StoredHead,
        feature: &Feature,
        threshold: f64,
        coverage: Option<f64>,
    ) -> Result<Self, SetError> {
        let head = &stored.file.head;
        let probabilities = head.probabilities(feature);
        let answer = stored.file.decision.answer(&probabilities);
        let novel = head.novelty.as_ref().is_some_and(|novelty| novelty.is_unknown(feature.as_slice()));
        let set = coverage.map(|coverage| -> Result<Vec<String>, SetError> {
            let conformal = head.conformal.as_ref().ok_or(SetError::NoThresholds(stored.generation))?;
            let set = conformal.set(&probabilities, coverage)?;
            Ok(set.into_iter().map(|class| stored.file.classes[class].clone()).collect())
        });
        let sure = answer.sure && probabilities[answer.class] >= threshold;
        Ok(Self {
            input,
            set: set.transpose()?,
            class: stored.file.classes[answer.class].clone(),
            confidence: probabilities[answer.class],
            unknown: novel || !sure,
            unsure: !sure,
            scores: stored.file.classes.iter().cloned().zip(probabilities).collect(),
            generation: stored.generation.0,
        })
    }
}

/// What `audit` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AuditRecord {
    /// The task.
    pub task: String,
    /// The head in service.
    pub generation: u32,
    /// Kind of head.
    pub head: String,
    /// Whether everything that could be tried was reproduced, and something could.
    pub reproduced: bool,
    /// What was tried, one by one.
    pub checks: Vec<AuditCheckRecord>,
}

/// One thing that `audit` tried to reproduce.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct AuditCheckRecord {
    /// What.
    pub what: String,
    /// Whether it was; none where it cannot be tried.
    pub reproduced: Option<bool>,
    /// What was found, or why it cannot be tried.
    pub found: String,
}

impl HeadRecord {
    /// Writes a stored head down.
    pub fn new(stored: &StoredHead, in_service: Option<Generation>) -> Self {
        let evaluation = stored.file.provenance.evaluation.as_ref();
        Self {
            generation: stored.generation.0,
            in_service: in_service == Some(stored.generation),
            origin: stored.origin.token().to_owned(),
            unproved: stored.unproved(),
            from: stored.installed.as_ref().map(Into::into),
            head: stored.file.head.kind.to_string(),
            lambda: stored.file.head.lambda,
            classes: stored.file.classes.clone(),
            samples: stored.file.provenance.counts.clone(),
            accuracy: evaluation.map(|evaluation| evaluation.accuracy),
            accuracy_interval: evaluation.map(|evaluation| evaluation.accuracy_interval.into()),
            created: stored.created.to_string(),
            sha256: stored.digest.to_string(),
        }
    }
}
