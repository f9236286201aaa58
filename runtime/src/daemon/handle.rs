//! How the page and the socket reach the daemon: commands in, views and notices out. Cheap to clone. Knows nothing of what
//! happens behind it; the channels are bounded, and who is too slow is told so.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{broadcast, oneshot, watch};

use super::command::{Command, CommandError, Reply};
use super::notice::Notice;
use super::view::View;
use super::vitals::Pulse;
use crate::source::{Content, Frame};
use crate::store::{Access, StoreError, Tasks};

/// A command on its way, with who asked and where the answer goes.
pub struct Asked {
    /// What to do.
    pub command: Command,
    /// Who asked, for the history.
    pub who: String,
    /// Where the answer goes; nobody may be waiting any more.
    pub answer: oneshot::Sender<Result<Reply, CommandError>>,
}

/// The daemon, from outside its threads.
#[derive(Clone)]
pub struct Handle {
    /// Commands.
    pub asked: SyncSender<Asked>,
    /// The newest view.
    pub view: watch::Receiver<Arc<View>>,
    /// Notices as they come: subscribe to it.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// The newest frame of each source.
    pub newest: Newest,
    /// What sources of kind `http` are handed.
    pub posted: Posted,
    /// How the daemon's parts fare.
    pub pulse: Pulse,
    /// Where the store lies, to be read beside the writer.
    pub data_dir: PathBuf,
}

/// Notices as they come, to one listener.
pub type Notices = broadcast::Receiver<Arc<Notice>>;

/// An answer that is to come.
type Answer = oneshot::Receiver<Result<Reply, CommandError>>;

fn ending() -> CommandError {
    CommandError::Unavailable("the daemon is ending".to_owned())
}

/// The newest frame of each source.
#[derive(Clone, Default)]
pub struct Newest {
    frames: Arc<RwLock<HashMap<Arc<str>, Arc<Frame>>>>,
}

/// Takes a picture for a source of kind `http`, by the source's name; says why not.
pub type Post = dyn Fn(&str, Content) -> Result<(), CommandError> + Send + Sync;

/// See [`Post`].
pub type Posted = Arc<Post>;

impl Handle {
    /// Asks for something and waits for the answer.
    ///
    /// # Errors
    /// When it is not carried out.
    pub async fn ask(&self, command: Command, who: &str) -> Result<Reply, CommandError> {
        self.send(command, who)?.await.unwrap_or_else(|_| Err(ending()))
    }

    /// As [`Handle::ask`], for threads that may wait.
    ///
    /// # Errors
    /// When it is not carried out.
    pub fn ask_and_wait(&self, command: Command, who: &str) -> Result<Reply, CommandError> {
        self.send(command, who)?.blocking_recv().unwrap_or_else(|_| Err(ending()))
    }

    fn send(&self, command: Command, who: &str) -> Result<Answer, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.asked.try_send(Asked { command, who: who.to_owned(), answer }).map_err(|error| match error {
            TrySendError::Disconnected(_) => ending(),
            TrySendError::Full(_) => CommandError::Unavailable("too many commands wait: try again".to_owned()),
        })?;
        Ok(answered)
    }

    /// Reads the store beside its writer. Blocks: call it where that is allowed.
    ///
    /// # Errors
    /// When the store cannot be read, or `read` fails.
    pub fn read<T>(&self, read: impl FnOnce(&Tasks) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&Tasks::open(&self.data_dir, &Access::Read)?)
    }
}

impl Newest {
    /// Keeps a frame in place of the one before.
    pub fn keep(&self, frame: Arc<Frame>) {
        self.frames.write().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&frame.source), frame);
    }

    /// Forgets that of a source which is gone.
    pub fn forget(&self, source: &str) {
        self.frames.write().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// The newest frame of a source.
    pub fn of(&self, source: &str) -> Option<Arc<Frame>> {
        self.frames.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }
}
