//! What the core is told, on its way there. Bounded: what may be lost is shed and counted when the core is behind, what may
//! not waits. Knows nothing of what the core does with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::core::Event;

/// Events that wait.
const WAITING: usize = 256;

/// Where events are put; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    sender: SyncSender<Event>,
    shed: Arc<AtomicU64>,
}

impl Inbox {
    pub(super) fn new() -> (Self, Receiver<Event>) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self { sender, shed: Arc::default() }, receiver)
    }

    /// Tells, and waits for room; false once nobody listens any more.
    pub(super) fn tell(&self, event: Event) -> bool {
        self.sender.send(event).is_ok()
    }

    /// Tells if there is room.
    pub(super) fn offer(&self, event: Event) {
        if self.sender.try_send(event).is_err() {
            self.shed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was offered and found no room.
    pub(super) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}
