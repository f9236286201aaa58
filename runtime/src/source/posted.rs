//! Pictures that are handed in: the other end of `POST …/sources/{name}/frame`, and of topics of a broker. Bounded; who comes when it is full is told.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use super::{Content, Feed, Health, Source, Stop};
use crate::daemon::command::CommandError;

/// Pictures that wait at most.
const WAITING: usize = 8;

/// What wakes the source besides a picture: nothing, when told to stop.
type Handed = Option<(Timestamp, Content)>;

/// Where pictures are handed to one source.
#[derive(Clone)]
pub struct Inbox {
    sender: SyncSender<Handed>,
}

impl Inbox {
    /// Hands in a picture.
    ///
    /// # Errors
    /// When too many wait, or the source has ended.
    pub fn hand(&self, content: Content) -> Result<(), CommandError> {
        self.sender.try_send(Some((Timestamp::now(), content))).map_err(|error| match error {
            TrySendError::Full(_) => CommandError::Unavailable(format!("{WAITING} pictures wait already: try again")),
            TrySendError::Disconnected(_) => CommandError::Unavailable("the source has ended".to_owned()),
        })
    }
}

/// Where pictures are handed to every source that takes some, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Inboxes {
    inboxes: Arc<RwLock<BTreeMap<String, Inbox>>>,
}

impl Inboxes {
    /// One more.
    pub fn put(&self, source: &str, inbox: Inbox) {
        self.inboxes.write().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned(), inbox);
    }

    /// One less.
    pub fn take(&self, source: &str) {
        self.inboxes.write().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// Hands a picture to a source.
    ///
    /// # Errors
    /// When there is no such source, or it cannot take one now.
    pub fn post(&self, source: &str, content: Content) -> Result<(), CommandError> {
        match self.inboxes.read().unwrap_or_else(PoisonError::into_inner).get(source) {
            Some(inbox) => inbox.hand(content),
            None => Err(CommandError::NotFound(format!(
                "there is no source `{source}` of kind http: declare it as [[source]], or add it on the page"
            ))),
        }
    }
}

/// A source of kind `http` or `mqtt`.
pub(super) struct Posted {
    inbox: Inbox,
    handed: Receiver<Handed>,
}

impl Posted {
    pub(super) fn new() -> Self {
        let (sender, handed) = sync_channel(WAITING);
        Self { inbox: Inbox { sender }, handed }
    }
}

impl Source for Posted {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        feed.health(Health::Running);
        let sender = self.inbox.sender.clone();
        // A full queue wakes it as well.
        let _waker = stop.on_set(move || drop(sender.try_send(None)));
        while !stop.is_set() {
            // The time matters only where the waker came between the two.
            match self.handed.recv_timeout(std::time::Duration::from_secs(1)) {
                Ok(Some((taken, content))) => {
                    feed.give(taken, content, stop);
                }
                Ok(None) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn inbox(&self) -> Option<Inbox> {
        Some(self.inbox.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::source::{Outlet, Sensed};
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_posted_is_given_in_order_and_too_much_is_refused() {
        let (outlet, stop) = (Outlet::new(), Stop::new());
        let mut source = Posted::new();
        let inboxes = Inboxes::default();
        inboxes.put("door", source.inbox().unwrap());
        let post = |source: &str, content| inboxes.post(source, content);
        let file = |n: u8| Content::File(vec![n]);
        for n in 0..WAITING as u8 {
            post("door", file(n)).unwrap();
        }
        let error = post("door", file(99)).unwrap_err();
        assert!(matches!(error, CommandError::Unavailable(_)), "{error}");
        assert!(matches!(post("dor", file(1)), Err(CommandError::NotFound(_))));
        let feed = outlet.feed("door");
        let runner = std::thread::spawn({
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        });
        let mut given = Vec::new();
        while given.len() < WAITING {
            match outlet.take(SOON).expect("a frame") {
                Sensed::Frame(frame) => given.push(frame.content),
                Sensed::Health { health, .. } => assert_eq!(health, Health::Running),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(given, (0..WAITING as u8).map(file).collect::<Vec<_>>());
        stop.set();
        runner.join().unwrap();
    }
}
