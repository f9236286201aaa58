//! Signed heads that come in parts, as a state machine. Parts come in any order, again, damaged, or not at all; other manifests come
//! meanwhile. Knows neither transport nor disk nor clock: `handle_*` takes input, [`Assembler::poll_output`] gives what to do,
//! [`Assembler::deadline`] says when to call [`Assembler::handle_time`] at the latest.
//!
//! ```text
//! manifest ─▶ wanted ──new part──▶ kept … ──last part──▶ whole
//!                │  nothing new for QUIET: what is missing is asked for again
//!                │  not whole within TOTAL: refused, slow
//!                └─ a newer one of the same signer and task: replaced
//! ```
//!
//! Contract: whoever gives a manifest has found that it is admitted; after each input outputs are taken until there is none.
//! Invariant: what is on its way is bounded by `SLOTS` heads and `ROOM` bytes; the bytes of parts are never kept here.

use std::collections::VecDeque;
use std::time::Duration;

use super::key::KeyId;
use super::manifest::Manifest;
use super::refusal::Refusal;
use crate::store::Digest;

/// Heads that are put together at a time; of one more, the one that has waited longest for a part goes.
pub const SLOTS: usize = 8;
/// Bytes that are on their way at a time; so much at least has room for any one.
const ROOM: u64 = 128 << 20;
/// After so long without a new part, what is missing is asked for again.
pub const QUIET: Duration = Duration::from_mins(1);
/// A head that is not whole after so long is given up.
pub const TOTAL: Duration = Duration::from_hours(1);

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Forget what was kept of this signed head.
    Drop(Digest),
    /// It was given up.
    Refused {
        /// What announced it.
        manifest: Box<Manifest>,
        /// Why.
        refusal: Refusal,
    },
    /// Get these parts.
    Want {
        /// Of which signed head.
        of: Digest,
        /// For which task.
        task: String,
        /// Which, in order.
        parts: Vec<usize>,
    },
    /// Everything of it was kept.
    Whole(Box<Manifest>),
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// These are not the bytes that were signed, or there is no such part.
    Damaged,
    /// It is there already.
    Known,
    /// It is new.
    New,
    /// Nothing is known of such a head.
    Stray,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Assembler {
    slots: Vec<Slot>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Slot {
    manifest: Manifest,
    have: Vec<bool>,
    began: Duration,
    /// When the last new part came, or was last asked for.
    stirred: Duration,
}

impl Slot {
    fn missing(&self) -> Vec<usize> {
        (0..self.have.len()).filter(|&part| !self.have[part]).collect()
    }

    fn of(&self) -> (&str, KeyId) {
        (&self.manifest.statement.task, self.manifest.signer.key.id())
    }
}

impl Assembler {
    /// A manifest came that is admitted: its parts are wanted from now on.
    pub fn handle_manifest(&mut self, manifest: Manifest, now: Duration) {
        let have = vec![false; manifest.parts.len()];
        self.begin(manifest, have, now);
    }

    /// After a restart: a manifest that is admitted still, and the parts that were kept.
    pub fn resume(&mut self, manifest: Manifest, kept: &[usize], now: Duration) {
        let have = (0..manifest.parts.len()).map(|part| kept.contains(&part)).collect();
        self.begin(manifest, have, now);
    }

    fn begin(&mut self, manifest: Manifest, have: Vec<bool>, now: Duration) {
        let slot = Slot { have, began: now, stirred: now, manifest };
        if let Some(at) = self.slots.iter().position(|known| known.of() == slot.of()) {
            let (known, new) = (&self.slots[at].manifest, &slot.manifest);
            if known.sha256 == new.sha256 {
                self.want(at);
                return;
            }
            let (old, sequence) = (known.statement.sequence, new.statement.sequence);
            let signer = new.signer.name.clone();
            let refusal = if sequence < old {
                Some(Refusal::Older { signer, sequence, seen: old })
            } else if sequence == old && known.statement.head != new.statement.head {
                Some(Refusal::Conflicting { signer, sequence })
            } else if sequence == old && new.statement.issued <= known.statement.issued {
                // The same head in an older envelope: the one that is coming does.
                return;
            } else {
                None
            };
            if let Some(refusal) = refusal {
                self.outputs.push_back(Output::Refused { manifest: Box::new(slot.manifest), refusal });
                return;
            }
            self.leave(at);
        }
        let taken = |slots: &[Slot]| slots.iter().map(|slot| slot.manifest.bytes).sum::<u64>();
        while self.slots.len() >= SLOTS || taken(&self.slots) + slot.manifest.bytes > ROOM {
            let Some(quietest) = (0..self.slots.len()).min_by_key(|&at| self.slots[at].stirred) else { break };
            self.leave(quietest);
        }
        self.slots.push(slot);
        let at = self.slots.len() - 1;
        if self.slots[at].have.iter().all(|&have| have) { self.whole(at) } else { self.want(at) }
    }

    /// What a part is that came. One that is new is to be kept, and then told of by [`Assembler::handle_kept`].
    pub fn check_part(&self, of: Digest, part: usize, bytes: &[u8]) -> Part {
        match self.slots.iter().find(|slot| slot.manifest.sha256 == of) {
            None => Part::Stray,
            Some(slot) if slot.have.get(part) == Some(&true) => Part::Known,
            Some(slot) if slot.manifest.is(part, bytes) => Part::New,
            Some(_) => Part::Damaged,
        }
    }

    /// A new part was kept.
    pub fn handle_kept(&mut self, of: Digest, part: usize, now: Duration) {
        let Some(at) = self.slots.iter().position(|slot| slot.manifest.sha256 == of) else { return };
        let slot = &mut self.slots[at];
        let Some(have) = slot.have.get_mut(part) else { return };
        *have = true;
        slot.stirred = now;
        if slot.have.iter().all(|&have| have) {
            self.whole(at);
        }
    }

    /// Time went by.
    pub fn handle_time(&mut self, now: Duration) {
        for at in (0..self.slots.len()).rev() {
            let slot = &mut self.slots[at];
            if now >= slot.began + TOTAL {
                let (parts, missing) = (slot.have.len(), slot.missing().len());
                let refusal = Refusal::Slow { parts, have: parts - missing, minutes: TOTAL.as_secs() / 60 };
                let manifest = Box::new(slot.manifest.clone());
                self.leave(at);
                self.outputs.push_back(Output::Refused { manifest, refusal });
            } else if now >= slot.stirred + QUIET {
                slot.stirred = now;
                self.want(at);
            }
        }
    }

    /// When [`Assembler::handle_time`] has something to do; never where nothing is on its way.
    pub fn deadline(&self) -> Option<Duration> {
        self.slots.iter().map(|slot| (slot.began + TOTAL).min(slot.stirred + QUIET)).min()
    }

    /// Whether parts of a signed head are waited for.
    pub fn awaits(&self, of: &Digest) -> bool {
        self.slots.iter().any(|slot| slot.manifest.sha256 == *of)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn want(&mut self, at: usize) {
        let slot = &self.slots[at];
        let (of, task) = (slot.manifest.sha256, slot.manifest.statement.task.clone());
        self.outputs.push_back(Output::Want { of, task, parts: slot.missing() });
    }

    fn whole(&mut self, at: usize) {
        let slot = self.slots.remove(at);
        self.outputs.push_back(Output::Whole(Box::new(slot.manifest)));
    }

    fn leave(&mut self, at: usize) {
        let slot = self.slots.remove(at);
        self.outputs.push_back(Output::Drop(slot.manifest.sha256));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;
    use crate::store::Marks;
    use crate::sync::tests::{head, pair, statement};
    use crate::sync::{Arrivals, DeviceKey, SignedHead, Statement, Trusted, sign, split};

    const SECOND: Duration = Duration::from_secs(1);

    /// A signed head of several parts.
    struct Sent {
        manifest: Manifest,
        bytes: Vec<u8>,
        sealed: Vec<u8>,
        parts: Vec<Vec<u8>>,
    }

    fn send(key: &DeviceKey, of: &Trusted, sequence: u64, by: f32) -> Sent {
        // Many marks make a small head large.
        let ids: Vec<_> = (0..1500_u32).map(|i| crate::store::SampleId::of(&i.to_le_bytes())).collect();
        let file = head(by);
        let said = Statement { samples: Marks::of(&ids), ..statement(sequence, &file) };
        let bytes = sign(key, &said, &file.encode().unwrap());
        let cut = split(key, &said, &bytes, 3 << 10).unwrap();
        let parts: Vec<Vec<u8>> = cut.parts.iter().map(|part| part.to_vec()).collect();
        let manifest = Manifest::open(&cut.manifest, std::slice::from_ref(of)).unwrap();
        assert!(parts.len() >= 3);
        Sent { manifest, sealed: cut.manifest, parts, bytes }
    }

    /// A part comes, and is kept if it is new.
    fn give(assembler: &mut Assembler, of: Digest, part: usize, bytes: &[u8], now: Duration) -> Part {
        let what = assembler.check_part(of, part, bytes);
        if what == Part::New {
            assembler.handle_kept(of, part, now);
        }
        what
    }

    /// What is to be done, in words.
    fn outputs(assembler: &mut Assembler) -> Vec<String> {
        std::iter::from_fn(|| assembler.poll_output())
            .map(|output| match output {
                Output::Drop(_) => "drop".to_owned(),
                Output::Refused { refusal, .. } => format!("refused {}", refusal.token()),
                Output::Want { parts, .. } => format!("want {parts:?}"),
                Output::Whole(_) => "whole".to_owned(),
            })
            .collect()
    }

    #[test]
    fn parts_out_of_order_repeated_damaged_and_unknown() {
        let (key, press) = pair("press-7");
        let sent = send(&key, &press, 4, 1.0);
        let (of, last) = (sent.manifest.sha256, sent.parts.len() - 1);
        let mut assembler = Assembler::default();
        assert_eq!(give(&mut assembler, of, 0, &sent.parts[0], SECOND), Part::Stray, "nobody has announced it");
        assembler.handle_manifest(sent.manifest.clone(), SECOND);
        let all: Vec<usize> = (0..=last).collect();
        assert_eq!(outputs(&mut assembler), [format!("want {all:?}")]);
        assert_eq!(give(&mut assembler, of, last, &sent.parts[last], SECOND), Part::New);
        assert_eq!(give(&mut assembler, of, last, &sent.parts[last], SECOND), Part::Known);
        assert_eq!(give(&mut assembler, of, 0, &sent.parts[1], SECOND), Part::Damaged);
        assert_eq!(give(&mut assembler, of, 0, &sent.parts[0][1..], SECOND), Part::Damaged);
        assert_eq!(give(&mut assembler, of, last + 1, &sent.parts[0], SECOND), Part::Damaged);
        assert_eq!(give(&mut assembler, of, usize::MAX, &[], SECOND), Part::Damaged);
        assert!(outputs(&mut assembler).is_empty());
        for part in (0..last).rev() {
            assert_eq!(give(&mut assembler, of, part, &sent.parts[part], SECOND), Part::New);
        }
        assert_eq!(outputs(&mut assembler).last().unwrap(), "whole");
        assert_eq!(assembler.deadline(), None, "nothing is on its way");
        assert_eq!(give(&mut assembler, of, 0, &sent.parts[0], SECOND), Part::Stray);
    }

    proptest! {
        #[test]
        fn however_parts_come_the_head_is_whole_once_and_only_when_all_have_come(
            comes in prop::collection::vec((0..20_usize, any::<bool>(), any::<bool>()), 0..80),
        ) {
            let (key, press) = pair("press-7");
            let sent = send(&key, &press, 4, 1.0);
            let of = sent.manifest.sha256;
            let mut assembler = Assembler::default();
            assembler.handle_manifest(sent.manifest.clone(), SECOND);
            let mut have = vec![false; sent.parts.len()];
            let rest = (0..sent.parts.len()).map(|part| (part, false, false));
            for (part, damaged, announced) in comes.into_iter().chain(rest) {
                let whole = have.iter().all(|&have| have);
                prop_assert_eq!(outputs(&mut assembler).iter().any(|said| said == "whole"), false);
                if announced && !whole {
                    assembler.handle_manifest(sent.manifest.clone(), SECOND);
                    outputs(&mut assembler);
                }
                let mut bytes = sent.parts.get(part).cloned().unwrap_or_default();
                if damaged && let Some(byte) = bytes.first_mut() {
                    *byte ^= 1;
                }
                let known = have.get(part).copied();
                let expected = match known {
                    _ if whole => Part::Stray,
                    Some(true) => Part::Known,
                    Some(false) if !damaged => Part::New,
                    _ => Part::Damaged,
                };
                prop_assert_eq!(give(&mut assembler, of, part, &bytes, SECOND), expected);
                if expected == Part::New {
                    have[part] = true;
                    let done = have.iter().all(|&have| have);
                    prop_assert_eq!(outputs(&mut assembler), if done { vec!["whole"] } else { Vec::new() });
                }
            }
            prop_assert!(have.iter().all(|&have| have) && assembler.deadline().is_none());
        }
    }

    #[test]
    fn slow_retrieval_what_is_missing_is_asked_for_again_and_given_up_after_an_hour() {
        let (key, press) = pair("press-7");
        let sent = send(&key, &press, 4, 1.0);
        let mut assembler = Assembler::default();
        assembler.handle_manifest(sent.manifest.clone(), Duration::ZERO);
        give(&mut assembler, sent.manifest.sha256, 0, &sent.parts[0], 30 * SECOND);
        outputs(&mut assembler);
        assert_eq!(assembler.deadline(), Some(30 * SECOND + QUIET));
        assembler.handle_time(29 * SECOND + QUIET);
        assert!(outputs(&mut assembler).is_empty());
        // For an hour, asked again every minute, a part at a time or none.
        let mut asked = 0;
        let now = loop {
            let now = assembler.deadline().unwrap();
            assembler.handle_time(now);
            let said = outputs(&mut assembler);
            if said.iter().any(|said| said.starts_with("refused")) {
                assert_eq!(said, ["drop", "refused slow"]);
                break now;
            }
            assert!(said[0].starts_with("want [1, "), "{said:?}");
            asked += 1;
        };
        assert_eq!((now, asked), (TOTAL, 59));
        // Announced once more, it is waited for once more.
        assembler.handle_manifest(sent.manifest, now);
        assert!(outputs(&mut assembler)[0].starts_with("want [0, "));
    }

    #[test]
    fn another_manifest_meanwhile_the_newer_one_wins_and_a_re_signed_one_takes_over() {
        let (key, press) = pair("press-7");
        let [old, new] = [(4, 1.0), (5, 2.0)].map(|(sequence, by)| send(&key, &press, sequence, by));
        let mut assembler = Assembler::default();
        assembler.handle_manifest(old.manifest.clone(), SECOND);
        give(&mut assembler, old.manifest.sha256, 0, &old.parts[0], SECOND);
        outputs(&mut assembler);
        assembler.handle_manifest(old.manifest.clone(), SECOND);
        assert!(outputs(&mut assembler)[0].starts_with("want [1, "), "the same again goes on where it was");
        assembler.handle_manifest(new.manifest.clone(), SECOND);
        assert_eq!(outputs(&mut assembler)[0], "drop");
        assembler.handle_manifest(old.manifest, SECOND);
        assert_eq!(outputs(&mut assembler), ["refused older"]);
        let other = send(&key, &press, 5, 3.0);
        assembler.handle_manifest(other.manifest, SECOND);
        assert_eq!(outputs(&mut assembler), ["refused conflicting"]);
        // Of another signer: beside it.
        let (key, door) = pair("door-1");
        assembler.handle_manifest(send(&key, &door, 1, 1.0).manifest, SECOND);
        assert_eq!(assembler.slots.len(), 2);
    }

    #[test]
    fn what_is_on_its_way_is_bounded_and_the_quietest_goes() {
        let mut assembler = Assembler::default();
        let sent: Vec<Sent> = (0..=SLOTS)
            .map(|i| {
                let (key, of) = pair(&format!("press-{i}"));
                send(&key, &of, 4, 1.0)
            })
            .collect();
        for (i, sent) in sent.iter().enumerate().take(SLOTS) {
            assembler.handle_manifest(sent.manifest.clone(), SECOND * i as u32);
        }
        give(&mut assembler, sent[0].manifest.sha256, 0, &sent[0].parts[0], 100 * SECOND);
        outputs(&mut assembler);
        assembler.handle_manifest(sent[SLOTS].manifest.clone(), 100 * SECOND);
        assert_eq!((outputs(&mut assembler)[0].as_str(), assembler.slots.len()), ("drop", SLOTS));
        assert!(!assembler.slots.iter().any(|slot| slot.manifest.sha256 == sent[1].manifest.sha256));
    }

    #[test]
    fn after_a_restart_it_goes_on_with_the_parts_that_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let arrivals = Arrivals::of(dir.path());
        let (key, press) = pair("press-7");
        let press = [press];
        let sent = send(&key, &press[0], 4, 1.0);
        let of = sent.manifest.sha256;
        assert!(arrivals.load(&press).unwrap().is_empty());
        arrivals.begin(&of, &sent.sealed).unwrap();
        arrivals.keep(&of, 0, &sent.parts[0]).unwrap();
        // The power failed within this one.
        arrivals.keep(&of, 1, &sent.parts[1][..10]).unwrap();
        let [(manifest, kept)] = &arrivals.load(&press).unwrap()[..] else { panic!("one was on its way") };
        assert_eq!((manifest, &kept[..]), (&sent.manifest, &[0][..]));
        let mut assembler = Assembler::default();
        assembler.resume(manifest.clone(), kept, SECOND);
        assert!(outputs(&mut assembler)[0].starts_with("want [1, "));
        for (part, bytes) in sent.parts.iter().enumerate().skip(1) {
            give(&mut assembler, of, part, bytes, SECOND);
            arrivals.keep(&of, part, bytes).unwrap();
        }
        assert_eq!(outputs(&mut assembler).last().unwrap(), "whole");
        let bytes = arrivals.whole(manifest).unwrap().unwrap();
        assert_eq!(bytes, sent.bytes);
        assert!(SignedHead::open(&bytes, &press).is_ok());
        // All there, and not yet used when the program ended.
        let [(manifest, kept)] = &arrivals.load(&press).unwrap()[..] else { panic!("one was on its way") };
        let mut assembler = Assembler::default();
        assembler.resume(manifest.clone(), kept, SECOND);
        assert_eq!(outputs(&mut assembler), ["whole"]);
        // The key is distrusted: what it announced goes.
        assert!(arrivals.load(&[]).unwrap().is_empty());
        assert!(!dir.path().join("arriving").join(of.to_string()).exists());
        assert!(arrivals.drop(&of).is_ok(), "what is gone is gone");
    }
}
