//! `drift`: whether inputs without labels are like what a head was learnt on.

use acclimate::drift;
use acclimate::group::{GroupBy, groups};
use acclimate::inputs::{self, Labels};
use acclimate::record::DriftRecord;
use acclimate::store::Access;
use acclimate_trainer::drift::Window;
use acclimate_trainer::{Feature, GROUPS_TO_TEST, domain::LEVEL, most_probable};
use anyhow::{Context as _, bail};

use super::classify::{Failures, Inputs, group_input, open};
use super::{Context, Outcome, args};

/// Runs `acclimate drift`.
pub fn run(context: &Context, args: &args::Drift) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, args.generation)?;
    let reference = drift::reference(&context.tasks(&Access::Read)?, &task.name, &stored)?;
    let input = backbone.manifest().input.clone();
    let found = inputs::find(&args.paths, &Labels::None, &input);
    let mut failures = Failures::new(context);
    let (mut features, mut grouped) = (Vec::<Feature>::new(), Vec::new());
    let of = Inputs { found: &found, stride: args.stride, what: "comparing" };
    of.each(context, &mut backbone, &mut failures, |_, item, name, embedded| {
        features.push(embedded.feature);
        grouped.push(group_input(grouped.len(), item, name, embedded.phash));
        Ok(())
    })?;
    let group_of = groups(&grouped, GroupBy::Column);
    // A burst is one moment: what is of one group comes one after the other.
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by_key(|&row| group_of[row]);
    let mut window = Window::default();
    for row in order {
        let p = stored.file.head.probabilities(&features[row]);
        window.observe(&reference, features[row].as_slice(), most_probable((&p).into()), group_of[row]);
    }
    window.close();
    let words = inputs::files_word(&input);
    if window.bursts < GROUPS_TO_TEST {
        bail!(
            "{} {words} fill {} groups that differ, expected at least {GROUPS_TO_TEST}: name more, of other moments",
            features.len(),
            window.bursts
        );
    }
    let test = window.test(&reference).context("the comparison has no answer: this is a bug, please report it")?;
    let record = DriftRecord {
        task: task.name,
        generation: stored.generation.0,
        inputs: features.len(),
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
            format!("drift: these are unlike what was learnt\n{compared}\nnext: label some of them and adapt")
        } else {
            format!("no drift seen\n{compared}")
        }
    })?;
    Ok(failures.outcome())
}
