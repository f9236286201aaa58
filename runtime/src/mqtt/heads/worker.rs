//! Signs heads that are to be published, and has the daemon judge those that came: one after the other, on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::causes;
use crate::clock;
use crate::daemon::command::{Command, CommandError};
use crate::daemon::handle::Handle;
use crate::daemon::signed::Signed;
use crate::mqtt::message::Message;
use crate::mqtt::order::Order;
use crate::mqtt::topics::Topics;
use crate::store::{Access, Digest, Tasks};
use crate::sync::{DAYS, IssueError, Keyring, Trusted, issue, issue_record, split};

/// Jobs that wait.
const WAITING: usize = 16;
/// A packet of a head has so many bytes at most, whatever this device and its broker take: others listen, too.
const PACKET: usize = 128 << 10;
/// Who asks, for the history.
const WHO: &str = "mqtt";

/// What is published is called so.
#[derive(Clone, Debug)]
pub(in crate::mqtt) struct Setup {
    pub(in crate::mqtt) topics: Topics,
    pub(in crate::mqtt) device: String,
    /// The largest packet.
    pub(in crate::mqtt) packet: u32,
    /// Bytes that may be owed.
    pub(in crate::mqtt) outbox: u64,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(in crate::mqtt) enum Job {
    /// The daemon takes a head in, or refuses it.
    Install { of: Digest, task: String, signed: Signed },
    /// A task's head is signed and cut.
    Publish { task: String, order: Option<Box<Order>> },
}

/// What was done.
#[derive(Debug)]
pub(in crate::mqtt) enum Done {
    /// There is a verdict, or why there is none.
    Installed { of: Digest, task: String, signed: Signed, outcome: Result<(), CommandError> },
    /// Messages to be owed; or why not, and whether that is because the head was learnt elsewhere, or there is none.
    Published { task: String, order: Option<Box<Order>>, outcome: Result<Published, (bool, CommandError)> },
}

/// A signed head in messages.
#[derive(Debug)]
pub(in crate::mqtt) struct Published {
    /// What is said of it.
    pub(super) record: serde_json::Value,
    /// The manifest first: whoever listens gets the parts as they come.
    pub(super) messages: Vec<Message>,
}

pub(super) struct Worker {
    jobs: SyncSender<(Job, usize)>,
    /// The largest packet, as the broker has it.
    pub(super) packet: usize,
}

impl Worker {
    pub(super) fn start(setup: Setup, handle: Handle, done: Arc<dyn Fn(Done) + Send + Sync>) -> std::io::Result<Self> {
        let (jobs, taken) = sync_channel(WAITING);
        let packet = setup.packet as usize;
        let run = move || work(&setup, &handle, &taken, &*done);
        std::thread::Builder::new().name("mqtt-heads".to_owned()).spawn(run)?;
        Ok(Self { jobs, packet })
    }

    /// Gives a job back where too many wait.
    pub(super) fn put(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send((job, self.packet)).map_err(|error| match error {
            TrySendError::Disconnected((job, _)) | TrySendError::Full((job, _)) => job,
        })
    }
}

fn work(setup: &Setup, handle: &Handle, jobs: &Receiver<(Job, usize)>, done: &dyn Fn(Done)) {
    while let Ok((job, packet)) = jobs.recv() {
        done(match job {
            Job::Install { of, task, signed } => {
                let command = Command::Install { task: task.clone(), signed: signed.clone() };
                let outcome = handle.ask_and_wait(command, WHO).map(drop);
                Done::Installed { of, task, signed, outcome }
            }
            Job::Publish { task, order } => {
                let outcome = publish(setup, &handle.data_dir, &task, packet.min(PACKET));
                Done::Published { task, order, outcome }
            }
        });
    }
}

/// The head in service, signed and cut into messages.
fn publish(setup: &Setup, data_dir: &Path, task: &str, packet: usize) -> Result<Published, (bool, CommandError)> {
    let conflict = |error: &dyn std::error::Error| (false, CommandError::Conflict(causes(error)));
    let key = Keyring::of(data_dir).device().map_err(|error| conflict(&error))?;
    let tasks = Tasks::open(data_dir, &Access::Read).map_err(|error| (false, error.into()))?;
    let issued = issue(&tasks, task, &key, &setup.device, DAYS, clock::believed());
    let (statement, signed) = issued.map_err(|error| match error {
        IssueError::Store(error) => (false, error.into()),
        IssueError::Foreign { .. } | IssueError::NoHead { .. } => (true, CommandError::Conflict(causes(&error))),
        error => conflict(&error),
    })?;
    let parts = split(&key, &statement, &signed, packet).map_err(|error| conflict(&error))?;
    let bytes = (signed.len() + parts.manifest.len()) as u64;
    if bytes > setup.outbox / 2 {
        let words = format!(
            "the signed head has {bytes} bytes, and half of what may wait for the broker is {}: raise `outbox_mib` in [mqtt]",
            setup.outbox / 2
        );
        return Err((false, CommandError::Conflict(words)));
    }
    let base = setup.topics.own(&format!("{task}/head"));
    let message = |topic, payload: &[u8]| Message { topic, payload: payload.to_vec(), ..Message::default() }.retained();
    let mut messages = vec![message(base.clone(), &parts.manifest)];
    messages.extend(parts.parts.iter().enumerate().map(|(part, bytes)| message(format!("{base}/{part}"), bytes)));
    let record = issue_record(&Trusted { name: setup.device.clone(), key: key.public() }, &statement);
    let record = serde_json::json!({
        "published": record, "topic": base, "bytes": signed.len(), "parts": parts.parts.len(),
    });
    Ok(Published { record, messages })
}
