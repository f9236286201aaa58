//! `drift`: whether inputs without labels are like what a head was learnt on.

use acclimate::drift;
use acclimate::inputs;
use acclimate::record::DriftRecord;
use acclimate::store::Access;
use acclimate_trainer::drift::Window;
use acclimate_trainer::{GROUPS_TO_TEST, domain::LEVEL, most_probable};
use anyhow::{Context as _, bail};

use super::classify::{Failures, open};
use super::{Context, Outcome, args, unlabelled};

/// Runs `acclimate drift`.
pub fn run(context: &Context, args: &args::Drift) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, args.generation)?;
    let reference = drift::reference(&context.tasks(&Access::Read)?, &task.name, &stored)?;
    let words = inputs::files_word(&backbone.manifest().input);
    let mut failures = Failures::new(context);
    let read = unlabelled::read(context, &mut backbone, &args.paths, args.stride, "comparing", &mut failures)?;
    let mut window = Window::default();
    for (feature, &group) in read.features.iter().zip(&read.groups) {
        let p = stored.file.head.probabilities(feature);
        window.observe(&reference, feature.as_slice(), most_probable((&p).into()), group);
    }
    window.close();
    if window.bursts < GROUPS_TO_TEST {
        bail!(
            "{} {words} fill {} groups that differ, expected at least {GROUPS_TO_TEST}: name more, of other moments",
            read.features.len(),
            window.bursts
        );
    }
    let test = window.test(&reference).context("the comparison has no answer: this is a bug, please report it")?;
    let record = DriftRecord {
        task: task.name,
        generation: stored.generation.0,
        inputs: read.features.len(),
        groups: test.bursts,
        learnt_groups: reference.groups,
        directions: test.directions,
        p: test.p,
        level: LEVEL,
        drifted: test.p < LEVEL,
    };
    context.print(&record, || {
        let p = if record.p < 0.001 { format!("{:.0e}", record.p) } else { format!("{:.3}", record.p) };
        let compared = format!(
            "{} {words} ({} groups) against {} groups that generation {} was learnt on: p = {p}, drift below {LEVEL}",
            record.inputs, record.groups, record.learnt_groups, record.generation
        );
        if record.drifted {
            format!("drift: these are unlike what was learnt\n{compared}\nnext: label some of them and adapt, or `acclimate adjust` to them without labels")
        } else {
            format!("no drift seen\n{compared}")
        }
    })?;
    Ok(failures.outcome())
}
