//! The rules of judgement, one by one, on probabilities made by hand: first heads here, a head in service in
//! `in_service.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod case;
mod in_service;

use acclimate_trainer::{Advice, FORGOTTEN, Outcome};
use case::{Case, on, tokens};
use ndarray::Array2;
use proptest::prelude::*;

#[test]
fn one_class_is_not_enough() {
    let mut case = Case::recognised(2, 3, 0.9);
    case.labels.fill(1);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::NotEnoughSamples);
    assert_eq!(tokens(&verdict), ["too_few_classes"]);
    assert_eq!(verdict.next, [Advice::LabelAnotherClass]);
}

#[test]
fn a_task_of_one_class_is_an_anomaly_task() {
    let mut case = Case::recognised(1, 5, 1.0);
    let verdict = case.judge();
    assert_eq!((verdict.outcome, verdict.unproved), (Outcome::Activated, true));
    assert_eq!(tokens(&verdict), ["one_class"]);
    case.groups.fill(0);
    assert_eq!(case.judge().outcome, Outcome::NotEnoughSamples, "five pictures of one moment");
}

#[test]
fn a_class_with_one_sample_asks_for_another() {
    let mut case = Case::recognised(3, 4, 0.9);
    case.labels.iter_mut().filter(|label| **label == 2).skip(1).for_each(|label| *label = 0);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::NotEnoughSamples);
    assert_eq!(verdict.next, [Advice::LabelGroups { class: 2, groups: 1 }]);
}

#[test]
fn no_samples_at_all_is_a_verdict_and_no_error() {
    let verdict = Case::recognised(2, 0, 0.9).judge();
    assert_eq!(verdict.outcome, Outcome::NotEnoughSamples);
}

#[test]
fn a_first_head_is_unproved_until_each_class_has_five_groups() {
    let few = Case::recognised(2, 2, 0.9).judge();
    assert_eq!((few.outcome, few.unproved), (Outcome::Activated, true));
    let wanted = |class| Advice::LabelGroups { class, groups: 3 };
    assert_eq!(few.next, [wanted(0), wanted(1)]);

    let enough = Case::recognised(2, 5, 0.9).judge();
    assert_eq!((enough.outcome, enough.unproved), (Outcome::Activated, false));
    assert_eq!(enough.next, [Advice::Nothing]);

    // Ten samples of a class, but in two groups.
    let mut bursts = Case::recognised(2, 10, 0.9);
    bursts.groups.iter_mut().for_each(|group| *group %= 4);
    assert!(bursts.judge().unproved);
}

#[test]
fn a_first_head_no_better_than_chance_is_rejected() {
    let mut case = Case::recognised(2, 8, 0.9);
    // Right half of the time, with confidence: worse than guessing.
    case.candidate = on(2, (0..16).map(|i| (i / 2 % 2, 0.7)));
    case.prototype.clone_from(&case.candidate);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(tokens(&verdict), ["not_better_than_chance"]);
}

#[test]
fn a_first_head_significantly_worse_than_prototype_is_rejected() {
    let mut case = Case::recognised(2, 8, 0.9);
    case.candidate = on(2, case.labels.iter().enumerate().map(|(i, &l)| (l, 0.7 + 0.001 * i as f64)));
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(tokens(&verdict), ["worse_than_prototype", "better_than_chance"]);
    // As good on average, better here and worse there: no reason against it.
    case.candidate = on(2, case.labels.iter().enumerate().map(|(i, &l)| (l, if i % 4 < 2 { 0.95 } else { 0.86 })));
    assert_eq!(case.judge().outcome, Outcome::Activated);
}

#[test]
fn inputs_that_do_not_fit_are_errors_that_name_them() {
    let good = Case::in_service(2, 10, 0.9);
    let error = |change: &dyn Fn(&mut Case)| {
        let mut case = good.clone();
        change(&mut case);
        case.try_judge().unwrap_err().to_string()
    };
    for (message, expected) in [
        (error(&|c| c.labels[4] = 2), "the label of sample 4 is class 2, expected one of 0..2"),
        (error(&|c| c.groups.truncate(3)), "group ids number 3, expected 20"),
        (error(&|c| c.new.truncate(3)), "marks of new labels number 3, expected 20"),
        (error(&|c| c.classes = 3), "the candidate's classes number 2, expected 3"),
        (error(&|c| c.candidate[[7, 0]] = f64::NAN), "of the candidate are not finite for sample 7"),
        (error(&|c| c.in_service.as_mut().unwrap().2 = vec![1, 1]), "in-service class 1 is class 1"),
        (error(&|c| c.in_service.as_mut().unwrap().1.clear()), "was fitted on number 0, expected 20"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

proptest! {
    /// Any numbers at all: a verdict with reasons and advice, or an error; the same one each time.
    #[test]
    fn no_input_makes_it_panic_and_equal_inputs_get_equal_verdicts(
        classes in 1usize..4,
        rows in prop::collection::vec((0usize..4, 0usize..6, any::<bool>(), any::<bool>()), 0..24),
        served_classes in prop::collection::vec(prop_oneof![0usize..4, Just(FORGOTTEN)], 0..4),
        numbers in prop::collection::vec(prop_oneof![0.0f64..1.0, Just(0.0), Just(1.0), Just(-1e300)], 1..40),
        unscored in any::<bool>(),
        trust_labels in any::<bool>(),
    ) {
        let n = rows.len();
        let fill = |columns: usize, from: usize| {
            Array2::from_shape_fn((n, columns), |(i, j)| numbers[(i * 7 + j * 3 + from) % numbers.len()])
        };
        let mut scores = fill(served_classes.len(), 2);
        if unscored && n > 0 && !served_classes.is_empty() {
            scores[[n / 2, 0]] = f64::NAN;
        }
        let case = Case {
            classes,
            labels: rows.iter().map(|row| row.0).collect(),
            groups: rows.iter().map(|row| row.1).collect(),
            new: rows.iter().map(|row| row.2).collect(),
            candidate: fill(classes, 0),
            prototype: fill(classes, 1),
            in_service: Some((scores, rows.iter().map(|row| row.3).collect(), served_classes)),
            trust_labels,
        };
        for case in [case.clone(), Case { in_service: None, ..case }] {
            let once = case.try_judge();
            prop_assert_eq!(&once, &case.try_judge());
            if let Ok(verdict) = once {
                prop_assert!(!verdict.reasons.is_empty() && !verdict.next.is_empty());
            }
        }
    }
}
