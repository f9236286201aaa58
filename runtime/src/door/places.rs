//! Places for connections: a bounded number. When all are taken, the connection that waits longest without a request in
//! progress gives up its place, so that slow clients, however many, never keep a quick one out. Knows nothing of sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All places.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Counts comings and endings of requests: who has the least number waits longest.
    clock: u64,
    by: HashMap<u64, Guest>,
}

struct Guest {
    /// Requests in progress.
    busy: usize,
    since: u64,
    leave: Box<dyn FnOnce() + Send>,
}

/// A connection's place, until dropped.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
}

/// A request in progress, until dropped.
pub(super) struct Busy {
    number: u64,
    places: Arc<Places>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for a connection that `leave` ends; none where everybody is busy.
    pub(super) fn enter(self: &Arc<Self>, leave: impl FnOnce() + Send + 'static) -> Option<Place> {
        let mut taken = self.lock();
        let mut evicted = None;
        if taken.by.len() >= self.most {
            let idle = taken.by.iter().filter(|(_, guest)| guest.busy == 0);
            let longest = idle.min_by_key(|(_, guest)| guest.since).map(|(&number, _)| number)?;
            evicted = taken.by.remove(&longest);
        }
        taken.clock += 1;
        let number = taken.clock;
        taken.by.insert(number, Guest { busy: 0, since: number, leave: Box::new(leave) });
        drop(taken);
        if let Some(guest) = evicted {
            (guest.leave)();
        }
        Some(Place { number, places: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Notes that a request is in progress.
    pub(super) fn busy(&self) -> Busy {
        if let Some(guest) = self.places.lock().by.get_mut(&self.number) {
            guest.busy += 1;
        }
        Busy { number: self.number, places: Arc::clone(&self.places) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().by.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.clock += 1;
        let now = taken.clock;
        if let Some(guest) = taken.by.get_mut(&self.number) {
            guest.busy -= 1;
            guest.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    /// Numbers of those who had to leave, and a way in.
    fn three() -> (Arc<Mutex<Vec<u32>>>, impl Fn(u32) -> Option<Place>) {
        let (places, left) = (Places::new(3), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&left);
        let enter = move |number| {
            let noted = Arc::clone(&noted);
            places.enter(move || noted.lock().unwrap().push(number))
        };
        (left, enter)
    }

    #[test]
    fn who_waits_longest_without_a_request_makes_place() {
        let (left, enter) = three();
        let [first, second, third] = [1, 2, 3].map(|number| enter(number).unwrap());
        let request = first.busy();
        let fourth = enter(4).unwrap();
        assert_eq!(*left.lock().unwrap(), [2]);
        drop(request);
        let _fifth = enter(5).unwrap();
        assert_eq!(*left.lock().unwrap(), [2, 3], "the first has just been served");
        drop((second, third, fourth));
        let _sixth = enter(6).unwrap();
        assert_eq!(left.lock().unwrap().len(), 2, "there was a free place");
    }

    #[test]
    fn nobody_who_is_served_is_sent_away() {
        let (left, enter) = three();
        let guests = [1, 2, 3].map(|number| enter(number).unwrap());
        let requests = guests.each_ref().map(Place::busy);
        assert!(enter(4).is_none());
        assert!(left.lock().unwrap().is_empty());
        drop(requests);
        assert!(enter(5).is_some());
    }
}
