//! How sinks fare: what each lacks now, and what was given up so far. Cheap to clone, read at any time. Knows nothing of what
//! sinks do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How all sinks fare.
#[derive(Clone, Default)]
pub struct Fares(Arc<Inside>);

#[derive(Default)]
struct Inside {
    troubles: Mutex<Vec<Trouble>>,
    counts: Counts,
}

/// What was given up.
#[derive(Default)]
pub(super) struct Counts {
    /// Notices that found the queue of a sink full.
    pub(super) full: AtomicU64,
    /// Notices that a webhook was owed and that were the oldest of too many.
    pub(super) owed: AtomicU64,
    /// Notices that a webhook refused for good.
    pub(super) refused: AtomicU64,
}

/// What is wrong with a sink now, in words.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<String>>>);

impl Fares {
    /// What does not work now, in words.
    pub fn troubles(&self) -> Vec<String> {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Trouble::get).collect()
    }

    /// What was given up so far.
    pub fn shed(&self) -> [(&'static str, u64); 3] {
        let Counts { full, owed, refused } = &self.0.counts;
        [("notice", full), ("notice_owed", owed), ("notice_refused", refused)]
            .map(|(what, count)| (what, count.load(Ordering::Relaxed)))
    }

    /// These are all the sinks that there are, from now on.
    pub(super) fn are(&self, troubles: Vec<Trouble>) {
        *self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.0.counts
    }
}

impl Counts {
    pub(super) fn one(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Trouble {
    /// How the last telling went; what is wrong is logged.
    pub(super) fn set(&self, outcome: Result<(), String>) {
        let trouble = outcome.err();
        if let Some(trouble) = &trouble {
            tracing::warn!("{trouble}");
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
