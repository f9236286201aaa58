//! The way to a broker: one connection after the other, over TCP, and TLS where it is configured. Decides nothing: what a connection
//! does is `connection`'s, what is said over it `session`'s.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ClientConfig;

use super::connection::{Connection, Heard, Hello, Lost, TooLarge};
use super::message::Message;
use super::waker::Waker;
use super::wire::{self, Wire};
use crate::config::Broker;

/// The way to a broker.
pub(super) struct Socket {
    broker: Broker,
    tls: Option<Arc<ClientConfig>>,
    hello: Hello,
    waker: Waker,
    origin: Instant,
    state: State,
}

enum State {
    None,
    /// A thread finds the broker.
    Dialling(Receiver<Result<Wire, Lost>>),
    Open(Box<(Wire, Connection)>),
    /// What was said before the end is still to be heard.
    Ending(Box<Connection>, Lost),
}

impl Socket {
    pub(super) fn new(
        broker: Broker,
        tls: Option<Arc<ClientConfig>>,
        hello: Hello,
        waker: Waker,
        origin: Instant,
    ) -> Self {
        Self { broker, tls, hello, waker, origin, state: State::None }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// What can be sent is sent, what came is read.
    fn exchange(&mut self) -> Result<(), Lost> {
        let now = self.now();
        let State::Open(open) = &mut self.state else { return Ok(()) };
        let (wire, connection) = &mut **open;
        let mut came = Vec::new();
        let exchanged = wire.exchange(&mut connection.outgoing, &mut came);
        connection.read(&came, now)?;
        exchanged?;
        connection.elapse(now)
    }

    /// A connection that was found becomes ours.
    fn dialled(&mut self) -> Option<Lost> {
        let State::Dialling(found) = &self.state else { return None };
        match found.try_recv() {
            Ok(Ok(wire)) => {
                let connection = Connection::new(&self.hello, self.now());
                self.state = State::Open(Box::new((wire, connection)));
                None
            }
            Ok(Err(lost)) => Some(lost),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Lost::Failed("the thread that connects ended by a bug".to_owned())),
        }
    }

    /// Something that was heard, or why nothing will be.
    fn heard(&mut self) -> Option<Result<Heard, Lost>> {
        if let Some(lost) = self.dialled() {
            self.state = State::None;
            return Some(Err(lost));
        }
        if let State::Open(open) = &mut self.state {
            if let Some(heard) = open.1.next() {
                return Some(Ok(heard));
            }
            if let Err(lost) = self.exchange()
                && let State::Open(open) = std::mem::replace(&mut self.state, State::None)
            {
                self.state = State::Ending(Box::new(open.1), lost);
            }
        }
        match &mut self.state {
            State::Open(open) => open.1.next().map(Ok),
            State::Ending(connection, lost) => {
                let heard = connection.next().map_or_else(|| Err(lost.clone()), Ok);
                if heard.is_err() {
                    self.state = State::None;
                }
                Some(heard)
            }
            State::None | State::Dialling(_) => None,
        }
    }

    /// Begins a connection; that it is there, or is not, is heard.
    pub(super) fn open(&mut self) {
        let (sender, found) = channel();
        let (broker, tls, waker) = (self.broker.clone(), self.tls.clone(), self.waker.clone());
        let started = thread::Builder::new().name("mqtt-connect".to_owned()).spawn(move || {
            // Whoever asked may have gone on.
            let _gone = sender.send(wire::connect(&broker, tls.as_ref()));
            waker.wake();
        });
        if let Err(error) = started {
            tracing::error!("no thread to connect with: {error}");
        }
        self.state = State::Dialling(found);
    }

    /// Says that we go, and goes.
    pub(super) fn close(&mut self) {
        let now = self.now();
        if let State::Open(open) = &mut self.state {
            open.1.close(now);
            // It is said that we go, no more: whether it arrives is not waited for.
            let _lost = self.exchange();
        }
        self.state = State::None;
    }

    /// Says something; what becomes of it is heard under the tag.
    pub(super) fn publish(&mut self, tag: u64, message: &Message) -> Result<(), TooLarge> {
        let now = self.now();
        match &mut self.state {
            State::Open(open) => open.1.publish(tag, message, now),
            State::None | State::Dialling(_) | State::Ending(..) => Ok(()),
        }
    }

    /// Listens; how that went is heard.
    pub(super) fn subscribe(&mut self, filters: &[String]) {
        let now = self.now();
        if let State::Open(open) = &mut self.state {
            open.1.subscribe(filters, now);
        }
    }

    /// The message of a packet need not come again.
    pub(super) fn acknowledge(&mut self, packet: u16) {
        let now = self.now();
        if let State::Open(open) = &mut self.state {
            open.1.acknowledge(packet, now);
        }
    }

    /// Waits so long at most, or until somebody wakes it; what was heard, if anything. After an error there is no connection.
    pub(super) fn hear(&mut self, wait: Duration) -> Option<Result<Heard, Lost>> {
        if let Some(heard) = self.heard() {
            return Some(heard);
        }
        let now = self.now();
        let (wire, until) = match &self.state {
            State::Open(open) => (Some(open), open.1.deadline().saturating_sub(now)),
            State::None | State::Dialling(_) | State::Ending(..) => (None, wait),
        };
        // A little late rather than a little early.
        let wait = wait.min(until) + Duration::from_millis(1);
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        let mut waits = vec![PollFd::new(&self.waker, PollFlags::IN)];
        if let Some(open) = wire {
            let out = if open.0.wants_to_send(&open.1.outgoing) { PollFlags::OUT } else { PollFlags::empty() };
            waits.push(PollFd::new(&open.0, PollFlags::IN | out));
        }
        // A signal ends the wait early, which does no harm.
        let _interrupted = poll(&mut waits, Some(&timeout));
        self.waker.reset();
        self.heard()
    }
}
