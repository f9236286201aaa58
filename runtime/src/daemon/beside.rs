//! Who lives beside the daemon's own threads: is told what happens, is watched like them, and says how it fares. Knows nothing
//! of what they do with it.

use std::sync::{Arc, PoisonError, RwLock};

use super::notice::{Notice, Prediction};
use super::stage::Stage;
use super::view::View;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told<'a> {
    Announced(&'a Notice),
    Predicted(&'a Prediction),
    Shown(&'a Arc<View>),
}

/// How a neighbour fares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fares {
    /// What does not work, in words.
    pub(crate) lacks: Vec<String>,
    /// What was given up, and how often.
    pub(crate) shed: Vec<(&'static str, u64)>,
    /// Names, what they are, and how much there is now.
    pub(crate) gauges: Vec<(&'static str, &'static str, f64)>,
}

/// One of them.
pub(crate) trait Neighbour: Send + Sync {
    /// Something happened. Never waits.
    fn told(&self, told: Told<'_>);
    fn fares(&self) -> Fares;
    /// Its thread, as the watchdog sees it.
    fn stage(&self) -> Stage;
}

/// All of them. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Beside(Arc<RwLock<Vec<Arc<dyn Neighbour>>>>);

impl Beside {
    /// One more.
    pub(crate) fn settle(&self, neighbour: Arc<dyn Neighbour>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(neighbour);
    }

    pub(super) fn tell(&self, told: Told<'_>) {
        self.each(|neighbour| neighbour.told(told));
    }

    pub(super) fn fares(&self) -> Vec<Fares> {
        self.each(|neighbour| neighbour.fares())
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        self.each(|neighbour| neighbour.stage())
    }

    fn each<T>(&self, of: impl Fn(&dyn Neighbour) -> T) -> Vec<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(|neighbour| of(&**neighbour)).collect()
    }
}
