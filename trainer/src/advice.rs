//! Why a verdict fell as it did, and what to do next: typed, with a stable token and words for people.
//!
//! Knows nothing of how a verdict is reached. Classes are indices; words are made with the task's class names.

use std::fmt;

use crate::FALSE_UNKNOWN_RATE;

/// Why a verdict fell as it did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A first head whose leave-out log-loss is below that of guessing by class frequencies.
    BetterThanChance {
        /// Leave-out log-loss of the candidate.
        log_loss: f64,
        /// Log-loss of the guess.
        chance: f64,
    },
    /// The candidate errs more often on the new labels than on older ones of the same classes.
    LabelsContradict(Contradiction),
    /// The new labels contradict the older ones, and a person said to trust them.
    LabelsTrusted(Contradiction),
    /// A class that the head in service does not know is not recognised well enough.
    NewClassWeak {
        /// The class.
        class: usize,
        /// Its leave-out F1.
        f1: f64,
        /// The floor.
        needed: f64,
    },
    /// A class that the head in service does not know takes more than half of one that it knows.
    NewClassTakesOld {
        /// The old class.
        class: usize,
        /// Its samples that are taken for a new class when left out.
        taken: usize,
        /// Its samples.
        of: usize,
    },
    /// No sample can be compared fairly with the head in service: the candidate was judged as a first head.
    NothingToCompare,
    /// A first head that guessing by class frequencies would equal.
    NotBetterThanChance {
        /// Leave-out log-loss of the candidate.
        log_loss: f64,
        /// Log-loss of the guess.
        chance: f64,
    },
    /// Not worse than the head in service.
    NotWorse {
        /// Mean paired log-loss difference, candidate minus in service.
        difference: f64,
        /// One-sided p-value of "the candidate is worse", where there were groups enough for a test.
        p: Option<f64>,
    },
    /// Fewer groups than the paired test needs: only the size of the difference was judged.
    TooFewGroups {
        /// Groups compared.
        groups: usize,
        /// Groups needed.
        needed: usize,
    },
    /// Fewer than two classes have samples.
    TooFewClasses {
        /// Classes with samples.
        classes: usize,
    },
    /// A class has too few samples for any of them to be scored out-of-sample.
    TooFewSamples {
        /// The class.
        class: usize,
        /// Samples it has.
        samples: usize,
        /// Samples needed.
        needed: usize,
    },
    /// The task knows one class only: novelty decides between it and `unknown`.
    OneClass {
        /// The class.
        class: usize,
    },
    /// Significantly worse than the head in service.
    Worse {
        /// Mean paired log-loss difference, candidate minus in service.
        difference: f64,
        /// One-sided p-value.
        p: f64,
    },
    /// Worse than the head in service by more than is tolerated, significant or not.
    WorseByMargin {
        /// Mean paired log-loss difference, candidate minus in service.
        difference: f64,
        /// The margin.
        margin: f64,
    },
    /// A first head that is significantly worse than `prototype`.
    WorseThanPrototype {
        /// Mean paired log-loss difference, candidate minus prototype.
        difference: f64,
        /// One-sided p-value.
        p: f64,
    },
}

/// The counts behind [`Reason::LabelsContradict`]. What is counted is a group's samples of one stated class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contradiction {
    /// New ones that the candidate, fitted without them, takes for another class.
    pub new_wrong: usize,
    /// New ones.
    pub new: usize,
    /// Older ones, of the same classes, taken for another class.
    pub older_wrong: usize,
    /// Older ones of the same classes.
    pub older: usize,
    /// One-sided p-value of the exact test.
    pub p: f64,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Label samples of one more class.
    LabelAnotherClass,
    /// Label more groups of a class.
    LabelGroups {
        /// The class.
        class: usize,
        /// How many more groups.
        groups: usize,
    },
    /// A class is most often taken for another: more labels of the two help most.
    LabelConfused {
        /// The class.
        class: usize,
        /// What it is taken for.
        taken_for: usize,
        /// Samples so taken.
        samples: usize,
        /// Samples of the class.
        of: usize,
    },
    /// Nothing needs doing.
    Nothing,
    /// New samples of a class look like another: look at them, relabel or confirm.
    Review {
        /// The class they were labelled.
        class: usize,
        /// The class they look like.
        looks_like: usize,
        /// Their rows in the snapshot.
        rows: Vec<usize>,
    },
    /// Labels that the candidate, fitted without them, clearly takes for others: look at them.
    Suspects {
        /// How many.
        labels: usize,
    },
    /// If the labels are right, adapt again and say so.
    TrustLabels,
}

impl Reason {
    /// A stable name without spaces, for JSON and metrics.
    pub fn token(&self) -> &'static str {
        match self {
            Self::BetterThanChance { .. } => "better_than_chance",
            Self::LabelsContradict(_) => "labels_contradict",
            Self::LabelsTrusted(_) => "labels_trusted",
            Self::NewClassWeak { .. } => "new_class_weak",
            Self::NewClassTakesOld { .. } => "new_class_takes_old",
            Self::NothingToCompare => "nothing_to_compare",
            Self::NotBetterThanChance { .. } => "not_better_than_chance",
            Self::NotWorse { .. } => "not_worse",
            Self::TooFewGroups { .. } => "too_few_groups",
            Self::TooFewClasses { .. } => "too_few_classes",
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::OneClass { .. } => "one_class",
            Self::Worse { .. } => "worse",
            Self::WorseByMargin { .. } => "worse_by_margin",
            Self::WorseThanPrototype { .. } => "worse_than_prototype",
        }
    }

    /// The reason in words, with the task's class names.
    pub fn to_words(&self, names: &[String]) -> String {
        let p_words = |p: f64| {
            if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
        };
        match *self {
            Self::BetterThanChance { log_loss, chance } => {
                format!(
                    "better than chance: log-loss {log_loss:.3} when left out, {chance:.3} for guessing by class frequency"
                )
            }
            Self::LabelsContradict(c) => format!(
                "the new labels contradict the older ones: {} of {} new ones are taken for another class, \
                 {} of {} older ones of the same classes ({})",
                c.new_wrong,
                c.new,
                c.older_wrong,
                c.older,
                p_words(c.p)
            ),
            Self::LabelsTrusted(c) => format!(
                "the new labels contradict the older ones ({} of {} against {} of {}) and are trusted as asked",
                c.new_wrong, c.new, c.older_wrong, c.older
            ),
            Self::NewClassWeak { class, f1, needed } => format!(
                "the new class {} is not recognised well enough when left out: F1 {f1:.2}, needed {needed:.2}",
                name(class, names)
            ),
            Self::NewClassTakesOld { class, taken, of } => {
                format!("{taken} of {of} samples of {} are taken for a new class when left out", name(class, names))
            }
            Self::NothingToCompare => {
                "no sample can be compared fairly with the head in service: judged as a first head".to_owned()
            }
            Self::NotBetterThanChance { log_loss, chance } => format!(
                "not better than chance: log-loss {log_loss:.3} when left out, {chance:.3} for guessing by class frequency"
            ),
            Self::NotWorse { difference, p } => {
                let test = p.map_or_else(String::new, |p| format!(" ({} for being worse)", p_words(p)));
                format!("not worse than the head in service: log-loss {difference:+.4}{test}")
            }
            Self::TooFewGroups { groups, needed } => format!(
                "too few groups for a test, {groups} of {needed} needed: only the size of the difference was judged"
            ),
            Self::TooFewClasses { classes } => {
                format!("two classes with samples are needed, found {classes}")
            }
            Self::TooFewSamples { class, samples, needed } => {
                format!("{} has {samples} of the {needed} samples needed to judge it", name(class, names))
            }
            Self::OneClass { class } => {
                let (class, percent) = (name(class, names), 100.0 * FALSE_UNKNOWN_RATE);
                format!(
                    "{class} is the only class: what is unlike it is `unknown`, and so is {percent:.0} % of {class}"
                )
            }
            Self::Worse { difference, p } => {
                format!("worse than the head in service: log-loss {difference:+.4} ({})", p_words(p))
            }
            Self::WorseByMargin { difference, margin } => format!(
                "worse than the head in service by more than is tolerated: log-loss {difference:+.4}, at most {margin:+.2}"
            ),
            Self::WorseThanPrototype { difference, p } => {
                format!("worse than nearest class means: log-loss {difference:+.4} ({})", p_words(p))
            }
        }
    }
}

impl Advice {
    /// A stable name without spaces, for JSON and metrics.
    pub fn token(&self) -> &'static str {
        match self {
            Self::LabelAnotherClass => "label_another_class",
            Self::LabelGroups { .. } => "label_groups",
            Self::LabelConfused { .. } => "label_confused",
            Self::Nothing => "nothing",
            Self::Review { .. } => "review",
            Self::Suspects { .. } => "suspects",
            Self::TrustLabels => "trust_labels",
        }
    }

    /// The advice in words, with the task's class names.
    pub fn to_words(&self, names: &[String]) -> String {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match self {
            Self::LabelAnotherClass => "label samples of one more class".to_owned(),
            Self::LabelGroups { class, groups } => {
                format!("label {groups} more group{} of {}", plural(*groups), name(*class, names))
            }
            Self::LabelConfused { class, taken_for, samples, of } => format!(
                "label more of {0} and {1}: {samples} of {of} {0} samples are taken for {1}",
                name(*class, names),
                name(*taken_for, names)
            ),
            Self::Nothing => "nothing: every sample is recognised when left out".to_owned(),
            Self::Review { class, looks_like, rows } => {
                let (verb, pronoun) = if rows.len() == 1 { ("contradicts", "it") } else { ("contradict", "them") };
                format!(
                    "{} {} sample{} {verb} {}: review {pronoun}",
                    rows.len(),
                    name(*class, names),
                    plural(rows.len()),
                    name(*looks_like, names)
                )
            }
            Self::Suspects { labels } => format!(
                "{labels} label{} {} wrong: look at what `sample list --suspect` says",
                plural(*labels),
                if *labels == 1 { "looks" } else { "look" }
            ),
            Self::TrustLabels => "if the labels are right, adapt again with --trust-labels".to_owned(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_words(&[]))
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_words(&[]))
    }
}

/// The class's name, or its number where it has none.
fn name(class: usize, names: &[String]) -> String {
    names.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["ok", "scratch"].map(String::from).to_vec()
    }

    #[test]
    fn advice_reads_as_a_person_would_say_it() {
        let review = |rows: &[usize]| Advice::Review { class: 1, looks_like: 0, rows: rows.to_vec() };
        for (advice, words) in [
            (Advice::LabelGroups { class: 1, groups: 4 }, "label 4 more groups of scratch"),
            (Advice::LabelGroups { class: 0, groups: 1 }, "label 1 more group of ok"),
            (review(&[3, 5, 6, 7, 8, 9]), "6 scratch samples contradict ok: review them"),
            (review(&[3]), "1 scratch sample contradicts ok: review it"),
            (
                Advice::LabelConfused { class: 1, taken_for: 0, samples: 6, of: 20 },
                "label more of scratch and ok: 6 of 20 scratch samples are taken for ok",
            ),
        ] {
            assert_eq!(advice.to_words(&names()), words);
        }
    }

    #[test]
    fn a_class_without_a_name_goes_by_its_number() {
        let advice = Advice::LabelGroups { class: 7, groups: 2 };
        assert_eq!(advice.to_words(&names()), "label 2 more groups of class 7");
        assert_eq!(advice.to_string(), advice.to_words(&[]));
    }

    #[test]
    fn reasons_say_their_numbers() {
        let contradiction = Contradiction { new_wrong: 18, new: 45, older_wrong: 9, older: 90, p: 1e-6 };
        assert_eq!(
            Reason::LabelsContradict(contradiction).to_words(&names()),
            "the new labels contradict the older ones: 18 of 45 new ones are taken for another class, \
             9 of 90 older ones of the same classes (p < 0.001)"
        );
        let not_worse = Reason::NotWorse { difference: -0.0123, p: Some(0.91) };
        assert_eq!(
            not_worse.to_string(),
            "not worse than the head in service: log-loss -0.0123 (p = 0.910 for being worse)"
        );
    }
}
