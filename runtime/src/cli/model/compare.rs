//! `model compare`: what other backbones would be worth to a task, measured on its own samples.

use std::fmt::Write as _;

use acclimate::comparison::{Ground, Measured};
use acclimate::record::{BackboneRecord, ComparisonRecord};
use acclimate::store::{Access, Model};
use acclimate_backbone::Backbone;
use acclimate_backbone::builtin::{SIGNAL_NAME, SignalShape};
use anyhow::Context as _;

use super::super::choose::{Chosen, choose};
use super::super::{Context, Outcome};

/// Below this probability of chance, a difference counts.
const SIGNIFICANT: f64 = 0.05;

/// Runs `acclimate model compare`. The task is read and never written.
pub(super) fn run(context: &Context, task: &str, names: &[String]) -> anyhow::Result<Outcome> {
    let tasks = context.tasks(&Access::Read)?;
    let of_task = tasks.task(task)?;
    let ground = Ground::new(&tasks, task)?;
    let threads = context.engine_options().threads;
    let measure = |backbone: &mut Backbone| -> anyhow::Result<Measured> {
        let bar = context.progress(ground.len(), "comparing");
        let measured = ground.measure(&tasks, backbone, threads, || bar.inc(1));
        bar.finish_and_clear();
        Ok(measured?)
    };
    let mut backbone = context.backbone(&of_task)?;
    let in_use = measure(&mut backbone)?;
    let id = backbone.id();
    let windows = backbone.manifest().input.signal().map(SignalShape::from);
    let mut records = vec![record(&backbone, &in_use, true, None)];
    drop(backbone);
    for name in names.iter().filter(|name| **name != of_task.backbone) {
        // It takes any windows: here those of the task.
        let shape = windows.clone().filter(|_| name == SIGNAL_NAME);
        let Chosen { manifest, model, .. } = choose(context, Some(name), None, shape)?;
        let file = match &model {
            Model::File(file) => file.display().to_string(),
            Model::Builtin => "built in".to_owned(),
        };
        let mut backbone = context.opener().open(&manifest, &model)?;
        if backbone.id() == id {
            continue;
        }
        let measured =
            measure(&mut backbone).with_context(|| format!("could not measure backbone `{name}` ({file})"))?;
        let comparison = ground.against(&measured, &in_use)?;
        records.push(record(&backbone, &measured, false, comparison.map(Into::into)));
    }
    context.print(&records, || words(task, &records))?;
    Ok(Outcome::Done)
}

fn record(backbone: &Backbone, measured: &Measured, in_use: bool, against: Option<ComparisonRecord>) -> BackboneRecord {
    let p = against.as_ref().and_then(|against| against.p);
    let standing = match p {
        _ if in_use => "in_use",
        Some(p) if p < SIGNIFICANT => "worse",
        Some(p) if p > 1.0 - SIGNIFICANT => "better",
        Some(_) => "no_difference",
        None => "too_few_groups",
    };
    BackboneRecord {
        backbone: backbone.manifest().name.clone(),
        standing: standing.to_owned(),
        accuracy: measured.evaluation.accuracy,
        accuracy_interval: measured.evaluation.accuracy_interval.into(),
        log_loss: measured.evaluation.log_loss,
        samples: measured.evaluation.samples,
        groups: measured.evaluation.groups,
        kind: measured.kind.to_string(),
        against_in_use: against,
        dim: backbone.dim(),
        sample_ms: measured.sample_ms,
        bytes: backbone.manifest().file.bytes,
        peak_memory_bytes: measured.peak_memory,
        extractor: backbone.extractor().to_string(),
    }
}

fn words(task: &str, records: &[BackboneRecord]) -> String {
    let width = records.iter().map(|r| r.backbone.len()).max().unwrap_or(0);
    let mut words = format!("{:width$}   right when left out   log-loss   ms a sample   file    memory", "");
    for r in records {
        let [low, high] = r.accuracy_interval;
        let memory = r.peak_memory_bytes.map_or_else(|| "      –".to_owned(), |m| format!("{:4} MB", m / 1_000_000));
        let _ = write!(
            words,
            "\n{:width$}   {:5.1} % ({:.1}–{:.1})   {:8.3}   {:11.1}   {:5.1} MB   {memory}   {}",
            r.backbone,
            100.0 * r.accuracy,
            100.0 * low,
            100.0 * high,
            r.log_loss,
            r.sample_ms,
            r.bytes as f64 / 1e6,
            r.standing.replace('_', " ")
        );
    }
    let better = records.iter().filter(|r| r.standing == "better").min_by(|a, b| a.log_loss.total_cmp(&b.log_loss));
    let _ = match better {
        Some(better) => write!(
            words,
            "\n`{}` is better than the one in use beyond chance: acclimate task set-backbone {task} {}",
            better.backbone, better.backbone
        ),
        None => write!(words, "\nnone is better than the one in use beyond chance; of equals, take the quickest"),
    };
    words
}
