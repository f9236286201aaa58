//! `audit`: whether the head in service is what its samples make of it.

use std::fmt::Write as _;

use acclimate::adaptation;
use acclimate::store::Access;
use anyhow::Context as _;

use super::{Context, Outcome};

/// Runs `acclimate audit`.
pub fn run(context: &Context, task: &str) -> anyhow::Result<Outcome> {
    let tasks = context.tasks(&Access::Read)?;
    let record = adaptation::audit(&tasks, task, &context.adapt_options())?
        .with_context(|| format!("task `{task}` has no head in service: there is nothing to audit"))?;
    context.print(&record, || {
        let mut words = format!(
            "generation {} of {task} ({}) is {}",
            record.generation,
            record.head,
            if record.reproduced { "reproduced to the bit" } else { "not reproduced" }
        );
        for check in &record.checks {
            let mark = match check.reproduced {
                None => "cannot be tried",
                Some(true) => "same",
                Some(false) => "DIFFERS",
            };
            let _ = write!(words, "\n  {:24} {mark:16} {}", check.what, check.found);
        }
        words
    })?;
    Ok(if record.reproduced { Outcome::Done } else { Outcome::Partly })
}
