//! Which frames are kept without a label: those that would teach, and few of them. Knows nothing of pictures or stores.

use std::time::Duration;

use super::gate::Kept;
use crate::config::Keep;
use crate::record::PredictionRecord;

/// Between two of them, of one task.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// And while somebody is asked what he sees since a drift, until there is enough to choose from.
const AFTER_DRIFT: Duration = Duration::from_secs(1);
const OF_DRIFT: usize = 12;
/// So many wait for a label at most; what is there is enough to choose from.
const WAITING: usize = 500;
/// An answer of less confidence is a doubtful one.
const DOUBTFUL: f64 = 0.9;

/// What a task keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Of which samples.
    pub(crate) keep: Keep,
    /// Bytes of payloads at most.
    pub(crate) bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { keep: Keep::All, bytes: 1 << 30 }
    }
}

impl Keeping {
    /// Whether payloads are kept.
    pub(super) fn payloads(&self) -> bool {
        self.keep != Keep::Features
    }

    /// To how many bytes room is to be made, if there are too many: a tenth below, so that it is not made for every sample.
    pub(super) fn room(&self, payload_bytes: u64) -> Option<u64> {
        (payload_bytes > self.bytes).then_some(self.bytes - self.bytes / 10)
    }
}

/// What was kept so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Unlabelled {
    pub(super) kept: Kept,
    last: Option<Duration>,
    /// Since the drift that goes on.
    of_drift: usize,
    /// On their way: at most one.
    pub(super) on_its_way: bool,
}

/// A frame that might be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) phash: u64,
    pub(super) new_scene: bool,
    pub(super) answer: Option<&'a PredictionRecord>,
    pub(super) drifted: bool,
    /// Samples of the task that wait for a label.
    pub(super) waiting: usize,
}

impl Unlabelled {
    /// Whether a frame is to be kept.
    pub(super) fn wants(&self, keeping: Keeping, frame: Frame<'_>, now: Duration) -> bool {
        let teaches = frame.drifted
            || frame.answer.is_none_or(|answer| answer.unknown || answer.unsure || answer.confidence < DOUBTFUL);
        let hurry = frame.drifted && self.of_drift < OF_DRIFT;
        let every = if hurry { AFTER_DRIFT } else { AT_MOST_EVERY };
        keeping.keep != Keep::Labelled
            && !self.on_its_way
            && frame.waiting < WAITING
            && self.last.is_none_or(|last| now.saturating_sub(last) >= every)
            && frame.new_scene
            && teaches
            && !self.kept.knows(frame.phash)
    }

    /// One is taken.
    pub(super) fn take(&mut self, phash: u64, drifted: bool, now: Duration) {
        self.kept.remember(phash);
        self.last = Some(now);
        self.of_drift = if drifted { self.of_drift + 1 } else { 0 };
        self.on_its_way = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_and_doubtful_is_kept_and_not_too_often() {
        let sure = PredictionRecord {
            input: String::new(),
            class: "open".to_owned(),
            confidence: 0.99,
            unknown: false,
            unsure: false,
            set: None,
            scores: [].into(),
            generation: 1,
        };
        let doubtful = PredictionRecord { confidence: 0.6, ..sure.clone() };
        let frame = Frame { phash: 0, new_scene: true, answer: Some(&doubtful), drifted: false, waiting: 0 };
        let second = Duration::from_secs;
        let mut unlabelled = Unlabelled::default();
        let all = Keeping::default();
        assert!(unlabelled.wants(all, frame, second(1)));
        assert!(unlabelled.wants(all, Frame { answer: None, ..frame }, second(1)));
        assert!(unlabelled.wants(all, Frame { answer: Some(&sure), drifted: true, ..frame }, second(1)));
        for no in [
            Frame { new_scene: false, ..frame },
            Frame { answer: Some(&sure), ..frame },
            Frame { waiting: WAITING, ..frame },
        ] {
            assert!(!unlabelled.wants(all, no, second(1)), "{no:?}");
        }
        assert!(!unlabelled.wants(Keeping { keep: Keep::Labelled, ..all }, frame, second(1)));
        unlabelled.take(0, false, second(1));
        let other = Frame { phash: u64::MAX, ..frame };
        assert!(!unlabelled.wants(all, other, second(20)), "one is on its way");
        unlabelled.on_its_way = false;
        assert!(!unlabelled.wants(all, other, second(2)) && unlabelled.wants(all, other, second(20)));
        assert!(!unlabelled.wants(all, frame, second(20)), "one like it was kept");

        // After a drift somebody waits for pictures to label.
        let drifted = |phash| Frame { phash, drifted: true, ..frame };
        let mut kept = 0;
        for now in 20..80 {
            let frame = drifted(now * 0x0123_4567_89ab_cdef);
            if unlabelled.wants(all, frame, second(now)) {
                unlabelled.take(frame.phash, true, second(now));
                unlabelled.on_its_way = false;
                kept += 1;
            }
        }
        assert!((OF_DRIFT..OF_DRIFT + 6).contains(&kept), "{kept}");
    }

    #[test]
    fn room_is_made_a_little_below_the_limit() {
        let keeping = Keeping { keep: Keep::All, bytes: 1000 };
        assert_eq!((keeping.room(1000), keeping.room(1001)), (None, Some(900)));
    }
}
