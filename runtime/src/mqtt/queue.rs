//! What the broker is owed, in order: predictions in memory while it takes them, on the disk while it does not; everything
//! else on the disk at once. Knows no connection.

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Message, Weight};
use super::outbox::{Outbox, Owed};

/// What waits in memory at most.
const IN_MEMORY: usize = 256;
/// How long a prediction waits for others before they are written together.
const TOGETHER: Duration = Duration::from_secs(1);

pub(super) struct Queue {
    outbox: Outbox,
    memory: VecDeque<Owed>,
    /// Since when the oldest in memory waits for the disk.
    waits: Option<Duration>,
    next: u64,
    /// Whether the broker takes what it is told.
    connected: bool,
    /// What had to go.
    pub(super) dropped: u64,
    /// Why nothing can be written.
    pub(super) trouble: Option<String>,
}

impl Queue {
    pub(super) fn new(outbox: Outbox) -> Result<Self, crate::outbox::OutboxError> {
        let next = outbox.next_number()?;
        let (memory, waits) = (VecDeque::new(), None);
        Ok(Self { outbox, memory, waits, next, connected: false, dropped: 0, trouble: None })
    }

    /// The commands' memory, which lies in the same file.
    pub(super) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Owes the broker a message.
    pub(super) fn put(&mut self, weight: Weight, message: Message, now: Duration) {
        let owed = Owed { number: self.next, weight, message };
        self.next += 1;
        self.memory.push_back(owed);
        self.waits.get_or_insert(now);
        if weight != Weight::Prediction || self.memory.len() > IN_MEMORY {
            self.spill();
        }
    }

    /// Owes the broker all of these or none; the broker keeps them, and what is owed to the same topics is no longer.
    pub(super) fn put_kept(&mut self, messages: Vec<Message>, now: Duration) {
        for message in messages {
            self.memory.push_back(Owed { number: self.next, weight: Weight::Head, message });
            self.next += 1;
        }
        self.waits.get_or_insert(now);
        self.spill();
    }

    /// Whether the broker takes what it is told, from now on.
    pub(super) fn connected(&mut self, connected: bool) {
        if self.connected && !connected {
            self.spill();
        }
        self.connected = connected;
    }

    /// When [`Queue::elapse`] is to be called.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waits.filter(|_| !self.connected && !self.memory.is_empty()).map(|since| since + TOGETHER)
    }

    /// What has waited for long enough is written.
    pub(super) fn elapse(&mut self, now: Duration) {
        if self.deadline().is_some_and(|at| now >= at) {
            self.spill();
            // Where nothing can be written, it is tried again, and not at once.
            self.waits = Some(now);
        }
    }

    /// Everything in memory is on the disk from now on; where that fails, it stays, and too much of it is dropped.
    pub(super) fn spill(&mut self) {
        if self.memory.is_empty() {
            return;
        }
        self.trouble = match self.outbox.put(self.memory.make_contiguous()) {
            Ok(dropped) => {
                self.dropped += dropped;
                self.memory.clear();
                self.waits = None;
                None
            }
            Err(error) => {
                while self.memory.len() > 2 * IN_MEMORY {
                    let lightest = self.memory.iter().map(|owed| owed.weight).min();
                    let at = self.memory.iter().position(|owed| Some(owed.weight) == lightest);
                    self.memory.remove(at.unwrap_or(0));
                    self.dropped += 1;
                }
                Some(crate::causes(&error))
            }
        };
    }

    /// What comes after a number, in order.
    pub(super) fn after(&mut self, number: u64, most: usize) -> Vec<Owed> {
        let mut found = match self.outbox.after(number, most) {
            Ok(found) => found,
            Err(error) => {
                self.trouble = Some(crate::causes(&error));
                Vec::new()
            }
        };
        let from = self.memory.partition_point(|owed| owed.number <= number);
        found.extend(self.memory.iter().skip(from).take(most).cloned());
        found.sort_by_key(|owed| owed.number);
        found.truncate(most);
        found
    }

    /// These arrived.
    pub(super) fn remove(&mut self, numbers: &[u64]) {
        let before = self.memory.len();
        self.memory.retain(|owed| !numbers.contains(&owed.number));
        if before - self.memory.len() == numbers.len() {
            return;
        }
        if let Err(error) = self.outbox.remove(numbers) {
            self.trouble = Some(crate::causes(&error));
        }
    }

    /// How many are owed.
    pub(super) fn len(&self) -> u64 {
        self.outbox.rows() + self.memory.len() as u64
    }

    /// Bytes that they take on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.outbox.bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn queue(dir: &std::path::Path) -> Queue {
        Queue::new(Outbox::open(dir, 1 << 20).unwrap()).unwrap()
    }

    fn message(n: u64) -> Message {
        Message { topic: format!("t/{n}"), ..Message::default() }
    }

    fn topics(queue: &mut Queue) -> Vec<String> {
        queue.after(0, 100).into_iter().map(|owed| owed.message.topic).collect()
    }

    const NOW: Duration = Duration::from_secs(5);

    #[test]
    fn predictions_are_written_together_while_nobody_takes_them_and_all_stay_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = queue(dir.path());
        queue.put(Weight::Prediction, message(1), NOW);
        assert_eq!((queue.outbox.rows(), queue.deadline()), (0, Some(NOW + TOGETHER)));
        queue.elapse(NOW + TOGETHER);
        assert_eq!((queue.outbox.rows(), queue.deadline()), (1, None));
        queue.connected(true);
        queue.put(Weight::Prediction, message(2), NOW);
        assert_eq!((queue.outbox.rows(), queue.deadline()), (1, None), "the broker takes it");
        queue.put(Weight::Event, message(3), NOW);
        queue.put(Weight::Prediction, message(4), NOW);
        assert_eq!(topics(&mut queue), ["t/1", "t/2", "t/3", "t/4"]);
        queue.remove(&[1, 4]);
        assert_eq!((topics(&mut queue), queue.len()), (vec!["t/2".to_owned(), "t/3".to_owned()], 2));
        queue.put(Weight::Prediction, message(5), NOW);
        queue.connected(false);
        drop(queue);
        let mut queue = self::queue(dir.path());
        assert_eq!(topics(&mut queue), ["t/2", "t/3", "t/5"], "what was not taken is on the disk");
        queue.put(Weight::Event, message(6), NOW);
        assert_eq!(topics(&mut queue).last().unwrap(), "t/6");
    }

    #[test]
    fn memory_is_bounded_while_connected() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = queue(dir.path());
        queue.connected(true);
        for n in 0..1000 {
            queue.put(Weight::Prediction, message(n), NOW);
            assert!(queue.memory.len() <= IN_MEMORY);
        }
        assert_eq!(queue.len(), 1000);
    }
}
