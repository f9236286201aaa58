//! The mapping thread: where the head in service looks in a picture, for who asks. Reads only.
//!
//! It is begun by the first question, does one thing after the other at low priority, and ends a while after the last, and
//! with it goes the backbone that it opened: a device on which nobody looks carries neither. Knows nothing of doors.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use acclimate_backbone::{ActivationMaps, EngineOptions, Picture};

use super::command::{CommandError, Look};
use super::fit::make_way;
use super::inference::{cropped, picture};
use crate::causes;
use crate::class_map::{ClassMapError, class_map, within};
use crate::embedding::{OpenError, Opener};
use crate::record::ClassMapRecord;
use crate::source::Frame;
use crate::store::{Access, StoreError, Tasks};

/// How long the thread, and the backbone that it opened, outlive the last question.
const IDLE: Duration = Duration::from_secs(45);

/// Questions that may wait.
const WAITING: usize = 4;

/// Whose picture it is.
#[derive(Clone, Debug)]
pub enum Of {
    /// A frame, of which a task sees a region.
    Frame(Arc<Frame>, Look),
    /// A sample, by its id or the beginning of it.
    Sample(String),
}

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The daemon's reasons.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the answer goes.
type Answer = Box<dyn FnOnce(Result<ClassMapRecord, MappingError>) + Send>;

struct Question {
    task: String,
    of: Of,
    class: Option<String>,
    answer: Answer,
}

/// What begins the thread and hands it questions. Cheap to clone.
#[derive(Clone)]
pub struct Mapping {
    /// The way to the thread while there is one.
    thread: Arc<Mutex<Option<SyncSender<Question>>>>,
    opener: Opener,
    data_dir: PathBuf,
}

impl Mapping {
    /// Of the tasks in a data directory.
    pub fn new(opener: Opener, data_dir: PathBuf) -> Self {
        // One thread: frames go first.
        let options = EngineOptions { threads: 1, ..opener.options.clone() };
        Self { thread: Arc::default(), opener: Opener { options, ..opener }, data_dir }
    }

    /// Asks where the head in service of a task looks for a class, or for what it takes the picture for. `answer` is called
    /// once, on another thread; never if the program ends before.
    ///
    /// # Errors
    /// When too many questions wait, or there is no thread to be had.
    pub fn ask(
        &self,
        task: String,
        of: Of,
        class: Option<String>,
        answer: impl FnOnce(Result<ClassMapRecord, MappingError>) + Send + 'static,
    ) -> Result<(), CommandError> {
        let mut thread = self.thread();
        let to = if let Some(to) = &*thread {
            to.clone()
        } else {
            let (to, questions) = sync_channel(WAITING);
            let mut work = Work { mapping: self.clone(), open: None };
            thread::Builder::new()
                .name("mapping".to_owned())
                .spawn(move || work.run(&questions))
                .map_err(|error| CommandError::Failed(format!("could not start a thread to look: {error}")))?;
            thread.insert(to).clone()
        };
        to.try_send(Question { task, of, class, answer: Box::new(answer) }).map_err(|error| match error {
            TrySendError::Full(_) => {
                CommandError::Unavailable("too many ask where the head looks: try again".to_owned())
            }
            TrySendError::Disconnected(_) => {
                // It ended with a panic; the next question begins another.
                *thread = None;
                CommandError::Failed("the thread that looks had ended; this is a bug in acclimate".to_owned())
            }
        })
    }

    fn thread(&self) -> MutexGuard<'_, Option<SyncSender<Question>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's state.
struct Work {
    mapping: Mapping,
    /// The backbone that was opened last, by its id.
    open: Option<([u8; 32], ActivationMaps)>,
}

impl Work {
    fn run(&mut self, questions: &Receiver<Question>) {
        make_way();
        loop {
            let question = match questions.recv_timeout(IDLE) {
                Ok(question) => question,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    // Under the lock nobody can ask, so a question is answered by this thread or begins the next.
                    let mapping = self.mapping.clone();
                    let mut thread = mapping.thread();
                    let Ok(question) = questions.try_recv() else {
                        *thread = None;
                        return;
                    };
                    question
                }
            };
            let Question { task, of, class, answer } = question;
            answer(self.map(&task, &of, class.as_deref()));
        }
    }

    fn map(&mut self, task: &str, of: &Of, class: Option<&str>) -> Result<ClassMapRecord, MappingError> {
        let tasks = Tasks::open(&self.mapping.data_dir, &Access::Read)?;
        let none = || {
            CommandError::NotFound(format!(
                "task `{task}` has no head in service yet: label samples of two classes, then adapt"
            ))
        };
        let head = tasks.in_service(task)?.ok_or_else(none)?;
        let known = tasks.task_on(task, &head.file.backbone_id)?;
        let wrong = |error: &dyn std::error::Error| CommandError::Invalid(causes(error));
        let (picture, crop, sample) = match of {
            Of::Frame(frame, look) => {
                let whole = picture(&frame.content).map_err(|error| wrong(&error))?;
                let seen = look.crop.map_or(Ok(whole.clone()), |crop| cropped(&whole, crop));
                (seen.map_err(|error| wrong(&error))?, look.crop, None)
            }
            Of::Sample(id) => {
                let id = tasks.sample(task, id)?.id;
                let picture = Picture::decode(&tasks.payload(task, &id)?).map_err(|error| wrong(&error))?;
                (picture, None, Some(id.to_string()))
            }
        };
        if self.open.as_ref().is_none_or(|(id, _)| *id != known.backbone_id) {
            // The one before goes first: two may be more than there is room for.
            self.open = None;
            let maps = self.mapping.opener.maps_for(&known).map_err(|error| match &error {
                OpenError::Maps { .. } => CommandError::NotFound(causes(&error)),
                _ => CommandError::Failed(causes(&error)),
            })?;
            self.open = Some((known.backbone_id, maps));
        }
        let Some((_, maps)) = &mut self.open else {
            return Err(CommandError::Failed("no backbone is open; this is a bug in acclimate".to_owned()).into());
        };
        let map = class_map(maps, &head, &picture, class).map_err(|error| match &error {
            ClassMapError::Class { .. } => CommandError::NotFound(causes(&error)),
            // Whether the mean is over all of a map shows when it runs.
            ClassMapError::Activation(acclimate_backbone::ActivationError::NoMap { .. }) => {
                CommandError::NotFound(causes(&error))
            }
            _ => CommandError::Failed(causes(&error)),
        })?;
        let record = ClassMapRecord { sample, ..ClassMapRecord::new(&map, &head) };
        Ok(match of {
            Of::Frame(frame, _) => ClassMapRecord {
                region: crop.map_or(record.region, |crop| within(crop, record.region)),
                source: Some(frame.source.to_string()),
                taken: Some(frame.taken.to_string()),
                ..record
            },
            Of::Sample(_) => record,
        })
    }
}
