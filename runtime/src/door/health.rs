//! Whether the daemon does its work: read from a view and from how its parts fare. Pure; knows nothing of who asks.

use serde::Serialize;
use utoipa::ToSchema;

use crate::daemon::view::View;
use crate::daemon::vitals::Vitals;

/// Whether it is ready, and why not.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether every task can answer.
    pub(crate) ready: bool,
    /// Why not, in words; empty when ready.
    reasons: Vec<String>,
    /// What works, but not as it should, in words. It does not make the daemon unready.
    pub(crate) degraded: Vec<String>,
}

/// Ready is who has begun, whose tasks have all got their backbone open, and whose threads get on.
pub(crate) fn readiness(view: &View, vitals: &Vitals) -> Readiness {
    let mut reasons = Vec::new();
    if view.started.is_empty() {
        reasons.push("the daemon is starting".to_owned());
    }
    for task in view.tasks.iter().filter(|task| task.extractor.is_none()) {
        reasons.push(format!("the backbone of task `{}` is not open yet", task.name));
    }
    reasons.extend(vitals.stuck.iter().cloned());
    let mut degraded = view.degraded.clone();
    // The view may be older: a core that is stuck makes none.
    degraded.extend(vitals.troubles().into_iter().filter(|trouble| !view.degraded.contains(trouble)));
    Readiness { ready: reasons.is_empty(), reasons, degraded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::tests::view;

    #[test]
    fn ready_is_who_has_every_backbone_open_and_the_reasons_are_said() {
        let mut view = view();
        view.degraded = vec!["the disk is full".to_owned()];
        let well = Vitals::default();
        let found = readiness(&view, &well);
        assert!(found.ready && found.reasons.is_empty() && found.degraded == view.degraded);
        view.tasks[0].extractor = None;
        let found = readiness(&view, &well);
        assert!(!found.ready && found.reasons[0].contains("gate"), "{found:?}");
        assert!(!readiness(&View::default(), &well).ready);
    }

    #[test]
    fn a_sink_that_cannot_be_told_degrades_and_a_thread_that_is_stuck_makes_unready() {
        let mut view = view();
        view.degraded = vec!["the webhook answered 503".to_owned()];
        let lacks = vec!["the webhook answered 503".to_owned(), "a command was not told".to_owned()];
        let mut vitals = Vitals { lacks, ..Vitals::default() };
        let found = readiness(&view, &vitals);
        assert!(found.ready && found.degraded == ["the webhook answered 503", "a command was not told"], "{found:?}");
        vitals.stuck.push("the thread `core` has been at one thing for longer than 30s".to_owned());
        let found = readiness(&view, &vitals);
        assert!(!found.ready && found.reasons[0].contains("`core`") && found.degraded.len() == 3, "{found:?}");
    }
}
