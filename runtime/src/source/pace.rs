//! When a source gives a frame: as they come, at most every so often, or when somebody asks. Deciding takes `now`; waiting
//! is on conditions.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Stop;
use crate::config;

/// Asks a source for a frame now. Cheap to clone; several asks before the next frame are one.
#[derive(Clone, Default)]
pub struct Ask {
    asked: Arc<(Mutex<bool>, Condvar)>,
}

impl Ask {
    /// Asks.
    pub fn now(&self) {
        *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.asked.1.notify_all();
    }

    /// Whether somebody asked; asked no more.
    fn taken(&self) -> bool {
        std::mem::take(&mut *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until asked, until told to stop, or so long. True where asked, which it then is no more.
    fn wait(&self, time: Option<Duration>, stop: &Stop) -> bool {
        let condition = Arc::clone(&self.asked);
        // The lock lets no wake-up fall between the look at `stop` and the wait.
        let _waker = stop.on_set(move || {
            drop(condition.0.lock());
            condition.1.notify_all();
        });
        let asked = self.asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |asked: &mut bool| !*asked && !stop.is_set();
        let mut asked = match time {
            Some(time) => self.asked.1.wait_timeout_while(asked, time, idle).unwrap_or_else(PoisonError::into_inner).0,
            None => self.asked.1.wait_while(asked, idle).unwrap_or_else(PoisonError::into_inner),
        };
        std::mem::take(&mut *asked)
    }
}

/// When the next frame is due.
pub(super) struct Pace {
    every: Option<Duration>,
    on_request: bool,
    ask: Ask,
    next: Duration,
}

impl Pace {
    /// As configured; `usual` is the time between frames of a source that does not bring its own.
    pub(super) fn new(config: &config::Source, usual: Option<Duration>) -> Self {
        Self {
            every: config.every.map(|every| every.0).or(usual),
            on_request: config.trigger == config::Trigger::Request,
            ask: Ask::default(),
            next: Duration::ZERO,
        }
    }

    /// The same, with another's ask.
    pub(super) fn with(self, ask: Ask) -> Self {
        Self { ask, ..self }
    }

    pub(super) fn ask(&self) -> Ask {
        self.ask.clone()
    }

    /// Whether a frame that is there at `now` is to be given. Times count from any one origin.
    pub(super) fn admits(&mut self, now: Duration) -> bool {
        if self.ask.taken() {
            return true;
        }
        if self.on_request || now < self.next {
            return false;
        }
        if let Some(every) = self.every {
            // In step with the clock, unless a frame is missing: a late one does not make the next one late.
            let missed = now.saturating_sub(self.next) >= every;
            self.next = if missed { now + every } else { self.next + every };
        }
        true
    }

    /// Waits until the next frame is due; false when told to stop.
    pub(super) fn wait(&mut self, now: Duration, stop: &Stop) -> bool {
        let due = (!self.on_request).then(|| self.next.saturating_sub(now));
        let asked = due.is_none_or(|due| !due.is_zero()) && self.ask.wait(due, stop);
        // A frame that somebody asked for comes besides those that are due.
        if !asked {
            self.next = now.max(self.next) + self.every.unwrap_or_default();
        }
        !stop.is_set()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn pace(keys: &str) -> Pace {
        let text = format!("[[source]]\nname = \"a\"\nkind = \"camera\"\n{keys}");
        Pace::new(&config::Config::parse(&text).unwrap().source[0], None)
    }

    #[test]
    fn frames_are_let_through_at_the_rate_that_was_asked_for() {
        let mut every = pace("every = \"100ms\"");
        // Thirty a second for three seconds.
        let given = (0..90).filter(|&frame| every.admits(MS(frame * 1000 / 30))).count();
        assert_eq!(given, 30);
        assert!(
            every.admits(MS(60_000)) && !every.admits(MS(60_050)) && every.admits(MS(60_100)),
            "no burst after a gap"
        );
        let mut all = pace("");
        assert!((0..10).all(|_| all.admits(MS(5))));
    }

    #[test]
    fn on_request_a_frame_is_given_for_an_ask_and_no_other() {
        let mut pace = pace("trigger = \"request\"");
        assert!(!pace.admits(MS(0)) && !pace.admits(MS(100_000)));
        pace.ask().now();
        pace.ask().now();
        assert!(pace.admits(MS(100_001)) && !pace.admits(MS(100_002)));
    }

    #[test]
    fn a_frame_that_is_asked_for_moves_no_other() {
        let (stop, mut pace) = (Stop::new(), pace("every = \"1h\""));
        assert!(pace.wait(MS(0), &stop), "the first is due at once");
        let due = pace.next;
        pace.ask().now();
        assert!(pace.wait(MS(1000), &stop));
        assert_eq!(pace.next, due);
    }

    #[test]
    fn waiting_ends_with_an_ask_or_a_stop() {
        let stop = Stop::new();
        let mut pace = pace("trigger = \"request\"");
        let ask = pace.ask();
        let (told, first) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn({
            let stop = stop.clone();
            move || {
                told.send(pace.wait(MS(0), &stop)).unwrap();
                pace.wait(MS(0), &stop)
            }
        });
        ask.now();
        assert!(first.recv().unwrap());
        // Whether or not the second wait has begun, this ends it.
        stop.set();
        assert!(!waiter.join().unwrap());
    }
}
