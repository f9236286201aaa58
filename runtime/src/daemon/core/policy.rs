//! When to adapt without being asked: after so many new labels, or when drift was labelled; not too often, and never while it
//! is hot. Knows nothing of samples or heads.

use std::time::Duration;

/// Between two adaptations that nobody asked for, if not said otherwise.
const AT_MOST_EVERY: Duration = Duration::from_mins(1);

/// Labels after a drift that are enough to adapt to it.
pub(crate) const LABELS_AFTER_DRIFT: usize = 5;

/// What the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// New labels that are enough; never by labels alone where absent.
    pub(crate) after_labels: Option<usize>,
    /// Between two adaptations that nobody asked for.
    pub(crate) at_most_every: Duration,
    /// Whether a labelled drift is a reason.
    pub(crate) on_drift: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { after_labels: None, at_most_every: AT_MOST_EVERY, on_drift: true }
    }
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Labels since the last adaptation, of whatever verdict.
    pub(super) new_labels: usize,
    /// When the last adaptation that nobody asked for was begun.
    pub(super) last: Option<Duration>,
    /// Whether what is sensed has drifted since the head was learnt.
    pub(super) drifted: bool,
}

impl Policy {
    /// Whether to adapt, if not now then when: the first moment at which nothing but time was missing.
    pub(super) fn wants(&self, standing: &Standing) -> Option<Duration> {
        let by_labels = self.after_labels.is_some_and(|enough| standing.new_labels >= enough.max(1));
        let by_drift = self.on_drift && standing.drifted && standing.new_labels >= LABELS_AFTER_DRIFT;
        (by_labels || by_drift).then(|| standing.last.map_or(Duration::ZERO, |last| last + self.at_most_every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_labelled_drift_are_reasons_and_time_must_have_passed() {
        let second = Duration::from_secs;
        let policy = Policy { after_labels: Some(10), at_most_every: second(60), on_drift: true };
        let standing = |new_labels, last, drifted| Standing { new_labels, last, drifted };
        assert_eq!(policy.wants(&standing(9, None, false)), None);
        assert_eq!(policy.wants(&standing(10, None, false)), Some(Duration::ZERO));
        assert_eq!(policy.wants(&standing(10, Some(second(30)), false)), Some(second(90)));
        assert_eq!(policy.wants(&standing(5, None, true)), Some(Duration::ZERO));
        assert_eq!(policy.wants(&standing(4, None, true)), None);
        let deaf = Policy { after_labels: None, on_drift: false, ..policy };
        assert_eq!(deaf.wants(&standing(1000, None, true)), None);
    }
}
