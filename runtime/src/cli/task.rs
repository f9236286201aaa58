//! `init`, `task create | list | set-backbone`.

use std::fmt::Write as _;
use std::path::PathBuf;

use acclimate::group::GroupBy;
use acclimate::inputs;
use acclimate::record::TaskRecord;
use acclimate::store::{Access, Model, NewTask, Task};
use acclimate::switch::{Switched, set_backbone as set_backbone_of};
use acclimate_backbone::{Manifest, builtin};
use jiff::Timestamp;

use super::choose::{choose, class_names};
use super::{Context, Outcome, adapt, args, counter};

/// Runs `acclimate task`.
pub fn run(context: &Context, command: &args::Task) -> anyhow::Result<Outcome> {
    match command {
        args::Task::Create(args) => init(context, args),
        args::Task::List => list(context),
        args::Task::SetBackbone(args) => set_backbone(context, args),
    }
}

/// Runs `acclimate init`. The backbone is opened once, so that a task that cannot work is never made.
pub fn init(context: &Context, args: &args::Init) -> anyhow::Result<Outcome> {
    let chosen = choose(context, args.backbone.as_deref(), args.model.as_deref(), signal_shape(args))?;
    let backbone = context.opener().open(&chosen.manifest, &chosen.model)?;
    let names = class_names(&args.classes)?;
    let keep = || chosen.shipped(context, &args.task, backbone.id().0, &names);
    let shipped = args.keep_head.then(keep).transpose()?;
    let new = NewTask {
        name: args.task.clone(),
        backbone: chosen.record(&backbone),
        group_by: args.group_by.into(),
        classes: shipped.as_ref().map_or(names, |head| head.classes.clone()),
        classes_only: args.classes_only,
        shipped,
    };
    let mut tasks = context.tasks_to_write("init")?;
    let task = tasks.create_task(&new, Timestamp::now())?;
    context.print(&record(context, &task, None), || {
        let head = if new.shipped.is_some() {
            format!(
                "generation 0, the model's own classifier of {} classes, is in service: unproved here, and its \
                 confidence is not calibrated until samples are labelled\n",
                task.classes.len()
            )
        } else {
            String::new()
        };
        format!(
            "made task `{}`: {} gives {} features, run by {}\n{head}next: acclimate add {} {} --labels-from-folders",
            task.name,
            task.backbone,
            task.dim,
            backbone.extractor(),
            task.name,
            inputs::files_word(&chosen.manifest.input).to_uppercase()
        )
    })?;
    Ok(Outcome::Done)
}

/// The windows that were asked for.
fn signal_shape(args: &args::Init) -> Option<builtin::SignalShape> {
    let (channels, length) = (args.channels?.get(), args.length?.get());
    Some(builtin::SignalShape { channels, length, rate_hz: args.rate_hz, unit: args.unit.clone() })
}

/// The windows that a task has: the built-in backbone takes them as they are.
fn windows(context: &Context, task: &str) -> anyhow::Result<Option<builtin::SignalShape>> {
    let manifest = Manifest::parse(&context.tasks(&Access::Read)?.task(task)?.manifest)?;
    Ok(manifest.input.signal().map(builtin::SignalShape::from))
}

/// Runs `acclimate task set-backbone`.
fn set_backbone(context: &Context, args: &args::SetBackbone) -> anyhow::Result<Outcome> {
    let shape = match args.backbone.as_deref() {
        Some(builtin::SIGNAL_NAME) => windows(context, &args.task)?,
        _ => None,
    };
    let chosen = choose(context, args.backbone.as_deref(), args.model.as_deref(), shape)?;
    let mut backbone = context.opener().open(&chosen.manifest, &chosen.model)?;
    let names = class_names(&args.classes)?;
    let keep = || chosen.shipped(context, &args.task, backbone.id().0, &names);
    let shipped = args.keep_head.then(keep).transpose()?;
    let mut tasks = context.tasks_to_write("task set-backbone")?;
    let new = chosen.record(&backbone);
    let bar = context.progress(0, "computing features");
    let switched = set_backbone_of(
        &mut tasks,
        &args.task,
        (&new, shipped.as_ref()),
        &mut backbone,
        &context.adapt_options(),
        counter(&bar),
    )?;
    bar.finish_and_clear();
    match switched {
        Switched::Judged(adapted) => {
            context.print(&adapted.record, || adapt::verdict(&adapted.record))?;
            Ok(adapt::outcome(adapted.outcome))
        }
        Switched::Unjudged(generation) => {
            let task = tasks.task(&args.task)?;
            context.print(&record(context, &task, None), || {
                let head = generation
                    .map_or_else(String::new, |g| format!("; generation {g}, the model's own, is in service"));
                format!(
                    "task `{}` uses {} from now on: there was no head to be compared with{head}",
                    task.name, task.backbone
                )
            })?;
            Ok(Outcome::Done)
        }
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
