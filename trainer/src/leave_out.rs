//! Which samples are left out together, and how groups are dealt into folds.
//!
//! Invariant: nothing here depends on the order of the samples, so neither does any head.

use ndarray::Array2;

use crate::Samples;

/// Independent hashes of a feature's components.
const LANES: usize = 4;
/// A multiplier without small factors.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The groups that leave-out works with.
#[derive(Clone, Debug)]
pub(crate) struct LeaveOut {
    /// Group of each row, in `0..members.len()`.
    pub(crate) of: Vec<usize>,
    /// Rows of each group.
    pub(crate) members: Vec<Vec<usize>>,
    /// Whether groups had to be split.
    pub(crate) ungrouped: bool,
}

impl LeaveOut {
    /// Takes the samples' groups. Where a class has fewer than two, leaving one out would leave the class unseen, so
    /// the groups it occurs in are split into single samples.
    pub(crate) fn new(samples: &Samples<'_>) -> Self {
        Self::of(samples.labels(), samples.groups(), samples.classes())
    }

    /// [`LeaveOut::new`] of labels and groups.
    pub(crate) fn of(labels: &[usize], groups: &[usize], classes: usize) -> Self {
        let mut home: Vec<Option<usize>> = vec![None; classes];
        let mut spread = vec![false; classes];
        for (&label, &group) in labels.iter().zip(groups) {
            spread[label] |= *home[label].get_or_insert(group) != group;
        }
        let split: std::collections::BTreeSet<usize> =
            (0..classes).filter(|&class| !spread[class]).filter_map(|class| home[class]).collect();
        let mut numbers = std::collections::BTreeMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut of = Vec::with_capacity(labels.len());
        for (row, group) in groups.iter().enumerate() {
            let fresh = members.len();
            let number = if split.contains(group) { fresh } else { *numbers.entry(group).or_insert(fresh) };
            if number == fresh {
                members.push(Vec::new());
            }
            members[number].push(row);
            of.push(number);
        }
        Self { of, members, ungrouped: !split.is_empty() }
    }

    /// The groups of some rows, which are numbered anew: by their place among `rows`.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut numbers = std::collections::BTreeMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut of = Vec::with_capacity(rows.len());
        for (place, &row) in rows.iter().enumerate() {
            let number = *numbers.entry(self.of[row]).or_insert(members.len());
            if number == members.len() {
                members.push(Vec::new());
            }
            members[number].push(place);
            of.push(number);
        }
        Self { of, members, ungrouped: self.ungrouped }
    }

    /// Deals the groups into at most `folds` folds so that each class is spread as evenly as it goes: the rarest
    /// classes' groups first, large before small, each to the fold that has the smallest share of its classes.
    /// Ties are broken by a hash of the content and the seed. Returns the folds as groups, numbered from 0.
    pub(crate) fn folds(&self, samples: &Samples<'_>, folds: usize, seed: u64) -> Self {
        let folds = folds.min(self.members.len()).max(1);
        let counts = samples.counts();
        let mut groups_of_class = vec![0_usize; samples.classes()];
        let mut queue = Vec::with_capacity(self.members.len());
        for members in &self.members {
            let mut tally = std::collections::BTreeMap::new();
            let mut key = 0_u64;
            for &row in members {
                *tally.entry(samples.labels()[row]).or_insert(0_usize) += 1;
                key = key.wrapping_add(content_hash(samples, row));
            }
            for &class in tally.keys() {
                groups_of_class[class] += 1;
            }
            queue.push((tally, members, mix(key ^ seed)));
        }
        queue.sort_by_key(|(tally, members, key)| {
            let rarest = tally.keys().map(|&class| (groups_of_class[class], class)).min();
            (rarest, std::cmp::Reverse(members.len()), *key)
        });
        let mut share = vec![vec![0_usize; samples.classes()]; folds];
        let mut size = vec![0_usize; folds];
        let mut fold_of = vec![0; samples.rows()];
        for (tally, members, _) in queue {
            let cost = |fold: usize| -> f64 {
                tally.keys().map(|&class| share[fold][class] as f64 / counts[class] as f64).sum()
            };
            let better = |a: &usize, b: &usize| cost(*a).total_cmp(&cost(*b)).then(size[*a].cmp(&size[*b]));
            let fold = (0..folds).min_by(better).unwrap_or(0);
            for (class, count) in tally {
                share[fold][class] += count;
            }
            size[fold] += members.len();
            for &row in members {
                fold_of[row] = fold;
            }
        }
        let mut members = vec![Vec::new(); folds];
        fold_of.iter().enumerate().for_each(|(row, &fold)| members[fold].push(row));
        Self { of: fold_of, members, ungrouped: self.ungrouped }
    }
}

/// The (sample, class) pairs where nothing of the class is left without the sample's group.
pub(crate) fn unseen(samples: &Samples<'_>) -> Vec<(usize, usize)> {
    single(samples.labels(), samples.classes())
}

/// Scores `-inf` where nothing of the class was left to score with.
pub(crate) fn mark(scores: &mut Array2<f64>, unseen: &[(usize, usize)]) {
    for &at in unseen {
        scores[at] = f64::NEG_INFINITY;
    }
}

/// [`unseen`] of labels.
pub(crate) fn single(labels: &[usize], classes: usize) -> Vec<(usize, usize)> {
    // A class spread over two groups survives the loss of one, and the groups of any other class were split.
    let mut counts = vec![0_usize; classes];
    for &label in labels {
        counts[label] += 1;
    }
    labels.iter().copied().enumerate().filter(|&(_, label)| counts[label] == 1).collect()
}

/// A number that equal samples share and others most likely do not.
pub(crate) fn content_hash(samples: &Samples<'_>, row: usize) -> u64 {
    // Lanes do not wait for one another, so this runs at the speed of memory.
    let mut lanes = [mix(samples.labels()[row] as u64); LANES];
    let mut take = |block: &[f32]| {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = (*lane ^ u64::from(x.to_bits())).wrapping_mul(ODD).rotate_left(29);
        }
    };
    let row = samples.row(row);
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        take(block);
    }
    take(rest);
    lanes.into_iter().fold(0, |hash, lane| mix(hash ^ lane))
}

/// The output function of `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::Array2;

    fn with<T>(labels: &[usize], groups: &[usize], check: impl Fn(&Samples<'_>, &LeaveOut) -> T) -> T {
        let x = Array2::from_shape_fn((labels.len(), 2), |(i, j)| (i * 2 + j) as f32);
        let classes = labels.iter().max().unwrap() + 1;
        let samples = Samples::new(x.view(), labels, groups, classes).unwrap();
        check(&samples, &LeaveOut::new(&samples))
    }

    #[test]
    fn groups_are_kept_where_every_class_has_two() {
        with(&[0, 0, 1, 1, 0, 1], &[9, 9, 9, 4, 4, 4], |_, leave_out| {
            assert_eq!(leave_out.members, [vec![0, 1, 2], vec![3, 4, 5]]);
            assert!(!leave_out.ungrouped);
        });
    }

    #[test]
    fn the_groups_of_a_class_with_one_group_are_split() {
        with(&[0, 0, 0, 1, 1, 0], &[9, 9, 8, 4, 4, 4], |_, leave_out| {
            assert_eq!(leave_out.members, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
            assert_eq!(leave_out.of, [0, 0, 1, 2, 3, 4]);
            assert!(leave_out.ungrouped);
        });
    }

    #[test]
    fn folds_keep_groups_whole_and_spread_classes() {
        let labels: Vec<usize> = (0..60).map(|i| usize::from(i >= 48)).collect();
        let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
        with(&labels, &groups, |samples, leave_out| {
            let folds = leave_out.folds(samples, 5, 7).of;
            for pair in folds.chunks(2) {
                assert_eq!(pair[0], pair[1]);
            }
            for fold in 0..5 {
                let of_class = |class| (0..60).filter(|&i| folds[i] == fold && labels[i] == class).count();
                assert!((8..=10).contains(&of_class(0)), "{}", of_class(0));
                assert!((2..=4).contains(&of_class(1)), "{}", of_class(1));
            }
            assert_ne!(folds, leave_out.folds(samples, 5, 8).of);
        });
    }
}
