//! A wider search than an adaptation makes: each kind at finer penalties and widths, and at both weightings. Finds what to fix;
//! fitting it for good and judging it is an adaptation like any other.

use acclimate_trainer::{Candidate, Form, Kind, Weighting, select};

use super::problem::{Problem, Proposal};
use super::{AdaptError, Adapted, Options, adapt};
use crate::head_file::Fixed;
use crate::record::{CandidateRecord, TuneRecord};
use crate::store::Tasks;

/// Told after each try how many of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Penalties tried around the best of the usual path, whose steps are 0.3 and 0.5 orders of magnitude.
const FACTORS: [f64; 6] = [0.6, 0.72, 0.85, 1.18, 1.4, 1.7];

/// Widths of a kernel tried around the best usual one, each at the best penalty for it.
const WIDTHS: [f64; 4] = [0.5, 0.7, 1.4, 2.0];

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
    let try_one = |kind: Kind, fixed: Fixed| {
        let options = Options { kinds: vec![kind], fixed, ..options.clone() };
        match problem.propose(&options, shipped.as_ref(), None, &mut |_, _| true) {
            Ok(proposal) => Ok(proposal.map_or_else(Vec::new, Proposal::into_eligible)),
            Err(AdaptError::NoCandidate { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    };

    let weightings = [Weighting::None, Weighting::Balanced];
    let mut tried: Vec<(Candidate, Fixed)> = Vec::new();
    let mut done = 0;
    let steps = weightings.len() * (Kind::ALL.len() * (1 + FACTORS.len()) + WIDTHS.len());
    for kind in Kind::ALL {
        for weighting in weightings {
            let mut queue = vec![Fixed { weighting, ..Fixed::default() }];
            while let Some(asked) = queue.pop() {
                let found = try_one(kind, asked)?;
                done += 1;
                progress(done, steps);
                for candidate in found {
                    let lambda = candidate.head.lambda;
                    let gamma = match &candidate.head.form {
                        Form::Kernel(kernel) => Some(kernel.gamma),
                        Form::Linear(_) => None,
                    };
                    let fixed = Fixed { gamma, lambda, weighting, precision: None };
                    if asked == (Fixed { weighting, ..Fixed::default() }) {
                        let times = |best: f64| move |factor: &f64| Some(factor * best);
                        let penalties = lambda.into_iter().flat_map(|best| FACTORS.iter().map(times(best)));
                        queue.extend(penalties.map(|lambda| Fixed { lambda, ..fixed }));
                        let widths = gamma.into_iter().flat_map(|best| WIDTHS.iter().map(times(best)));
                        queue.extend(widths.map(|gamma| Fixed { gamma, lambda: None, ..fixed }));
                    }
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
