//! How the daemon's own parts fare: which thread has been at one thing for too long, which sink cannot be told, what was
//! shed, how long answers take. Read at any time, also while the core is stuck. Knows nothing of who reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::beside::Beside;
use super::inbox::Inbox;
use super::stage::Stage;
use crate::config::Interval;
use crate::sink::Fares;
use crate::source::Outlet;

/// Upper ends of the buckets, seconds: from an engine on a desktop to a large backbone on a small board.
const BUCKETS: [f64; 12] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// From a picture to its answer, by task and source: as many as there are of these.
pub type Latency = Family<Vec<(&'static str, String)>, Histogram>;

/// How everything fares at one moment.
#[derive(Clone)]
pub struct Vitals {
    /// Threads that have been at one thing for too long, in words.
    pub stuck: Vec<String>,
    /// What sinks lack, and what of the configuration waits for a restart, in words.
    pub lacks: Vec<String>,
    /// Each thread, and how long it has been at what it is at.
    pub stages: Vec<(&'static str, Duration)>,
    /// What was given up, and how often.
    pub shed: Vec<(&'static str, u64)>,
    /// What else is counted: names, what they are, and how much there is now.
    pub gauges: Vec<(&'static str, &'static str, f64)>,
    /// From a picture to its answer.
    pub latency: Latency,
}

/// Tells how everything fares now.
pub type Pulse = Arc<dyn Fn() -> Vitals + Send + Sync>;

/// Where it is read.
pub(super) struct Parts {
    pub(super) stages: Vec<Stage>,
    pub(super) sinks: Fares,
    /// What of the configuration is not as it stands in the file.
    pub(super) lacks: Arc<Mutex<Vec<String>>>,
    pub(super) beside: Beside,
    pub(super) outlet: Arc<Outlet>,
    pub(super) inbox: Inbox,
    /// Frames of holds that the core had no room for.
    pub(super) held: Arc<AtomicU64>,
    pub(super) latency: Latency,
}

/// With no answer yet.
pub(crate) fn latency() -> Latency {
    Latency::new_with_constructor(|| Histogram::new(BUCKETS))
}

/// Counts an answer.
pub(crate) fn answered(latency: &Latency, task: &str, source: &str, milliseconds: f64) {
    let labels = vec![("task", task.to_owned()), ("source", source.to_owned())];
    latency.get_or_create(&labels).observe(milliseconds / 1000.0);
}

impl Parts {
    /// This moment.
    pub(super) fn vitals(&self, now: Instant) -> Vitals {
        let stuck = |stage: &Stage| {
            let patience = Interval(stage.patience());
            format!("the thread `{}` has been at one thing for longer than {patience}", stage.name)
        };
        let mut shed = vec![
            ("frame", self.outlet.shed()),
            ("held_frame", self.held.load(Ordering::Relaxed)),
            ("observation", self.inbox.shed()),
        ];
        shed.extend(self.sinks.shed());
        let mut lacks = self.sinks.troubles();
        lacks.extend(self.lacks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let mut gauges = Vec::new();
        for fares in self.beside.fares() {
            lacks.extend(fares.lacks);
            shed.extend(fares.shed);
            gauges.extend(fares.gauges);
        }
        let stages = [self.stages.clone(), self.beside.stages()].concat();
        Vitals {
            stuck: stages.iter().filter(|stage| stage.is_stuck(now)).map(stuck).collect(),
            lacks,
            stages: stages.iter().map(|stage| (stage.name, stage.at_work(now))).collect(),
            shed,
            gauges,
            latency: self.latency.clone(),
        }
    }
}

impl Default for Vitals {
    /// All is well, and nothing has happened yet.
    fn default() -> Self {
        let (stuck, lacks, stages, shed, gauges) = Default::default();
        Self { stuck, lacks, stages, shed, gauges, latency: latency() }
    }
}

impl Vitals {
    /// Everything that does not work as it should, in words.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.stuck.iter().chain(&self.lacks).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_is_stuck_is_named_until_it_gets_on() {
        let stage = Stage::new("writer", Duration::from_mins(5));
        let (inbox, _events) = Inbox::new();
        let parts = Parts {
            stages: vec![stage.clone()],
            sinks: Fares::default(),
            lacks: Arc::default(),
            beside: Beside::default(),
            outlet: Arc::new(Outlet::new()),
            inbox,
            held: Arc::default(),
            latency: latency(),
        };
        let later = Instant::now() + Duration::from_mins(6);
        assert!(parts.vitals(later).troubles().is_empty());
        stage.works();
        let vitals = parts.vitals(later);
        assert_eq!(vitals.troubles(), ["the thread `writer` has been at one thing for longer than 5min"]);
        assert!(vitals.stages[0].1 > Duration::from_mins(5));
        stage.rests();
        let vitals = parts.vitals(later);
        assert!(vitals.troubles().is_empty() && vitals.stages[0].1.is_zero());
    }
}
