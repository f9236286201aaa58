//! `label`, `sample list | show | export`.

use std::fmt::Write as _;

use acclimate::attention::{suspect_labels, worth_a_label};
use acclimate::daemon::command::Command;
use acclimate::export::{self, write_whole};
use acclimate::record::{
    ClaimRecord, SampleDetailRecord, SampleExportRecord, SampleRecord, SuspectRecord, UsefulRecord,
};
use acclimate::store::{Access, Filter, Tasks};
use acclimate_trainer::Use;
use anyhow::Context as _;
use jiff::Timestamp;

use super::{Context, Outcome, args, who};

/// Runs `acclimate label`.
pub fn label(context: &Context, args: &args::Label) -> anyhow::Result<Outcome> {
    if let Some(mut daemon) = context.daemon()? {
        let (task, samples, label) = (args.task.clone(), vec![args.sample.clone()], args.class.clone());
        let reply = daemon.ask(Command::Label { task, samples, label }, &who())?;
        context.print(&reply, || reply["done"].as_str().unwrap_or("done").to_owned())?;
        return Ok(Outcome::Done);
    }
    let mut tasks = context.tasks_to_write("label")?;
    let id = tasks.sample(&args.task, &args.sample)?.id;
    let before = match &args.class {
        Some(class) => tasks.label(&args.task, &id, class, &who(), Timestamp::now())?,
        None => tasks.unlabel(&args.task, &id, &who(), Timestamp::now())?,
    };
    let record = SampleRecord::from(&tasks.sample(&args.task, &id.to_string())?);
    context.print(&record, || {
        let now = args.class.as_deref().unwrap_or("without a label");
        format!("{id}: {now} (before: {})", before.as_deref().unwrap_or("no label"))
    })?;
    Ok(Outcome::Done)
}

/// Runs `acclimate sample`.
pub fn run(context: &Context, command: &args::Sample) -> anyhow::Result<Outcome> {
    let tasks = context.tasks(&Access::Read)?;
    match command {
        args::Sample::List { task, suspect: true, .. } => list_suspect(context, &tasks, task)?,
        args::Sample::List { task, most_useful: Some(count), .. } => list_useful(context, &tasks, task, *count)?,
        args::Sample::List { task, unlabelled, class, .. } => {
            let filter = match (unlabelled, class) {
                (true, _) => Filter::Unlabelled,
                (false, Some(class)) => Filter::Of(class.clone()),
                (false, None) => Filter::All,
            };
            let records: Vec<SampleRecord> = tasks.samples(task, &filter)?.iter().map(SampleRecord::from).collect();
            context.print(&records, || {
                let mut words = String::new();
                for r in &records {
                    let _ = writeln!(words, "{}  {:12}  {}", r.sample, r.label.as_deref().unwrap_or("-"), r.source);
                }
                let _ = write!(words, "{} samples", records.len());
                words
            })?;
        }
        args::Sample::Export { task, file } => {
            let (snapshot, head) = (tasks.snapshot(task)?, tasks.in_service(task)?);
            let bytes = export::samples_npz(&tasks, &snapshot, head.as_ref())?;
            write_whole(file, &bytes).with_context(|| format!("could not write the samples to {}", file.display()))?;
            let record = SampleExportRecord {
                task: task.clone(),
                samples: snapshot.len(),
                dim: snapshot.codes.ncols(),
                classes: snapshot.classes,
                generation: head.map(|head| head.generation.0),
                file: file.display().to_string(),
                bytes: bytes.len() as u64,
            };
            context.print(&record, || format!("wrote {} labelled samples to {}", record.samples, file.display()))?;
        }
        args::Sample::Show { task, sample, payload } => {
            let sample = tasks.sample(task, sample)?;
            if let Some(path) = payload {
                std::fs::write(path, tasks.payload(task, &sample.id)?)
                    .with_context(|| format!("could not write the payload to {}", path.display()))?;
            }
            let claims = tasks.label_history(task, &sample.id)?;
            let claims =
                claims.into_iter().map(|l| ClaimRecord { class: l.class, who: l.who, time: l.when.to_string() });
            let record = SampleDetailRecord { of: SampleRecord::from(&sample), claims: claims.collect() };
            context.print(&record, || {
                let r = &record.of;
                let mut words = format!(
                    "{}\n  from      {}\n  payload   {}, {} bytes\n  feature   {}, {} codes clipped\n  added     {}",
                    r.sample, r.source, r.media, r.bytes, r.extractor, r.saturated, r.added
                );
                for claim in &record.claims {
                    let class = claim.class.as_deref().unwrap_or("label taken back");
                    let _ = write!(words, "\n  label     {class} by {} at {}", claim.who, claim.time);
                }
                words
            })?;
        }
    }
    Ok(Outcome::Done)
}

fn list_suspect(context: &Context, tasks: &Tasks, task: &str) -> anyhow::Result<()> {
    let suspects = suspect_labels(tasks, task)?.with_context(|| {
        format!("task `{task}` has no head in service yet, which would judge its labels: adapt first")
    })?;
    let mut records = Vec::with_capacity(suspects.len());
    for suspect in suspects {
        let of = SampleRecord::from(&tasks.sample(task, &suspect.sample.to_string())?);
        records.push(SuspectRecord { of, looks_like: suspect.looks_like, odds: suspect.odds });
    }
    context.print(&records, || {
        let mut words = String::new();
        for SuspectRecord { of, looks_like, odds } in &records {
            let label = of.label.as_deref().unwrap_or("-");
            let _ = writeln!(words, "{}  {label:12}  looks like {looks_like} ({odds:.0}×)  {}", of.sample, of.source);
        }
        let _ = write!(words, "{} suspect labels", records.len());
        words
    })
}

fn list_useful(context: &Context, tasks: &Tasks, task: &str, count: usize) -> anyhow::Result<()> {
    let mut records = Vec::new();
    for (id, useful) in worth_a_label(tasks, task, count)? {
        let (because, margin) = match useful.because {
            Use::Typical => ("typical", None),
            Use::Doubtful { margin } => ("doubtful", Some(margin)),
        };
        let of = SampleRecord::from(&tasks.sample(task, &id.to_string())?);
        records.push(UsefulRecord { of, because: because.to_owned(), margin });
    }
    context.print(&records, || {
        let mut words = String::new();
        for UsefulRecord { of, because, margin } in &records {
            let margin = margin.map_or_else(String::new, |margin| format!(" (margin {margin:.2})"));
            let _ = writeln!(words, "{}  {because}{margin}  {}", of.sample, of.source);
        }
        let _ = write!(words, "{} samples to label", records.len());
        words
    })
}
