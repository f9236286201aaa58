//! The threads of the sources: each begun, and ended by itself or with all others. Decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::shell::{StartError, spawn};
use crate::config;
use crate::source::{Inboxes, Outlet, Source, Stop, Waker};

/// Makes a source of what the configuration says of it.
pub type OpenSource = Arc<dyn Fn(&config::Source) -> Box<dyn Source> + Send + Sync>;

/// Every source that runs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sources {
    open: OpenSource,
    outlet: Arc<Outlet>,
    /// Ends them all.
    stop: Stop,
    inboxes: Inboxes,
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
    thread: JoinHandle<()>,
    /// Passes the end of all on.
    _waker: Waker,
}

impl Sources {
    pub(super) fn new(open: OpenSource, outlet: Arc<Outlet>, stop: Stop) -> Self {
        Self { open, outlet, stop, inboxes: Inboxes::default(), threads: Arc::default() }
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
        let waker = self.stop.on_set({
            let stop = stop.clone();
            move || stop.set()
        });
        let thread = spawn("source", {
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        })?;
        self.threads().running.insert(config.name.clone(), One { stop, thread, _waker: waker });
        Ok(())
    }

    /// Tells a source to end, and does not wait for that.
    pub(super) fn close(&self, name: &str) {
        self.inboxes.take(name);
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
