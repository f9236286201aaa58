//! What the command line prints as JSON (DESIGN section 7): one type a document, versioned by their golden examples.
//!
//! Domain types are not `Serialize`; they become records here, at the edge.

use std::fmt::Write as _;

use acclimate_backbone::{FeatureCandidate, Inspection, Port};
use acclimate_trainer::Evaluation;
use serde::{Deserialize, Serialize};

use crate::store::{Added, Generation, Origin, Sample, StoredHead};

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
    /// Why, as tokens; the weightiest first.
    pub reasons: Vec<String>,
    /// The same in words.
    pub because: Vec<String>,
    /// What to do next, in words.
    pub next: Vec<String>,
    /// Number of the new head; a rejected one has a number too.
    pub generation: Option<u32>,
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
    /// Standard error of the difference, clustered by group; none with one group.
    pub standard_error: Option<f64>,
    /// One-sided probability of such a loss if the candidate were no worse; none with too few groups for a test.
    pub p: Option<f64>,
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
    pub generation: u32,
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

/// A generation, as `head` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HeadRecord {
    /// Its number.
    pub generation: u32,
    /// Whether it is in service.
    pub in_service: bool,
    /// `adapted`, `imported` or `refitted`.
    pub origin: String,
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

/// One line of `classify` for an input that could not be classified.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FailedRecord {
    /// The file.
    pub input: String,
    /// Why.
    pub error: String,
}

/// What `model inspect` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InspectionRecord {
    /// Size of the file.
    pub bytes: u64,
    /// Version of the file format.
    pub ir_version: i64,
    /// What wrote the file.
    pub producer: String,
    /// Operator sets with their versions; the standard one is "".
    pub opsets: std::collections::BTreeMap<String, i64>,
    /// What it takes.
    pub inputs: Vec<PortRecord>,
    /// What it gives.
    pub outputs: Vec<PortRecord>,
    /// Numbers in its weights.
    pub parameters: u64,
    /// How often it uses each operator.
    pub operators: std::collections::BTreeMap<String, usize>,
    /// Tensors that are likely features, likeliest first.
    pub features: Vec<FeatureRecord>,
    /// Operators that tract has not; none where tract is not built in.
    pub lacking_in_tract: Option<Vec<String>>,
    /// A manifest to start from, TOML.
    pub manifest: String,
}

/// An input or output of a model.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct PortRecord {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub element: String,
    /// Its shape; symbolic dimensions by name.
    pub shape: Vec<String>,
}

/// A tensor that may be the feature.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FeatureRecord {
    /// Its name.
    pub tensor: String,
    /// How it is pooled.
    pub pool: String,
    /// Components of the feature.
    pub dim: usize,
    /// Why it is likely.
    pub because: String,
}

impl InspectionRecord {
    /// Writes an inspection down.
    pub fn new(inspection: &Inspection, manifest: String) -> Self {
        let Inspection {
            bytes,
            sha256: _,
            ir_version,
            producer,
            opsets,
            inputs,
            outputs,
            parameters,
            operators,
            features,
            lacking_in_tract,
        } = inspection.clone();
        let port = |port: Port| PortRecord { name: port.name, element: port.element, shape: port.shape };
        let feature = |f: FeatureCandidate| FeatureRecord {
            tensor: f.tensor,
            pool: f.pool.word().to_owned(),
            dim: f.dim,
            because: f.because,
        };
        Self {
            bytes,
            ir_version,
            producer,
            opsets: opsets.into_iter().collect(),
            inputs: inputs.into_iter().map(port).collect(),
            outputs: outputs.into_iter().map(port).collect(),
            parameters,
            operators,
            features: features.into_iter().map(feature).collect(),
            lacking_in_tract,
            manifest,
        }
    }

    /// The same for people; the manifest comes last, ready to be copied.
    pub fn words(&self) -> String {
        let mut words = format!("{} bytes, IR {}, made by {}", self.bytes, self.ir_version, self.producer);
        for (domain, version) in &self.opsets {
            let _ = write!(words, "\nopset       {} {version}", if domain.is_empty() { "ai.onnx" } else { domain });
        }
        for (what, ports) in [("input", &self.inputs), ("output", &self.outputs)] {
            for port in ports {
                let _ = write!(words, "\n{what:11} {}  {} [{}]", port.name, port.element, port.shape.join(", "));
            }
        }
        let operators: Vec<String> = self.operators.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let _ = write!(words, "\nparameters  {}\noperators   {}", self.parameters, operators.join(", "));
        for f in &self.features {
            let _ = write!(words, "\nfeature?    {}  {} numbers, pool {}: {}", f.tensor, f.dim, f.pool, f.because);
        }
        match &self.lacking_in_tract {
            Some(lacking) if !lacking.is_empty() => {
                let _ = write!(words, "\ntract lacks {}: needs ONNX Runtime", lacking.join(", "));
            }
            _ => {}
        }
        let _ = write!(words, "\n\n{}", self.manifest.trim_end());
        words
    }
}

/// What `head show` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HeadDetailRecord {
    /// The generation.
    #[serde(flatten)]
    pub of: HeadRecord,
    /// How good it was, when it was fitted, on samples left out.
    pub evaluation: Option<EvaluationRecord>,
    /// Divides the logits.
    pub temperature: f64,
    /// Where it was fitted.
    pub device: String,
    /// The head in service when it was fitted.
    pub parent: Option<u32>,
    /// Too few groups to prove it.
    pub unproved: bool,
}

/// What `demo` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DemoRecord {
    /// Seed of the drawn pictures.
    pub seed: u64,
    /// What really ran the backbone.
    pub extractor: String,
    /// The first head on unseen parts by day.
    pub day: EvaluationRecord,
    /// The first head on unseen parts in the evening.
    pub evening_before: EvaluationRecord,
    /// The second head on the same evening parts.
    pub evening_after: EvaluationRecord,
    /// The second head on the same parts by day.
    pub day_after: EvaluationRecord,
    /// The three verdicts: taught, adapted, labelled in a hurry.
    pub verdicts: Vec<AdaptationRecord>,
    /// The generation that the roll back put in service.
    pub rolled_back_to: u32,
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
    /// Whether it can be used now.
    pub available: bool,
    /// Its file; none for the built-in one.
    pub file: Option<String>,
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
                let cells: String = row.iter().map(|count| format!("{count:>6}")).collect();
                let _ = write!(words, "\n  {class:width$}{cells}");
            }
        }
        words
    }
}

impl PredictionRecord {
    /// What a head says about a feature `[dim]`.
    pub fn new(input: String, stored: &StoredHead, feature: &[f32]) -> Self {
        let head = &stored.file.head;
        let probabilities = head.probabilities(feature);
        let best = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0);
        Self {
            input,
            class: stored.file.classes[best].clone(),
            confidence: probabilities[best],
            unknown: head.novelty.as_ref().is_some_and(|novelty| novelty.is_unknown(feature)),
            scores: stored.file.classes.iter().cloned().zip(probabilities).collect(),
            generation: stored.generation.0,
        }
    }
}

impl HeadRecord {
    /// Writes a stored head down.
    pub fn new(stored: &StoredHead, in_service: Option<Generation>) -> Self {
        let evaluation = stored.file.provenance.evaluation.as_ref();
        Self {
            generation: stored.generation.0,
            in_service: in_service == Some(stored.generation),
            origin: match stored.origin {
                Origin::Adapted => "adapted",
                Origin::Imported => "imported",
                Origin::Refitted => "refitted",
            }
            .to_owned(),
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
