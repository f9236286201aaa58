//! The mapping thread: where the head in service looks in a picture, for who asks. Reads only.
//!
//! It is begun by the first question, does one thing after the other at low priority, and ends a while after the last, and
//! with it goes the backbone that was opened at its map, which is a process of its own: a device on which nobody looks carries
//! neither. Knows nothing of doors.

mod apart;
mod looker;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use acclimate_backbone::EngineOptions;

use self::apart::Apart;
pub use self::apart::look;
use self::looker::Looker;
use super::command::CommandError;
use super::fit::make_way;
use crate::embedding::Opener;
use crate::record::ClassMapRecord;
use crate::source::Frame;

/// How long the thread, and the backbone that was opened, outlive the last question.
const IDLE: Duration = Duration::from_secs(45);

/// Questions that may wait.
const WAITING: usize = 4;

/// Whose picture it is.
#[derive(Clone, Debug)]
pub enum Of {
    /// A frame, of which a task sees a region `[x, y, width, height]`, in fractions.
    Frame(Arc<Frame>, Option<[f64; 4]>),
    /// A sample, by its id or the beginning of it.
    Sample(String),
}

/// Where the answer goes.
type Answer = Box<dyn FnOnce(Result<ClassMapRecord, CommandError>) + Send>;

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
    /// The program whose `look` is the process of its own; without one this process looks.
    program: Option<PathBuf>,
}

impl Mapping {
    /// Of the tasks in a data directory.
    pub fn new(opener: Opener, data_dir: PathBuf, program: Option<PathBuf>) -> Self {
        // One thread: frames go first.
        let options = EngineOptions { threads: 1, ..opener.options.clone() };
        Self { thread: Arc::default(), opener: Opener { options, ..opener }, data_dir, program }
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
        answer: impl FnOnce(Result<ClassMapRecord, CommandError>) + Send + 'static,
    ) -> Result<(), CommandError> {
        let mut thread = self.thread();
        let to = if let Some(to) = &*thread {
            to.clone()
        } else {
            let (to, questions) = sync_channel(WAITING);
            let mapping = self.clone();
            thread::Builder::new()
                .name("mapping".to_owned())
                .spawn(move || mapping.run(&questions))
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

/// What looks.
enum Eye {
    Apart(Option<Apart>),
    Here(Box<Looker>),
}

impl Mapping {
    fn run(&self, questions: &Receiver<Question>) {
        make_way();
        let here = || Looker { opener: self.opener.clone(), data_dir: self.data_dir.clone(), open: None };
        let mut eye = if self.program.is_some() { Eye::Apart(None) } else { Eye::Here(Box::new(here())) };
        loop {
            let question = match questions.recv_timeout(IDLE) {
                Ok(question) => question,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    // Under the lock nobody can ask, so a question is answered by this thread or begins the next.
                    let mut thread = self.thread();
                    let Ok(question) = questions.try_recv() else {
                        *thread = None;
                        return;
                    };
                    question
                }
            };
            let Question { task, of, class, answer } = question;
            answer(self.look_with(&mut eye, &task, &of, class.as_deref()));
        }
    }

    fn look_with(
        &self,
        eye: &mut Eye,
        task: &str,
        of: &Of,
        class: Option<&str>,
    ) -> Result<ClassMapRecord, CommandError> {
        let apart = match eye {
            Eye::Here(looker) => return looker.map(task, of, class),
            Eye::Apart(apart) => apart,
        };
        let process = match (apart.take(), &self.program) {
            (Some(process), _) => Ok(process),
            (None, Some(program)) => Apart::start(program, &self.opener, &self.data_dir),
            (None, None) => Err(std::io::ErrorKind::NotFound.into()),
        };
        let mut process = process
            .map_err(|error| CommandError::Failed(format!("could not start a process to look with: {error}")))?;
        let answered = process.ask(task, of, class).map_err(|why| {
            CommandError::Failed(format!("could not look: {why}; try again, and see the log of the daemon"))
        })?;
        // Only a process that answered is asked again.
        *apart = Some(process);
        answered
    }
}
