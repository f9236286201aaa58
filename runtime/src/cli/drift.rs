//! `drift`: whether inputs without labels are like what a head was learnt on.

use std::num::NonZeroUsize;

use acclimate::drift;
use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::inputs::{self, Labels};
use acclimate::loading::Loader;
use acclimate::record::DriftRecord;
use acclimate::store::Access;
use acclimate_trainer::drift::Window;
use acclimate_trainer::{Feature, GROUPS_TO_TEST, domain::LEVEL};
use anyhow::{Context as _, bail};

use super::classify::{Failures, embed, open};
use super::{Context, Outcome, args};

/// Runs `acclimate drift`.
pub fn run(context: &Context, args: &args::Drift) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, args.generation)?;
    let reference = drift::reference(&context.tasks(&Access::Read)?, &task.name, &stored)?;
    let input = backbone.manifest().input.clone();
    let found = inputs::find(&args.paths, &Labels::None, &input);
    let mut failures = Failures::new(context);
    failures.of(&found)?;
    let bar = context.progress(found.items.len(), "comparing");
    let mut loader = Loader::new(&found.items, &input, args.stride.map(NonZeroUsize::get));
    let (mut features, mut grouped) = (Vec::<Feature>::new(), Vec::new());
    while let Some(chunk) = loader.next() {
        bar.set_position(loader.files());
        for (item, input, embedded) in embed(&mut backbone, chunk) {
            match embedded {
                Ok(embedded) => {
                    features.push(embedded.feature);
                    grouped.push(GroupInput {
                        seq: grouped.len() as i64,
                        phash: Some(embedded.phash),
                        thumbnail: embedded.thumbnail,
                        source: input,
                        taken: None,
                        group_key: item.group.clone(),
                    });
                }
                Err(reason) => bar.suspend(|| failures.one(&input, &reason))?,
            }
        }
    }
    bar.finish_and_clear();
    let group_of = groups(&grouped, GroupBy::Column);
    // A burst is one moment: what is of one group comes one after the other.
    let mut order: Vec<usize> = (0..features.len()).collect();
    order.sort_by_key(|&row| group_of[row]);
    let mut window = Window::default();
    for row in order {
        let p = stored.file.head.probabilities(&features[row]);
        let class = (0..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best });
        window.observe(&reference, features[row].as_slice(), class, group_of[row]);
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
