//! The threads of the daemon, as the watchdog sees them: at rest, or at work since when. Knows nothing of what they do.
//!
//! Invariant: a stage that is at work for longer than its patience is stuck; a stage at rest never is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One thread, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    patience: Duration,
    at_work: Arc<Mutex<Option<Instant>>>,
}

impl Stage {
    /// At rest.
    pub(crate) fn new(name: &'static str, patience: Duration) -> Self {
        Self { name, patience, at_work: Arc::default() }
    }

    /// It begins something, or got on.
    pub(crate) fn works(&self) {
        *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// It waits for something to do.
    pub(crate) fn rests(&self) {
        *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How long it has been at what it is at; nothing while it rests.
    pub(crate) fn at_work(&self, now: Instant) -> Duration {
        let at_work = *self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether it has been at one thing for too long.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.at_work(now) > self.patience
    }

    /// What too long is.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_is_never_stuck_and_what_gets_on_is_not_either() {
        let stage = Stage::new("inference", Duration::from_secs(30));
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(!stage.is_stuck(later(1000)));
        stage.works();
        assert!(!stage.is_stuck(later(20)) && stage.is_stuck(later(40)));
        stage.rests();
        assert!(!stage.is_stuck(later(40)));
    }
}
