//! Whether the daemon does its work: read from a view. Pure; knows nothing of who asks.

use serde::Serialize;
use utoipa::ToSchema;

use crate::daemon::view::View;

/// Whether it is ready, and why not.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether every task can answer.
    pub(super) ready: bool,
    /// Why not, in words; empty when ready.
    reasons: Vec<String>,
    /// What works, but not as it should, in words. It does not make the daemon unready.
    degraded: Vec<String>,
}

/// Ready is who has begun, and whose tasks have all got their backbone open.
pub(super) fn readiness(view: &View) -> Readiness {
    let mut reasons = Vec::new();
    if view.started.is_empty() {
        reasons.push("the daemon is starting".to_owned());
    }
    for task in view.tasks.iter().filter(|task| task.extractor.is_none()) {
        reasons.push(format!("the backbone of task `{}` is not open yet", task.name));
    }
    Readiness { ready: reasons.is_empty(), reasons, degraded: view.degraded.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::tests::view;

    #[test]
    fn ready_is_who_has_every_backbone_open_and_the_reasons_are_said() {
        let mut view = view();
        view.degraded = vec!["the disk is full".to_owned()];
        let found = readiness(&view);
        assert!(found.ready && found.reasons.is_empty() && found.degraded == view.degraded);
        view.tasks[0].extractor = None;
        let found = readiness(&view);
        assert!(!found.ready && found.reasons[0].contains("gate"), "{found:?}");
        assert!(!readiness(&View::default()).ready);
    }
}
