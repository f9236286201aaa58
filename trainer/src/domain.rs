//! A head at a site that it was not learnt at: adjusted without labels, or with a few. Knows no store and no command: heads,
//! features and what the head was learnt on in, a head out. Nothing here changes the head it is given, so every
//! adjustment is taken back by going on with that one.
//!
//! With a few labels, heads are fitted anew without the direction in which everything moved ([`Nuisance`]); [`pool`] and
//! [`towards`] are what else was measured. Offered without labels is [`adjust`] alone: normalisation where the drift test says that there is something to adjust to.
//! [`prototypes`] (T3A) and [`self_train`] are there to be measured; `cargo xtask report domains` has the figures.

mod few;
mod normalise;
mod nuisance;
mod prototypes;
mod self_training;

use ndarray::{Array1, Array2, ArrayView2};

pub use few::{Pooled, WEIGHTS, pool, towards};
pub use normalise::{Source, moved, normalise, shift};
pub use nuisance::{MOST, Nuisance, costs, fit_without, trust, unmoved};
pub use prototypes::prototypes;
pub use self_training::self_train;

use crate::drift::{Reference, Test, Window};
use crate::evaluation::most_probable;
use crate::interval::GroupedMean;
use crate::{GROUPS_TO_TEST, Head, Kind, Linear, MARGIN, SIGNIFICANCE, log_loss, softmax};

/// The drift test's level below which a head is adjusted.
pub const LEVEL: f64 = 0.01;

/// A head adjusted to another site.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjusted {
    /// The head.
    pub head: Head,
    /// What it takes features to be moved by, `[dim]`: with the head before, that gives it again.
    pub shift: Vec<f32>,
}

/// Compares unlabelled features `[n, dim]` in bursts `[n]` (consecutive equal numbers are one moment) with what the head was
/// learnt on; where they differ at [`LEVEL`], the head normalised to them comes with the test. Neither comes of less than
/// [`GROUPS_TO_TEST`] bursts.
///
/// Where nothing changed it costs nothing in all but one case of a hundred; where something did, the shift is real
/// whatever its effect on accuracy, which no label-free score was found to predict: confidence, its threshold average
/// (Garg et al. 2022), entropy with class balance and self-consistency all **rose** where accuracy fell.
pub fn adjust(
    head: &Head,
    source: &Source,
    reference: &Reference,
    target: ArrayView2<'_, f32>,
    bursts: &[usize],
) -> (Option<Test>, Option<Adjusted>) {
    let mut window = Window::default();
    let probabilities = head.batch(target, None);
    for ((x, p), &burst) in target.outer_iter().zip(probabilities.outer_iter()).zip(bursts) {
        window.observe(reference, &x.to_vec(), most_probable(p), burst);
    }
    window.close();
    let test = window.test(reference).filter(|_| window.bursts >= GROUPS_TO_TEST);
    let unlike = test.is_some_and(|test| test.p < LEVEL);
    let adjusted = || {
        let shift = shift(head, source, target)?;
        Some(Adjusted { head: moved(head, &shift)?, shift })
    };
    (test, if unlike { adjusted() } else { None })
}

/// Out-of-sample probabilities `[n, classes]` of an adjusted head for the samples `[n, dim]` that the head before was fitted
/// on, from those of that one: what the adjustment does to a sample's logits, it does to those without its group.
pub fn carried(
    before: &Head,
    adjusted: &Head,
    features: ArrayView2<'_, f32>,
    leave_out: ArrayView2<'_, f64>,
) -> Array2<f64> {
    let mut out = leave_out.to_owned();
    let [old, new] = [before, adjusted].map(|head| head.form.logits(features, |_| 1.0));
    for ((old, new), mut row) in old.outer_iter().zip(new.outer_iter()).zip(out.outer_iter_mut()) {
        let by = new.iter().zip(&old).map(|(new, old)| (new - old) / before.temperature);
        let mut logits: Vec<f64> = row.iter().zip(by).map(|(p, by)| p.ln() + by).collect();
        softmax(&mut logits, 1.0);
        row.assign(&Array1::from(logits));
    }
    out
}

/// Whether labels that came after an adjustment speak against it: on them the adjusted head's probabilities `[n, classes]` have
/// a log-loss that is worse than that of the head before by more than [`MARGIN`], or at one-sided p < [`SIGNIFICANCE`],
/// paired and by group: the rule that keeps a candidate out of service.
pub fn contradicted(
    before: ArrayView2<'_, f64>,
    adjusted: ArrayView2<'_, f64>,
    labels: &[usize],
    groups: &[usize],
) -> bool {
    let pairs = before.outer_iter().zip(adjusted.outer_iter()).zip(labels);
    let worse: Vec<f64> =
        pairs.map(|((before, adjusted), &label)| log_loss(adjusted, label) - log_loss(before, label)).collect();
    is_worse(&worse, groups)
}

/// The rule that keeps a candidate out of service: differences of log-loss `[n]`, by group, whose mean is above [`MARGIN`], or above zero
/// at one-sided p < [`SIGNIFICANCE`].
fn is_worse(differences: &[f64], groups: &[usize]) -> bool {
    let difference = GroupedMean::new(differences, groups);
    difference.mean > MARGIN || difference.p_above_zero.is_some_and(|p| p < SIGNIFICANCE)
}

/// The weights and bias of a head that is linear in features of norm 1.
fn plain(head: &Head) -> Option<&Linear> {
    head.linear().filter(|_| head.kind != Kind::Shipped)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::leave_out::mix;
    use crate::{FitOptions, Samples, fit};
    use ndarray::{Array2, array};

    const DIM: usize = 12;

    /// Two classes on the first axis; everything moved by `by` along it.
    fn draw(seed: u64, n: usize, by: f32) -> (Array2<f32>, Vec<usize>) {
        let noise = |i: usize, j: usize| {
            let key = |k: u64| mix(((seed * 100_000 + i as u64) * 100 + j as u64) * 6 + k);
            (0..6).map(|k| (key(k) >> 11) as f32 / 2_f32.powi(53)).sum::<f32>() - 3.0
        };
        let x = Array2::from_shape_fn((n, DIM), |(i, j)| {
            noise(i, j) + if j == 0 { by + if i % 2 == 0 { 1.5 } else { -1.5 } } else { 0.0 }
        });
        (x, (0..n).map(|i| i % 2).collect())
    }

    fn learn(x: &Array2<f32>, labels: &[usize]) -> (Head, Source, Reference) {
        let groups: Vec<usize> = (0..labels.len()).collect();
        let samples = Samples::new(x.view(), labels, &groups, 2).unwrap();
        let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
        let candidate = fit(&samples, &options).unwrap().swap_remove(0);
        let predicted: Vec<usize> = candidate.leave_out.outer_iter().map(most_probable).collect();
        let reference = Reference::new(x.view(), &predicted, &groups, 2).unwrap();
        (candidate.head, Source::new(x.view(), candidate.leave_out.view()), reference)
    }

    fn accuracy(head: &Head, x: &Array2<f32>, labels: &[usize]) -> f64 {
        let p = head.batch(x.view(), None);
        let right = p.outer_iter().zip(labels).filter(|(p, label)| most_probable(*p) == **label).count();
        right as f64 / labels.len() as f64
    }

    #[test]
    fn what_moved_is_adjusted_to_and_what_did_not_is_left_alone() {
        let (x, labels) = draw(1, 200, 0.0);
        let (head, source, reference) = learn(&x, &labels);
        let bursts: Vec<usize> = (0..100).collect();
        let (moved, _) = draw(2, 100, 1.2);
        let (test, adjusted) = adjust(&head, &source, &reference, moved.view(), &bursts);
        assert!(test.unwrap().p < 1e-6);
        let (other, truth) = draw(3, 400, 1.2);
        let (before, after) = (accuracy(&head, &other, &truth), accuracy(&adjusted.unwrap().head, &other, &truth));
        assert!(after > before + 0.03, "{before} {after}");
        let (same, _) = draw(4, 100, 0.0);
        assert_eq!(adjust(&head, &source, &reference, same.view(), &bursts).1, None);
    }

    #[test]
    fn a_head_of_any_form_answers_as_for_moved_features_and_its_leave_out_scores_go_with_it() {
        let (x, labels) = draw(9, 80, 0.0);
        let groups: Vec<usize> = (0..80).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let by: Vec<f32> = (0..DIM).map(|j| 0.1 * j as f32 - 0.3).collect();
        let there = &x + &ndarray::aview1(&by);
        let fitted = fit(&samples, &FitOptions::default()).unwrap();
        assert!(fitted.iter().any(|candidate| candidate.head.kind == Kind::Kernel));
        for candidate in fitted {
            let head = &candidate.head;
            let adjusted = moved(head, &by).unwrap();
            let (expected, got) = (head.batch(there.view(), None), adjusted.batch(x.view(), None));
            let worst = (&expected - &got).iter().fold(0.0_f64, |worst, x| worst.max(x.abs()));
            assert!(worst < 1e-5, "{}: {worst}", head.kind);
            let plain = carried(head, &adjusted, x.view(), head.batch(x.view(), None).view());
            let worst = (&plain - &got).iter().fold(0.0_f64, |worst, x| worst.max(x.abs()));
            assert!(worst < 1e-9, "{}: {worst}", head.kind);
            assert_eq!(carried(head, head, x.view(), candidate.leave_out.view()).dim(), candidate.leave_out.dim());
        }
    }

    #[test]
    fn labels_that_disagree_take_an_adjustment_back() {
        let (good, bad) = (array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], array![[0.6, 0.4], [0.5, 0.5], [0.4, 0.6]]);
        let (labels, groups) = ([0, 1, 0], [0, 1, 2]);
        assert!(contradicted(good.view(), bad.view(), &labels, &groups));
        assert!(!contradicted(bad.view(), good.view(), &labels, &groups));
        assert!(!contradicted(good.view(), good.view(), &labels, &groups));
    }

    #[test]
    fn methods_without_labels_keep_the_classes_and_answer() {
        let (x, labels) = draw(5, 60, 0.0);
        let (head, ..) = learn(&x, &labels);
        let groups: Vec<usize> = (0..60).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let (target, truth) = draw(6, 80, 0.3);
        let options = FitOptions::default();
        let trained = self_train(&head, &samples, target.view(), &options).unwrap().unwrap();
        for adjusted in [prototypes(&head, target.view()).unwrap(), trained] {
            assert!(adjusted.temperature > 0.0 && accuracy(&adjusted, &target, &truth) > 0.8);
        }
        let shipped = Head { kind: Kind::Shipped, ..head };
        assert_eq!(prototypes(&shipped, target.view()), None);
    }

    #[test]
    fn labels_of_the_target_are_weighed_by_what_they_say_of_it() {
        // At the target the classes are the other way round: the more its labels weigh the better.
        let (x, labels) = draw(7, 80, 0.0);
        let (at, of) = draw(8, 40, 0.0);
        let swapped: Vec<usize> = of.iter().map(|label| 1 - label).collect();
        let (groups, few) = ((0..80).collect::<Vec<usize>>(), (0..40).collect::<Vec<usize>>());
        let source = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
        let against = pool(&source, &Samples::new(at.view(), &swapped, &few, 2).unwrap(), &options).unwrap();
        assert_eq!(against.weight, WEIGHTS[WEIGHTS.len() - 1]);
        // At a target like the source nothing is gained by it.
        let alike = pool(&source, &Samples::new(at.view(), &of, &few, 2).unwrap(), &options).unwrap();
        assert_eq!(alike.weight, WEIGHTS[0]);
        let (head, ..) = learn(&x, &labels);
        let near = towards(&head, &Samples::new(at.view(), &of, &few, 2).unwrap(), &options).unwrap();
        assert!(near.accuracy > 0.85, "{}", near.accuracy);
    }
}
