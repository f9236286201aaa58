//! `init`, `task create`, `task list`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use acclimate::group::GroupBy;
use acclimate::inputs;
use acclimate::place::absolute;
use acclimate::record::TaskRecord;
use acclimate::store::{Access, Model, NewTask, Task};
use acclimate_backbone::{Manifest, builtin, resolve};
use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::{Context, Outcome, args, model};

/// Runs `acclimate task`.
pub fn run(context: &Context, command: &args::Task) -> anyhow::Result<Outcome> {
    match command {
        args::Task::Create(args) => init(context, args),
        args::Task::List => list(context),
    }
}

/// Runs `acclimate init`. The backbone is opened once, so that a task that cannot work is never made.
pub fn init(context: &Context, args: &args::Init) -> anyhow::Result<Outcome> {
    let (manifest, model) = match &args.model {
        Some(file) => from_file(context, file)?,
        None => by_name(context, args.backbone.as_deref(), signal_shape(args))?,
    };
    let backbone = context.opener().open(&manifest, &model)?;
    let new = NewTask {
        name: args.task.clone(),
        backbone: manifest.name.clone(),
        backbone_id: backbone.id().0,
        manifest: manifest.text.clone(),
        model,
        dim: backbone.dim(),
        quantisation: backbone.quantisation(),
        group_by: args.group_by.into(),
        classes: args.classes.clone(),
    };
    let mut tasks = context.tasks_to_write("init")?;
    let task = tasks.create_task(&new, Timestamp::now())?;
    context.print(&record(context, &task, None), || {
        format!(
            "made task `{}`: {} gives {} features, run by {}\nnext: acclimate add {} {} --labels-from-folders",
            task.name,
            task.backbone,
            task.dim,
            backbone.extractor(),
            task.name,
            inputs::files_word(&manifest.input).to_uppercase()
        )
    })?;
    Ok(Outcome::Done)
}

/// The windows that were asked for.
fn signal_shape(args: &args::Init) -> Option<builtin::SignalShape> {
    let (channels, length) = (args.channels?.get(), args.length?.get());
    Some(builtin::SignalShape { channels, length, rate_hz: args.rate_hz, unit: args.unit.clone() })
}

/// The backbone with this name, else the configuration's, else the built-in one.
pub fn by_name(
    context: &Context,
    name: Option<&str>,
    shape: Option<builtin::SignalShape>,
) -> anyhow::Result<(Manifest, Model)> {
    let name = name.or(context.config.backbone.name.as_deref()).unwrap_or(builtin::NAME);
    match (name, shape) {
        (builtin::SIGNAL_NAME, Some(shape)) => return Ok((shape.manifest()?, Model::Builtin)),
        (builtin::SIGNAL_NAME, None) => bail!(
            "{} takes windows of any shape: say which with --channels (numbers in one reading) and --length (readings in \
             one window)",
            builtin::SIGNAL_NAME
        ),
        (name, Some(_)) => bail!(
            "--channels and --length are for --backbone {}: the shape of what {name} takes stands in its manifest",
            builtin::SIGNAL_NAME
        ),
        (_, None) => {}
    }
    if name == builtin::NAME {
        return Ok((Manifest::parse(builtin::MANIFEST)?, Model::Builtin));
    }
    let entry = model::find(context, name)?;
    let file = entry.file.context("a bug: the library found a model without its file")?;
    Ok((entry.manifest, Model::File(absolute(&file))))
}

/// The manifest for a file: FILE.toml beside it, else the known one for a file with this checksum.
fn from_file(context: &Context, file: &Path) -> anyhow::Result<(Manifest, Model)> {
    let model = Model::File(absolute(file));
    let beside = file.with_extension("toml");
    if beside.is_file() {
        let text = std::fs::read_to_string(&beside).with_context(|| format!("could not read {}", beside.display()))?;
        let manifest = Manifest::parse(&text).with_context(|| format!("could not use {}", beside.display()))?;
        return Ok((resolve(manifest, file)?, model));
    }
    match context.library.of_content(file)? {
        Some(manifest) => Ok((manifest, model)),
        None => bail!(
            "no manifest for {}: there is no {} beside it and the catalogue does not know its content; \
             `acclimate model inspect {} --write-manifest {}` writes one to start from",
            file.display(),
            beside.display(),
            file.display(),
            beside.display()
        ),
    }
}

fn list(context: &Context) -> anyhow::Result<Outcome> {
    let tasks = context.tasks(&Access::Read)?;
    let mut records = Vec::new();
    for task in tasks.list()? {
        let digest = tasks.digest(&task.name)?;
        records.push(record(context, &task, Some(digest.to_string())));
    }
    context.print(&records, || {
        let mut words = String::new();
        for r in &records {
            let head = r.in_service.map_or_else(|| "no head yet".to_owned(), |g| format!("generation {g} in service"));
            let _ = writeln!(
                words,
                "{}  {}  {} samples, {} labelled, classes: {}  ({head})",
                r.task,
                r.backbone,
                r.samples,
                r.labelled,
                if r.classes.is_empty() { "none".to_owned() } else { r.classes.join(", ") }
            );
        }
        if words.is_empty() {
            "no tasks: make one with `acclimate init TASK`".to_owned()
        } else {
            words.trim_end().to_owned()
        }
    })?;
    Ok(Outcome::Done)
}

fn record(context: &Context, task: &Task, statistics: Option<String>) -> TaskRecord {
    TaskRecord {
        task: task.name.clone(),
        backbone: task.backbone.clone(),
        backbone_id: acclimate_backbone::BackboneId(task.backbone_id).to_string(),
        model: match &task.model {
            Model::Builtin => None,
            Model::File(path) => Some(PathBuf::from(path).display().to_string()),
        },
        dim: task.dim,
        group_by: task.group_by.token().to_owned(),
        classes: task.classes.clone(),
        samples: task.samples,
        labelled: task.labelled,
        in_service: task.in_service.map(|generation| generation.0),
        statistics_digest: statistics,
        created: task.created.to_string(),
        store: context.data_dir.display().to_string(),
    }
}

impl From<args::GroupBy> for GroupBy {
    fn from(by: args::GroupBy) -> Self {
        match by {
            args::GroupBy::Auto => Self::Auto,
            args::GroupBy::Column => Self::Column,
            args::GroupBy::Folder => Self::Folder,
            args::GroupBy::None => Self::None,
        }
    }
}
