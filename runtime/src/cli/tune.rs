//! `tune`: a wider search for the head, then an adaptation with what was found.

use std::fmt::Write as _;

use acclimate::adaptation::{self, Options};

use super::{Context, Outcome, adapt, args, counter};

/// Runs `acclimate tune`.
pub fn run(context: &Context, args: &args::Tune) -> anyhow::Result<Outcome> {
    let mut tasks = context.tasks_to_write("tune")?;
    let options = Options {
        trust_labels: args.trust_labels,
        elsewhere: None,
        group_by: args.group_by.map(Into::into),
        budget: None,
        ..context.adapt_options()
    };
    let bar = if context.global.json { indicatif::ProgressBar::hidden() } else { context.progress(0, "tuning") };
    let (record, adapted) = adaptation::tune(&mut tasks, &args.task, &options, args.dry_run, &mut counter(&bar))?;
    bar.finish_and_clear();
    context.print(&record, || {
        let mut words = "tried, by log-loss on samples left out:".to_owned();
        for candidate in &record.candidates {
            let _ = write!(words, "\n  {}", candidate.words());
        }
        if let Some(adapted) = &record.adaptation {
            let _ = write!(words, "\n\n{}", adapt::verdict(adapted));
        }
        words
    })?;
    Ok(adapted.map_or(Outcome::Done, |adapted| adapt::outcome(adapted.outcome)))
}
