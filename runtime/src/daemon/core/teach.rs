//! A class that is held: which frames are of it, and what can be taken back later. Knows nothing of pictures.
//!
//! ```text
//! begin ─▶ held ─ end, or too long ─▶ released ─ nothing on its way to the disk any more ─▶ to be learnt
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::event::Request;
use crate::store::{Added, SampleId};

/// Frames of one hold. More of one moment teach nothing.
pub(super) const FRAMES: usize = 64;
/// Longest hold: whoever held the button may be gone.
pub(super) const LONGEST: Duration = Duration::from_mins(1);

/// One hold.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) class: String,
    pub(super) source: Arc<str>,
    pub(super) who: String,
    /// What makes its samples one group.
    pub(super) group_key: String,
    pub(super) begun: Duration,
    /// Frames that are stored.
    pub(super) frames: usize,
    /// Frames that are on their way to the disk.
    pub(super) on_their_way: usize,
    /// Why frames could not be stored.
    pub(super) failed: Option<String>,
    /// When it was released, and who waits for what was learnt.
    pub(super) released: Option<(Duration, Option<Request>)>,
    /// Digest of the statistics before.
    pub(super) digest_before: Option<String>,
    /// The generation in service before.
    pub(super) generation_before: Option<u32>,
    pub(super) changes: Changes,
}

/// What somebody did to samples, so that it can be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Samples that were not there before.
    pub(super) added: Vec<SampleId>,
    /// Samples that had another label, or none.
    pub(super) relabelled: Vec<(SampleId, Option<String>)>,
}

impl Changes {
    /// Notes what became of a sample. The first change of a sample is the one to go back before.
    pub(super) fn note(&mut self, added: &Added) {
        match added {
            Added::Known(_) => {}
            Added::New(id) => self.added.push(*id),
            Added::Relabelled { id, from } => {
                if !self.added.contains(id) && self.relabelled.iter().all(|(known, _)| known != id) {
                    self.relabelled.push((*id, from.clone()));
                }
            }
        }
    }

    /// Samples that undoing changes.
    pub(super) fn len(&self) -> usize {
        self.added.len() + self.relabelled.len()
    }
}

impl Hold {
    /// Whether another frame is wanted.
    pub(super) fn wants(&self, source: &str) -> bool {
        *self.source == *source && self.frames + self.on_their_way < FRAMES
    }

    /// A frame was stored, or not.
    pub(super) fn stored(&mut self, added: Result<&Added, String>) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        match added {
            Ok(added) => {
                self.frames += 1;
                self.changes.note(added);
            }
            Err(why) => self.failed = Some(why),
        }
    }

    /// Whether everything it will ever have is stored, once it was released.
    pub(super) fn complete(&self) -> bool {
        self.on_their_way == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_is_what_was_there_before_the_first_change() {
        let (a, b) = (SampleId([1; 16]), SampleId([2; 16]));
        let mut changes = Changes::default();
        changes.note(&Added::New(a));
        changes.note(&Added::Relabelled { id: a, from: Some("open".to_owned()) });
        changes.note(&Added::Relabelled { id: b, from: None });
        changes.note(&Added::Relabelled { id: b, from: Some("open".to_owned()) });
        changes.note(&Added::Known(b));
        assert_eq!(changes, Changes { added: vec![a], relabelled: vec![(b, None)] });
    }
}
