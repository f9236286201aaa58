//! Seeded draws of labelled samples: who teaches and who tests. Knows no head.
//!
//! Invariant: teaching and testing share no group, and no domain where there are several; a draw depends on its seed and
//! the features' labels, groups and domains alone.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::features::Features;

/// The share of each class that is tested on, where groups are split.
const TESTED: f64 = 0.25;

/// Rows of [`Features`] to learn from and to be tested on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What it was drawn with.
    pub seed: u64,
    /// To learn from, in random order.
    pub train: Vec<usize>,
    /// To be tested on.
    pub test: Vec<usize>,
}

impl Draw {
    /// Splits all: a quarter of each class is tested on, in whole groups; where there are several domains, half of them.
    ///
    /// # Panics
    /// When no split of the domains leaves every class on both sides.
    pub fn all(features: &Features, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tested = by_domain(features, &mut random).unwrap_or_else(|| by_group(features, &mut random));
        let mut draw = Self { seed, train: Vec::new(), test: Vec::new() };
        for (row, &tested) in tested.iter().enumerate() {
            if tested { &mut draw.test } else { &mut draw.train }.push(row);
        }
        draw.train.shuffle(&mut random);
        draw
    }

    /// The same with the first `per_class` of each class to learn from: fewer are part of more.
    #[must_use]
    pub fn few(&self, features: &Features, per_class: usize) -> Self {
        let mut taken = vec![0; features.classes.len()];
        let mut wanted = |row: &usize| {
            let taken = &mut taken[features.labels[*row]];
            *taken += 1;
            *taken <= per_class
        };
        Self { train: self.train.iter().copied().filter(|row| wanted(row)).collect(), ..self.clone() }
    }
}

/// Whether each row is tested on: whole groups of each class, at random, until its share is reached.
fn by_group(features: &Features, random: &mut ChaCha8Rng) -> Vec<bool> {
    let mut classes = BTreeMap::<usize, BTreeMap<usize, Vec<usize>>>::new();
    for (row, (&label, &group)) in features.labels.iter().zip(&features.groups).enumerate() {
        classes.entry(label).or_default().entry(group).or_default().push(row);
    }
    // A group with samples of several classes goes where the first of them sends it.
    let mut sent = BTreeMap::<usize, bool>::new();
    for groups in classes.values() {
        let share = TESTED * groups.values().map(Vec::len).sum::<usize>() as f64;
        let mut order: Vec<usize> = groups.keys().copied().collect();
        order.shuffle(random);
        let mut tested = 0;
        for group in order {
            if *sent.entry(group).or_insert((tested as f64) < share) {
                tested += groups[&group].len();
            }
        }
    }
    features.groups.iter().map(|group| sent[group]).collect()
}

/// The same by domain, shuffled until both sides have every class and at least 30 % of the samples.
fn by_domain(features: &Features, random: &mut ChaCha8Rng) -> Option<Vec<bool>> {
    let domains: BTreeSet<&String> = features.domains.iter().collect();
    let mut domains: Vec<&String> = domains.into_iter().collect();
    if domains.len() < 2 {
        return None;
    }
    for _ in 0..1_000 {
        domains.shuffle(random);
        let half: BTreeSet<&String> = domains[..domains.len() / 2].iter().copied().collect();
        let tested: Vec<bool> = features.domains.iter().map(|domain| half.contains(domain)).collect();
        let classes = |side: bool| {
            let labels = features.labels.iter().zip(&tested).filter(|&(_, &tested)| tested == side);
            labels.map(|(label, _)| label).collect::<BTreeSet<_>>().len()
        };
        let share = tested.iter().filter(|&&tested| tested).count() as f64 / tested.len() as f64;
        if [false, true].into_iter().all(|side| classes(side) == features.classes.len()) && (0.3..=0.7).contains(&share)
        {
            return Some(tested);
        }
    }
    panic!("{}: no split of the domains leaves every class on both sides", features.name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use acclimate_trainer::Quantisation;
    use ndarray::Array2;

    fn features(groups: Vec<usize>, domains: Vec<String>) -> Features {
        let n = groups.len();
        Features {
            name: "drawn".into(),
            x: Array2::zeros((n, 2)),
            norms: vec![1.0; n],
            labels: (0..n).map(|row| row % 3).collect(),
            groups,
            ids: vec![String::new(); n],
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            domains,
            sources: vec![String::new(); n],
            quantisation: Quantisation::default_for(2, false),
            file: "none".into(),
        }
    }

    fn apart<T: Ord>(draw: &Draw, of: &[T]) -> bool {
        let side = |rows: &[usize]| rows.iter().map(|&row| &of[row]).collect::<BTreeSet<_>>();
        side(&draw.train).is_disjoint(&side(&draw.test))
    }

    #[test]
    fn groups_are_whole_nothing_is_left_out_and_a_quarter_is_tested() {
        let features = features((0..240).map(|row| row / 2).collect(), vec![String::new(); 240]);
        let draw = Draw::all(&features, 1);
        assert_eq!(draw, Draw::all(&features, 1));
        assert_ne!(draw.test, Draw::all(&features, 2).test);
        assert!(apart(&draw, &features.groups));
        let rows: BTreeSet<_> = draw.train.iter().chain(&draw.test).collect();
        assert!(rows.len() == 240 && (60..75).contains(&draw.test.len()), "{}", draw.test.len());
    }

    #[test]
    fn few_are_part_of_more_and_as_many_of_each_class() {
        let features = features((0..240).collect(), vec![String::new(); 240]);
        let all = Draw::all(&features, 3);
        let [one, five] = [1, 5].map(|k| all.few(&features, k));
        assert_eq!((one.train.len(), five.train.len(), &five.test), (3, 15, &all.test));
        assert!(one.train.iter().all(|row| five.train.contains(row)));
    }

    #[test]
    fn domains_are_whole_and_both_sides_have_every_class() {
        let domains: Vec<String> = (0..240).map(|row| (row / 24).to_string()).collect();
        let features = features((0..240).collect(), domains);
        let draw = Draw::all(&features, 4);
        assert!(apart(&draw, &features.domains));
        assert_eq!(draw.test.len(), 120);
    }
}
