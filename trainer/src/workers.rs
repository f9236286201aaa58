//! Shares work among threads. Knows nothing of what is done.
//!
//! Invariant: what comes of an item does not depend on who works on it, and answers come in the order of the items, so
//! the number of threads never shows in a result.

use std::sync::{Mutex, PoisonError};

/// Works on every item, on at most `threads` threads, this one included. Each takes the next item when it is done with
/// one, so dear items belong first.
pub(crate) fn each<I: Send, O: Send>(threads: usize, items: Vec<I>, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    let helpers = threads.min(items.len()).saturating_sub(1);
    if helpers == 0 {
        return items.into_iter().map(work).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let run = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((at, item)) = next else { return done };
            done.push((at, work(item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..helpers).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for helper in spawned {
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, out)| out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_items() {
        let expected: Vec<usize> = (0..100).map(|i| i * i).collect();
        for threads in [0, 1, 2, 7, 1000] {
            assert_eq!(each(threads, (0..100).collect(), |i: usize| i * i), expected);
        }
        assert_eq!(each(2, Vec::new(), |i: usize| i), Vec::<usize>::new());
    }
}
