//! What the rules of judgement look up, counted once, and the advice that follows from the counts.
//!
//! Knows nothing of the head in service. Invariant: made from a checked input, so indices hold.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, Axis};

use crate::advice::{Advice, Contradiction, Reason};
use crate::evaluation::most_probable;
use crate::interval::fisher_greater;
use crate::judge::{CONTRADICTION, GROUPS_PROVED, SAMPLES_PER_CLASS};
use crate::suspects::suspects;
use crate::verdict::{JudgeInput, Outcome, Verdict};

/// At most this many pieces of advice of one sort.
const MOST_ADVICE: usize = 5;

/// The counts.
pub(crate) struct Facts<'a> {
    pub(crate) input: &'a JudgeInput<'a>,
    /// Samples per class.
    pub(crate) samples: Vec<usize>,
    /// Groups per class.
    pub(crate) groups: Vec<usize>,
    /// The candidate's answers when left out, `[stated, taken for]`.
    pub(crate) confusion: Array2<usize>,
    /// The candidate's class for each sample, when left out.
    predicted: Vec<usize>,
    /// Whether some class has fewer groups than a proof needs.
    pub(crate) unproved: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(input: &'a JudgeInput<'a>) -> Self {
        let mut confusion = Array2::zeros((input.classes, input.classes));
        let mut groups = vec![BTreeSet::new(); input.classes];
        let mut predicted = Vec::with_capacity(input.labels.len());
        let rows = input.candidate.axis_iter(Axis(0)).map(most_probable);
        for ((class, &label), &group) in rows.zip(input.labels).zip(input.groups) {
            confusion[[label, class]] += 1;
            groups[label].insert(group);
            predicted.push(class);
        }
        let samples = confusion.sum_axis(Axis(1)).to_vec();
        let groups: Vec<usize> = groups.iter().map(BTreeSet::len).collect();
        let unproved = input.ungrouped || groups.iter().any(|&g| (1..GROUPS_PROVED).contains(&g));
        Self { input, samples, groups, confusion, predicted, unproved }
    }

    /// Classes with samples.
    pub(crate) fn present(&self) -> usize {
        self.samples.iter().filter(|&&count| count > 0).count()
    }

    /// A task that knows one class only is an anomaly task: there is nothing to tell apart and nothing to prove.
    pub(crate) fn one_class(&self) -> Option<Verdict> {
        let knew_more = self.input.in_service.is_some_and(|served| served.classes.len() > 1);
        if self.input.classes != 1 || knew_more || self.groups[0] < GROUPS_PROVED {
            return None;
        }
        Some(Verdict {
            outcome: Outcome::Activated,
            unproved: true,
            reasons: vec![Reason::OneClass { class: 0 }],
            next: vec![Advice::LabelAnotherClass],
            comparison: None,
        })
    }

    pub(crate) fn not_enough(&self) -> Option<Verdict> {
        let mut reasons = Vec::new();
        let mut next = Vec::new();
        if self.present() < 2 {
            reasons.push(Reason::TooFewClasses { classes: self.present() });
            next.push(Advice::LabelAnotherClass);
        }
        for (class, &samples) in self.samples.iter().enumerate() {
            if (1..SAMPLES_PER_CLASS).contains(&samples) {
                reasons.push(Reason::TooFewSamples { class, samples, needed: SAMPLES_PER_CLASS });
                next.push(Advice::LabelGroups { class, groups: SAMPLES_PER_CLASS - samples });
            }
        }
        let outcome = Outcome::NotEnoughSamples;
        (!reasons.is_empty()).then_some(Verdict { outcome, unproved: true, reasons, next, comparison: None })
    }

    /// Rule (b): the candidate's leave-out errors on the new labels against those on older labels *of the same stated
    /// classes*, by the exact stratified test. A class that is hard for everybody is no contradiction, so classes are not
    /// pooled; near-duplicates err together, so a group's samples of one class count once, wrong where at least half are.
    ///
    /// What it cannot see: with 40 % of them wrong it finds nearly all of 45 new labels, most of 20, a quarter of 10
    /// (photographs, 525 older); wrong labels that outweigh a class's older ones look right to every head fitted on both.
    pub(crate) fn contradiction(&self) -> Option<Contradiction> {
        let mut units: BTreeMap<(usize, usize, bool), (usize, usize)> = BTreeMap::new();
        let rows = self.input.labels.iter().zip(self.input.groups).zip(self.input.new).zip(&self.predicted);
        for (((&label, &group), &new), &predicted) in rows {
            let unit = units.entry((label, group, new)).or_default();
            unit.0 += 1;
            unit.1 += usize::from(predicted != label);
        }
        let mut tables = vec![[[0_u64; 2]; 2]; self.input.classes];
        for (&(label, _, new), &(size, wrong)) in &units {
            tables[label][usize::from(!new)][usize::from(2 * wrong < size)] += 1;
        }
        tables.retain(|table| table.iter().all(|row| row[0] + row[1] > 0));
        let p = fisher_greater(&tables);
        let sum = |row: usize, columns: &[usize]| -> usize {
            tables.iter().flat_map(|table| columns.iter().map(move |&column| table[row][column] as usize)).sum()
        };
        (p < CONTRADICTION).then(|| Contradiction {
            new_wrong: sum(0, &[0]),
            new: sum(0, &[0, 1]),
            older_wrong: sum(1, &[0]),
            older: sum(1, &[0, 1]),
            p,
        })
    }

    /// The candidate's leave-out F1 of a class.
    pub(crate) fn f1(&self, class: usize) -> f64 {
        let predicted = self.confusion.column(class).sum();
        2.0 * self.confusion[[class, class]] as f64 / (self.samples[class] + predicted).max(1) as f64
    }

    pub(crate) fn balanced_accuracy(&self) -> f64 {
        let recalls = (0..self.input.classes)
            .filter(|&class| self.samples[class] > 0)
            .map(|class| self.confusion[[class, class]] as f64 / self.samples[class] as f64);
        recalls.sum::<f64>() / self.present().max(1) as f64
    }

    /// New samples that look like another class, by (stated, looks like), the most first.
    pub(crate) fn reviews(&self) -> Vec<Advice> {
        let mut suspects: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (row, &label) in self.input.labels.iter().enumerate() {
            if self.input.new[row] && self.predicted[row] != label {
                suspects.entry((label, self.predicted[row])).or_default().push(row);
            }
        }
        let mut suspects: Vec<_> = suspects.into_iter().collect();
        suspects.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        suspects.truncate(MOST_ADVICE);
        suspects.into_iter().map(|((class, looks_like), rows)| Advice::Review { class, looks_like, rows }).collect()
    }

    /// That labels look wrong, where some do.
    pub(crate) fn suspects(&self) -> Option<Advice> {
        let labels = suspects(self.input.candidate, self.input.labels).len();
        (labels > 0).then_some(Advice::Suspects { labels })
    }

    /// What to label next: groups for the classes that are not proved, else the pair that is confused most.
    pub(crate) fn more_labels(&self) -> Vec<Advice> {
        let mut scarce: Vec<usize> =
            (0..self.input.classes).filter(|&class| (1..GROUPS_PROVED).contains(&self.groups[class])).collect();
        scarce.sort_by_key(|&class| self.groups[class]);
        scarce.truncate(MOST_ADVICE);
        if !scarce.is_empty() {
            return scarce
                .into_iter()
                .map(|class| Advice::LabelGroups { class, groups: GROUPS_PROVED - self.groups[class] })
                .collect();
        }
        // By share of the class, so that a small class that is lost altogether comes first.
        let share = |class: usize, samples: usize| samples as f64 / self.samples[class] as f64;
        let confused = self.confusion.indexed_iter().filter(|&((a, b), &samples)| a != b && samples > 0);
        let worst = confused.max_by(|(a, x), (b, y)| share(a.0, **x).total_cmp(&share(b.0, **y)));
        vec![worst.map_or(Advice::Nothing, |((class, taken_for), &samples)| Advice::LabelConfused {
            class,
            taken_for,
            samples,
            of: self.samples[class],
        })]
    }
}
