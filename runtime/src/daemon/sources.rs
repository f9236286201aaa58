//! The threads of the sources: each begun, and ended by itself or with all others. Decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::shell::{StartError, spawn};
use crate::config::{self, Config, SourceKind};
use crate::serial::Downlinks;
use crate::source::{Ask, Inboxes, Outlet, Source, Stop, Waker};
use crate::store::{AddedSource, StoreError, Tasks};

/// Makes a source of what the configuration says of it.
pub type OpenSource = Arc<dyn Fn(&config::Source) -> Box<dyn Source> + Send + Sync>;

/// The sources that were added while it ran, before.
pub(super) fn added(tasks: &Tasks, config: &Config) -> Result<Vec<config::Source>, StoreError> {
    let declared = |name: &str| config.source.iter().any(|source| source.name == name);
    let mut added = Vec::new();
    for AddedSource { name, kind, device } in tasks.added_sources()? {
        let source = match SourceKind::of_word(&kind) {
            _ if declared(&name) => Err("the configuration declares another of this name, which wins".to_owned()),
            Some(kind) => config::Source::added(&name, kind, device.as_deref()),
            None => Err(format!("`{kind}` is no kind that this version knows")),
        };
        match source {
            Ok(source) => added.push(source),
            Err(why) => tracing::warn!("source `{name}`, which was added on the page, is left out: {why}"),
        }
    }
    Ok(added)
}

/// Every source that runs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sources {
    open: OpenSource,
    outlet: Arc<Outlet>,
    /// Ends them all.
    stop: Stop,
    inboxes: Inboxes,
    downlinks: Downlinks,
    threads: Arc<Mutex<Threads>>,
}

#[derive(Default)]
struct Threads {
    running: BTreeMap<String, One>,
    /// Told to end, and perhaps not yet at their end.
    leaving: Vec<JoinHandle<()>>,
}

struct One {
    stop: Stop,
    /// Asks it for a frame, where it can be asked.
    ask: Option<Ask>,
    thread: JoinHandle<()>,
    /// Passes the end of all on.
    _waker: Waker,
}

impl Sources {
    pub(super) fn new(open: OpenSource, outlet: Arc<Outlet>, downlinks: Downlinks, stop: Stop) -> Self {
        Self { open, outlet, stop, inboxes: Inboxes::default(), downlinks, threads: Arc::default() }
    }

    /// Where pictures are handed to those that take some.
    pub(super) fn inboxes(&self) -> &Inboxes {
        &self.inboxes
    }

    /// Begins a source.
    pub(super) fn open(&self, config: &config::Source) -> Result<(), StartError> {
        let (mut source, feed, stop) = ((self.open)(config), self.outlet.feed(&config.name), Stop::new());
        if let Some(inbox) = source.inbox() {
            self.inboxes.put(&config.name, inbox);
        }
        if let Some(downlink) = source.downlink() {
            self.downlinks.put(&config.name, downlink);
        }
        let waker = self.stop.on_set({
            let stop = stop.clone();
            move || stop.set()
        });
        let ask = source.ask();
        let thread = spawn("source", {
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        })?;
        self.threads().running.insert(config.name.clone(), One { stop, ask, thread, _waker: waker });
        Ok(())
    }

    /// Asks a source for a frame.
    pub(super) fn ask(&self, name: &str) {
        if let Some(ask) = self.threads().running.get(name).and_then(|one| one.ask.as_ref()) {
            ask.now();
        }
    }

    /// Tells a source to end, and does not wait for that.
    pub(super) fn close(&self, name: &str) {
        self.inboxes.take(name);
        self.downlinks.take(name);
        let mut threads = self.threads();
        threads.leaving.retain(|thread| !thread.is_finished());
        if let Some(One { stop, thread, .. }) = threads.running.remove(name) {
            stop.set();
            threads.leaving.push(thread);
        }
    }

    /// Every thread, to be waited for.
    pub(super) fn take(&self) -> Vec<JoinHandle<()>> {
        let Threads { running, leaving } = std::mem::take(&mut *self.threads());
        running.into_values().map(|one| one.thread).chain(leaving).collect()
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
