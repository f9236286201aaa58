//! How good the head in service is, honestly: from samples it was not fitted on. And every head and verdict before. Reads the
//! store; knows nothing of HTTP.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::record::{AdaptationRecord, AdjustRecord, EvaluationRecord, HeadRecord, InstallRecord};
use crate::store::{Adaptation, StoreError, StoredHead, Tasks};

/// Most bins of the reliability, each with samples enough to mean something; as the calibration error has them.
const BINS: usize = 10;
const SAMPLES_PER_BIN: usize = 10;

/// Verdicts given where nobody says how many.
const USUAL: usize = 50;

/// How good the head in service is.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Honesty {
    /// The task.
    task: String,
    /// The head in service.
    generation: u32,
    /// Some class has too few groups to prove it by.
    unproved: bool,
    /// On samples it was not fitted on, when it was fitted; none of a head from elsewhere.
    evaluation: Option<EvaluationRecord>,
    /// How often it is right where it is so sure, from its leave-out answers and today's labels.
    reliability: Vec<Bin>,
    /// Every head in its turn.
    generations: Vec<Past>,
}

/// Samples of which the head is about equally sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Bin {
    /// Mean confidence.
    confidence: f64,
    /// Share that it was right about.
    accuracy: f64,
    /// Samples.
    samples: usize,
}

/// How good a head was when it was fitted.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Past {
    /// Its number.
    generation: u32,
    /// Leave-out accuracy.
    accuracy: Option<f64>,
    /// Its 95 % interval.
    accuracy_interval: Option<[f64; 2]>,
    /// When it was recorded, RFC 3339 UTC.
    created: String,
}

/// How many verdicts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Newest {
    /// How many; 50 where absent.
    limit: Option<u32>,
}

/// A verdict, with its time.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Dated {
    /// When, RFC 3339 UTC.
    time: String,
    /// Who asked for it.
    who: String,
    /// What `adapt` printed.
    #[serde(flatten)]
    of: AdaptationRecord,
}

/// The head in service; none where there is none.
///
/// # Errors
/// There is no such task, or the store fails.
pub(super) fn honesty(tasks: &Tasks, task: &str) -> Result<Option<Honesty>, StoreError> {
    let Some(head) = tasks.in_service(task)? else { return Ok(None) };
    let provenance = &head.file.provenance;
    let evaluation = provenance.evaluation.as_ref();
    Ok(Some(Honesty {
        task: task.to_owned(),
        generation: head.generation.0,
        unproved: head.unproved(),
        evaluation: evaluation.map(|evaluation| EvaluationRecord::new(evaluation, &head.file.classes)),
        reliability: reliability(answers(tasks, task, &head)?),
        generations: heads(tasks, task)?
            .into_iter()
            .map(|head| Past {
                generation: head.generation,
                accuracy: head.accuracy,
                accuracy_interval: head.accuracy_interval,
                created: head.created,
            })
            .collect(),
    }))
}

/// Every head, oldest first: what `head list` prints.
///
/// # Errors
/// There is no such task, or the store fails.
pub(super) fn heads(tasks: &Tasks, task: &str) -> Result<Vec<HeadRecord>, StoreError> {
    let in_service = tasks.task(task)?.in_service;
    Ok(tasks.heads(task)?.iter().map(|head| HeadRecord::new(head, in_service)).collect())
}

/// Every verdict, newest first.
///
/// # Errors
/// There is no such task, or the store fails.
pub(super) fn verdicts(tasks: &Tasks, task: &str, Newest { limit }: &Newest) -> Result<Vec<Dated>, StoreError> {
    let limit = limit.map_or(USUAL, |limit| limit as usize);
    // Adjustments have no verdict on labels, and other devices' heads no fit; the heads themselves stand among the heads.
    let judged = |adaptation: &Adaptation| {
        serde_json::from_str::<AdjustRecord>(&adaptation.record).is_err()
            && serde_json::from_str::<InstallRecord>(&adaptation.record).is_err()
    };
    let adaptations = tasks.adaptations(task)?.into_iter().rev().filter(judged).take(limit);
    adaptations
        .map(|adaptation| {
            let mut of: AdaptationRecord = serde_json::from_str(&adaptation.record).map_err(|error| {
                StoreError::Record { task: task.to_owned(), what: "verdict", problem: error.to_string() }
            })?;
            // Numbered when it was recorded, after it was written.
            of.generation = adaptation.generation.map(|generation| generation.0);
            Ok(Dated { time: adaptation.when.to_string(), who: adaptation.who, of })
        })
        .collect()
}

/// Confidence of the head's leave-out answers, and whether they are what people say today.
fn answers(tasks: &Tasks, task: &str, head: &StoredHead) -> Result<Vec<(f64, bool)>, StoreError> {
    let labels: HashMap<_, _> = tasks
        .samples(task, &crate::store::Filter::Labelled)?
        .into_iter()
        .filter_map(|sample| Some((sample.id, sample.label?)))
        .collect();
    let answered = tasks.leave_out(task, head.generation)?.into_iter().filter_map(|kept| {
        let label = labels.get(&kept.sample)?;
        let (class, &confidence) = kept.probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        Some((f64::from(confidence), head.file.classes.get(class)? == label))
    });
    Ok(answered.filter(|(confidence, _)| confidence.is_finite()).collect())
}

/// Bins of equal mass, from the least sure to the surest.
fn reliability(mut answers: Vec<(f64, bool)>) -> Vec<Bin> {
    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = answers.len();
    let bins = (all / SAMPLES_PER_BIN).clamp(1, BINS);
    let members = (0..bins).map(|bin| &answers[bin * all / bins..(bin + 1) * all / bins]);
    members
        .filter(|members| !members.is_empty())
        .map(|members| {
            let (samples, right) = (members.len(), members.iter().filter(|(_, right)| *right).count());
            let confidence = members.iter().map(|(confidence, _)| confidence).sum::<f64>() / samples as f64;
            Bin { confidence, accuracy: right as f64 / samples as f64, samples }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_equal_mass_and_lose_nobody() {
        assert_eq!(reliability(Vec::new()), []);
        assert_eq!(reliability(vec![(0.9, true), (0.7, false)]), [Bin { confidence: 0.8, accuracy: 0.5, samples: 2 }]);
        let bins = reliability((0..205).map(|n| (f64::from(n) / 205.0, n % 4 != 0)).collect());
        assert_eq!(bins.len(), BINS);
        assert_eq!(bins.iter().map(|bin| bin.samples).sum::<usize>(), 205);
        assert!(bins.iter().all(|bin| bin.samples.abs_diff(20) <= 1));
        assert!(bins.is_sorted_by(|a, b| a.confidence < b.confidence));
    }
}
