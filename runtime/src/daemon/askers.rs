//! Who waits for an answer of the core, by number. Knows nothing of what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::command::{CommandError, Reply};
use super::core::Request as Asking;
use crate::store::Added;

/// Who waits for an answer, by number.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Askers>>);

#[derive(Default)]
pub(super) struct Askers {
    next: Asking,
    pub(super) commands: HashMap<Asking, oneshot::Sender<Result<Reply, CommandError>>>,
    pub(super) offers: HashMap<Asking, oneshot::Sender<Result<Added, CommandError>>>,
}

impl Waiting {
    pub(super) fn of_command(&self, answer: oneshot::Sender<Result<Reply, CommandError>>) -> Asking {
        let mut askers = self.askers();
        askers.next += 1;
        let request = askers.next;
        askers.commands.insert(request, answer);
        request
    }

    pub(super) fn of_offer(&self, answer: oneshot::Sender<Result<Added, CommandError>>) -> Asking {
        let mut askers = self.askers();
        askers.next += 1;
        let request = askers.next;
        askers.offers.insert(request, answer);
        request
    }

    pub(super) fn askers(&self) -> MutexGuard<'_, Askers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
