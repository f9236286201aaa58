//! One adaptation: snapshot the labelled samples, fit candidates, select, judge against the head in service, record.
//!
//! The deciding is the trainer's; this file carries numbers from the store to it and the verdict back. A candidate and
//! the move of the pointer are recorded in one transaction, so that after a power cut the head in service is the old one
//! or the new one. `ARCHITECTURE.md` draws the whole way; read `adaptation/problem.rs` next, then `trainer/src/judge.rs`
//! for the rules.

mod problem;

use std::collections::BTreeSet;
use std::time::Instant;

use acclimate_trainer::{EvaluationError, FitError, JudgeError, Kind, Outcome, SamplesError};
use jiff::Timestamp;

use self::problem::{Problem, Service};
use crate::group::GroupBy;
use crate::head_file::{HeadFile, Provenance};
use crate::record::{AdaptationRecord, Seconds};
use crate::store::{Filter, Forget, NewAdaptation, NewHead, Receipt, Refitted, StoreError, Tasks};

/// What a caller may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Kinds of head to select from; the yardstick `prototype` is always fitted.
    pub kinds: Vec<Kind>,
    /// A person's word that the new labels are right.
    pub trust_labels: bool,
    /// Groups otherwise than the task says.
    pub group_by: Option<GroupBy>,
    /// Threads of the fit.
    pub threads: usize,
    /// Who asked.
    pub who: String,
    /// This device.
    pub device: String,
}

/// Why an adaptation came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum AdaptError {
    /// The evaluation could not be made.
    #[error("could not evaluate the candidate")]
    Evaluation(#[from] EvaluationError),
    /// No head could be fitted.
    #[error("could not fit a head")]
    Fit(#[from] FitError),
    /// The judge was given numbers that do not fit one another.
    #[error("could not judge the candidate")]
    Judge(#[from] JudgeError),
    /// The verdict could not be written down.
    #[error("could not write the verdict down")]
    Record(#[from] serde_json::Error),
    /// The samples cannot be fitted.
    #[error("could not use the stored samples")]
    Samples(#[from] SamplesError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of an adaptation.
#[derive(Debug)]
pub struct Adapted {
    /// How it ended.
    pub outcome: Outcome,
    /// Everything there is to say about it.
    pub record: AdaptationRecord,
    /// Sizes of the groups, largest first.
    pub group_sizes: Vec<usize>,
}

/// Runs one adaptation of a task and records its verdict.
///
/// # Errors
/// When the store fails or the numbers do; a rejected candidate is not an error.
pub fn adapt(tasks: &mut Tasks, task: &str, options: &Options) -> Result<Adapted, AdaptError> {
    let start = Instant::now();
    let backbone_id = tasks.task(task)?.backbone_id;
    let snapshot = tasks.snapshot(task)?;
    let extractor = extractors(tasks, task)?;
    let problem = Problem::new(&snapshot, options.group_by);
    let service = match tasks.in_service(task)? {
        Some(head) => Some(Service::new(&problem, &tasks.leave_out(task, head.generation)?, head)),
        None => None,
    };
    let load = start.elapsed().as_secs_f64();

    let proposal = problem.propose(options)?;
    let verdict = problem.judge(proposal.as_ref(), service.as_ref(), options.trust_labels)?;
    let mut record = problem.record(task, &verdict, proposal.as_ref(), service.as_ref())?;
    record.seconds = Seconds { load, fit: start.elapsed().as_secs_f64() - load, total: start.elapsed().as_secs_f64() };

    let file = proposal.as_ref().map(|proposal| -> Result<HeadFile, AdaptError> {
        let provenance = Provenance {
            counts: problem.counts(),
            device: options.device.clone(),
            evaluation: problem.evaluate(proposal.selected())?,
            extractor,
            parent: service.as_ref().map(|service| service.head.generation.0),
            statistics: Some(snapshot.digest().0),
            time: Timestamp::now(),
            unproved: verdict.unproved,
        };
        let (classes, head) = (problem.names.clone(), proposal.selected().head.clone());
        Ok(HeadFile { task: task.to_owned(), backbone_id, classes, head, provenance })
    });
    let file = file.transpose()?;
    let json = serde_json::to_string(&record)?;
    let new = NewAdaptation {
        outcome: &record.verdict,
        record: &json,
        head: file
            .as_ref()
            .zip(proposal.as_ref())
            .map(|(file, proposal)| NewHead { file, leave_out: proposal.selected().leave_out.view() }),
        activate: verdict.outcome == Outcome::Activated,
        who: &options.who,
    };
    record.generation = tasks.record_adaptation(&snapshot, &new, Timestamp::now())?.map(|generation| generation.0);
    record.seconds.total = start.elapsed().as_secs_f64();
    Ok(Adapted { outcome: verdict.outcome, record, group_sizes: problem.group_sizes() })
}

/// Forgets samples or a class. If the head in service was fitted on any of it, one of the same kind, fitted on what
/// remains, takes over in the same transaction; where too little remains, no head is in service.
///
/// # Errors
/// When the store fails, or the numbers do: then nothing is forgotten.
pub fn forget(tasks: &mut Tasks, task: &str, what: &Forget, options: &Options) -> Result<Receipt, AdaptError> {
    tasks.forget(task, what, &options.who, Timestamp::now(), |snapshot, gone| {
        let problem = Problem::new(snapshot, None);
        let options = Options { kinds: vec![gone.file.head.kind], ..options.clone() };
        let Some(proposal) = problem.propose(&options)? else { return Ok(None) };
        let candidate = proposal.selected();
        let provenance = Provenance {
            counts: problem.counts(),
            device: options.device,
            evaluation: problem.evaluate(candidate)?,
            extractor: gone.file.provenance.extractor.clone(),
            parent: None,
            statistics: Some(snapshot.digest().0),
            time: Timestamp::now(),
            // What proved the one that goes has gone with it.
            unproved: true,
        };
        let file =
            HeadFile { classes: problem.names.clone(), head: candidate.head.clone(), provenance, ..gone.file.clone() };
        Ok(Some(Refitted { file, leave_out: candidate.leave_out.clone() }))
    })
}

/// What computed the features of the labelled samples; more than one after an update of the engine.
fn extractors(tasks: &Tasks, task: &str) -> Result<String, StoreError> {
    let samples = tasks.samples(task, &Filter::Labelled)?;
    let distinct: BTreeSet<String> = samples.into_iter().map(|sample| sample.extractor).collect();
    Ok(distinct.into_iter().collect::<Vec<_>>().join("; "))
}
