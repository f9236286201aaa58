//! Carries out commands, a few at a time, on threads of its own: an adaptation takes its time, and nobody waits for it. Knows
//! nothing of brokers.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::json;

use super::message::Message;
use super::order::{Order, What};
use super::picture::{JPEG, fitting};
use super::reply::Data;
use crate::config::SourceKind;
use crate::daemon::command::{Command, CommandError};
use crate::daemon::handle::Handle;
use crate::door::health::readiness;

/// Commands that are carried out at a time.
const AT_A_TIME: usize = 4;
/// And that wait.
const WAITING: usize = 32;
/// Who asks, for the history.
const WHO: &str = "mqtt";

/// Where an answer is given: the key of its command, and the message.
pub(super) type Answered = dyn Fn(Option<String>, Message) + Send + Sync;

pub(super) struct Operator {
    orders: SyncSender<Order>,
}

impl Operator {
    /// Answers have so many bytes at most.
    pub(super) fn start(handle: &Handle, most: usize, answered: &Arc<Answered>) -> std::io::Result<Self> {
        let (orders, taken) = sync_channel(WAITING);
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..AT_A_TIME {
            let (handle, taken, answered) = (handle.clone(), Arc::clone(&taken), Arc::clone(answered));
            thread::Builder::new().name("mqtt-command".to_owned()).spawn(move || {
                while let Some(Order { what, key, reply, wait: _ }) = next(&taken) {
                    let answer = carry_out(&handle, what, most);
                    answered(key, reply.message(&answer, most));
                }
            })?;
        }
        Ok(Self { orders })
    }

    /// Has a command carried out; gives it back where too many wait.
    pub(super) fn carry_out(&self, order: Order) -> Result<(), Box<Order>> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Disconnected(order) | TrySendError::Full(order) => Box::new(order),
        })
    }
}

fn next(orders: &Mutex<Receiver<Order>>) -> Option<Order> {
    orders.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn carry_out(handle: &Handle, what: What, most: usize) -> Result<Data, CommandError> {
    match what {
        What::Command(command) => {
            let reply = handle.ask_and_wait(command, WHO)?;
            let document = serde_json::to_value(&reply);
            Ok(Data::Document(document.map_err(|error| CommandError::Failed(error.to_string()))?))
        }
        What::Health => Ok(Data::Document(health(handle))),
        What::Publish(_) => {
            Err(CommandError::Failed("a head is published elsewhere; this is a bug in acclimate".to_owned()))
        }
        What::Picture(source) => picture(handle, source, most),
    }
}

fn health(handle: &Handle) -> serde_json::Value {
    let view = Arc::clone(&handle.view.borrow());
    let found = readiness(&view, &(handle.pulse)());
    json!({
        "readiness": found,
        "version": view.version,
        "started": view.started,
        "sources": view.sources,
        "tasks": view.tasks,
    })
}

/// The newest picture of a source: it is asked for one, where it can be.
fn picture(handle: &Handle, source: Option<String>, most: usize) -> Result<Data, CommandError> {
    let view = Arc::clone(&handle.view.borrow());
    let source = match (source, view.sources.as_slice()) {
        (Some(source), _) => source,
        (None, [only]) => only.name.clone(),
        (None, sources) => {
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            return Err(CommandError::Invalid(format!(
                "expected `source`: one of {}",
                if names.is_empty() { "none, for there is no source".to_owned() } else { names.join(", ") }
            )));
        }
    };
    let is_asked = |kind: &str| SourceKind::of_word(kind).is_some_and(SourceKind::is_asked);
    if view.sources.iter().any(|known| known.name == source && is_asked(&known.kind)) {
        handle.ask_and_wait(Command::Sense { source: source.clone() }, WHO)?;
    }
    let frame = handle.newest.of(&source);
    let frame = frame.ok_or_else(|| CommandError::NotFound(format!("source `{source}` has given no frame yet")))?;
    // In JSON three bytes take four, and what stands around it takes some.
    let bytes = fitting(&frame, None, (most / 4 * 3).saturating_sub(512)).map_err(CommandError::Failed)?;
    Ok(Data::Picture { source, taken: frame.taken.to_string(), media: JPEG, bytes })
}
