//! What is to be told to a device, on its way to the thread that has its port open. Never waits; bounded; knows no port.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use acclimate_bridge::answer::Answer;

/// Answers that wait for one device at most; then the oldest go.
const WAITING: usize = 16;

/// Where answers are handed to one device. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Downlink(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    answers: VecDeque<Answer>,
    /// The newest state: what a device that comes back is told first.
    state: Option<Answer>,
    open: bool,
}

impl Downlink {
    /// Tells the device, now or when it is back.
    pub fn tell(&self, answer: Answer) {
        let mut waiting = self.lock();
        if matches!(answer, Answer::State { .. }) {
            waiting.state = Some(answer.clone());
        }
        if waiting.open {
            if waiting.answers.len() == WAITING {
                waiting.answers.pop_front();
            }
            waiting.answers.push_back(answer);
        }
    }

    /// The device is there: from now on what it is told waits, the newest state first.
    pub(crate) fn opened(&self) {
        let mut waiting = self.lock();
        waiting.answers = waiting.state.iter().cloned().collect();
        waiting.open = true;
    }

    /// The device is gone: what it was to be told is of no use any more, but for the newest state.
    pub(crate) fn lost(&self) {
        let mut waiting = self.lock();
        waiting.answers.clear();
        waiting.open = false;
    }

    /// Nothing waits.
    pub fn is_idle(&self) -> bool {
        self.lock().answers.is_empty()
    }

    /// What it is to be told now.
    pub(crate) fn take(&self) -> Vec<Answer> {
        self.lock().answers.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where answers are handed to the device of each serial source, by its name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Downlinks(Arc<RwLock<BTreeMap<String, Downlink>>>);

impl Downlinks {
    /// One more.
    pub fn put(&self, source: &str, downlink: Downlink) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned(), downlink);
    }

    /// One less.
    pub fn take(&self, source: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// That of a source.
    pub fn of(&self, source: &str) -> Option<Downlink> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(class: &str) -> Answer {
        Answer::State { class: class.to_owned(), confidence: 0.9, unknown: false }
    }

    #[test]
    fn a_device_that_comes_back_is_told_the_newest_state_and_nothing_older() {
        let downlink = Downlink::default();
        downlink.tell(state("a"));
        downlink.tell(state("b"));
        downlink.tell(Answer::LabelWanted);
        assert_eq!(downlink.take(), []);
        downlink.opened();
        assert_eq!(downlink.take(), [state("b")]);
        downlink.tell(state("c"));
        downlink.tell(Answer::LabelWanted);
        assert_eq!(downlink.take(), [state("c"), Answer::LabelWanted]);
        downlink.tell(state("d"));
        downlink.lost();
        assert_eq!(downlink.take(), []);
        downlink.opened();
        assert_eq!(downlink.take(), [state("d")]);
    }

    #[test]
    fn of_too_many_answers_the_newest_wait() {
        let (downlinks, downlink) = (Downlinks::default(), Downlink::default());
        downlinks.put("press", downlink.clone());
        downlink.opened();
        (0..100).for_each(|n| downlinks.of("press").into_iter().for_each(|to| to.tell(state(&n.to_string()))));
        let told = downlink.take();
        assert_eq!((told.len(), told.last()), (WAITING, Some(&state("99"))));
        downlinks.take("press");
        assert!(downlinks.of("press").is_none());
    }
}
