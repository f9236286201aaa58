//! The store thread: the one writer. Does what it is given in order, samples that wait together in one transaction, and says
//! what came of each once it is on the disk. Decides nothing.
//!
//! What a task is like after a write is told before the write is acknowledged, and the head in service is swapped before
//! that, so that who is told of a head is answered by it.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use jiff::Timestamp;
use rusqlite::ErrorCode;

use super::command::Look;
use super::core::{Done, Event, Facts, HeadFacts, Job, Taken, Ticket, Trouble, TroubleKind};
use super::inbox::Inbox;
use super::inference::Served;
use super::stage::Stage;
use crate::adaptation::{self, AdaptError, Fitted, Options};
use crate::causes;
use crate::store::{
    Added, AddedSource, Batch, Filter, Forget, Generation, NewSample, Region, SampleId, StoreError, StoredHead, Tasks,
};
use crate::sync::{InstallError, Weighed};

/// Jobs that are done together at most.
const TOGETHER: usize = 32;
/// Bytes that must be free before writing is tried again.
const FREE_BYTES: u64 = 1 << 20;

/// What the thread is given.
#[derive(Debug)]
pub(super) enum Work {
    Job {
        ticket: Ticket,
        task: Arc<str>,
        job: Job,
    },
    /// A verdict on another device's head that is to be written down.
    Install {
        ticket: Ticket,
        task: Arc<str>,
        weighed: Box<Weighed>,
    },
    /// A fit that is to be written down.
    Record {
        ticket: Ticket,
        task: Arc<str>,
        fitted: Box<Fitted>,
    },
}

/// The thread's state.
pub(super) struct Writer {
    pub(super) tasks: Tasks,
    pub(super) work: Receiver<Work>,
    pub(super) inbox: Inbox,
    pub(super) served: Served,
    pub(super) options: Options,
    pub(super) stage: Stage,
}

type Told = (Ticket, Result<Done, Trouble>);

impl Writer {
    /// Until nobody gives work any more; then everything given is done.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.work.recv() {
            self.stage.works();
            let mut work = vec![first];
            work.extend(std::iter::from_fn(|| self.work.try_recv().ok()).take(TOGETHER - 1));
            self.together(work);
            self.stage.rests();
        }
    }

    fn together(&mut self, work: Vec<Work>) {
        let (mut told, mut touched) = (Vec::with_capacity(work.len()), Vec::<Arc<str>>::new());
        let mut keeps: Vec<Keep> = Vec::new();
        for work in work {
            let task = match &work {
                Work::Install { task, .. } | Work::Job { task, .. } | Work::Record { task, .. } => Arc::clone(task),
            };
            if !task.is_empty() && !touched.contains(&task) {
                touched.push(Arc::clone(&task));
            }
            match work {
                Work::Job { ticket, task, job: Job::Keep { taken, label, group_key, payload, who } } => {
                    keeps.push(Keep { ticket, task, taken, label, group_key, payload, who });
                }
                other => {
                    // In order: what came before is stored before.
                    told.extend(self.keep(std::mem::take(&mut keeps)));
                    told.push(self.one(other));
                }
            }
        }
        told.extend(self.keep(keeps));
        for task in touched {
            self.tell_facts(&task);
        }
        for (ticket, done) in told {
            self.inbox.tell(Event::Done { ticket, done });
        }
    }

    /// Swaps the head in service if it is another one, and tells how the task stands.
    fn tell_facts(&self, task: &Arc<str>) {
        match facts(&self.tasks, task, &self.served) {
            Ok(facts) => {
                self.inbox.tell(Event::Facts(Box::new(facts)));
            }
            // A task that could not be made; or the store cannot be read, which the next write will say.
            Err(StoreError::NoTask { .. }) => {}
            Err(error) => tracing::error!("task `{task}` cannot be read: {}", causes(&error)),
        }
    }

    fn keep(&mut self, keeps: Vec<Keep>) -> Vec<Told> {
        if keeps.is_empty() {
            return Vec::new();
        }
        let now = Timestamp::now();
        let stored = self
            .tasks
            .batch(|batch| -> Result<Vec<_>, StoreError> { keeps.iter().map(|keep| keep.store(batch, now)).collect() });
        match stored {
            Ok(each) => keeps.into_iter().zip(each).map(|(keep, done)| (keep.ticket, done)).collect(),
            Err(error) => {
                let trouble = trouble(&error);
                keeps.into_iter().map(|keep| (keep.ticket, Err(trouble.clone()))).collect()
            }
        }
    }

    fn one(&mut self, work: Work) -> Told {
        match work {
            Work::Job { ticket, task, job } => (ticket, self.job(&task, job)),
            Work::Install { ticket, task: _, weighed } => {
                let installed = weighed.write_down(&mut self.tasks);
                let done = installed.map(|installed| Done::Installed(Box::new(installed)));
                (ticket, done.map_err(|error| install_trouble(&error)))
            }
            Work::Record { ticket, task: _, fitted } => {
                let digest = fitted.digest.to_string();
                let adapted = fitted.write_down(&mut self.tasks);
                let done = adapted.map_err(|error| adapt_trouble(&error)).map(|adapted| {
                    let adaptation = Box::new(adapted.record);
                    Done::Recorded { adaptation, digest }
                });
                (ticket, done)
            }
        }
    }

    fn job(&mut self, task: &str, job: Job) -> Result<Done, Trouble> {
        let now = Timestamp::now();
        let tasks = &mut self.tasks;
        let store = |error: StoreError| trouble(&error);
        match job {
            Job::AddSource(source) => {
                let crate::config::Source { name, kind, device, .. } = *source;
                tasks.add_source(&AddedSource { name, kind: kind.word().to_owned(), device }).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Activate { generation, who } => {
                tasks.activate(task, Generation(generation), &who, true, now).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Create { new, looks } => {
                let made = tasks.create_task(&new, now).map_err(store)?;
                tasks.set_looks(&made.name, &regions(&looks)).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Evict { keep_bytes } => tasks.evict(task, keep_bytes).map(Done::Evicted).map_err(store),
            Job::Forget { samples, who } => {
                let ids: Result<Vec<SampleId>, StoreError> =
                    samples.iter().map(|sample| sample_of(tasks, task, sample)).collect();
                let what = Forget::Samples(ids.map_err(store)?);
                let options = Options { who, ..self.options.clone() };
                adaptation::forget(tasks, task, &what, &options).map_err(|error| adapt_trouble(&error))?;
                Ok(Done::Plain)
            }
            Job::Keep { .. } => unreachable!("a bug: samples are kept together"),
            Job::Label { samples, label, who } => {
                let ids: Result<Vec<SampleId>, StoreError> =
                    samples.iter().map(|sample| sample_of(tasks, task, sample)).collect();
                let ids = ids.map_err(store)?;
                let changed = tasks.batch(|batch| -> Result<Vec<_>, StoreError> {
                    let mut changed = Vec::new();
                    for id in ids {
                        let before = set_label(batch, task, &id, label.as_deref(), &who, now)?;
                        if before != label {
                            changed.push((id, before));
                        }
                    }
                    Ok(changed)
                });
                changed.map(Done::Labelled).map_err(store)
            }
            Job::Look { looks } => {
                tasks.set_looks(task, &regions(&looks)).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Mark => tasks.last_claim().map(Done::Marked).map_err(store),
            Job::Probe => probe(tasks),
            Job::RemoveSource(source) => {
                tasks.remove_source(&source).map_err(store)?;
                // Any of them may have looked at it.
                for task in self.tasks.list().map_err(store)? {
                    self.tell_facts(&task.name.into());
                }
                Ok(Done::Plain)
            }
            Job::Rollback { who } => {
                tasks.rollback(task, &who, now).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Set { adapts, threshold } => {
                tasks.set_how(task, adapts, threshold).map_err(store)?;
                Ok(Done::Plain)
            }
            Job::Undo { forget, labels, generation, who } => self.undo(task, forget, &labels, generation, &who),
        }
    }

    /// The head of before first, then the labels, then the samples: what is forgotten last takes the heads with it that were
    /// fitted on it, and none of them is in service any more.
    fn undo(
        &mut self,
        task: &str,
        forget: Vec<SampleId>,
        labels: &[(SampleId, Option<String>)],
        generation: Option<u32>,
        who: &str,
    ) -> Result<Done, Trouble> {
        let now = Timestamp::now();
        let tasks = &mut self.tasks;
        let store = |error: StoreError| trouble(&error);
        let before = tasks.digest(task).map_err(store)?;
        let in_service = tasks.task(task).map_err(store)?.in_service;
        if let Some(generation) = generation.map(Generation).filter(|&generation| Some(generation) != in_service)
            && tasks.head(task, generation).is_ok()
        {
            if tasks.before(task).is_ok_and(|before| before == generation) {
                tasks.rollback(task, who, now).map_err(store)?;
            } else {
                tasks.activate(task, generation, who, false, now).map_err(store)?;
            }
        }
        // What somebody forgot since needs no undoing.
        let mut known = Vec::with_capacity(forget.len());
        for id in forget {
            if tasks.has_sample(task, &id).map_err(store)? {
                known.push(id);
            }
        }
        let relabelled = tasks.batch(|batch| -> Result<(), StoreError> {
            for (id, label) in labels {
                if batch.has_sample(task, id)? {
                    set_label(batch, task, id, label.as_deref(), who, now)?;
                }
            }
            Ok(())
        });
        relabelled.map_err(store)?;
        if !known.is_empty() {
            let options = Options { who: who.to_owned(), ..self.options.clone() };
            adaptation::forget(tasks, task, &Forget::Samples(known), &options)
                .map_err(|error| adapt_trouble(&error))?;
        }
        let after = tasks.digest(task).map_err(store)?;
        Ok(Done::Undone { before: before.to_string(), after: after.to_string() })
    }
}

/// A sample on its way in.
struct Keep {
    ticket: Ticket,
    task: Arc<str>,
    taken: Box<Taken>,
    label: Option<String>,
    group_key: Option<String>,
    payload: bool,
    who: String,
}

impl Keep {
    /// The outer error ends the transaction, the inner one is this sample's.
    fn store(&self, batch: &Batch<'_>, now: Timestamp) -> Result<Result<Done, Trouble>, StoreError> {
        let taken = &self.taken;
        let new = NewSample {
            payload: &taken.payload,
            media: taken.media,
            source: &taken.source,
            taken: taken.time,
            group_key: self.group_key.as_deref(),
            phash: Some(taken.phash),
            thumbnail: taken.thumbnail.as_ref(),
            codes: &taken.codes,
            saturated: taken.saturated,
            norm: taken.norm,
            extractor: &taken.extractor,
            label: self.label.as_deref(),
            who: &self.who,
        };
        match batch.add_sample(&self.task, &new, now) {
            Ok(added) => {
                if let Added::New(id) = &added
                    && !self.payload
                {
                    batch.drop_payload(&self.task, id)?;
                }
                Ok(Ok(Done::Kept(added)))
            }
            Err(error) => match trouble(&error) {
                Trouble { kind: TroubleKind::Store, .. } => Err(error),
                own => Ok(Err(own)),
            },
        }
    }
}

/// How a task stands; the head in service is read only where it is another one than is served.
pub(super) fn facts(tasks: &Tasks, task: &Arc<str>, served: &Served) -> Result<Facts, StoreError> {
    let record = tasks.task(task)?;
    let head = match record.in_service {
        Some(generation) => match served.of(task).filter(|head| head.generation == generation) {
            // Of another device's head, labels may have proved it since.
            Some(head) if head.installed.is_none() || head.unproved() == tasks.is_unproved(task, generation)? => {
                Some(head)
            }
            _ => Some(Arc::new(tasks.head(task, generation)?)),
        },
        None => None,
    };
    served.put(task, head.clone());
    Ok(Facts {
        task: Arc::clone(task),
        backbone: record.backbone,
        backbone_id: record.backbone_id,
        classes: tasks.labelled_by_class(task)?,
        unlabelled: record.samples - record.labelled,
        new_labels: tasks.new_labels(task)?,
        head: head.as_deref().map(head_facts),
        looks: tasks.looks(task)?.into_iter().map(|Region { source, crop }| Look { source, crop }).collect(),
        payload_bytes: tasks.payload_bytes(task)?,
        adapts: record.adapts,
        threshold: record.threshold,
    })
}

fn head_facts(head: &StoredHead) -> HeadFacts {
    let evaluation = head.file.provenance.evaluation.as_ref();
    let accuracy = evaluation.map(|of| [of.accuracy, of.accuracy_interval.0, of.accuracy_interval.1]);
    let from = head.installed.as_ref().map(|of| of.device.clone());
    HeadFacts { generation: head.generation.0, accuracy, unproved: head.unproved(), from }
}

fn regions(looks: &[Look]) -> Vec<Region> {
    looks.iter().map(|Look { source, crop }| Region { source: source.clone(), crop: *crop }).collect()
}

/// A sample by the beginning of its id, or the newest.
fn sample_of(tasks: &Tasks, task: &str, named: &str) -> Result<SampleId, StoreError> {
    if named != "last" {
        return Ok(tasks.sample(task, named)?.id);
    }
    let newest = tasks.samples(task, &Filter::All)?.pop();
    newest
        .map(|sample| sample.id)
        .ok_or_else(|| StoreError::NoSample { task: task.to_owned(), sample: "last".to_owned() })
}

fn set_label(
    batch: &Batch<'_>,
    task: &str,
    id: &SampleId,
    label: Option<&str>,
    who: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    match label {
        Some(class) => batch.label(task, id, class, who, now),
        None => batch.unlabel(task, id, who, now),
    }
}

/// Whether something can be written: there is room again, and bytes and a transaction arrive on the disk.
fn probe(tasks: &mut Tasks) -> Result<Done, Trouble> {
    let store = |words: String| Trouble { kind: TroubleKind::Store, words };
    let free = rustix::fs::statvfs(tasks.dir()).map_err(|error| store(format!("the disk cannot be asked: {error}")))?;
    let bytes = free.f_bavail.saturating_mul(free.f_frsize);
    if bytes < FREE_BYTES {
        return Err(store(format!("the disk is full: {} KiB are free", bytes >> 10)));
    }
    tasks.try_writing(FREE_BYTES).map(|()| Done::Plain).map_err(|error| store(causes(&error)))
}

pub(super) fn adapt_trouble(error: &AdaptError) -> Trouble {
    match error {
        AdaptError::Store(error) => trouble(error),
        error => Trouble { kind: TroubleKind::Failed, words: causes(error) },
    }
}

pub(super) fn install_trouble(error: &InstallError) -> Trouble {
    match error {
        InstallError::Store(error) => trouble(error),
        error => Trouble { kind: TroubleKind::Failed, words: causes(error) },
    }
}

/// Whose fault it is.
fn trouble(error: &StoreError) -> Trouble {
    let kind = match error {
        StoreError::Io { .. } => TroubleKind::Store,
        StoreError::Database { source, .. } => match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                TroubleKind::Store
            }
            _ => TroubleKind::Failed,
        },
        StoreError::NoBackbone { .. }
        | StoreError::NoClass { .. }
        | StoreError::NoGeneration { .. }
        | StoreError::NoSample { .. }
        | StoreError::NoTask { .. } => TroubleKind::NotFound,
        StoreError::AmbiguousSample { .. }
        | StoreError::ClassName { .. }
        | StoreError::ClassesOnly { .. }
        | StoreError::TaskName { .. }
        | StoreError::TooManyClasses { .. } => TroubleKind::Invalid,
        StoreError::FeaturesMissing { .. }
        | StoreError::InService { .. }
        | StoreError::NothingBefore { .. }
        | StoreError::PayloadGone { .. }
        | StoreError::Stale { .. }
        | StoreError::TaskExists { .. } => TroubleKind::Conflict,
        _ => TroubleKind::Failed,
    };
    Trouble { kind, words: causes(error) }
}
