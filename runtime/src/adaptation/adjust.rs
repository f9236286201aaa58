//! The head in service at another site: adjusted without labels, and back when labels speak against that. The deciding is
//! the trainer's (`domain.rs`); this file carries numbers from the store to it and the verdict back.
//!
//! An adjusted head is a generation of its own, made from the head that was fitted and never from an adjusted one. Of the
//! samples without labels it keeps what features are to be moved by, and nothing else of them is stored. So an audit
//! makes the head again from that and from the labelled samples, but cannot tell where the numbers came from; and when a
//! labelled sample is forgotten, what takes over is fitted without it and not adjusted: the adjustment was measured
//! against it as well.

use acclimate_trainer::domain::{self, Adjusted, LEVEL, Source};
use acclimate_trainer::drift::Test;
use acclimate_trainer::{Head, Kind, Outcome};
use jiff::Timestamp;
use ndarray::{Array2, ArrayView1};

use super::problem::{Problem, Service};
use super::{AdaptError, Options};
use crate::drift::{self, DriftError};
use crate::head_file::{Adjustment, HeadFile, Provenance};
use crate::record::AdjustRecord;
use crate::store::{Generation, NewAdaptation, NewHead, Origin, Snapshot, StoreError, StoredHead, Tasks};

/// Samples that nobody has labelled.
#[derive(Clone, Debug)]
pub struct Unlabelled {
    /// Their features, `[n, dim]`.
    pub features: Array2<f32>,
    /// Their groups `[n]`: consecutive equal numbers are one moment.
    pub groups: Vec<usize>,
}

/// Why there is no verdict on an adjustment.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// There is nothing to compare with.
    #[error("could not compare with what the head was learnt on")]
    Drift(#[from] DriftError),
    /// There is nothing to adjust.
    #[error("task `{task}` has no head in service yet: add labelled samples, then `acclimate adapt {task}`")]
    NoHead {
        /// The task.
        task: String,
    },
    /// The verdict could not be written down.
    #[error("could not write the verdict down")]
    Record(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Judges whether the head in service is to be adjusted to samples without labels, adjusts it, and records the verdict.
///
/// # Errors
/// There is no head, what it was learnt on is not kept, or the store fails; a rejected adjustment is not an error.
pub fn adjust(
    tasks: &mut Tasks,
    task: &str,
    samples: &Unlabelled,
    options: &Options,
) -> Result<(Outcome, AdjustRecord), AdjustError> {
    let served = tasks.in_service(task)?.ok_or_else(|| AdjustError::NoHead { task: task.to_owned() })?;
    let before = match fitted(tasks, task, &served)? {
        Some(before) => before,
        None => served,
    };
    // What acts on raw features has none of norm 1 that could be moved.
    let comparison = match before.file.head.kind {
        Kind::Shipped => None,
        _ => Some(Comparison::new(tasks, task, &before, samples)?),
    };
    let (outcome, reason) = match &comparison {
        None => (Outcome::Rejected, "not_adjustable"),
        Some(Comparison { test: None, .. }) => (Outcome::NotEnoughSamples, "too_few_groups"),
        Some(Comparison { adjusted: None, .. }) => (Outcome::Rejected, "no_drift"),
        Some(_) => (Outcome::Activated, "drift"),
    };
    let adjusted = comparison.as_ref().and_then(|comparison| comparison.adjusted.as_ref());
    let mut record = AdjustRecord {
        task: task.to_owned(),
        verdict: super::problem::token(outcome).to_owned(),
        reasons: vec![reason.to_owned()],
        generation: None,
        from: before.generation.0,
        head: before.file.head.kind.to_string(),
        inputs: samples.groups.len(),
        groups: samples.groups.chunk_by(|a, b| a == b).count(),
        learnt_groups: comparison.as_ref().map(|comparison| comparison.learnt_groups),
        p: comparison.as_ref().and_then(|comparison| Some(comparison.test?.p)),
        level: LEVEL,
        changed: adjusted.map(|adjusted| changed(&before.file.head, &adjusted.head, samples)),
    };
    let now = Timestamp::now();
    let file = adjusted.map(|Adjusted { head, shift }| HeadFile {
        head: head.clone(),
        provenance: Provenance {
            adjusted: Some(Adjustment {
                samples: record.inputs as u64,
                groups: record.groups as u64,
                p: record.p.unwrap_or(1.0),
                shift: shift.clone(),
            }),
            device: options.device.clone(),
            // How good it is where it is to be used, no label says.
            evaluation: None,
            unproved: true,
            parent: Some(before.generation.0),
            time: now,
            ..before.file.provenance.clone()
        },
        ..before.file.clone()
    });
    let snapshot = match &comparison {
        Some(comparison) => &comparison.snapshot,
        None => &tasks.snapshot(task)?,
    };
    let leave_out = adjusted.zip(comparison.as_ref()).map(|(adjusted, comparison)| {
        let features = comparison.snapshot.features();
        domain::carried(&before.file.head, &adjusted.head, features.view(), comparison.leave_out.view())
    });
    let json = serde_json::to_string(&record)?;
    let new = NewAdaptation {
        outcome: &record.verdict,
        record: &json,
        head: file
            .as_ref()
            .zip(leave_out.as_ref())
            .map(|(file, leave_out)| NewHead { file, leave_out: leave_out.view() }),
        activate: outcome == Outcome::Activated,
        take_back: None,
        proved: None,
        who: &options.who,
    };
    record.generation = tasks.record_adaptation(snapshot, &new, now)?.map(|generation| generation.0);
    Ok((outcome, record))
}

/// What a fitted head was learnt on, beside samples without labels.
struct Comparison {
    snapshot: Snapshot,
    /// Of the fitted head, `[n, classes]`.
    leave_out: Array2<f64>,
    learnt_groups: usize,
    /// None of too few groups.
    test: Option<Test>,
    /// The adjusted head, where the samples are unlike what was learnt.
    adjusted: Option<Adjusted>,
}

impl Comparison {
    fn new(tasks: &Tasks, task: &str, head: &StoredHead, samples: &Unlabelled) -> Result<Self, AdjustError> {
        let reference = drift::reference(tasks, task, head)?;
        let not_kept = || DriftError::NotKept { generation: head.generation.0 };
        let snapshot = tasks.snapshot_at(task, &head.file.backbone_id, head.watermark.ok_or_else(not_kept)?)?;
        let leave_out = kept(tasks, &snapshot, head)?.ok_or_else(not_kept)?;
        let source = Source::new(snapshot.features().view(), leave_out.view());
        let (test, adjusted) =
            domain::adjust(&head.file.head, &source, &reference, samples.features.view(), &samples.groups);
        Ok(Self { snapshot, leave_out, learnt_groups: reference.groups, test, adjusted })
    }
}

/// How many samples two heads take for different classes.
fn changed(before: &Head, after: &Head, samples: &Unlabelled) -> usize {
    let likeliest =
        |p: ArrayView1<'_, f64>| (0..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best });
    let [before, after] = [before, after].map(|head| head.batch(samples.features.view(), None));
    before.outer_iter().zip(after.outer_iter()).filter(|(a, b)| likeliest(*a) != likeliest(*b)).count()
}

/// The head that an adjusted one was made from, if it is one and that is still there.
pub(super) fn fitted(tasks: &Tasks, task: &str, head: &StoredHead) -> Result<Option<StoredHead>, StoreError> {
    let parent = head.file.provenance.parent.filter(|_| head.origin == Origin::Adjusted);
    match parent.map(|parent| tasks.head(task, Generation(parent))) {
        Some(Ok(before)) => Ok(Some(before)),
        None | Some(Err(StoreError::NoGeneration { .. })) => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

/// The head that an adjusted one in service was made from, scored on the same samples, if labels that neither was fitted on
/// speak against the adjustment.
pub(super) fn contradicted(
    tasks: &Tasks,
    problem: &Problem<'_>,
    snapshot: &Snapshot,
    service: &Service,
) -> Result<Option<Service>, AdaptError> {
    let Some(head) = service.head() else { return Ok(None) };
    let Some(before) = fitted(tasks, &snapshot.task, head)? else { return Ok(None) };
    let before = Service::stored(tasks, problem, snapshot, before)?;
    Ok(problem.speaks_against(&before, service).then_some(before))
}

/// The kept leave-out probabilities `[n, classes]` of a head for the samples it was fitted on; none unless all are there.
fn kept(tasks: &Tasks, snapshot: &Snapshot, head: &StoredHead) -> Result<Option<Array2<f64>>, StoreError> {
    let kept = tasks.leave_out(&snapshot.task, head.generation)?;
    let classes = head.file.classes.len();
    let whole = kept.len() == snapshot.len()
        && kept.iter().zip(&snapshot.ids).all(|(kept, id)| kept.sample == *id && kept.probabilities.len() == classes);
    let numbers = kept.iter().flat_map(|kept| kept.probabilities.iter().map(|&p| f64::from(p))).collect();
    Ok(Array2::from_shape_vec((kept.len(), classes), numbers).ok().filter(|_| whole))
}
