//! Sinks: who is told what a task found. Each runs on a thread of its own behind a short queue, so that telling never waits;
//! what finds its queue full is shed and counted. All are told the same: the notice as JSON, with its state.
//!
//! Decides here who is told of what; the doing is in `command`, `gpio`, `serial`, `webhook`. Knows nothing of tasks but their names.

mod command;
mod fares;
mod gpio;
mod outbox;
mod serial;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::config::{self, SinkKind};
use crate::daemon::notice::Notice;
use crate::outbox::OutboxError;
use crate::serial::Downlinks;
use crate::source::Stop;

pub use self::fares::Fares;
use self::fares::{Counts, Trouble};
use self::outbox::Outbox;

/// Notices that wait for one sink at most.
const WAITING: usize = 64;

/// A notice on its way, written once for all.
struct Told {
    notice: Notice,
    payload: String,
}

/// Everybody who is told.
pub struct Sinks {
    listeners: Vec<Sink>,
    /// What ends sinks that are no longer wanted and then starts new ones.
    changing: Option<JoinHandle<()>>,
    outbox: Option<Arc<Outbox>>,
    data_dir: PathBuf,
    downlinks: Downlinks,
    fares: Fares,
}

struct Sink {
    config: config::Sink,
    queue: SyncSender<Arc<Told>>,
    trouble: Trouble,
    stop: Stop,
    /// Its threads, once they are started.
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Sinks {
    /// Starts all sinks. What webhooks are owed lies in the data directory; devices of serial sources are told where those
    /// listen.
    ///
    /// # Errors
    /// When the outbox of webhooks cannot be opened.
    pub fn start(config: &[config::Sink], data_dir: &Path, downlinks: Downlinks) -> Result<Self, OutboxError> {
        let (data_dir, fares) = (data_dir.to_owned(), Fares::default());
        let mut sinks = Self { listeners: Vec::new(), changing: None, outbox: None, data_dir, downlinks, fares };
        sinks.change(config)?;
        Ok(sinks)
    }

    /// These sinks from now on. Those that are as they were go on; new ones begin once those that are gone have ended, so
    /// that no webhook is told by two at once, and what they are told meanwhile waits. Does not wait itself.
    ///
    /// # Errors
    /// When the outbox of webhooks cannot be opened; then nothing has changed.
    pub fn change(&mut self, config: &[config::Sink]) -> Result<(), OutboxError> {
        let hooks = config.iter().filter(|sink| sink.kind == SinkKind::Webhook);
        let keys: Vec<String> = hooks.map(webhook::key).collect();
        if self.outbox.is_none() && !keys.is_empty() {
            self.outbox = Some(Arc::new(Outbox::open(&self.data_dir)?));
        }
        let (mut gone, mut new) = (std::mem::take(&mut self.listeners), Vec::new());
        for sink in config {
            let same = gone.iter().position(|known| format!("{:?}", known.config) == format!("{sink:?}"));
            let listener = same.map(|at| gone.swap_remove(at));
            let listener = listener.unwrap_or_else(|| {
                let (queue, told) = sync_channel(WAITING);
                let (trouble, stop, threads) = (Trouble::default(), Stop::new(), Arc::default());
                new.push((sink.clone(), told, trouble.clone(), stop.clone(), Arc::clone(&threads)));
                Sink { config: sink.clone(), queue, trouble, stop, threads }
            });
            self.listeners.push(listener);
        }
        self.fares.are(self.listeners.iter().map(|sink| sink.trouble.clone()).collect());
        let (before, outbox, fares) = (self.changing.take(), self.outbox.clone(), self.fares.clone());
        let downlinks = self.downlinks.clone();
        self.changing = Some(std::thread::spawn(move || {
            before.into_iter().for_each(join);
            gone.into_iter().for_each(Sink::end);
            if let Some(outbox) = &outbox {
                outbox.keep_only(&keys);
            }
            for (config, told, trouble, stop, threads) in new {
                let started = begin(&config, outbox.as_ref(), &downlinks, told, &fares, trouble, &stop);
                threads.lock().unwrap_or_else(PoisonError::into_inner).extend(started);
            }
        }));
        Ok(())
    }

    /// Tells whoever is to be told. Never waits.
    pub fn tell(&self, notice: &Notice) {
        let listens = |sink: &&Sink| {
            notice.task.as_deref() == Some(&sink.config.task) && sink.config.events.contains(&notice.event)
        };
        let mut told_of = self.listeners.iter().filter(listens).peekable();
        if told_of.peek().is_none() {
            return;
        }
        let payload = match serde_json::to_string(notice) {
            Ok(payload) => payload,
            Err(error) => return tracing::error!("a notice cannot be written as JSON: {error}"),
        };
        let told = Arc::new(Told { notice: notice.clone(), payload });
        for sink in told_of {
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sink.queue.try_send(Arc::clone(&told)) {
                Counts::one(&self.fares.counts().full);
            }
        }
    }

    /// How all of them fare, from now on.
    pub fn fares(&self) -> Fares {
        self.fares.clone()
    }

    /// Ends all sinks: what waits for a program or a line is still told, what waits for a webhook is kept for the next start.
    pub fn end(&mut self) {
        self.changing.take().into_iter().for_each(join);
        // All are told to end before any is waited for.
        let ending: Vec<_> = self.listeners.drain(..).map(Sink::stop).collect();
        ending.into_iter().flatten().for_each(join);
    }
}

impl Sink {
    /// Tells it to end; what is left to be waited for.
    fn stop(self) -> Vec<JoinHandle<()>> {
        self.stop.set();
        std::mem::take(&mut self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(self) {
        self.stop().into_iter().for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a sink ended by a bug");
    }
}

/// The threads of a sink.
fn begin(
    config: &config::Sink,
    outbox: Option<&Arc<Outbox>>,
    downlinks: &Downlinks,
    told: Receiver<Arc<Told>>,
    fares: &Fares,
    trouble: Trouble,
    stop: &Stop,
) -> Vec<JoinHandle<()>> {
    match (config.kind, outbox) {
        (SinkKind::Command, _) => {
            let command = command::Command::new(config);
            vec![spawn(told, trouble, move |told| command.tell(&told.payload))]
        }
        (SinkKind::Gpio, _) => {
            let mut line = gpio::Line::new(config);
            vec![spawn(told, trouble, move |told| line.tell(&told.notice))]
        }
        (SinkKind::Serial, _) => {
            let device = serial::Device::new(config, downlinks.clone());
            vec![spawn(told, trouble, move |told| device.tell(&told.notice))]
        }
        (SinkKind::Webhook, Some(outbox)) => webhook::start(config, outbox, told, fares, trouble, stop).into(),
        (SinkKind::Webhook, None) => Vec::new(),
    }
}

/// A thread that tells one after the other, and remembers how the last one went.
fn spawn(
    told: Receiver<Arc<Told>>,
    trouble: Trouble,
    mut tell: impl FnMut(&Told) -> Result<(), String> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for told in told {
            trouble.set(tell(&told));
        }
    })
}

#[cfg(test)]
pub(crate) mod tests;
