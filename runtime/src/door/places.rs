//! Places for connections: a bounded number. When all are taken, the connection that waits longest without a request in
//! progress gives up its place, so that slow clients, however many, never keep a quick one out. A request is in progress once
//! it was heard to its end: who takes long to say what he wants waits as well. Whoever has a place keeps it for a moment, in
//! which he can say what he wants, however many come meanwhile. Knows nothing of sockets; decides with `now`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For so long nobody is sent away who has just come.
const GRACE: Duration = Duration::from_millis(200);

/// Whether there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// After so long, perhaps.
    Later(Duration),
    /// Everybody is busy.
    No,
    Yes,
}

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
    came: Duration,
    leave: Box<dyn FnOnce() + Send>,
}

/// A connection's place, until dropped.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
}

/// A request, until dropped.
pub(super) struct Busy {
    number: u64,
    places: Arc<Places>,
    heard: AtomicBool,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Whether somebody may come now. Then [`Places::enter`] finds a place.
    pub(super) fn room(&self, now: Duration) -> Room {
        let taken = self.lock();
        if taken.by.len() < self.most {
            return Room::Yes;
        }
        let Some(longest) = taken.longest() else { return Room::No };
        match GRACE.saturating_sub(now.saturating_sub(taken.by[&longest].came)) {
            Duration::ZERO => Room::Yes,
            wait => Room::Later(wait),
        }
    }

    /// A place for a connection that `leave` ends; none where everybody is busy.
    pub(super) fn enter(self: &Arc<Self>, now: Duration, leave: impl FnOnce() + Send + 'static) -> Option<Place> {
        let mut taken = self.lock();
        let mut evicted = None;
        if taken.by.len() >= self.most {
            let longest = taken.longest()?;
            evicted = taken.by.remove(&longest);
        }
        taken.clock += 1;
        let number = taken.clock;
        taken.by.insert(number, Guest { busy: 0, since: number, came: now, leave: Box::new(leave) });
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

impl Taken {
    /// Who waits longest without a request in progress.
    fn longest(&self) -> Option<u64> {
        let idle = self.by.iter().filter(|(_, guest)| guest.busy == 0);
        idle.min_by_key(|(_, guest)| guest.since).map(|(&number, _)| number)
    }
}

impl Place {
    /// A request that is being heard.
    pub(super) fn request(&self) -> Busy {
        Busy { number: self.number, places: Arc::clone(&self.places), heard: AtomicBool::new(false) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().by.remove(&self.number);
    }
}

impl Busy {
    /// Notes that it was heard to its end, and is in progress.
    pub(super) fn heard(&self) {
        if !self.heard.swap(true, Ordering::SeqCst)
            && let Some(guest) = self.places.lock().by.get_mut(&self.number)
        {
            guest.busy += 1;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !*self.heard.get_mut() {
            return;
        }
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
            places.enter(Duration::ZERO, move || noted.lock().unwrap().push(number))
        };
        (left, enter)
    }

    #[test]
    fn who_waits_longest_without_a_request_makes_place() {
        let (left, enter) = three();
        let [first, second, third] = [1, 2, 3].map(|number| enter(number).unwrap());
        let (request, unheard) = (first.request(), second.request());
        request.heard();
        let fourth = enter(4).unwrap();
        assert_eq!(*left.lock().unwrap(), [2]);
        drop((request, unheard));
        let _fifth = enter(5).unwrap();
        assert_eq!(*left.lock().unwrap(), [2, 3], "the first has just been served");
        drop((second, third, fourth));
        let _sixth = enter(6).unwrap();
        assert_eq!(left.lock().unwrap().len(), 2, "there was a free place");
    }

    #[test]
    fn who_has_just_come_is_given_a_moment() {
        let (places, second) = (Places::new(2), Duration::from_secs(1));
        let _first = places.enter(second, || ()).unwrap();
        assert_eq!(places.room(second), Room::Yes, "one place is free");
        let guest = places.enter(second + GRACE / 2, || ()).unwrap();
        assert_eq!(places.room(second + GRACE / 2), Room::Later(GRACE / 2));
        assert_eq!(places.room(second + GRACE), Room::Yes);
        let third = places.enter(second + GRACE, || ()).unwrap();
        let requests = [guest.request(), third.request()];
        requests.iter().for_each(Busy::heard);
        assert_eq!(places.room(60 * second), Room::No);
    }

    #[test]
    fn nobody_who_is_served_is_sent_away() {
        let (left, enter) = three();
        let guests = [1, 2, 3].map(|number| enter(number).unwrap());
        let requests = guests.each_ref().map(Place::request);
        requests.iter().chain(&requests).for_each(Busy::heard);
        assert!(enter(4).is_none());
        assert!(left.lock().unwrap().is_empty());
        drop(requests);
        assert!(enter(5).is_some());
    }
}
