//! A wider search than an adaptation makes: each kind at finer penalties and at both weightings. Finds what to fix;
//! fitting it for good and judging it is an adaptation like any other.

use acclimate_trainer::{Candidate, Kind, Weighting, select};

use super::problem::{Problem, Proposal};
use super::{AdaptError, Adapted, Options, adapt};
use crate::head_file::Fixed;
use crate::record::{CandidateRecord, TuneRecord};
use crate::store::Tasks;

/// Told after each try how many of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Penalties tried around the best of the usual path, whose steps are 0.3 and 0.5 orders of magnitude.
const FACTORS: [f64; 6] = [0.6, 0.72, 0.85, 1.18, 1.4, 1.7];

/// Searches, and unless only the table is wanted adapts with what was found best. The best try of each kind is compared
/// as the candidates of an adaptation are.
///
/// # Errors
/// As [`adapt`].
pub fn tune(
    tasks: &mut Tasks,
    task: &str,
    options: &Options,
    dry_run: bool,
    progress: Progress<'_>,
) -> Result<(TuneRecord, Option<Adapted>), AdaptError> {
    let snapshot = tasks.snapshot(task)?;
    let shipped = tasks.shipped(task, &snapshot.backbone_id)?;
    let problem = Problem::new(&snapshot, options.group_by);
    let try_one = |kinds: &[Kind], lambda: Option<f64>, weighting: Weighting| {
        let fixed = Fixed { lambda, weighting, precision: None };
        let options = Options { kinds: kinds.to_vec(), fixed, ..options.clone() };
        match problem.propose(&options, shipped.as_ref(), &mut |_, _| true) {
            Ok(proposal) => Ok(proposal.map_or_else(Vec::new, Proposal::into_eligible)),
            Err(AdaptError::NoCandidate { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    };

    let weightings = [Weighting::None, Weighting::Balanced];
    let mut tried: Vec<(Candidate, Fixed)> = Vec::new();
    let mut done = 0;
    let steps = weightings.len() * Kind::ALL.len() * (1 + FACTORS.len());
    for kind in Kind::ALL {
        for weighting in weightings {
            let mut lambdas = vec![None];
            while let Some(lambda) = lambdas.pop() {
                let found = try_one(&[kind], lambda, weighting)?;
                done += 1;
                progress(done, steps);
                for candidate in found {
                    if let (None, Some(best)) = (lambda, candidate.head.lambda) {
                        lambdas.extend(FACTORS.iter().map(|factor| Some(factor * best)));
                    }
                    let fixed = Fixed { lambda: candidate.head.lambda, weighting, precision: None };
                    if tried.iter().all(|(other, _)| other.head != candidate.head) {
                        tried.push((candidate, fixed));
                    }
                }
            }
        }
    }
    progress(steps, steps);

    let best = proposed(&tried);
    let records = tried.iter().enumerate().map(|(index, (one, _))| CandidateRecord::new(one, Some(index) == best));
    let mut record = TuneRecord { task: task.to_owned(), candidates: records.collect(), adaptation: None };
    if dry_run {
        return Ok((record, None));
    }
    let mut options = options.clone();
    if let Some((candidate, fixed)) = best.map(|best| &tried[best]) {
        (options.kinds, options.fixed) = (vec![candidate.head.kind], *fixed);
    }
    let adapted = adapt(tasks, task, &options)?;
    record.adaptation = Some(adapted.record.clone());
    Ok((record, Some(adapted)))
}

/// The try to adapt with: of each kind the one that loses least, and of those the one that selection proposes.
fn proposed(tried: &[(Candidate, Fixed)]) -> Option<usize> {
    let best_of = |kind: Kind| {
        let of_kind = (0..tried.len()).filter(|&index| tried[index].0.head.kind == kind);
        of_kind.min_by(|&a, &b| tried[a].0.fold_loss().total_cmp(&tried[b].0.fold_loss()))
    };
    let best: Vec<usize> = Kind::ALL.into_iter().filter_map(best_of).collect();
    let candidates: Vec<Candidate> = best.iter().map(|&index| tried[index].0.clone()).collect();
    best.get(select(&candidates)).copied()
}
