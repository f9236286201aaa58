//! Sinks: who is told what a task found. Each runs on a thread of its own behind a short queue, so that telling never waits;
//! what finds its queue full is shed and counted. All are told the same: the notice as JSON, with its state.
//!
//! Decides here who is told of what; the doing is in `command`, `gpio`, `webhook`. Knows nothing of tasks but their names.

mod command;
mod fares;
mod gpio;
mod outbox;
mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use crate::config::{self, SinkKind};
use crate::daemon::notice::{Event, Notice};
use crate::source::Stop;

pub use self::fares::Fares;
use self::fares::{Counts, Trouble};
pub use self::outbox::OutboxError;

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
    threads: Vec<JoinHandle<()>>,
    stop: Stop,
    fares: Fares,
}

struct Sink {
    task: String,
    events: Vec<Event>,
    queue: SyncSender<Arc<Told>>,
}

impl Sinks {
    /// Starts all sinks. What webhooks are owed lies in the data directory.
    ///
    /// # Errors
    /// When the outbox of webhooks cannot be opened.
    pub fn start(config: &[config::Sink], data_dir: &Path) -> Result<Self, OutboxError> {
        let (stop, fares) = (Stop::new(), Fares::default());
        let mut listeners = Vec::new();
        let mut threads = Vec::new();
        let hooks: Vec<&config::Sink> = config.iter().filter(|sink| sink.kind == SinkKind::Webhook).collect();
        let outbox =
            outbox::Outbox::open_for(data_dir, &hooks.iter().map(|sink| webhook::key(sink)).collect::<Vec<_>>())?;
        for sink in config {
            let (queue, told) = sync_channel(WAITING);
            let trouble = fares.trouble();
            match (sink.kind, &outbox) {
                (SinkKind::Command, _) => {
                    let command = command::Command::new(sink);
                    threads.push(spawn(told, trouble.clone(), move |told| command.tell(&told.payload)));
                }
                (SinkKind::Gpio, _) => {
                    let mut line = gpio::Line::new(sink);
                    threads.push(spawn(told, trouble.clone(), move |told| line.tell(&told.notice)));
                }
                (SinkKind::Webhook, Some(outbox)) => {
                    threads.extend(webhook::start(sink, outbox, told, &fares, trouble.clone(), &stop));
                }
                (SinkKind::Webhook, None) => {}
            }
            listeners.push(Sink { task: sink.task.clone(), events: sink.events.clone(), queue });
        }
        Ok(Self { listeners, threads, stop, fares })
    }

    /// Tells whoever is to be told. Never waits.
    pub fn tell(&self, notice: &Notice) {
        let listens = |sink: &&Sink| notice.task.as_deref() == Some(&sink.task) && sink.events.contains(&notice.event);
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
    pub fn end(self) {
        drop(self.listeners);
        self.stop.set();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a sink ended by a bug");
            }
        }
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
mod tests;
