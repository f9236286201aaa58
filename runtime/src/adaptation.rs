//! One adaptation: snapshot the labelled samples, fit candidates, select, judge against the head in service, record.
//!
//! The deciding is the trainer's; this file carries numbers from the store to it and the verdict back. A candidate and
//! the move of the pointer are recorded in one transaction, so that after a power cut the head in service is the old one
//! or the new one. `ARCHITECTURE.md` draws the whole way; read `adaptation/problem.rs` next, then `trainer/src/judge.rs`
//! for the rules.

mod adjust;
mod audit;
mod budget;
mod foreign;
mod problem;
mod rule;
mod tune;

use std::time::{Duration, Instant};

use acclimate_trainer::{EvaluationError, FitError, JudgeError, Kind, Outcome, SamplesError};
use jiff::Timestamp;
use ndarray::Array2;

pub use self::adjust::{AdjustError, Unlabelled, adjust};
pub use self::audit::audit;
use self::budget::Budget;
use self::foreign::Fate;
pub use self::foreign::{Judged, judge_foreign};
use self::problem::{Problem, Service};
pub use self::rule::{Costs, Rule, RuleError};
pub use self::tune::{Progress, tune};
use crate::group::GroupBy;
use crate::head_file::{Fixed, HeadFile, Provenance};
use crate::record::{AdaptationRecord, Seconds};
use crate::store::{
    Digest, Forget, Generation, NewAdaptation, NewHead, Receipt, Refitted, Snapshot, StoreError, TakeBack, Tasks,
};

/// What a caller may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Kinds of head to select from; the yardstick `prototype` is always fitted.
    pub kinds: Vec<Kind>,
    /// A person's word that the new labels are right.
    pub trust_labels: bool,
    /// What is sensed since it changed, if it did: heads are not to use the direction in which everything moved.
    pub elsewhere: Option<Elsewhere>,
    /// What is not chosen by leave-out.
    pub fixed: Fixed,
    /// How the head is to answer.
    pub rule: Rule,
    /// Time for the fit: a kind that would not end within it is not started.
    pub budget: Option<Duration>,
    /// Groups otherwise than the task says.
    pub group_by: Option<GroupBy>,
    /// Threads of the fit.
    pub threads: usize,
    /// Who asked.
    pub who: String,
    /// This device.
    pub device: String,
}

/// What is sensed since it changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// The mean feature, `[dim]`.
    pub feature: Vec<f32>,
    /// The parts of it that the head in service took for each of its classes; fewer numbers where the last ones were none.
    pub taken_for: Vec<f32>,
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
    /// No head that was asked for can be fitted here.
    #[error(
        "none of the heads asked for can be fitted on the samples of task `{task}`: shipped and biased_ridge start from \
         the model's own classifier (--keep-head), the others need samples of every class that is to be kept (--classes-only)"
    )]
    NoCandidate {
        /// The task.
        task: String,
    },
    /// The judge was given numbers that do not fit one another.
    #[error("could not judge the candidate")]
    Judge(#[from] JudgeError),
    /// The verdict could not be written down.
    #[error("could not write the verdict down")]
    Record(#[from] serde_json::Error),
    /// The answers cannot be given as asked for.
    #[error("could not set how the head is to answer")]
    Rule(#[from] RuleError),
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

/// A fit with its verdict, not yet written down. Until it is, nothing has changed.
#[derive(Debug)]
#[must_use = "a verdict that is not recorded is lost"]
pub struct Fitted {
    /// How it ended.
    pub outcome: Outcome,
    /// Everything there is to say about it, but the number of its head.
    pub record: AdaptationRecord,
    /// SHA-256 of the statistics that it was fitted on.
    pub digest: Digest,
    snapshot: Snapshot,
    head: Option<(HeadFile, Array2<f64>)>,
    /// What is put back, where labels contradict the adjusted or installed head in service.
    take_back: Option<TakeBack>,
    /// The installed head in service, where labels have proved it.
    proved: Option<Generation>,
    group_sizes: Vec<usize>,
    who: String,
    start: Instant,
}

/// Runs one adaptation of a task and records its verdict.
///
/// # Errors
/// When the store fails or the numbers do; a rejected candidate is not an error.
pub fn adapt(tasks: &mut Tasks, task: &str, options: &Options) -> Result<Adapted, AdaptError> {
    adapt_on(tasks, task, None, options)
}

/// As [`adapt`], with a candidate on another backbone of the task than the one in use, which every sample has a feature
/// of; if it is activated, that backbone is in use from then on.
///
/// # Errors
/// As [`adapt`]; also when a sample lacks a feature.
pub fn adapt_on(
    tasks: &mut Tasks,
    task: &str,
    backbone: Option<&[u8; 32]>,
    options: &Options,
) -> Result<Adapted, AdaptError> {
    fit_on(tasks, task, backbone, options)?.write_down(tasks)
}

/// The first half of [`adapt_on`], which only reads: fits and judges. Nobody may move the pointer to the head in service, or
/// forget, before the second half, [`Fitted::write_down`].
///
/// # Errors
/// As [`adapt_on`].
pub fn fit_on(tasks: &Tasks, task: &str, backbone: Option<&[u8; 32]>, options: &Options) -> Result<Fitted, AdaptError> {
    let start = Instant::now();
    let in_use = tasks.task(task)?.backbone_id;
    let backbone_id = backbone.copied().unwrap_or(in_use);
    // The head in service is scored on features of its own backbone, the candidate on those of the new one.
    let (served, snapshot) = if backbone_id == in_use {
        (None, tasks.snapshot(task)?)
    } else {
        let [served, snapshot] = tasks.snapshots(task, &backbone_id)?;
        (Some(served), snapshot)
    };
    let extractor = tasks.extractors_of_labelled(task, &backbone_id)?.join("; ");
    let shipped = tasks.shipped(task, &backbone_id)?;
    let problem = Problem::new(&snapshot, options.group_by);
    let service = match tasks.in_service(task)? {
        Some(head) => Some(Service::stored(tasks, &problem, served.as_ref().unwrap_or(&snapshot), head)?),
        None => None,
    };
    // Labels that speak against an adjustment to another site take it back, whatever becomes of the candidate.
    let (mut service, mut taken_back) = (service, None);
    if let Some(adjusted) = &service
        && let Some(before) = adjust::contradicted(tasks, &problem, served.as_ref().unwrap_or(&snapshot), adjusted)?
    {
        taken_back = adjusted.generation().map(|generation| (generation, TakeBack(before.generation())));
        service = Some(before);
    }
    // And another device's head that they speak against.
    let mut proved = None;
    if let Some(foreign) = &service {
        match foreign::fate(tasks, &problem, served.as_ref().unwrap_or(&snapshot), foreign, options)? {
            Fate::Loses { to, before } => {
                taken_back = foreign.generation().map(|generation| (generation, to));
                service = before.map(|before| *before);
            }
            Fate::Proved => proved = foreign.generation(),
            Fate::Stays => {}
        }
    }
    let load = start.elapsed().as_secs_f64();

    let mut budget = Budget::new(options.budget);
    let nuisance = problem.nuisance(service.as_ref(), options.elsewhere.as_ref());
    let mut may_start = |kind: Kind, flops: f64| budget.may_start(kind, flops);
    let mut proposal = problem.propose(options, shipped.as_ref(), None, &mut may_start)?;
    if let (Some(plain), Some(nuisance)) = (&proposal, &nuisance)
        && let Some(without) = problem.propose(options, shipped.as_ref(), Some(nuisance), &mut may_start)?
        && !problem.costs(plain, &without, service.as_ref())
    {
        proposal = Some(without);
    }
    let verdict = problem.judge(proposal.as_ref(), service.as_ref(), options.trust_labels)?;
    let mut record = problem.record(task, &verdict, proposal.as_ref(), service.as_ref())?;
    record.proved = proved.map(|generation| generation.0);
    record.taken_back = taken_back.map(|(generation, _)| generation.0);
    let mut rest = budget.rest();
    record.skip(proposal.as_ref().map_or(&[], |proposal| &proposal.skipped), budget.skipped);
    record.leave_behind(proposal.as_ref().map_or(&[], |proposal| &proposal.behind));
    let fit = start.elapsed().as_secs_f64() - load;
    if proposal.is_some() {
        record.learning_curve = problem.learning_curve(options.threads, &mut |flops| rest.may_go_on(flops))?;
    }
    let learning_curve = start.elapsed().as_secs_f64() - load - fit;
    record.seconds = Seconds { load, fit, learning_curve, total: start.elapsed().as_secs_f64() };

    let head = proposal.as_ref().map(|proposal| -> Result<_, AdaptError> {
        let before = service.as_ref().and_then(Service::head).map(|head| &head.file);
        let (decision, precision) = problem.decide(&options.rule, before, proposal.selected())?;
        let provenance = Provenance {
            adjusted: None,
            counts: problem.counts(),
            device: options.device.clone(),
            evaluation: problem.evaluate(proposal.selected())?,
            extractor,
            fixed: Fixed { precision, ..options.fixed },
            nuisance: proposal.nuisance().cloned(),
            parent: service.as_ref().and_then(Service::generation).map(|generation| generation.0),
            statistics: Some(snapshot.digest().0),
            time: Timestamp::now(),
            unproved: verdict.unproved,
        };
        let (classes, head) = (problem.names.clone(), proposal.selected().head.clone());
        let file = HeadFile { task: task.to_owned(), backbone_id, classes, head, decision, provenance };
        Ok((file, proposal.selected().leave_out.clone()))
    });
    let head = head.transpose()?;
    let kept = head.as_ref().and_then(|(file, _)| file.provenance.statistics).map(Digest);
    let digest = kept.unwrap_or_else(|| snapshot.digest());
    let group_sizes = problem.group_sizes();
    let take_back = taken_back.map(|(_, to)| to);
    drop((proposal, problem));
    let who = options.who.clone();
    Ok(Fitted { outcome: verdict.outcome, record, digest, snapshot, head, take_back, proved, group_sizes, who, start })
}

impl Fitted {
    /// The second half of [`adapt_on`]: the verdict, the head and the move of the pointer, in one transaction.
    ///
    /// # Errors
    /// When the store fails, or something was forgotten since the fit began.
    pub fn write_down(mut self, tasks: &mut Tasks) -> Result<Adapted, AdaptError> {
        let json = serde_json::to_string(&self.record)?;
        let new = NewAdaptation {
            outcome: &self.record.verdict,
            record: &json,
            head: self.head.as_ref().map(|(file, leave_out)| NewHead { file, leave_out: leave_out.view() }),
            activate: self.outcome == Outcome::Activated,
            take_back: self.take_back,
            proved: self.proved,
            who: &self.who,
        };
        let generation = tasks.record_adaptation(&self.snapshot, &new, Timestamp::now())?;
        self.record.generation = generation.map(|generation| generation.0);
        self.record.seconds.total = self.start.elapsed().as_secs_f64();
        Ok(Adapted { outcome: self.outcome, record: self.record, group_sizes: self.group_sizes })
    }
}

/// Forgets samples or a class. If the head in service was fitted on any of it, one of the same kind, fitted on what
/// remains, takes over in the same transaction; where too little remains, no head is in service. Directions that the head did without were measured against the samples that go,
/// and go with them.
///
/// # Errors
/// When the store fails, or the numbers do: then nothing is forgotten.
pub fn forget(tasks: &mut Tasks, task: &str, what: &Forget, options: &Options) -> Result<Receipt, AdaptError> {
    let shipped = tasks.shipped(task, &tasks.task(task)?.backbone_id)?;
    tasks.forget(task, what, &options.who, Timestamp::now(), |snapshot, gone| {
        let problem = Problem::new(snapshot, None);
        let fixed = gone.file.provenance.fixed;
        let options = Options { kinds: vec![gone.file.head.kind], fixed, rule: Rule::default(), ..options.clone() };
        let proposal = match problem.propose(&options, shipped.as_ref(), None, &mut |_, _| true) {
            Ok(Some(proposal)) => proposal,
            Ok(None) | Err(AdaptError::NoCandidate { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let candidate = proposal.selected();
        let (decision, precision) = problem.decide(&options.rule, Some(&gone.file), candidate)?;
        let provenance = Provenance {
            // What it was adjusted by was measured against what goes, too.
            adjusted: None,
            counts: problem.counts(),
            device: options.device,
            evaluation: problem.evaluate(candidate)?,
            extractor: gone.file.provenance.extractor.clone(),
            fixed: Fixed { precision, ..fixed },
            nuisance: None,
            parent: None,
            statistics: Some(snapshot.digest().0),
            time: Timestamp::now(),
            // What proved the one that goes has gone with it.
            unproved: true,
        };
        let (classes, head) = (problem.names.clone(), candidate.head.clone());
        let file = HeadFile { classes, head, decision, provenance, ..gone.file.clone() };
        Ok(Some(Refitted { file, leave_out: candidate.leave_out.clone() }))
    })
}

#[cfg(test)]
mod tests;
