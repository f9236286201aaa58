//! Pictures that appear in a folder: those that are there first, in order of name, then each as soon as it is whole. What is
//! whole is decided in `settling`; here is the doing: listing, watching, reading, and what becomes of a file that was taken.
//!
//! The folder is watched, and listed every few seconds as well: a network file system tells nobody of its changes. One that
//! vanishes is lost, and found again.

mod settling;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use self::settling::{Listed, Settling};
use super::replay::read;
use super::session::{Session, keep_open};
use super::{Content, Feed, Source, Stop};
use crate::config::{self, After};
use crate::inputs;

/// Longest time between two listings.
const LISTING: Duration = Duration::from_secs(5);
/// Where files go with `after = "move"`.
const DONE: &str = "done";

/// A source of kind `folder`.
pub(super) struct Folder {
    path: PathBuf,
    after: After,
    settling: Settling,
}

/// What wakes the source.
enum Woken {
    /// A file was closed by who wrote it, or moved here: it is whole.
    Whole(String),
    /// Something else changed, or it is to stop.
    Look,
}

impl Folder {
    pub(super) fn new(config: &config::Source) -> Self {
        let path = config.path.clone().unwrap_or_default();
        Self { path, after: config.after, settling: Settling::default() }
    }

    fn watch(&mut self, session: &mut Session<'_>) -> String {
        let (sender, woken) = sync_channel(64);
        // Held: dropping it ends the watch.
        let _watcher = match watcher(&self.path, sender.clone()) {
            Ok(watcher) => watcher,
            Err(error) => return format!("could not watch the folder {}: {}", self.path.display(), plain(&error)),
        };
        let _waker = session.stop.on_set(move || drop(sender.try_send(Woken::Look)));
        loop {
            let listed = match list(&self.path) {
                Ok(listed) => listed,
                Err(error) => return format!("could not list the folder {}: {error}", self.path.display()),
            };
            session.works();
            self.settling.listed(listed, session.now());
            while let Some(name) = self.settling.whole(session.now()) {
                if !self.take(&name, session) {
                    return String::new();
                }
            }
            let wait = self.settling.next(session.now()).map_or(LISTING, |next| next.min(LISTING));
            self.wait(&woken, wait);
            if session.stop.is_set() {
                return String::new();
            }
        }
    }

    /// Waits for something to happen, then notes all that has.
    fn wait(&mut self, woken: &Receiver<Woken>, time: Duration) {
        let first = match woken.recv_timeout(time) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        for woken in std::iter::once(first).chain(woken.try_iter()) {
            if let Woken::Whole(name) = woken {
                self.settling.closed(&name);
            }
        }
    }

    /// Hands a file over and does with it what was asked for; false when told to stop.
    fn take(&mut self, name: &str, session: &Session<'_>) -> bool {
        let path = self.path.join(name);
        match read(&path) {
            Ok(bytes) => {
                if !session.feed.give(Timestamp::now(), Content::File(bytes), session.stop) {
                    return false;
                }
            }
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(error) => {
                tracing::warn!("{}: {error}", path.display());
                return true;
            }
        }
        let done = match self.after {
            After::Keep => Ok(()),
            After::Delete => std::fs::remove_file(&path),
            After::Move => put_away(&self.path, name),
        };
        if let Err(error) = done {
            tracing::warn!("{} was taken in and stays: {error}", path.display());
        }
        true
    }
}

impl Source for Folder {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        keep_open(feed, stop, |session| self.watch(session));
    }
}

fn watcher(folder: &Path, sender: SyncSender<Woken>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let whole = matches!(
            event.kind,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
        );
        let look =
            matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        let name = event.paths.last().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        // Where the queue is full, the next listing sees what this was about.
        match name {
            Some(name) if whole => drop(sender.try_send(Woken::Whole(name))),
            _ if look => drop(sender.try_send(Woken::Look)),
            _ => {}
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Pictures in the folder itself. Names that are not text or begin with a dot are not for us: that is how one hides a file
/// that is not whole.
fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || !inputs::is_named_like_a_picture(Path::new(&name)) {
            continue;
        }
        // It may be gone by now.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        if metadata.is_file() {
            let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
            listed.push(Listed { name, bytes: metadata.len(), modified });
        }
    }
    Ok(listed)
}

/// Moves a file to the folder `done`; of two with one name, the second gets a number.
fn put_away(folder: &Path, name: &str) -> io::Result<()> {
    let done = folder.join(DONE);
    std::fs::create_dir_all(&done)?;
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    for number in 0..10_000 {
        let to = done.join(if number == 0 { name.to_owned() } else { format!("{stem}-{number}.{ending}") });
        // A link fails where the name is taken; a rename would replace what is there.
        match std::fs::hard_link(folder.join(name), &to) {
            Ok(()) => return std::fs::remove_file(folder.join(name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without links.
            Err(_) if !to.exists() => return std::fs::rename(folder.join(name), to),
            Err(_) => {}
        }
    }
    Err(io::Error::other(format!("10000 files called {name} are in {}", done.display())))
}

fn plain(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::PathNotFound => "it is not there".to_owned(),
        notify::ErrorKind::MaxFilesWatch => "too many are watched: raise fs.inotify.max_user_watches".to_owned(),
        notify::ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => "it is not there".to_owned(),
        notify::ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
