//! The head in service, fitted and judged again from what is stored. Knows nothing about how the result is printed.
//!
//! Numbers must be the same to the bit: the trainer is deterministic, and the store keeps every claim in order, so that the
//! samples as they were at the head's watermark can be read back.

use acclimate_trainer::{Form, Head, Kind, Measure, domain};

use super::problem::{Problem, Service};
use super::{AdaptError, Options, Rule};
use crate::record::{AdaptationRecord, AuditCheckRecord, AuditRecord, Seconds};
use crate::store::{Adaptation, Origin, Snapshot, StoreError, StoredHead, Tasks};

/// What was tried so far.
struct Checks(Vec<AuditCheckRecord>);

impl Checks {
    fn add(&mut self, what: &str, reproduced: Option<bool>, found: impl Into<String>) {
        self.0.push(AuditCheckRecord { what: what.to_owned(), reproduced, found: found.into() });
    }

    fn same(&mut self, what: &str, same: bool, found: impl Into<String>) {
        self.add(what, Some(same), found);
    }

    fn cannot(&mut self, what: &str, why: impl Into<String>) {
        self.add(what, None, why);
    }
}

/// Fits and judges the head in service again; none where no head is in service.
///
/// # Errors
/// When the store fails; a head that is not reproduced is no error.
pub fn audit(tasks: &Tasks, task: &str, options: &Options) -> Result<Option<AuditRecord>, AdaptError> {
    let Some(head) = tasks.in_service(task)? else { return Ok(None) };
    let mut checks = Checks(Vec::new());
    let kind = head.file.head.kind;
    match (head.origin, head.watermark) {
        (Origin::Adapted | Origin::Refitted, Some(watermark)) => {
            let snapshot = tasks.snapshot_at(task, &head.file.backbone_id, watermark)?;
            let adaptations = tasks.adaptations(task)?;
            let run = adaptations.into_iter().find(|run| run.generation == Some(head.generation));
            refit(tasks, &head, &snapshot, run.as_ref(), options, &mut checks)?;
        }
        (Origin::Adjusted, Some(watermark)) => match super::adjust::fitted(tasks, task, &head)? {
            Some(before) => {
                let snapshot = tasks.snapshot_at(task, &before.file.backbone_id, watermark)?;
                let adaptations = tasks.adaptations(task)?;
                let run = adaptations.into_iter().find(|run| run.generation == Some(before.generation));
                refit(tasks, &before, &snapshot, run.as_ref(), options, &mut checks)?;
                adjustment(&before, &head, &mut checks);
            }
            None => checks.cannot("head", "the generation that it was adjusted from is not there any more"),
        },
        (Origin::Shipped, _) => checks.cannot("head", "it came in the model's file: nothing here was fitted"),
        _ => checks.cannot("head", "it was imported: the samples it was fitted on are not in this store"),
    }
    let tried: Vec<bool> = checks.0.iter().filter_map(|check| check.reproduced).collect();
    Ok(Some(AuditRecord {
        task: task.to_owned(),
        generation: head.generation.0,
        head: kind.to_string(),
        reproduced: !tried.is_empty() && tried.iter().all(|&reproduced| reproduced),
        checks: checks.0,
    }))
}

fn refit(
    tasks: &Tasks,
    head: &StoredHead,
    snapshot: &Snapshot,
    run: Option<&Adaptation>,
    options: &Options,
    checks: &mut Checks,
) -> Result<(), AdaptError> {
    let provenance = &head.file.provenance;
    let found = snapshot.digest();
    let says = match provenance.statistics {
        Some(digest) if digest == found.0 => format!("{} samples, statistics {found}", snapshot.len()),
        _ => format!("statistics are {found}: labels, features or groups of before are no longer there"),
    };
    checks.same("samples", provenance.statistics == Some(found.0), says);

    let record: Option<AdaptationRecord> = run.map(|run| serde_json::from_str(&run.record)).transpose()?;
    let group_by = record.as_ref().and_then(|record| record.group_by.parse().ok());
    let problem = Problem::new(snapshot, group_by);
    let kinds = match &record {
        Some(record) => {
            let fitted = record.candidates.iter().filter(|candidate| candidate.skipped.is_none());
            fitted.filter_map(|candidate| candidate.head.parse::<Kind>().ok()).collect()
        }
        None => vec![head.file.head.kind],
    };
    let shipped = tasks.shipped(&snapshot.task, &snapshot.backbone_id)?;
    let fixed = provenance.fixed;
    let (options, without) = (Options { kinds, fixed, ..options.clone() }, provenance.nuisance.as_ref());
    let proposal = problem.propose(&options, shipped.as_ref(), without, &mut |_, _| true);
    let proposal = match proposal {
        Ok(Some(proposal)) => proposal.choosing(head.file.head.kind),
        Ok(None) => None,
        Err(AdaptError::Samples(error)) => {
            checks.same("head", false, error.to_string());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let Some(proposal) = proposal else {
        checks.same("head", false, "no such head can be fitted on the samples");
        return Ok(());
    };
    let (again, stored) = (&proposal.selected().head, &head.file.head);
    checks.same("weights", again.form == stored.form, weights(again, stored));
    let words = |lambda: Option<f64>| lambda.map_or_else(|| "none".to_owned(), |lambda| lambda.to_string());
    checks.same(
        "lambda",
        again.lambda == stored.lambda,
        format!("{}, stored {}", words(again.lambda), words(stored.lambda)),
    );
    let temperatures = (again.temperature, stored.temperature);
    let same = temperatures.0.to_bits() == temperatures.1.to_bits();
    checks.same("temperature", same, format!("{}, stored {}", temperatures.0, temperatures.1));
    if stored.novelty.as_ref().is_some_and(|novelty| matches!(novelty.measure, Measure::Means { .. })) {
        checks.cannot("novelty", "it is a distance to class means, as an earlier version fitted it");
    } else {
        checks.same("novelty", again.novelty == stored.novelty, "threshold and stored features");
    }
    match &stored.conformal {
        None => checks.cannot("sets of classes", "an earlier version fitted no thresholds of them"),
        conformal => checks.same("sets of classes", again.conformal == *conformal, "thresholds by coverage"),
    }
    let rule = Rule { precision: fixed.precision, ..Rule::default() };
    let (decision, _) = problem.decide(&rule, Some(&head.file), proposal.selected())?;
    checks.same("decision", decision == head.file.decision, "costs and thresholds");
    let evaluation = problem.evaluate(proposal.selected())?;
    checks.same("evaluation", evaluation == provenance.evaluation, "out-of-sample accuracy and the rest");

    let kept = tasks.leave_out(&snapshot.task, head.generation)?;
    if kept.len() == snapshot.len() {
        let rows = kept.iter().zip(proposal.selected().leave_out.rows());
        let same = rows
            .clone()
            .all(|(kept, row)| kept.probabilities.iter().zip(row).all(|(&a, &b)| a.to_bits() == (b as f32).to_bits()));
        checks.same("leave-out probabilities", same, format!("{} samples", kept.len()));
    } else {
        checks.cannot("leave-out probabilities", "they are no longer kept");
    }
    match (record, head.origin) {
        (Some(record), _) => verdict(tasks, head, &problem, &proposal, &record, checks),
        (None, Origin::Refitted) => {
            checks.cannot("verdict", "it took over when samples were forgotten: nobody judged it");
            Ok(())
        }
        (None, _) => {
            checks.cannot("verdict", "no record of its adaptation is kept");
            Ok(())
        }
    }
}

/// An adjusted head must be the one before, moved by what it keeps of samples without labels.
fn adjustment(before: &StoredHead, head: &StoredHead, checks: &mut Checks) {
    let Some(adjustment) = &head.file.provenance.adjusted else {
        return checks.same("adjustment", false, "it does not say what it was adjusted by");
    };
    let again = domain::moved(&before.file.head, &adjustment.shift);
    let found = format!("generation {}, moved by what {} samples said", before.generation, adjustment.samples);
    checks.same("adjustment", again.as_ref() == Some(&head.file.head), found);
    checks.cannot("what it was adjusted by", "it was measured on samples without labels, which are in no store");
}

/// How two heads' numbers compare.
fn weights(again: &Head, stored: &Head) -> String {
    let shape = format!("{} × {}", again.classes(), again.dim());
    let (a, b) = match (&again.form, &stored.form) {
        (Form::Linear(a), Form::Linear(b)) => (&a.weights, &b.weights),
        (Form::Kernel(a), Form::Kernel(b)) => (&a.coefficients, &b.coefficients),
        _ => return format!("{shape}, of another form"),
    };
    let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    format!("{shape}, largest difference {largest:e}")
}

/// Judges again, against the head that was in service then.
fn verdict(
    tasks: &Tasks,
    head: &StoredHead,
    problem: &Problem<'_>,
    proposal: &super::problem::Proposal,
    stored: &AdaptationRecord,
    checks: &mut Checks,
) -> Result<(), AdaptError> {
    let task = &stored.task;
    let service = match head.file.provenance.parent.map(crate::store::Generation) {
        None => None,
        Some(parent) => match tasks.head(task, parent) {
            Ok(served) => {
                let watermark =
                    head.watermark.ok_or(StoreError::NoGeneration { task: task.clone(), generation: parent })?;
                let features = tasks.snapshot_at(task, &served.file.backbone_id, watermark)?;
                let kept = tasks.leave_out(task, parent)?;
                if served.watermark.is_some() && kept.is_empty() {
                    checks.cannot(
                        "verdict",
                        format!("the leave-out probabilities of generation {parent} are no longer kept"),
                    );
                    return Ok(());
                }
                Some(Service::new(problem, &features, &kept, served))
            }
            Err(StoreError::NoGeneration { .. }) => {
                checks
                    .cannot("verdict", format!("generation {parent}, which it was judged against, has been forgotten"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        },
    };
    let trusted = stored.reasons.iter().any(|reason| reason == "labels_trusted");
    let verdict = problem.judge(Some(proposal), service.as_ref(), trusted)?;
    let mut again = problem.record(task, &verdict, Some(proposal), service.as_ref())?;
    // What was not known yet when it was written, or is not of the numbers.
    again.generation = stored.generation;
    again.taken_back = stored.taken_back;
    again.proved = stored.proved;
    let mut stored = AdaptationRecord { learning_curve: None, seconds: Seconds::default(), ..stored.clone() };
    stored.candidates.retain(|candidate| candidate.skipped.is_none());
    // Numbers that were text once are rounded as text is read.
    let again: AdaptationRecord = serde_json::from_str(&serde_json::to_string(&again)?)?;
    checks.same("verdict", again == stored, format!("{}: {}", again.verdict, again.because.join("; ")));
    Ok(())
}
