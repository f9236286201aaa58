//! Gates: whether a region shows another scene than before, and whether a scene was kept already. Knows nothing of stores.

use std::collections::VecDeque;
use std::time::Duration;

use crate::group::NEAR;

/// After so long without a frame, what comes is another scene, whatever it looks like.
const PAUSE: Duration = Duration::from_secs(10);

/// Scenes that were kept lately and are remembered.
const REMEMBERED: usize = 64;

/// The scene that a region shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    last: Option<(u64, Duration)>,
    /// Its number.
    pub(super) number: usize,
}

impl Scene {
    /// Takes a frame's perceptual hash; true when it begins another scene. A scene is what stays near its first frame, so
    /// that a slow change becomes another one in the end.
    pub(super) fn observe(&mut self, phash: u64, now: Duration) -> bool {
        let goes_on = self.last.is_some_and(|(first, seen)| near(first, phash) && now.saturating_sub(seen) < PAUSE);
        match &mut self.last {
            Some((_, seen)) if goes_on => *seen = now,
            last => {
                *last = Some((phash, now));
                self.number += 1;
            }
        }
        !goes_on
    }
}

/// What was kept lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(VecDeque<u64>);

impl Kept {
    /// Whether something like it was kept.
    pub(super) fn knows(&self, phash: u64) -> bool {
        self.0.iter().any(|&kept| near(kept, phash))
    }

    /// Remembers one; the oldest is forgotten.
    pub(super) fn remember(&mut self, phash: u64) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(phash);
    }
}

fn near(a: u64, b: u64) -> bool {
    (a ^ b).count_ones() <= NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_ends_when_the_picture_moves_or_pauses_and_a_slow_change_ends_it_too() {
        let second = Duration::from_secs;
        let mut scene = Scene::default();
        assert!(scene.observe(0, second(0)));
        assert!(!scene.observe(0b1111, second(1)));
        assert!(scene.observe(u64::MAX, second(2)));
        assert!(!scene.observe(u64::MAX, second(3)));
        assert!(scene.observe(u64::MAX, second(30)), "after a pause");
        let scenes = (0..64).filter(|bit| scene.observe(u64::MAX << bit, second(31 + bit))).count();
        assert_eq!(scenes, 12, "one bit at a time: every fifth is another");
        assert_eq!(scene.number, 15);
    }

    #[test]
    fn what_was_kept_is_known_until_many_others_were() {
        let mut kept = Kept::default();
        kept.remember(0);
        assert!(kept.knows(0b1111) && !kept.knows(0b1_1111));
        (1..=REMEMBERED as u64).for_each(|scene| kept.remember(scene * 0x0101_0101_0101_0101));
        assert_eq!(kept.0.len(), REMEMBERED);
        assert!(!kept.knows(0b0));
    }
}
