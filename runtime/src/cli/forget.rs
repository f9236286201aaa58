//! `forget`: first what would go, then, with `--yes`, the receipt.

use std::fmt::Write as _;

use acclimate::adaptation;
use acclimate::record::ForgetRecord;
use acclimate::store::{Forget, Generation, Origin, SampleId};

use super::{Context, Outcome, args};

/// Runs `acclimate forget`.
pub fn run(context: &Context, args: &args::Forget) -> anyhow::Result<Outcome> {
    let mut tasks = context.tasks_to_write("forget")?;
    let what = if let Some(class) = &args.class {
        Forget::Class(class.clone())
    } else {
        let ids = args.samples.iter().map(|prefix| tasks.sample(&args.task, prefix).map(|sample| sample.id));
        Forget::Samples(ids.collect::<Result<Vec<_>, _>>()?)
    };
    let plan = tasks.plan_forget(&args.task, &what)?;
    let mut record = ForgetRecord {
        task: args.task.clone(),
        done: args.yes,
        samples: plan.samples.iter().map(SampleId::to_string).collect(),
        generations: plan.generations.iter().map(|Generation(number)| *number).collect(),
        refit: plan.refit,
        refitted: None,
        digest_before: None,
        digest_after: None,
    };
    if !args.yes {
        context.print(&record, || format!("{}\nnothing was done: add --yes to do it", words(&record)))?;
        return Ok(Outcome::Done);
    }
    let adjusted = tasks.in_service(&args.task)?.is_some_and(|head| head.origin == Origin::Adjusted);
    let receipt = adaptation::forget(&mut tasks, &args.task, &what, &context.adapt_options())?;
    record.refitted = receipt.refitted.map(|Generation(number)| number);
    record.digest_before = Some(receipt.before.to_string());
    record.digest_after = Some(receipt.after.to_string());
    if receipt.scrub.pending {
        tracing::warn!(
            "a reader held an old state: the bytes leave the files when the store is next opened for writing"
        );
    }
    context.print(&record, || {
        let refitted = record
            .refitted
            .map_or_else(String::new, |g| format!("\ngeneration {g}, fitted without them, is in service"));
        let again = if adjusted && record.refitted.is_some() { ", not adjusted to another site any more" } else { "" };
        format!(
            "{}{refitted}{again}\nstatistics digest before {}\nstatistics digest after  {}",
            words(&record),
            receipt.before,
            receipt.after
        )
    })?;
    Ok(Outcome::Done)
}

fn words(record: &ForgetRecord) -> String {
    let verb = if record.done { "forgot" } else { "would forget" };
    let mut words = format!("{verb} {} samples of {}", record.samples.len(), record.task);
    if !record.generations.is_empty() {
        let generations: Vec<String> = record.generations.iter().map(u32::to_string).collect();
        let _ = write!(words, " and the generations fitted on them: {}", generations.join(", "));
    }
    words
}
