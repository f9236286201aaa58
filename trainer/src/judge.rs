//! The verdict on a candidate head: into service, or not, and why.
//!
//! Knows nothing of heads or features: probabilities, labels and groups in, a verdict out. Invariant: pure and
//! deterministic; it does not panic, and the head in service stays unless the candidate earned its place.
//!
//! ```text
//! a task of one class with 5 groups ──▶ activated, unproved: an anomaly task
//! fewer than 2 classes, or a class with 1 sample ──▶ not_enough_samples
//! no head in service, or nothing to compare ──▶ better than chance? ──▶ not significantly worse than prototype?
//! a head in service ──▶ worse (p < 0.05, or by more than 0.02)? ──▶ labels contradict (p < 0.01)? ──▶ new classes above
//!                       their floor?
//! ```

use ndarray::{ArrayView2, Axis};

use crate::advice::{Advice, Reason};
use crate::comparison::{Compared, Comparison, GROUPS_TO_TEST, compare, tested};
use crate::facts::Facts;
use crate::interval::GroupedMean;
use crate::log_loss;
use crate::verdict::{JudgeError, JudgeInput, Outcome, Verdict, check};

/// A candidate is not activated when its mean log-loss is worse than this by the head in service's, significant or not.
pub const MARGIN: f64 = 0.02;
/// Level of the one-sided paired tests.
pub const SIGNIFICANCE: f64 = 0.05;
/// A difference below this is none, however significant: refitting the same samples on another machine makes 1e-12.
pub const NEGLIGIBLE: f64 = 1e-4;
/// Level of the test that the new labels contradict the older ones.
pub const CONTRADICTION: f64 = 0.01;
/// Every class that has samples needs this many: with one, leaving it out leaves the class unseen.
pub const SAMPLES_PER_CLASS: usize = 2;
/// A head is `unproved` until each class has this many groups.
pub const GROUPS_PROVED: usize = 5;
/// A class that the head in service does not know must reach this F1 in leave-out.
pub const NEW_CLASS_F1: f64 = 0.5;

/// Judges a candidate by the rules of this module.
///
/// A head as good as the one in service is activated: it rests on more labels. Adapting again and again without new
/// information therefore changes generations, but does not walk downhill (`tests/operating` measures both).
///
/// # Errors
/// When the inputs do not fit one another.
pub fn judge<'a>(input: &'a JudgeInput<'a>) -> Result<Verdict, JudgeError> {
    check(input)?;
    let facts = Facts::new(input);
    if let Some(verdict) = facts.one_class().or_else(|| facts.not_enough()) {
        return Ok(verdict);
    }
    let compared = input.in_service.as_ref().and_then(|served| compare(input, served));
    let mut against = Vec::new();
    let mut in_favour = Vec::new();
    let mut next = Vec::new();
    let mut unproved = facts.unproved;
    if let Some(Compared { comparison, lost }) = &compared {
        unproved |= comparison.p_worse.is_none();
        if weigh_comparison(comparison, &mut against, &mut in_favour)
            && let Some(class) = largest(lost)
        {
            next.push(Advice::LabelGroups { class, groups: GROUPS_PROVED });
        }
    } else {
        if input.in_service.is_some() {
            unproved = true;
            in_favour.push(Reason::NothingToCompare);
        }
        weigh_first(&facts, unproved, &mut against, &mut in_favour);
    }
    if let Some(served) = &input.in_service {
        if let Some(contradiction) = facts.contradiction() {
            if input.trust_labels {
                in_favour.push(Reason::LabelsTrusted(contradiction));
            } else {
                against.insert(0, Reason::LabelsContradict(contradiction));
                next.push(Advice::TrustLabels);
            }
        }
        weigh_new_classes(&facts, served.classes, &mut against, &mut next);
        if !against.is_empty() {
            next.splice(0..0, facts.reviews());
        }
    }
    let outcome = if against.is_empty() { Outcome::Activated } else { Outcome::Rejected };
    if against.is_empty() || next.is_empty() {
        next.extend(facts.more_labels());
    }
    if against.is_empty() {
        next.extend(facts.suspects());
    }
    against.append(&mut in_favour);
    Ok(Verdict { outcome, unproved, reasons: against, next, comparison: compared.map(|c| c.comparison) })
}

/// Rule (a). True where it decides against the candidate.
fn weigh_comparison(comparison: &Comparison, against: &mut Vec<Reason>, in_favour: &mut Vec<Reason>) -> bool {
    let difference = comparison.difference;
    if let Some(p) = comparison.p_worse.filter(|&p| p < SIGNIFICANCE && difference > NEGLIGIBLE) {
        against.push(Reason::Worse { difference, p });
    } else if difference > MARGIN {
        against.push(Reason::WorseByMargin { difference, margin: MARGIN });
    } else {
        in_favour.push(Reason::NotWorse { difference, p: comparison.p_worse });
    }
    if comparison.p_worse.is_none() {
        in_favour.push(Reason::TooFewGroups { groups: comparison.groups, needed: GROUPS_TO_TEST });
    }
    difference > MARGIN || !against.is_empty()
}

/// The floor of classes that the head in service does not know: each is recognised (F1), and none takes more than half
/// of an old class. The comparison cannot see the latter, since it is between the old classes only.
fn weigh_new_classes(facts: &Facts<'_>, known: &[usize], against: &mut Vec<Reason>, next: &mut Vec<Advice>) {
    let present = (0..facts.input.classes).filter(|&class| facts.samples[class] > 0);
    let (old, new): (Vec<usize>, Vec<usize>) = present.partition(|class| known.contains(class));
    for &class in &new {
        let f1 = facts.f1(class);
        if f1 < NEW_CLASS_F1 {
            let needed = NEW_CLASS_F1;
            against.push(Reason::NewClassWeak { class, f1, needed });
            let groups = GROUPS_PROVED.saturating_sub(facts.groups[class]).max(2);
            next.push(Advice::LabelGroups { class, groups });
        }
    }
    for class in old {
        let of = facts.samples[class];
        let counts = new.iter().map(|&taker| (facts.confusion[[class, taker]], taker));
        let taken = counts.clone().map(|(count, _)| count).sum();
        if let Some((samples, taken_for)) = counts.max().filter(|_| 2 * taken > of) {
            against.push(Reason::NewClassTakesOld { class, taken, of });
            next.push(Advice::LabelConfused { class, taken_for, samples, of });
        }
    }
}

/// The rules of a first head: better than chance, and not significantly worse than `prototype`. While the head is
/// unproved the estimates decide, since four samples can show no significance; after that, chance must be beaten
/// significantly.
fn weigh_first(facts: &Facts<'_>, unproved: bool, against: &mut Vec<Reason>, in_favour: &mut Vec<Reason>) {
    let input = facts.input;
    let n = input.labels.len() as f64;
    let losses = |heads: ArrayView2<'_, f64>| -> Vec<f64> {
        heads.axis_iter(Axis(0)).zip(input.labels).map(|(row, &label)| log_loss(row, label)).collect()
    };
    let candidate = losses(input.candidate);
    let gains: Vec<f64> = candidate
        .iter()
        .zip(input.labels)
        .map(|(loss, &label)| -(facts.samples[label] as f64 / n).ln() - loss)
        .collect();
    let gain = GroupedMean::new(&gains, input.groups);
    let log_loss = candidate.iter().sum::<f64>() / n;
    let chance = gain.mean + log_loss;
    let better = if unproved {
        gain.mean > 0.0 && facts.balanced_accuracy() > 1.0 / facts.present() as f64
    } else {
        gain.p_above_zero.is_some_and(|p| p < SIGNIFICANCE)
    };
    if better {
        in_favour.push(Reason::BetterThanChance { log_loss, chance });
    } else {
        against.push(Reason::NotBetterThanChance { log_loss, chance });
    }
    let differences: Vec<f64> = candidate.iter().zip(losses(input.prototype)).map(|(own, other)| own - other).collect();
    let mean = GroupedMean::new(&differences, input.groups);
    if let Some(p) = tested(&mean).filter(|&p| p < SIGNIFICANCE && mean.mean > NEGLIGIBLE) {
        against.push(Reason::WorseThanPrototype { difference: mean.mean, p });
    }
}

/// Where the largest value is, if it is above zero.
fn largest(values: &[f64]) -> Option<usize> {
    let (index, &value) = values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    (value > 0.0).then_some(index)
}
