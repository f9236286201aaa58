//! `adjust`: the head in service to another site, from inputs without labels.

use acclimate::adaptation::{self, Unlabelled};
use acclimate_trainer::Outcome as Verdict;
use ndarray::Array2;

use super::classify::{Failures, open};
use super::{Context, Outcome, adapt, args, unlabelled};

/// Runs `acclimate adjust`.
pub fn run(context: &Context, args: &args::Adjust) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, None)?;
    let mut failures = Failures::new(context);
    let read = unlabelled::read(context, &mut backbone, &args.paths, args.stride, "comparing", &mut failures)?;
    let mut features = Array2::zeros((read.features.len(), stored.file.head.dim()));
    for (feature, mut row) in read.features.iter().zip(features.rows_mut()) {
        row.assign(&ndarray::aview1(feature.as_slice()));
    }
    let samples = Unlabelled { features, groups: read.groups };
    let mut tasks = context.tasks_to_write("adjust")?;
    let (verdict, record) = adaptation::adjust(&mut tasks, &task.name, &samples, &context.adapt_options())?;
    context.print(&record, || record.words())?;
    Ok(match (verdict, failures.outcome()) {
        (Verdict::Activated, failed) => failed,
        (verdict, _) => adapt::outcome(verdict),
    })
}
