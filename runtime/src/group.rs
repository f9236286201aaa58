//! Groups: samples that may not be split between fitting and judging, because they show the same moment.
//!
//! Pure: knows nothing about stores or labels (a label never makes a group). `groups` promises, where no times are given:
//!
//! - *complete*: every picture of a group is near every one of its first [`FOUNDERS`] when it joins: within [`NEAR`] bits of
//!   its hash, or lying over it with little left (`likeness.rs`). Being alike is not passed on from picture to picture, so a
//!   slow drift does not end as one group;
//! - *equal stays together*: pictures with equal hashes are in one group;
//! - *order-free*: the partition depends on the sequence numbers, not on the order of the slice;
//! - *stable*: a later sample does not change how the earlier ones are grouped, but where the number of pictures reaches a
//!   power of two and what counts as near is measured anew; without thumbnails it never does.
//!
//! Each sample, in order of arrival, joins the group with the nearest hash among those that it fits wholly; else, of the few
//! that look most like it, the first that it lies over; else it founds one. O(n²) comparisons of 64 bits and of 64 numbers
//! at worst, and a few dozen registrations a sample: 10,000 pictures take about a second.

#[cfg(test)]
mod bursts;
mod likeness;
mod registration;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;

use acclimate_backbone::Thumbnail;
use jiff::Timestamp;

use self::likeness::{Look, Nearness, Scale};

/// Bits of 64 in which the perceptual hashes of two pictures of one group may differ.
pub const NEAR: u32 = 4;

/// A group key that begins so names one hold of a button, which is one recording whatever its gaps, and no part of another.
pub const HOLD: &str = "hold:";

/// Pictures of a group that a later one is laid over.
pub const FOUNDERS: usize = 8;

/// Groups that a picture is laid over, those that look most like it.
const CANDIDATES: usize = 4;

/// Samples of one source with a gap below this are one recording.
pub const GAP_MICROS: u64 = 2_000_000;

/// What makes a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// Alike pictures, and recordings.
    #[default]
    Auto,
    /// A column of the table that the labels came from.
    Column,
    /// The folder a file came from.
    Folder,
    /// Nothing: every sample is a group of its own.
    None,
}

impl GroupBy {
    /// The word on the command line and in the store.
    pub fn token(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Column => "column",
            Self::Folder => "folder",
            Self::None => "none",
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// Not a way to group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot group by `{0}`: expected auto, folder, column or none")]
pub struct UnknownGroupBy(String);

impl FromStr for GroupBy {
    type Err = UnknownGroupBy;
    fn from_str(text: &str) -> Result<Self, UnknownGroupBy> {
        [Self::Auto, Self::Column, Self::Folder, Self::None]
            .into_iter()
            .find(|by| by.token() == text)
            .ok_or_else(|| UnknownGroupBy(text.to_owned()))
    }
}

/// What grouping looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInput {
    /// Place in the order of arrival; unique.
    pub seq: i64,
    /// Perceptual hash, of pictures; of windows the start of their recording's SHA-256, which is never merely near another.
    pub phash: Option<u64>,
    /// Small copy, of pictures; what came before there were any is grouped by its hash alone.
    pub thumbnail: Option<Thumbnail>,
    /// Where the sample came from.
    pub source: String,
    /// When it was sensed, if known.
    pub taken: Option<Timestamp>,
    /// Folder or column.
    pub group_key: Option<String>,
}

/// The group of every sample, numbered from 0 in the order in which they first occur by sequence number.
///
/// Under [`GroupBy::Folder`] and [`GroupBy::Column`], samples without a key are grouped as under [`GroupBy::Auto`].
pub fn groups(samples: &[GroupInput], by: GroupBy) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_unstable_by_key(|&i| samples[i].seq);

    let looks: Vec<Option<Look<'_>>> = match by {
        GroupBy::None => vec![None; samples.len()],
        _ => samples.iter().map(|sample| sample.thumbnail.as_ref().and_then(Look::new)).collect(),
    };
    let in_order: Vec<Look<'_>> = order.iter().filter_map(|&i| looks[i]).collect();
    let mut grouping = Grouping { groups: Vec::new(), holder: HashMap::new(), scale: Scale::of(&in_order) };
    let mut keys: HashMap<&str, usize> = HashMap::new();
    let mut group_of = vec![0; samples.len()];
    for unit in units(samples, &order, by) {
        let group = match unit {
            Unit::Alone(_) => grouping.found(&[]),
            Unit::Keyed(_, key) => *keys.entry(key).or_insert_with(|| grouping.found(&[])),
            Unit::Recording(ref members) => {
                let pictures = members.iter().filter_map(|&i| Some((samples[i].phash?, looks[i])));
                grouping.join(&pictures.collect::<Vec<_>>())
            }
        };
        match unit {
            Unit::Alone(i) | Unit::Keyed(i, _) => group_of[i] = group,
            Unit::Recording(members) => members.into_iter().for_each(|i| group_of[i] = group),
        }
    }
    group_of
}

/// What is placed at once. Units come in the order of their first sample.
enum Unit<'a> {
    Alone(usize),
    Keyed(usize, &'a str),
    /// One or more samples of a source in a row.
    Recording(Vec<usize>),
}

fn units<'a>(samples: &'a [GroupInput], order: &[usize], by: GroupBy) -> Vec<Unit<'a>> {
    let mut units = Vec::with_capacity(order.len());
    // By source: its latest time, and where its running recording is in `units`.
    let mut running: HashMap<&str, (Timestamp, usize)> = HashMap::new();
    let mut holds: HashMap<&str, usize> = HashMap::new();
    for &i in order {
        let sample = &samples[i];
        let key = match by {
            GroupBy::Auto => None,
            GroupBy::Column | GroupBy::Folder => sample.group_key.as_deref(),
            GroupBy::None => {
                units.push(Unit::Alone(i));
                continue;
            }
        };
        if let Some(key) = key {
            units.push(Unit::Keyed(i, key));
            continue;
        }
        if let Some(hold) = sample.group_key.as_deref().filter(|key| key.starts_with(HOLD)) {
            let at = *holds.entry(hold).or_insert(units.len());
            match units.get_mut(at) {
                Some(Unit::Recording(members)) => members.push(i),
                _ => units.push(Unit::Recording(vec![i])),
            }
            continue;
        }
        let Some(taken) = sample.taken else {
            units.push(Unit::Recording(vec![i]));
            continue;
        };
        // The clock may have been set back in between: only the size of the gap counts.
        let goes_on = running
            .get(sample.source.as_str())
            .filter(|(last, _)| last.as_microsecond().abs_diff(taken.as_microsecond()) < GAP_MICROS)
            .map(|&(_, at)| at);
        let at = goes_on.unwrap_or(units.len());
        match units.get_mut(at) {
            Some(Unit::Recording(members)) => members.push(i),
            _ => units.push(Unit::Recording(vec![i])),
        }
        running.insert(&sample.source, (taken, at));
    }
    units
}

/// A picture: its hash, and how it looks unless it is blank or there is no thumbnail.
type Picture<'a> = (u64, Option<Look<'a>>);

/// The groups so far, and where each hash is.
struct Grouping<'a> {
    groups: Vec<Group<'a>>,
    holder: HashMap<u64, usize>,
    scale: Scale,
}

#[derive(Default)]
struct Group<'a> {
    /// Distinct ones.
    hashes: Vec<u64>,
    /// How its founders look.
    looks: Vec<Look<'a>>,
    /// It has a picture that can be compared by its hash alone.
    blind: bool,
}

impl<'a> Grouping<'a> {
    fn found(&mut self, pictures: &[Picture<'a>]) -> usize {
        let group = self.groups.len();
        self.groups.push(Group::default());
        self.extend(group, pictures);
        group
    }

    fn extend(&mut self, at: usize, pictures: &[Picture<'a>]) {
        let group = &mut self.groups[at];
        for &(hash, look) in pictures {
            if let Entry::Vacant(place) = self.holder.entry(hash) {
                place.insert(at);
                group.hashes.push(hash);
                group.blind |= look.is_none();
                if group.looks.len() < FOUNDERS {
                    group.looks.extend(look);
                }
            }
        }
    }

    fn join(&mut self, pictures: &[Picture<'a>]) -> usize {
        // Equal pictures fit wherever the first of them did. A recording may hold pictures of several groups; the first decides.
        let known = pictures.iter().find_map(|(hash, _)| self.holder.get(hash)).copied();
        let group = known.or_else(|| self.by_hash(pictures)).or_else(|| self.by_look(pictures));
        match group {
            Some(group) => {
                self.extend(group, pictures);
                group
            }
            None => self.found(pictures),
        }
    }

    fn by_hash(&self, pictures: &[Picture<'a>]) -> Option<usize> {
        let fits = self.groups.iter().enumerate().filter_map(|(at, group)| Some((fit(&group.hashes, pictures)?, at)));
        fits.min().map(|(_, at)| at)
    }

    fn by_look(&self, pictures: &[Picture<'a>]) -> Option<usize> {
        let looks: Vec<&Look<'a>> = pictures.iter().take(FOUNDERS).map_while(|(_, look)| look.as_ref()).collect();
        if looks.is_empty() || looks.len() < pictures.len().min(FOUNDERS) {
            return None;
        }
        let mut near: Vec<(f64, usize)> = Vec::new();
        for (at, group) in self.groups.iter().enumerate().filter(|(_, group)| !group.blind) {
            let pairs =
                group.looks.iter().flat_map(|earlier| looks.iter().map(|later| earlier.coarse_difference(later)));
            let nearest = pairs.fold(f64::INFINITY, f64::min);
            if self.scale.worth_a_look(nearest) {
                near.push((nearest, at));
            }
        }
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near.iter().take(CANDIDATES).map(|&(_, at)| at).find(|&at| {
            let mut linked = false;
            let pairs =
                self.groups[at].looks.iter().flat_map(|earlier| looks.iter().map(move |later| (earlier, *later)));
            let together = pairs.map(|(earlier, later)| self.scale.nearness(earlier, later)).all(|nearness| {
                linked |= nearness == Nearness::Linked;
                nearness != Nearness::Apart
            });
            together && linked
        })
    }
}

/// Nearest and farthest pair, if none is farther than [`NEAR`].
fn fit(members: &[u64], pictures: &[Picture<'_>]) -> Option<(u32, u32)> {
    let mut extremes: Option<(u32, u32)> = None;
    for member in members {
        for (hash, _) in pictures {
            let distance = (member ^ hash).count_ones();
            if distance > NEAR {
                return None;
            }
            extremes =
                Some(extremes.map_or((distance, distance), |(near, far)| (near.min(distance), far.max(distance))));
        }
    }
    extremes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    fn picture(seq: i64, phash: u64) -> GroupInput {
        GroupInput {
            seq,
            phash: Some(phash),
            thumbnail: None,
            source: format!("{seq}.jpg"),
            taken: None,
            group_key: None,
        }
    }

    fn pictures(hashes: &[u64]) -> Vec<GroupInput> {
        hashes.iter().zip(1..).map(|(&hash, seq)| picture(seq, hash)).collect()
    }

    fn frame(seq: i64, source: &str, second: i64) -> GroupInput {
        let taken = Some(Timestamp::from_second(second).unwrap());
        GroupInput { seq, phash: None, thumbnail: None, source: source.to_owned(), taken, group_key: None }
    }

    #[test]
    fn likeness_is_not_passed_on() {
        // 0 to 4 bits fit, 4 to 8 bits fit, but 0 and 8 do not.
        assert_eq!(groups(&pictures(&[0, 0xf, 0xff]), GroupBy::Auto), [0, 0, 1]);
    }

    #[test]
    fn five_bits_are_too_far() {
        assert_eq!(groups(&pictures(&[0, 0x1f, 0xf]), GroupBy::Auto), [0, 1, 1], "and the nearest wins");
    }

    #[test]
    fn without_hash_or_time_every_sample_is_alone() {
        let mut samples = pictures(&[0, 0]);
        for sample in &mut samples {
            sample.phash = None;
        }
        assert_eq!(groups(&samples, GroupBy::Auto), [0, 1]);
    }

    #[test]
    fn a_recording_is_one_group_until_a_gap_of_two_seconds() {
        let samples =
            [frame(1, "yard", 0), frame(2, "door", 0), frame(3, "yard", 1), frame(4, "yard", 3), frame(5, "door", 1)];
        assert_eq!(groups(&samples, GroupBy::Auto), [0, 1, 0, 2, 1]);
    }

    #[test]
    fn a_clock_set_back_by_years_ends_the_recording() {
        let samples = [frame(1, "yard", 1_700_000_000), frame(2, "yard", 0), frame(3, "yard", 1)];
        assert_eq!(groups(&samples, GroupBy::Auto), [0, 1, 1]);
    }

    #[test]
    fn a_key_overrides_likeness_and_likeness_serves_where_there_is_no_key() {
        let mut samples = pictures(&[0, 0, 7, 7]);
        samples[0].group_key = Some("a".into());
        samples[1].group_key = Some("b".into());
        assert_eq!(groups(&samples, GroupBy::Folder), [0, 1, 2, 2]);
        assert_eq!(groups(&samples, GroupBy::None), [0, 1, 2, 3]);
    }

    #[test]
    fn ten_thousand_pictures_are_grouped() {
        // A static camera, the worst case: everything is near something.
        let hashes: Vec<u64> = (0..10_000_u64).map(|i| (1 << (i % 64)) ^ (1 << (i / 64 % 64))).collect();
        let found = groups(&pictures(&hashes), GroupBy::Auto);
        assert!(found.iter().all(|&group| group == 0), "two bits off a common scene is at most four bits apart");
    }

    #[test]
    fn words_are_read_back() {
        for by in [GroupBy::Auto, GroupBy::Column, GroupBy::Folder, GroupBy::None] {
            assert_eq!(by.token().parse(), Ok(by));
        }
        assert!("label".parse::<GroupBy>().is_err());
    }

    /// Hashes within a few bits of a few scenes, so that groups form, touch and overlap.
    fn hashes() -> impl Strategy<Value = Vec<u64>> {
        let near = (0..4_u64, prop::collection::vec(0..24_u32, 0..4))
            .prop_map(|(scene, flips)| flips.iter().fold(scene * 0x0007, |hash, bit| hash ^ (1 << bit)));
        prop::collection::vec(near, 0..60)
    }

    proptest! {
        #[test]
        fn every_pair_of_a_group_is_near(hashes in hashes()) {
            let found = groups(&pictures(&hashes), GroupBy::Auto);
            for (i, a) in hashes.iter().enumerate() {
                for (j, b) in hashes.iter().enumerate() {
                    prop_assert!(found[i] != found[j] || (a ^ b).count_ones() <= NEAR);
                    prop_assert!(a != b || found[i] == found[j], "equal hashes were split");
                }
            }
        }

        #[test]
        fn the_order_of_the_slice_does_not_matter(hashes in hashes(), rotation in 0..60_usize) {
            let samples = pictures(&hashes);
            let mut turned = samples.clone();
            turned.reverse();
            turned.rotate_left(rotation % samples.len().max(1));
            let (found, found_turned) = (groups(&samples, GroupBy::Auto), groups(&turned, GroupBy::Auto));
            for (sample, group) in turned.iter().zip(found_turned) {
                prop_assert_eq!(found[usize::try_from(sample.seq - 1).unwrap()], group);
            }
        }

        #[test]
        fn a_later_sample_changes_no_earlier_group(hashes in hashes()) {
            let samples = pictures(&hashes);
            let all = groups(&samples, GroupBy::Auto);
            for n in 0..samples.len() {
                prop_assert_eq!(&groups(&samples[..n], GroupBy::Auto)[..], &all[..n]);
            }
        }

        #[test]
        fn numbers_count_up_from_zero(hashes in hashes()) {
            let mut next = 0;
            for group in groups(&pictures(&hashes), GroupBy::Auto) {
                prop_assert!(group <= next);
                next = next.max(group + 1);
            }
        }
    }
}
