//! What became of an adaptation, as JSON.

use acclimate_trainer::{Behind, Candidate, Comparison, Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EvaluationRecord, LearningCurveRecord};

/// What `adapt` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
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
    /// What made a group.
    #[serde(default)]
    pub group_by: String,
    /// Single samples were left out, not groups, for some class.
    pub ungrouped: bool,
    /// The candidate, on samples it was not fitted on.
    pub evaluation: Option<EvaluationRecord>,
    /// The head in service before, on the same samples.
    pub in_service: Option<EvaluationRecord>,
    /// The head that was in service, where the labels spoke against its adjustment to another site, or against it as another
    /// device's: what was there before is back, and is what the candidate is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<u32>,
    /// Directions that the candidate does without, where what is sensed moved along them when the light or the camera changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nuisance: Option<usize>,
    /// The head that was in service, another device's, where the labels have proved it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<u32>,
    /// The paired test.
    pub comparison: Option<ComparisonRecord>,
    /// What was tried.
    pub candidates: Vec<CandidateRecord>,
    /// What more labels would buy; none of one class, or where there was no time for it.
    #[serde(default)]
    pub learning_curve: Option<LearningCurveRecord>,
    /// Where the time went.
    pub seconds: Seconds,
}

/// The paired comparison of a candidate with the head in service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
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

impl From<Comparison> for ComparisonRecord {
    fn from(of: Comparison) -> Self {
        Self {
            samples: of.samples,
            groups: of.groups,
            excluded: of.excluded,
            difference: of.difference,
            standard_error: of.standard_error.is_finite().then_some(of.standard_error),
            p: of.p_worse,
            candidate_accuracy: of.accuracy,
            in_service_accuracy: of.accuracy_in_service,
        }
    }
}

/// A head that was tried, or that there was no time for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct CandidateRecord {
    /// Kind of head.
    pub head: String,
    /// Its regularisation.
    pub lambda: Option<f64>,
    /// Whether the classes counted alike.
    #[serde(default)]
    pub balanced: bool,
    /// Leave-out log-loss, nats; none of what was not fitted.
    pub log_loss: Option<f64>,
    /// Standard error of the log-loss, clustered by group.
    pub standard_error: Option<f64>,
    /// Log-loss with whole folds left out, and with the classes counting alike where their sizes differ much: what
    /// selection compares.
    #[serde(default)]
    pub fold_loss: Option<f64>,
    /// Leave-out accuracy.
    pub accuracy: Option<f64>,
    /// This one went before the judge.
    pub selected: bool,
    /// Why it was not fitted.
    #[serde(default)]
    pub skipped: Option<String>,
}

impl CandidateRecord {
    /// A candidate, as it stands beside others.
    pub fn new(candidate: &Candidate, selected: bool) -> Self {
        Self {
            head: candidate.head.kind.to_string(),
            lambda: candidate.head.lambda,
            balanced: candidate.balanced,
            log_loss: Some(candidate.log_loss),
            standard_error: Some(candidate.log_loss_se).filter(|se| se.is_finite()),
            fold_loss: Some(candidate.fold_loss()),
            accuracy: Some(candidate.accuracy),
            selected,
            skipped: None,
        }
    }

    /// A kind that was not fitted, and why.
    fn skipped(kind: Kind, why: String) -> Self {
        Self {
            head: kind.to_string(),
            lambda: None,
            balanced: false,
            log_loss: None,
            standard_error: None,
            fold_loss: None,
            accuracy: None,
            selected: false,
            skipped: Some(why),
        }
    }

    /// The figures for people.
    pub fn words(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("{:12}  skipped: {why}", self.head);
        }
        let se = self.standard_error.map_or_else(String::new, |se| format!(" ± {se:.4}"));
        let lambda = self.lambda.map_or_else(String::new, |lambda| format!(", λ {lambda:.3e}"));
        format!(
            "{:12}  {:.4}{se}, accuracy {:.1} %{lambda}{}{}",
            self.head,
            self.log_loss.unwrap_or(f64::NAN),
            100.0 * self.accuracy.unwrap_or(f64::NAN),
            if self.balanced { ", classes balanced" } else { "" },
            if self.selected { "  ← selected" } else { "" }
        )
    }
}

impl AdaptationRecord {
    /// Notes the kinds that there was no time for, and why.
    pub fn skip(&mut self, kinds: &[Kind], why: Vec<String>) {
        self.candidates.extend(kinds.iter().zip(why).map(|(&kind, why)| CandidateRecord::skipped(kind, why)));
    }

    /// Notes the kinds that were behind on some of the samples, and by how much.
    pub fn leave_behind(&mut self, behind: &[Behind]) {
        self.candidates.extend(behind.iter().map(|one| {
            let Behind { kind, ahead, samples, more, standard_error } = one;
            let why = format!(
                "on {samples} samples its log-loss was {more:.4} ± {standard_error:.4} more than that of {ahead}"
            );
            CandidateRecord::skipped(*kind, why)
        }));
    }
}

/// What `tune` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TuneRecord {
    /// The task.
    pub task: String,
    /// What was tried, in order; the one selected was then adapted with.
    pub candidates: Vec<CandidateRecord>,
    /// The adaptation; none where it was only tried.
    pub adaptation: Option<AdaptationRecord>,
}

/// Where an adaptation's time went.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct Seconds {
    /// Reading the samples.
    pub load: f64,
    /// Fitting and judging.
    pub fit: f64,
    /// The learning curve, which takes at most half as long.
    #[serde(default)]
    pub learning_curve: f64,
    /// All of it.
    pub total: f64,
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
