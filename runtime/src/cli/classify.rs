//! `classify` and `evaluate`: samples through backbone and head, out as predictions or as an honest figure.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use acclimate::class_map::{class_map, overlay};
use acclimate::embedding::{self, Embedded};
use acclimate::extractor::{self, Checked};
use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::inputs::{self, Found, Item, Labels};
use acclimate::loading::{InputError, Loaded, Loader};
use acclimate::record::{DecidedRecord, EvaluateRecord, EvaluationRecord, FailedRecord, PredictionRecord};
use acclimate::store::{Access, Generation, StoredHead, Task, Tasks};
use acclimate_backbone::{Backbone, Picture, Thumbnail};
use acclimate_trainer::Evaluation;
use anyhow::{Context as _, bail};
use image::{ImageFormat, RgbImage};
use indicatif::ProgressBar;
use ndarray::Array2;

use super::{Context, Outcome, args, line};

/// Runs `acclimate classify`.
pub fn classify(context: &Context, args: &args::Classify) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, args.generation)?;
    let input = backbone.manifest().input.clone();
    let found = inputs::find(&args.paths, &Labels::None, &input);
    if let (Some(file), count) = (&args.attention, found.items.len())
        && count != 1
    {
        bail!("--attention draws one picture into {}, and {count} were named: name one file", file.display());
    }
    let mut failures = Failures::new(context);
    let of = Inputs { found: &found, stride: args.stride, what: "classifying" };
    of.each(context, &mut backbone, &mut failures, |bar, _, input, embedded| {
        let record = PredictionRecord::new(input, &stored, &embedded.feature, task.threshold, args.coverage)?;
        if let Some(file) = &args.attention {
            draw(context, &task, &stored, &embedded.payload.bytes, file)?;
        }
        bar.suspend(|| {
            context.print(&record, || {
                let unknown = match (record.unknown, record.unsure) {
                    (_, true) => "  unknown: below the threshold",
                    (true, false) => "  unknown: unlike everything learnt",
                    (false, false) => "",
                };
                let set = record.set.as_ref().map_or_else(String::new, |set| format!("  {{{}}}", set.join(", ")));
                let percent = 100.0 * record.confidence;
                format!("{}  {}  {percent:.1} %{set}{unknown}", record.input, record.class)
            })
        })
    })?;
    Ok(failures.outcome())
}

/// Writes a picture on which shows where a head looks.
fn draw(context: &Context, task: &Task, head: &StoredHead, picture: &[u8], file: &Path) -> anyhow::Result<()> {
    let mut maps = context.opener().maps_for(task)?;
    let picture = Picture::decode(picture)?;
    let map = class_map(&mut maps, head, &picture, None)?;
    let seen = overlay(&picture, &map)?;
    let image = RgbImage::from_raw(seen.width(), seen.height(), seen.rgb().to_vec());
    let image = image.context("a picture of no size")?;
    image
        .save_with_format(file, ImageFormat::Png)
        .with_context(|| format!("could not write {}: is its folder there, and may it be written?", file.display()))
}

/// Inputs on their way through a backbone.
pub(super) struct Inputs<'a> {
    pub(super) found: &'a Found,
    pub(super) stride: Option<NonZeroUsize>,
    /// What a progress bar says is being done.
    pub(super) what: &'static str,
}

impl Inputs<'_> {
    /// Hands over each input's file, name and feature in order, with the progress bar; reports those that fail.
    pub(super) fn each(
        &self,
        context: &Context,
        backbone: &mut Backbone,
        failures: &mut Failures<'_>,
        mut take: impl FnMut(&ProgressBar, &Item, String, Embedded) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        failures.of(self.found)?;
        let input = backbone.manifest().input.clone();
        let bar = context.progress(self.found.items.len(), self.what);
        let mut loader = Loader::new(&self.found.items, &input, self.stride.map(NonZeroUsize::get));
        while let Some(chunk) = loader.next() {
            bar.set_position(loader.files());
            for (item, name, embedded) in embed(backbone, chunk) {
                match embedded {
                    Ok(embedded) => take(&bar, item, name, embedded)?,
                    Err(reason) => bar.suspend(|| failures.one(&name, &reason))?,
                }
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// What groups inputs that are in no store: content, and the column of a CSV file.
pub(super) fn group_input(at: usize, item: &Item, name: String, looks: (u64, Option<Thumbnail>)) -> GroupInput {
    let (phash, thumbnail) = looks;
    GroupInput {
        seq: at as i64,
        phash: Some(phash),
        thumbnail,
        source: name,
        taken: None,
        group_key: item.group.clone(),
    }
}

/// The features of a chunk in order, with the file and the name of each.
fn embed<'a>(backbone: &mut Backbone, chunk: Vec<Loaded<'a>>) -> Vec<(&'a Item, String, Result<Embedded, String>)> {
    let (mut payloads, mut loaded) = (Vec::new(), Vec::new());
    for Loaded { item, name, payload } in chunk {
        let failed = payload.map(|payload| payloads.push(payload)).err();
        loaded.push((item, name, failed));
    }
    let mut embedded = embedding::embed(backbone, payloads).into_iter();
    let finish = |(item, name, failed): (&'a Item, String, Option<InputError>)| {
        let result = match failed {
            Some(error) => Err(error),
            None => embedded.next().expect("a bug: a sample was not embedded"),
        };
        (item, name, result.map_err(|error| super::causes(&error)))
    };
    loaded.into_iter().map(finish).collect()
}

/// Runs `acclimate evaluate`.
pub fn evaluate(context: &Context, args: &args::Evaluate) -> anyhow::Result<Outcome> {
    let (task, stored, mut backbone) = open(context, &args.task, args.generation)?;
    let input = backbone.manifest().input.clone();
    let found = match &args.labels_from_csv {
        Some(file) => Found { items: inputs::from_csv(file, std::slice::from_ref(&args.dir))?, ..Found::default() },
        None => inputs::find(std::slice::from_ref(&args.dir), &Labels::Folders, &input),
    };
    let mut failures = Failures::new(context);

    // A label that the head does not know is a class of its own, of probability 0: always an error of the head.
    let mut classes = stored.file.classes.clone();
    let (mut labels, mut grouped, mut rows) = (Vec::new(), Vec::new(), Vec::<Vec<f64>>::new());
    let of = Inputs { found: &found, stride: args.stride, what: "evaluating" };
    of.each(context, &mut backbone, &mut failures, |_, item, name, embedded| {
        let label = item.label.as_deref().unwrap_or_default();
        let known = classes.iter().position(|class| class == label);
        labels.push(known.unwrap_or_else(|| {
            classes.push(label.to_owned());
            classes.len() - 1
        }));
        rows.push(stored.file.head.probabilities(&embedded.feature));
        grouped.push(group_input(grouped.len(), item, name, (embedded.phash, embedded.thumbnail)));
        Ok(())
    })?;
    if rows.is_empty() {
        bail!(
            "no {word} to evaluate on in {}: expected a folder for each class with {word} in it",
            args.dir.display(),
            word = inputs::files_word(&input)
        );
    }
    let mut probabilities = Array2::zeros((rows.len(), classes.len()));
    for (row, mut place) in rows.iter().zip(probabilities.rows_mut()) {
        row.iter().zip(&mut place).for_each(|(&p, place)| *place = p);
    }
    let width = stored.file.classes.len();
    let decided = (!stored.file.decision.is_plain()).then(|| {
        let own = probabilities.slice(ndarray::s![.., ..width]);
        DecidedRecord::new(stored.file.decision.outcomes(own, &labels), &stored.file.classes)
    });
    let group_of = groups(&grouped, GroupBy::Column);
    let evaluation = Evaluation::new(probabilities.view(), &labels, &group_of, false)?;
    let record = EvaluateRecord {
        task: task.name,
        generation: stored.generation.0,
        evaluation: EvaluationRecord::new(&evaluation, &classes),
        decided,
    };
    context.print(&record, || {
        let decided = record.decided.as_ref().map_or_else(String::new, |decided| format!("\n  {}", decided.words()));
        format!("generation {}\n{}{decided}", record.generation, record.evaluation.words())
    })?;
    Ok(failures.outcome())
}

/// The task as one of its heads sees it, that head (the one in service if none is asked for), and the backbone that it
/// reads, running on what gives the features it was fitted on.
pub(super) fn open(
    context: &Context,
    task: &str,
    generation: Option<u32>,
) -> anyhow::Result<(Task, StoredHead, Backbone)> {
    let tasks = context.tasks(&Access::Read)?;
    let stored = head(&tasks, task, generation)?;
    let task = tasks.task_on(task, &stored.file.backbone_id)?;
    let mut backbone = context.backbone(&task)?;
    if let Checked::Agrees { checked: 0, .. } = extractor::agrees(&tasks, &task, &mut backbone)? {
        tracing::warn!(
            "whether {} gives the features of task `{}` is unknown: no payload is kept",
            backbone.extractor(),
            task.name
        );
    }
    Ok((task, stored, backbone))
}

/// One of a task's heads, the one in service if none is asked for.
pub fn head(tasks: &Tasks, task: &str, generation: Option<u32>) -> anyhow::Result<StoredHead> {
    match generation {
        Some(generation) => Ok(tasks.head(task, Generation(generation))?),
        None => tasks.in_service(task)?.with_context(|| {
            format!("task `{task}` has no head in service yet: add labelled samples, then `acclimate adapt {task}`")
        }),
    }
}

/// Inputs that failed, reported as they come.
pub(super) struct Failures<'a> {
    context: &'a Context,
    count: usize,
}

impl<'a> Failures<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context, count: 0 }
    }

    pub(super) fn of(&mut self, found: &Found) -> anyhow::Result<()> {
        found
            .failed
            .iter()
            .try_for_each(|(path, reason): &(PathBuf, String)| self.one(&path.display().to_string(), reason))
    }

    pub(super) fn one(&mut self, input: &str, reason: &str) -> anyhow::Result<()> {
        self.count += 1;
        eprintln!("failed: {input}: {reason}");
        if self.context.global.json {
            let record = FailedRecord { input: input.to_owned(), error: reason.to_owned() };
            line(&serde_json::to_string(&record)?)?;
        }
        Ok(())
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.count > 0 { Outcome::Partly } else { Outcome::Done }
    }
}
