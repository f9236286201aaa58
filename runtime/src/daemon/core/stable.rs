//! Stable answers: a class counts once it was said several times in a row. Knows nothing of frames or heads.

use jiff::Timestamp;

use crate::daemon::notice::State;
use crate::record::PredictionRecord;

/// What is said of one region, and what of it counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Stable {
    /// The newest answer.
    pub(super) now: Option<State>,
    /// The one that counts.
    pub(super) counts: Option<State>,
    /// How often the newest was said in a row.
    run: usize,
}

impl Stable {
    /// Takes an answer; true when with it another one counts than before.
    pub(super) fn observe(&mut self, answer: &PredictionRecord, agree: usize, time: Timestamp) -> bool {
        let goes_on = self.now.as_ref().is_some_and(|now| now.class == answer.class && now.unknown == answer.unknown);
        let since = match &self.now {
            Some(now) if goes_on => now.since.clone(),
            _ => time.to_string(),
        };
        self.run = if goes_on { self.run.saturating_add(1) } else { 1 };
        let state = State {
            class: answer.class.clone(),
            confidence: answer.confidence,
            unknown: answer.unknown,
            scores: answer.scores.clone(),
            generation: answer.generation,
            since,
        };
        self.now = Some(state.clone());
        let same = |before: &State| before.class == state.class && before.unknown == state.unknown;
        let changed = self.run >= agree.max(1) && !self.counts.as_ref().is_some_and(same);
        if self.run >= agree.max(1) {
            self.counts = Some(state);
        }
        changed
    }

    /// Nothing is said any more: there is no head.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(class: &str, unknown: bool) -> PredictionRecord {
        PredictionRecord {
            input: String::new(),
            class: class.to_owned(),
            confidence: 0.9,
            unknown,
            unsure: false,
            set: None,
            scores: [(class.to_owned(), 0.9)].into(),
            generation: 1,
        }
    }

    #[test]
    fn an_answer_counts_once_it_was_given_often_enough_in_a_row() {
        let mut stable = Stable::default();
        let said = ["open", "shut", "open", "open", "open", "shut", "open", "shut", "shut", "shut", "shut"];
        let changes: Vec<bool> =
            said.iter().map(|class| stable.observe(&answer(class, false), 3, Timestamp::UNIX_EPOCH)).collect();
        let expected = [false, false, false, false, true, false, false, false, false, true, false];
        assert_eq!(changes, expected);
        assert_eq!(stable.counts.as_ref().map(|state| state.class.as_str()), Some("shut"));
    }

    #[test]
    fn unknown_is_a_change_and_a_run_keeps_the_time_at_which_it_began() {
        let mut stable = Stable::default();
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        assert!(stable.observe(&answer("open", false), 1, at(5)));
        assert!(stable.observe(&answer("open", true), 1, at(7)));
        assert!(!stable.observe(&answer("open", true), 1, at(9)));
        assert_eq!(stable.counts.map(|state| state.since), Some(at(7).to_string()));
    }
}
