//! Which files of a folder are whole and not yet taken. Sees names, sizes and times, no files; times are passed in.
//!
//! A file is whole when who wrote it closed it, or when its size and time of change have stayed the same for a while; an
//! empty one never is. Each is given once, in order of name, and again only when it has changed. What is remembered is
//! about files that are there, so it is bounded by the folder.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A file that nobody was seen to close must be left alone for so long.
const QUIET: Duration = Duration::from_secs(2);

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

#[derive(Debug)]
struct Known {
    bytes: u64,
    modified: SystemTime,
    /// When it was first seen like this.
    since: Duration,
    closed: bool,
    given: bool,
}

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Settling {
    files: BTreeMap<String, Known>,
}

impl Settling {
    /// What is there at `now`.
    pub(super) fn listed(&mut self, listed: Vec<Listed>, now: Duration) {
        let mut before = std::mem::take(&mut self.files);
        for Listed { name, bytes, modified } in listed {
            let known = match before.remove(&name) {
                Some(known) if (known.bytes, known.modified) == (bytes, modified) => known,
                // Closed before we saw this size: it is the size that it was closed with, or a later writer closes again.
                Some(known) => {
                    Known { bytes, modified, since: now, closed: known.closed && !known.given, given: false }
                }
                None => Known { bytes, modified, since: now, closed: false, given: false },
            };
            self.files.insert(name, known);
        }
    }

    /// Who wrote a file has closed it.
    pub(super) fn closed(&mut self, name: &str) {
        if let Some(known) = self.files.get_mut(name) {
            known.closed = true;
        } else {
            // Not listed yet. The listing that follows sees it with the size that it has then.
            let known =
                Known { bytes: 0, modified: SystemTime::UNIX_EPOCH, since: Duration::ZERO, closed: true, given: false };
            self.files.insert(name.to_owned(), known);
        }
    }

    /// The next file, in order of name, that is whole and was not given yet. It counts as given.
    pub(super) fn whole(&mut self, now: Duration) -> Option<String> {
        let whole = |known: &Known| known.bytes > 0 && (known.closed || now.saturating_sub(known.since) >= QUIET);
        let (name, known) = self.files.iter_mut().find(|(_, known)| !known.given && whole(known))?;
        known.given = true;
        Some(name.clone())
    }

    /// Time until a file may be whole; none where none is waited for.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let waiting = self.files.values().filter(|known| !known.given && known.bytes > 0);
        waiting.map(|known| (known.since + QUIET).saturating_sub(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn file(name: &str, bytes: u64) -> Listed {
        Listed { name: name.to_owned(), bytes, modified: SystemTime::UNIX_EPOCH + S(bytes) }
    }

    fn all(settling: &mut Settling, now: Duration) -> Vec<String> {
        std::iter::from_fn(|| settling.whole(now)).collect()
    }

    #[test]
    fn what_lies_still_is_given_once_in_order_of_name() {
        let mut settling = Settling::default();
        settling.listed(vec![file("b", 2), file("a", 1), file("empty", 0)], S(0));
        assert_eq!(settling.next(S(0)), Some(QUIET));
        assert!(all(&mut settling, S(1)).is_empty());
        assert_eq!(all(&mut settling, S(2)), ["a", "b"]);
        settling.listed(vec![file("b", 2), file("a", 1), file("empty", 0)], S(100));
        assert!(all(&mut settling, S(200)).is_empty());
        assert_eq!(settling.next(S(200)), None);
    }

    #[test]
    fn what_grows_is_waited_for_and_what_is_closed_is_not() {
        let mut settling = Settling::default();
        for second in 0..10 {
            settling.listed(vec![file("grows", 1 + second)], S(second));
            assert!(all(&mut settling, S(second)).is_empty(), "at {second}");
        }
        settling.closed("grows");
        settling.closed("new");
        settling.listed(vec![file("grows", 10), file("new", 5)], S(9));
        assert_eq!(all(&mut settling, S(9)), ["grows", "new"]);
    }

    #[test]
    fn what_changes_is_given_again_and_what_goes_is_forgotten() {
        let mut settling = Settling::default();
        settling.listed(vec![file("a", 1)], S(0));
        settling.closed("a");
        assert_eq!(all(&mut settling, S(0)), ["a"]);
        settling.listed(vec![file("a", 2)], S(1));
        assert!(all(&mut settling, S(1)).is_empty(), "written anew, and not closed yet");
        settling.closed("a");
        assert_eq!(all(&mut settling, S(1)), ["a"]);
        settling.listed(Vec::new(), S(2));
        assert!(settling.files.is_empty());
        settling.listed(vec![file("a", 2)], S(3));
        assert_eq!(all(&mut settling, S(5)), ["a"]);
    }
}
