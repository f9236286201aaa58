//! `add`: pictures in, features computed, every sample acknowledged once it is safe on the disk.

use std::fmt::Write as _;

use acclimate::embedding::{self, Embedded, InputError};
use acclimate::pictures::{self, Found, Labels};
use acclimate::place::absolute;
use acclimate::record::AddRecord;
use acclimate::store::{Added, Batch, NewSample, StoreError, Task};
use jiff::Timestamp;

use super::{Context, Outcome, args, line, who};

/// Runs `acclimate add`.
pub fn run(context: &Context, args: &args::Add) -> anyhow::Result<Outcome> {
    let mut tasks = context.tasks_to_write("add")?;
    let task = tasks.task(&args.task)?;
    let found = find(args)?;
    let mut backbone = context.backbone(&task)?;
    let arrival = Arrival { task: &task, extractor: backbone.extractor().to_string(), who: who() };
    let mut count = Count { ignored: found.ignored, ..Count::default() };
    for (path, reason) in &found.failed {
        count.failed += 1;
        context.report_failed(&path.display().to_string(), reason)?;
    }
    let bar = context.progress(found.items.len(), "adding");
    embedding::embed(&mut backbone, &found.items, |chunk| -> anyhow::Result<()> {
        // One transaction a chunk: what is printed below is on the disk.
        let acknowledged = tasks.batch(|batch| -> Result<Vec<_>, StoreError> {
            chunk.into_iter().map(|(item, embedded)| Ok((item, arrival.store(batch, item, embedded)?))).collect()
        })?;
        for (item, result) in acknowledged {
            bar.inc(1);
            let input = item.name();
            match result {
                Ok(added) => {
                    count.take(&added);
                    if context.global.json {
                        line(&serde_json::to_string(&AddRecord::new(input, &added))?)?;
                    }
                }
                Err(reason) => {
                    count.failed += 1;
                    bar.suspend(|| context.report_failed(&input, &reason))?;
                }
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if !context.global.json {
        line(&count.words(&task.name))?;
    }
    Ok(if count.failed > 0 { Outcome::Partly } else { Outcome::Done })
}

/// The pictures asked for, with their labels.
fn find(args: &args::Add) -> anyhow::Result<Found> {
    if let Some(file) = &args.labels_from_csv {
        let items = pictures::from_csv(file, &args.paths)?;
        return Ok(Found { items, ..Found::default() });
    }
    let labels = match (&args.label, args.labels_from_folders) {
        (Some(class), _) => Labels::One(class.clone()),
        (None, true) => Labels::Folders,
        (None, false) => Labels::None,
    };
    Ok(pictures::find(&args.paths, &labels))
}

/// What is the same for every sample of an import.
struct Arrival<'a> {
    task: &'a Task,
    extractor: String,
    who: String,
}

impl Arrival<'_> {
    /// Stores one picture. The outer error ends the import, the inner one is this picture's.
    fn store(
        &self,
        batch: &Batch<'_>,
        item: &pictures::Item,
        embedded: Result<Embedded, InputError>,
    ) -> Result<Result<Added, String>, StoreError> {
        let embedded = match embedded {
            Ok(embedded) => embedded,
            Err(error) => return Ok(Err(super::causes(&error))),
        };
        let encoded = self.task.quantisation.encode(&embedded.feature);
        // A file is known by its whole path, and its folder may be its group; what comes on stdin has neither.
        let file = (item.path.as_os_str() != "-").then(|| absolute(&item.path));
        let source = file.as_ref().map_or_else(|| item.name(), |file| file.display().to_string());
        let folder = file.as_ref().and_then(|file| file.parent()).map(|folder| folder.display().to_string());
        let group_key = item.group.clone().or(folder);
        let new = NewSample {
            payload: &embedded.payload,
            media: embedded.media,
            source: &source,
            taken: None,
            group_key: group_key.as_deref(),
            phash: Some(embedded.phash),
            codes: &encoded.codes,
            saturated: encoded.saturated,
            extractor: &self.extractor,
            label: item.label.as_deref(),
            who: &self.who,
        };
        match batch.add_sample(&self.task.name, &new, Timestamp::now()) {
            Err(error @ StoreError::ClassName { .. }) => Ok(Err(super::causes(&error))),
            stored => stored.map(Ok),
        }
    }
}

#[derive(Default)]
struct Count {
    added: usize,
    failed: usize,
    ignored: usize,
    known: usize,
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

    fn words(&self, task: &str) -> String {
        let Self { added, failed, ignored, known, relabelled } = *self;
        let mut words = format!("{task}: {added} added");
        let others = [
            (known, "already there"),
            (relabelled, "labelled anew"),
            (failed, "failed (listed above)"),
            (ignored, "other files passed over"),
        ];
        for (number, what) in others {
            if number > 0 {
                let _ = write!(words, ", {number} {what}");
            }
        }
        words
    }
}
