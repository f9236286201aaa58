//! The local judgement of another device's head: by the rule that every candidate is judged by, on this device's own samples,
//! when it comes and again when there are labels. The deciding is the trainer's; this file carries numbers.
//!
//! ```text
//! comes ──▶ too few labels to judge ──▶ in service, unproved ──next adaptation──▶ loses ──▶ the head before is back, or none
//!       ├─▶ worse ──▶ kept, not in service                                  └─▶ stands, with groups enough ──▶ proved
//!       └─▶ not worse ──▶ in service, proved where there are groups enough
//! ```
//!
//! A sample that the head was fitted on takes no part, nor does any of its group, unless its leave-out score is here: what it was
//! fitted on is told by marks of the samples and by the digest of their statistics.

use acclimate_trainer::{Outcome, Verdict};

use super::problem::{Problem, Service};
use super::{AdaptError, Options};
use crate::head_file::HeadFile;
use crate::store::{Generation, Marks, Snapshot, StoreError, StoredHead, TakeBack, Tasks};

/// What this device's own samples say of another device's head.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Whether they speak against it.
    pub worse: bool,
    /// Too little of them speaks for it.
    pub unproved: bool,
    /// The verdict on it.
    pub verdict: Verdict,
    /// The classes that the verdict counts by.
    pub classes: Vec<String>,
}

/// Judges a head that reads the backbone in use against the one in service, on the task's samples. `marks` says what it was
/// fitted on, where that is known.
///
/// # Errors
/// When the store fails, or the numbers do.
pub fn judge_foreign(
    tasks: &Tasks,
    task: &str,
    file: &HeadFile,
    known: Option<Generation>,
    marks: Option<&Marks>,
    options: &Options,
) -> Result<Judged, AdaptError> {
    let snapshot = tasks.snapshot(task)?;
    let problem = Problem::new(&snapshot, options.group_by);
    let foreign = match known {
        // Fitted here once: what it scored then is still here.
        Some(generation) => Service::stored(tasks, &problem, &snapshot, tasks.head(task, generation)?)?,
        None => Service::of_another(&problem, &snapshot, file, marks),
    };
    let service = match tasks.in_service(task)? {
        Some(head) if head.file.backbone_id == snapshot.backbone_id => {
            Some(Service::stored(tasks, &problem, &snapshot, head)?)
        }
        _ => None,
    };
    judge(&problem, &foreign, service.as_ref(), options)
}

fn judge(
    problem: &Problem<'_>,
    foreign: &Service,
    service: Option<&Service>,
    options: &Options,
) -> Result<Judged, AdaptError> {
    let verdict = problem.judge_foreign(foreign, service, options)?;
    Ok(Judged {
        worse: verdict.outcome == Outcome::Rejected,
        unproved: verdict.unproved || verdict.outcome == Outcome::NotEnoughSamples,
        verdict,
        classes: problem.names.clone(),
    })
}

/// What becomes of another device's head in service when there may be labels now.
pub(super) enum Fate {
    /// They speak for it, and there are enough of them.
    Proved,
    /// There are still too few.
    Stays,
    /// They speak against it.
    Loses { to: TakeBack, before: Option<Box<Service>> },
}

/// Judges an unproved head of another device that is in service against the one before it.
pub(super) fn fate(
    tasks: &Tasks,
    problem: &Problem<'_>,
    snapshot: &Snapshot,
    service: &Service,
    options: &Options,
) -> Result<Fate, AdaptError> {
    if !service.head().is_some_and(|head| head.installed.is_some() && head.unproved()) {
        return Ok(Fate::Stays);
    }
    let before = before(tasks, &snapshot.task)?;
    // One of another backbone has no features of these samples: chance is what the foreign one must beat then.
    let judged_by = match &before {
        Some(before) if before.file.backbone_id == snapshot.backbone_id => {
            Some(Box::new(Service::stored(tasks, problem, snapshot, before.clone())?))
        }
        _ => None,
    };
    let judged = judge(problem, service, judged_by.as_deref(), options)?;
    if judged.worse && before.is_some() == judged_by.is_some() {
        return Ok(Fate::Loses { to: TakeBack(before.map(|before| before.generation)), before: judged_by });
    }
    Ok(if judged.unproved || judged.worse { Fate::Stays } else { Fate::Proved })
}

/// The head that was in service before the present one, if there was one that is there still.
fn before(tasks: &Tasks, task: &str) -> Result<Option<StoredHead>, StoreError> {
    match tasks.before(task) {
        Ok(generation) => tasks.head(task, generation).map(Some),
        Err(StoreError::NothingBefore { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
