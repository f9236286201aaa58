//! `head list | show | activate | rollback | export | install | import`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use acclimate::clock;
use acclimate::export::{self, write_whole};
use acclimate::record::{
    AdjustedRecord, CheckedRecord, DecisionRecord, EvaluationRecord, ExportRecord, FromRecord, HeadDetailRecord,
    HeadRecord, IssueRecord, LearningCurveRecord, SignedExportRecord,
};
use acclimate::store::{Access, Generation, StoredHead, Tasks};
use acclimate::switch;
use acclimate::sync::{self, Keyring, Trusted};
use anyhow::{Context as _, ensure};
use jiff::Timestamp;

use super::{Context, Outcome, args, classify, counter, who};

/// Runs `acclimate head`.
pub fn run(context: &Context, command: &args::Head) -> anyhow::Result<Outcome> {
    let write = |what: &str| context.tasks_to_write(&format!("head {what}"));
    match command {
        args::Head::List { task } => list(context, &context.tasks(&Access::Read)?, task)?,
        args::Head::Show { task, generation } => {
            let tasks = context.tasks(&Access::Read)?;
            let head = classify::head(&tasks, task, *generation)?;
            show(context, &tasks, task, &head)?;
        }
        args::Head::Activate { task, generation, force } => {
            let mut tasks = write("activate")?;
            let generation = Generation(*generation);
            let has_served = tasks.service_history(task)?.iter().any(|move_| move_.generation == Some(generation));
            tasks.head(task, generation)?;
            ensure!(
                has_served || *force,
                "generation {generation} was rejected or never judged here, so it is not proved; \
                 --force puts it in service all the same and is recorded as your decision"
            );
            complete(context, &mut tasks, task, generation)?;
            tasks.activate(task, generation, &who(), !has_served, Timestamp::now())?;
            now_in_service(context, &tasks, task)?;
        }
        args::Head::Rollback { task } => {
            let mut tasks = write("rollback")?;
            let generation = tasks.before(task)?;
            complete(context, &mut tasks, task, generation)?;
            tasks.rollback(task, &who(), Timestamp::now())?;
            now_in_service(context, &tasks, task)?;
        }
        args::Head::Export { task, signed: Some(file), days, .. } => export_signed(context, task, file, *days)?,
        args::Head::Export { task, output, onnx, npz, generation, signed: None, days: _ } => {
            let to = [output, onnx, npz].map(Option::as_deref);
            export(context, task, to, *generation)?;
        }
        args::Head::Install { task, file } => return install(context, task, file),
        args::Head::Import { task, file } => {
            let mut tasks = write("import")?;
            let bytes = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
            // COSE_Sign1
            ensure!(
                bytes.first() != Some(&0xd2),
                "{} is signed: `acclimate head install {task} FILE` takes it in, if its signer is trusted here",
                file.display()
            );
            let generation = tasks
                .import_head(task, &bytes, Timestamp::now())
                .with_context(|| format!("could not use {}", file.display()))?;
            let head = tasks.head(task, generation)?;
            let record = HeadRecord::new(&head, tasks.task(task)?.in_service);
            context.print(&record, || {
                format!("imported as generation {generation}; `acclimate head activate {task} {generation} --force` puts it in service")
            })?;
        }
    }
    Ok(Outcome::Done)
}

/// Writes a head to one of a `.head`, an ONNX and an NPZ file.
fn export(
    context: &Context,
    task: &str,
    [output, onnx, npz]: [Option<&Path>; 3],
    generation: Option<u32>,
) -> anyhow::Result<()> {
    let tasks = context.tasks(&Access::Read)?;
    let head = classify::head(&tasks, task, generation)?;
    let mut check = None;
    let (path, bytes) = match (output, onnx, npz) {
        (Some(path), ..) => (path, head.file.encode()?),
        (None, Some(path), _) => {
            let merged = export::onnx(&tasks, &context.opener(), task, &head)?;
            check = Some(CheckedRecord {
                inputs: merged.inputs,
                synthetic: merged.synthetic,
                difference: merged.difference,
                extractor: merged.extractor,
            });
            (path, merged.bytes)
        }
        (None, None, path) => (path.context("a bug: clap wants one place")?, export::head_npz(&head)?),
    };
    write_whole(path, &bytes).with_context(|| format!("could not write the head to {}", path.display()))?;
    let record = ExportRecord {
        head: HeadRecord::new(&head, tasks.task(task)?.in_service),
        file: path.display().to_string(),
        bytes: bytes.len() as u64,
        check,
    };
    context.print(&record, || {
        let check = record.check.as_ref().map_or_else(String::new, |check| {
            let what = if check.synthetic { "made-up input" } else { "stored samples" };
            format!(
                "\non {} {what} it gives the live head's probabilities to {:.1e} ({})",
                check.inputs, check.difference, check.extractor
            )
        });
        format!("wrote generation {} to {}{check}", record.head.generation, path.display())
    })
}

/// Signs the head in service for other devices.
fn export_signed(context: &Context, task: &str, file: &Path, days: u32) -> anyhow::Result<()> {
    let tasks = context.tasks(&Access::Read)?;
    let key = Keyring::of(&context.data_dir).device()?;
    let device = context.config.device_id();
    let (statement, signed) = sync::issue(&tasks, task, &key, &device, days, clock::believed())?;
    write_whole(file, &signed).with_context(|| format!("could not write the head to {}", file.display()))?;
    let record = SignedExportRecord {
        task: task.to_owned(),
        issue: sync::issue_record(&Trusted { name: device, key: key.public() }, &statement),
        file: file.display().to_string(),
        bytes: signed.len() as u64,
    };
    context.print(&record, || {
        let IssueRecord { generation, number, expires, .. } = &record.issue;
        format!(
            "wrote generation {generation}, signed, to {} (number {number}, may be installed until {expires})\non another device: \
             `acclimate key trust` once, with what `acclimate key show` prints here, then `acclimate head install {task} FILE`",
            record.file
        )
    })
}

/// Takes in a head that another device has signed.
fn install(context: &Context, task: &str, file: &Path) -> anyhow::Result<Outcome> {
    let bytes = read_signed(file)?;
    let record = if let Some(mut daemon) = context.daemon()? {
        daemon.install(task, &bytes, &who())?
    } else {
        let mut tasks = context.tasks_to_write("head install")?;
        let trusted = Keyring::of(&context.data_dir).trusted()?;
        let weighed = sync::weigh(&tasks, task, &bytes, &trusted, clock::believed(), &context.adapt_options())?;
        weighed.write_down(&mut tasks)?
    };
    context.print(&record, || record.words())?;
    Ok(if record.verdict == "activated" { Outcome::Done } else { Outcome::Rejected })
}

/// A file's bytes, but no more than a signed head can have.
fn read_signed(file: &Path) -> anyhow::Result<Vec<u8>> {
    let reading = || format!("could not read {}", file.display());
    let mut bytes = Vec::new();
    // One more, so that what is too large is refused as that.
    let most = sync::MAX_BYTES as u64 + 1;
    File::open(file).with_context(reading)?.take(most).read_to_end(&mut bytes).with_context(reading)?;
    Ok(bytes)
}

/// Computes the features that a head of another backbone needs, for samples that came since it was in use.
fn complete(context: &Context, tasks: &mut Tasks, task: &str, generation: Generation) -> anyhow::Result<()> {
    let bar = context.progress(0, "computing features");
    switch::ready(tasks, task, generation, |on| context.backbone(on), counter(&bar))?;
    bar.finish_and_clear();
    Ok(())
}

fn list(context: &Context, tasks: &Tasks, task: &str) -> anyhow::Result<()> {
    let in_service = tasks.task(task)?.in_service;
    let records: Vec<HeadRecord> = tasks.heads(task)?.iter().map(|head| HeadRecord::new(head, in_service)).collect();
    context.print(&records, || {
        let mut words = String::new();
        for r in &records {
            let accuracy = r.accuracy.map_or_else(String::new, |a| format!("  {:.1} % when left out", 100.0 * a));
            let from = r.from.as_ref().map_or_else(String::new, |from| format!(" from {}", from.device));
            let unproved = if r.unproved { "  unproved" } else { "" };
            let mark = if r.in_service { "*" } else { " " };
            let _ = writeln!(
                words,
                "{mark} {:4}  {:9}  {} samples, {} classes{accuracy}  {}{from} {}{unproved}",
                r.generation,
                r.head,
                r.samples.iter().sum::<u64>(),
                r.classes.len(),
                r.origin,
                r.created
            );
        }
        if words.is_empty() { "no heads yet".to_owned() } else { words + "* in service" }
    })
}

fn show(context: &Context, tasks: &Tasks, task: &str, head: &StoredHead) -> anyhow::Result<()> {
    let provenance = &head.file.provenance;
    let record = HeadDetailRecord {
        of: HeadRecord::new(head, tasks.task(task)?.in_service),
        adjusted: provenance.adjusted.as_ref().map(|by| AdjustedRecord {
            samples: by.samples,
            groups: by.groups,
            p: by.p,
        }),
        evaluation: provenance.evaluation.as_ref().map(|e| EvaluationRecord::new(e, &head.file.classes)),
        learning_curve: learning_curve(tasks, task, head.generation)?,
        decision: DecisionRecord::new(&head.file.decision, &head.file.classes),
        temperature: head.file.head.temperature,
        device: provenance.device.clone(),
        parent: provenance.parent,
    };
    context.print(&record, || {
        let r = &record.of;
        let counts: Vec<String> = r.classes.iter().zip(&r.samples).map(|(class, n)| format!("{class} {n}")).collect();
        let mut words = format!(
            "generation {}{}: {} ({}), made {} on {}\nfitted on {}",
            r.generation,
            if r.in_service { ", in service" } else { "" },
            r.head,
            r.origin,
            r.created,
            record.device,
            counts.join(", ")
        );
        if let Some(from) = &r.from {
            let FromRecord { signer, number, issued, .. } = from;
            let _ = write!(words, "\nsigned by {signer}, number {number}, on {issued}");
        }
        if r.unproved {
            words += "\nunproved: too few labels of this device say how good it is here";
        }
        if let (Some(adjusted), Some(from)) = (&record.adjusted, record.parent) {
            let _ = write!(words, "\nadjusted from generation {from} to {} samples without labels", adjusted.samples);
        }
        if let Some(evaluation) = &record.evaluation {
            let _ = write!(words, "\non samples it was not fitted on:\n{}", evaluation.words());
        }
        if let Some(curve) = &record.learning_curve {
            let _ = write!(words, "\n{}", curve.explained());
        }
        if let Some(decision) = &record.decision {
            let _ = write!(words, "\n{}", decision.words());
        }
        words
    })
}

/// What the adaptation that made a head said about more labels.
fn learning_curve(tasks: &Tasks, task: &str, generation: Generation) -> anyhow::Result<Option<LearningCurveRecord>> {
    /// What is looked for; the record of an adjustment has none.
    #[derive(serde::Deserialize)]
    struct Told {
        learning_curve: Option<LearningCurveRecord>,
    }
    let run = tasks.adaptations(task)?.into_iter().find(|run| run.generation == Some(generation));
    let told: Option<Told> = run.map(|run| serde_json::from_str(&run.record)).transpose()?;
    Ok(told.and_then(|told| told.learning_curve))
}

fn now_in_service(context: &Context, tasks: &Tasks, task: &str) -> anyhow::Result<()> {
    let head = classify::head(tasks, task, None)?;
    let record = HeadRecord::new(&head, Some(head.generation));
    context.print(&record, || format!("generation {} of {task} is in service", record.generation))
}
