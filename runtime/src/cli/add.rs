//! `add`: samples in, features computed, every sample acknowledged once it is safe on the disk.

mod running;

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use acclimate::embedding::{self, Embedded};
use acclimate::inputs::{self, Found, Item, Labels};
use acclimate::loading::{Loaded, Loader};
use acclimate::place::absolute;
use acclimate::record::AddRecord;
use acclimate::store::{Added, Batch, NewSample, SampleId, StoreError, Task};
use acclimate_backbone::Input;
use jiff::Timestamp;

use super::{Context, Outcome, args, line, who};

/// Runs `acclimate add`.
pub fn run(context: &Context, args: &args::Add) -> anyhow::Result<Outcome> {
    if let Some(mut daemon) = context.daemon()? {
        return running::run(context, args, &mut daemon);
    }
    let mut tasks = context.tasks_to_write("add")?;
    let task = tasks.task(&args.task)?;
    let mut backbone = context.backbone(&task)?;
    context.check_extractor(&mut tasks, &task, &mut backbone)?;
    let input = backbone.manifest().input.clone();
    let found = find(args, &input)?;
    let arrival = Arrival { task: &task, extractor: backbone.extractor().to_string(), who: who() };
    let mut count = Count { ignored: found.ignored, ..Count::default() };
    for (path, reason) in &found.failed {
        count.failed += 1;
        context.report_failed(&path.display().to_string(), reason)?;
    }
    let bar = context.progress(found.items.len(), "adding");
    let mut loader = Loader::new(&found.items, &input, args.stride.map(NonZeroUsize::get));
    while let Some(chunk) = loader.next() {
        bar.set_position(loader.files());
        // What is known needs no feature: an import that was cut short goes on quickly.
        let (mut arrived, mut unknown) = (Vec::with_capacity(chunk.len()), Vec::new());
        for Loaded { item, name, payload } in chunk {
            let state = match payload {
                Err(error) => State::Failed(super::causes(&error)),
                Ok(payload) => {
                    let id = SampleId::of(&payload.bytes);
                    if tasks.has_sample(&task.name, &id)? {
                        State::Known(id)
                    } else {
                        unknown.push(payload);
                        State::Unknown
                    }
                }
            };
            arrived.push((item, name, state));
        }
        let embedded = embedding::embed(&mut backbone, unknown);
        // One transaction a chunk: what is printed below is on the disk.
        let acknowledged = tasks.batch(|batch| -> Result<Vec<_>, StoreError> {
            let mut embedded = embedded.into_iter();
            let store = |(item, name, state): (&Item, String, State)| {
                let result = match state {
                    State::Failed(reason) => Err(reason),
                    State::Known(id) => arrival.claim(batch, item, id)?,
                    State::Unknown => match embedded.next().expect("a bug: a sample was not embedded") {
                        Ok(embedded) => arrival.store(batch, item, &name, &embedded)?,
                        Err(error) => Err(super::causes(&error)),
                    },
                };
                Ok((name, result))
            };
            arrived.into_iter().map(store).collect()
        })?;
        for (name, result) in acknowledged {
            match result {
                Ok(added) => {
                    count.take(&added);
                    if context.global.json {
                        line(&serde_json::to_string(&AddRecord::new(name, &added))?)?;
                    }
                }
                Err(reason) => {
                    count.failed += 1;
                    bar.suspend(|| context.report_failed(&name, &reason))?;
                }
            }
        }
    }
    bar.finish_and_clear();
    count.left_over = loader.left_over();
    if !context.global.json {
        line(&count.words(&task.name))?;
    }
    Ok(if count.failed > 0 { Outcome::Partly } else { Outcome::Done })
}

/// What is known of a sample before it is stored.
enum State {
    Failed(String),
    Known(SampleId),
    Unknown,
}

/// The files asked for, with their labels.
fn find(args: &args::Add, input: &Input) -> anyhow::Result<Found> {
    if let Some(file) = &args.labels_from_csv {
        let items = inputs::from_csv(file, &args.paths)?;
        return Ok(Found { items, ..Found::default() });
    }
    let labels = match (&args.label, args.labels_from_folders) {
        (Some(class), _) => Labels::One(class.clone()),
        (None, true) => Labels::Folders,
        (None, false) => Labels::None,
    };
    Ok(inputs::find(&args.paths, &labels, input))
}

/// What is the same for every sample of an import.
struct Arrival<'a> {
    task: &'a Task,
    extractor: String,
    who: String,
}

impl Arrival<'_> {
    /// Claims the label that came with a sample that is there already. The outer error ends the import, the inner one is
    /// this sample's.
    fn claim(&self, batch: &Batch<'_>, item: &Item, id: SampleId) -> Result<Result<Added, String>, StoreError> {
        let Some(class) = &item.label else { return Ok(Ok(Added::Known(id))) };
        let claimed = batch.label(&self.task.name, &id, class, &self.who, Timestamp::now());
        this_samples(claimed.map(|from| match from {
            Some(from) if from == *class => Added::Known(id),
            from => Added::Relabelled { id, from },
        }))
    }

    /// Stores one sample; errors as above.
    fn store(
        &self,
        batch: &Batch<'_>,
        item: &Item,
        name: &str,
        embedded: &Embedded,
    ) -> Result<Result<Added, String>, StoreError> {
        let encoded = self.task.quantisation.encode(&embedded.feature);
        let (source, group_key) = place(item, name);
        let new = NewSample {
            payload: &embedded.payload.bytes,
            media: embedded.payload.media,
            source: &source,
            taken: None,
            group_key: group_key.as_deref(),
            phash: Some(embedded.phash),
            thumbnail: embedded.thumbnail.as_ref(),
            codes: &encoded.codes,
            saturated: encoded.saturated,
            norm: embedded.feature.norm(),
            extractor: &self.extractor,
            label: item.label.as_deref(),
            who: &self.who,
        };
        this_samples(batch.add_sample(&self.task.name, &new, Timestamp::now()))
    }
}

/// Where a sample comes from, and what it may be grouped by: a file is known by its whole path, and its folder may be its
/// group; what comes on stdin has neither.
fn place(item: &Item, name: &str) -> (String, Option<String>) {
    let file = (item.path.as_os_str() != "-").then(|| absolute(&item.path));
    let source = file.as_ref().map_or_else(
        || name.to_owned(),
        // Which readings of the file a window is stands behind its name.
        |file| format!("{}{}", file.display(), name.strip_prefix(&item.name()).unwrap_or_default()),
    );
    let folder = file.as_ref().and_then(|file| file.parent()).map(|folder| folder.display().to_string());
    (source, item.group.clone().or(folder))
}

/// A class name that cannot be used is wrong with one sample, not with the import.
fn this_samples(stored: Result<Added, StoreError>) -> Result<Result<Added, String>, StoreError> {
    match stored {
        Err(error @ (StoreError::ClassName { .. } | StoreError::ClassesOnly { .. })) => Ok(Err(super::causes(&error))),
        stored => stored.map(Ok),
    }
}

#[derive(Default)]
struct Count {
    added: usize,
    failed: usize,
    ignored: usize,
    known: usize,
    left_over: usize,
    relabelled: usize,
}

impl Count {
    fn take(&mut self, added: &Added) {
        match added {
            Added::Known(_) => self.known += 1,
            Added::New(_) => self.added += 1,
            Added::Relabelled { .. } => self.relabelled += 1,
        }
    }

    /// As the daemon says it.
    fn take_status(&mut self, status: &str) {
        match status {
            "added" => self.added += 1,
            "relabelled" => self.relabelled += 1,
            _ => self.known += 1,
        }
    }

    fn words(&self, task: &str) -> String {
        let Self { added, failed, ignored, known, left_over, relabelled } = *self;
        let mut words = format!("{task}: {added} added");
        let others = [
            (known, "already there"),
            (relabelled, "labelled anew"),
            (failed, "failed (listed above)"),
            (ignored, "other files passed over"),
            (left_over, "readings at the ends of recordings left over"),
        ];
        for (number, what) in others {
            if number > 0 {
                let _ = write!(words, ", {number} {what}");
            }
        }
        words
    }
}
