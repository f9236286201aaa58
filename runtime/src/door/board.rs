//! The newest notices, for who comes late: an event stream that broke off goes on where it was. Knows nothing of streams.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::inside::Inside;
use crate::daemon::notice::Notice;

/// Notices that are kept.
const KEPT: usize = 100;

/// The newest notices.
pub(super) struct Board {
    notices: Mutex<VecDeque<Arc<Notice>>>,
    newest: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self { notices: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Board {
    /// Keeps one more.
    pub(super) fn post(&self, notice: Arc<Notice>) {
        let id = notice.id;
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push_back(notice);
        while notices.len() > KEPT {
            notices.pop_front();
        }
        drop(notices);
        self.newest.send_replace(id);
    }

    /// The id of the newest, and a way to wait for newer ones.
    pub(super) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Those after an id. An id that was never given is from before the daemon restarted: everything came after it.
    pub(super) fn after(&self, id: u64) -> Vec<Arc<Notice>> {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let id = if notices.back().is_some_and(|newest| newest.id >= id) { id } else { 0 };
        notices.iter().filter(|notice| notice.id > id).cloned().collect()
    }
}

/// Posts what the daemon announces, for as long as it does.
pub(super) async fn keep(inside: Arc<Inside>) {
    let mut notices = inside.handle.notices.subscribe();
    loop {
        match notices.recv().await {
            Ok(notice) => inside.board.post(notice),
            Err(RecvError::Lagged(lost)) => tracing::warn!("{lost} notices came too fast for the page"),
            Err(RecvError::Closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::notice::Event;

    fn notice(id: u64) -> Arc<Notice> {
        let (time, message) = (String::new(), format!("number {id}"));
        Arc::new(Notice {
            id,
            time,
            event: Event::Problem,
            task: None,
            source: None,
            reason: None,
            message,
            state: None,
        })
    }

    fn after(board: &Board, id: u64) -> Vec<u64> {
        board.after(id).iter().map(|notice| notice.id).collect()
    }

    #[test]
    fn the_last_hundred_are_there_for_who_comes_late() {
        let board = Board::default();
        assert!(after(&board, 7).is_empty());
        (1..=150).for_each(|id| board.post(notice(id)));
        assert_eq!(after(&board, 148), [149, 150]);
        assert!(after(&board, 150).is_empty());
        assert_eq!(after(&board, 3), (51..=150).collect::<Vec<_>>());
        assert_eq!(*board.newest().borrow(), 150);
    }

    #[test]
    fn an_id_from_before_a_restart_is_behind_everything() {
        let board = Board::default();
        (1..=2).for_each(|id| board.post(notice(id)));
        assert_eq!(after(&board, 40), [1, 2]);
    }
}
