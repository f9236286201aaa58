//! The rules of judgement, one by one, on probabilities made by hand.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use acclimate_trainer::{
    Advice, FORGOTTEN, InService, JudgeError, JudgeInput, Outcome, Reason, Verdict, judge,
};
use ndarray::Array2;
use proptest::prelude::*;

/// One sample's case: its label, its group, whether it is new, and the probability that a head gives to `label`.
#[derive(Clone)]
struct Case {
    classes: usize,
    labels: Vec<usize>,
    groups: Vec<usize>,
    new: Vec<bool>,
    candidate: Array2<f64>,
    prototype: Array2<f64>,
    /// Probabilities, what it was fitted on, its classes.
    in_service: Option<(Array2<f64>, Vec<bool>, Vec<usize>)>,
    trust_labels: bool,
}

/// Probabilities with `p` on the class given for each row, the rest spread evenly.
fn on(classes: usize, rows: impl IntoIterator<Item = (usize, f64)>) -> Array2<f64> {
    let rows: Vec<_> = rows.into_iter().collect();
    Array2::from_shape_fn((rows.len(), classes), |(i, class)| {
        let (favoured, p) = rows[i];
        if class == favoured {
            p
        } else {
            (1.0 - p) / (classes as f64 - 1.0)
        }
    })
}

impl Case {
    /// `n` samples of each class, each its own group, all recognised with probability `p` by every head.
    fn recognised(classes: usize, n: usize, p: f64) -> Self {
        let labels: Vec<usize> = (0..n * classes).map(|i| i % classes).collect();
        let all = on(classes, labels.iter().map(|&label| (label, p)));
        Self {
            classes,
            groups: (0..labels.len()).collect(),
            new: vec![false; labels.len()],
            candidate: all.clone(),
            prototype: all.clone(),
            in_service: None,
            trust_labels: false,
            labels,
        }
    }

    /// The same, with a head in service that was fitted on all and gives `p` too.
    fn in_service(classes: usize, n: usize, p: f64) -> Self {
        let case = Self::recognised(classes, n, p);
        let in_service = (
            case.candidate.clone(),
            vec![true; n * classes],
            (0..classes).collect(),
        );
        Self {
            in_service: Some(in_service),
            ..case
        }
    }

    /// Adds a new sample, scored plainly by the head in service.
    fn add(
        &mut self,
        label: usize,
        group: usize,
        candidate: (usize, f64),
        in_service: (usize, f64),
    ) {
        self.labels.push(label);
        self.groups.push(group);
        self.new.push(true);
        for own in [&mut self.candidate, &mut self.prototype] {
            own.append(ndarray::Axis(0), on(self.classes, [candidate]).view())
                .unwrap();
        }
        if let Some((p, fitted_on, classes)) = &mut self.in_service {
            p.append(ndarray::Axis(0), on(classes.len(), [in_service]).view())
                .unwrap();
            fitted_on.push(false);
        }
    }

    fn try_judge(&self) -> Result<Verdict, JudgeError> {
        judge(&JudgeInput {
            candidate: self.candidate.view(),
            labels: &self.labels,
            groups: &self.groups,
            classes: self.classes,
            ungrouped: false,
            new: &self.new,
            prototype: self.prototype.view(),
            in_service: self
                .in_service
                .as_ref()
                .map(|(p, fitted_on, classes)| InService {
                    probabilities: p.view(),
                    fitted_on,
                    classes,
                }),
            trust_labels: self.trust_labels,
        })
    }

    fn judge(&self) -> Verdict {
        self.try_judge().unwrap()
    }
}

fn tokens(verdict: &Verdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(Reason::token).collect()
}

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
fn a_class_with_one_sample_asks_for_another() {
    let mut case = Case::recognised(3, 4, 0.9);
    case.labels
        .iter_mut()
        .filter(|label| **label == 2)
        .skip(1)
        .for_each(|label| *label = 0);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::NotEnoughSamples);
    assert_eq!(
        verdict.next,
        [Advice::LabelGroups {
            class: 2,
            groups: 1
        }]
    );
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
    assert_eq!(
        (enough.outcome, enough.unproved),
        (Outcome::Activated, false)
    );
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
    case.candidate = on(
        2,
        case.labels
            .iter()
            .enumerate()
            .map(|(i, &l)| (l, 0.7 + 0.001 * i as f64)),
    );
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(
        tokens(&verdict),
        ["worse_than_prototype", "better_than_chance"]
    );
    // As good on average, better here and worse there: no reason against it.
    case.candidate = on(
        2,
        case.labels
            .iter()
            .enumerate()
            .map(|(i, &l)| (l, if i % 4 < 2 { 0.95 } else { 0.86 })),
    );
    assert_eq!(case.judge().outcome, Outcome::Activated);
}

#[test]
fn an_equal_candidate_is_activated() {
    let verdict = Case::in_service(3, 10, 0.9).judge();
    assert_eq!(
        (verdict.outcome, verdict.unproved),
        (Outcome::Activated, false)
    );
    let comparison = verdict.comparison.unwrap();
    assert_eq!(
        (comparison.samples, comparison.groups, comparison.excluded),
        (30, 30, 0)
    );
    assert_eq!(
        (comparison.difference, comparison.p_worse),
        (0.0, Some(0.5))
    );
    assert_eq!(
        (comparison.accuracy, comparison.accuracy_in_service),
        (1.0, 1.0)
    );
}

#[test]
fn rounding_is_no_evidence() {
    let mut case = Case::in_service(3, 10, 0.9);
    case.candidate = on(3, case.labels.iter().map(|&label| (label, 0.9 - 1e-12)));
    assert_eq!(case.judge().outcome, Outcome::Activated);
}

#[test]
fn a_significantly_worse_candidate_is_rejected_within_the_margin() {
    let mut case = Case::in_service(3, 20, 0.9);
    case.candidate = on(3, case.labels.iter().map(|&label| (label, 0.89)));
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(tokens(&verdict), ["worse"]);
    assert!(verdict.comparison.unwrap().difference < 0.02);
}

#[test]
fn a_candidate_worse_by_more_than_the_margin_is_rejected_without_significance() {
    let mut case = Case::in_service(2, 10, 0.9);
    case.candidate = on(
        2,
        case.labels
            .iter()
            .enumerate()
            .map(|(i, &l)| (l, if i == 0 { 0.3 } else { 0.9 })),
    );
    let verdict = case.judge();
    assert!(verdict.comparison.unwrap().p_worse.unwrap() > 0.05);
    assert_eq!(tokens(&verdict), ["worse_by_margin"]);
    assert_eq!(
        verdict.next,
        [Advice::LabelGroups {
            class: 0,
            groups: 5
        }]
    );
}

#[test]
fn near_duplicates_do_not_make_a_difference_significant() {
    let mut case = Case::in_service(2, 30, 0.9);
    // Half of the groups a little better, half a little worse; one group of many copies tips the plain test.
    let p = |i: usize| {
        if i < 30 {
            0.88
        } else if i.is_multiple_of(2) {
            0.895
        } else {
            0.905
        }
    };
    case.candidate = on(2, case.labels.iter().enumerate().map(|(i, &l)| (l, p(i))));
    assert_eq!(tokens(&case.judge()), ["worse"]);
    case.groups.iter_mut().take(30).for_each(|group| *group = 0);
    assert_eq!(case.judge().outcome, Outcome::Activated);
}

#[test]
fn too_few_groups_are_said_and_leave_the_head_unproved() {
    let mut case = Case::in_service(2, 10, 0.9);
    case.groups.iter_mut().for_each(|group| *group %= 4);
    let verdict = case.judge();
    assert_eq!(
        (verdict.outcome, verdict.unproved),
        (Outcome::Activated, true)
    );
    assert_eq!(tokens(&verdict), ["not_worse", "too_few_groups"]);
    assert_eq!(verdict.comparison.unwrap().p_worse, None);
}

#[test]
fn a_later_sample_in_the_group_of_a_fitted_one_is_left_out() {
    let mut case = Case::in_service(2, 10, 0.9);
    // The head in service is sure of these because it has seen their neighbours.
    for group in 0..6 {
        case.add(group % 2, group, (group % 2, 0.6), (group % 2, 0.999));
    }
    case.add(0, 100, (0, 0.9), (0, 0.9));
    let verdict = case.judge();
    let comparison = verdict.comparison.unwrap();
    assert_eq!((comparison.samples, comparison.excluded), (21, 6));
    assert_eq!(
        (verdict.outcome, comparison.difference),
        (Outcome::Activated, 0.0)
    );
}

#[test]
fn rows_without_a_kept_score_are_left_out_and_none_at_all_makes_a_first_head() {
    let mut case = Case::in_service(2, 10, 0.9);
    let (scores, _, _) = case.in_service.as_mut().unwrap();
    scores.row_mut(3).fill(f64::NAN);
    assert_eq!(case.judge().comparison.unwrap().excluded, 1);
    case.in_service.as_mut().unwrap().0.fill(f64::NAN);
    let verdict = case.judge();
    assert_eq!(
        (verdict.outcome, verdict.unproved),
        (Outcome::Activated, true)
    );
    assert_eq!(
        tokens(&verdict),
        ["nothing_to_compare", "better_than_chance"]
    );
    assert_eq!(verdict.comparison, None);
}

/// Twenty new samples labelled 0, of which the candidate takes `wrong` for 1; the older ones are right 9 times in 10.
fn with_contradictions(wrong: usize) -> Case {
    let mut case = Case::in_service(2, 50, 0.9);
    let miss = |i: usize, label: usize| if (i / 2).is_multiple_of(10) { 1 - label } else { label };
    let rows: Vec<_> = case
        .labels
        .iter()
        .enumerate()
        .map(|(i, &l)| (miss(i, l), 0.9))
        .collect();
    case.candidate = on(2, rows.clone());
    case.in_service.as_mut().unwrap().0 = on(2, rows);
    for i in 0..20 {
        let seen = (usize::from(i < wrong), 0.9);
        case.add(0, 1000 + i, seen, seen);
    }
    case
}

#[test]
fn new_labels_that_contradict_the_older_ones_are_rejected_unless_trusted() {
    let mut case = with_contradictions(8);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    let Reason::LabelsContradict(found) = verdict.reasons[0] else {
        panic!("{:?}", verdict.reasons)
    };
    assert_eq!(
        (found.new_wrong, found.new, found.older_wrong, found.older),
        (8, 20, 5, 50)
    );
    assert!(found.p < 0.01, "{}", found.p);
    let rows = (100..108).collect();
    assert_eq!(
        verdict.next,
        [
            Advice::Review {
                class: 0,
                looks_like: 1,
                rows
            },
            Advice::TrustLabels
        ]
    );

    case.trust_labels = true;
    let trusted = case.judge();
    assert_eq!(trusted.outcome, Outcome::Activated);
    assert_eq!(tokens(&trusted), ["not_worse", "labels_trusted"]);
}

#[test]
fn a_few_mistakes_among_the_new_labels_are_no_contradiction() {
    assert_eq!(with_contradictions(3).judge().outcome, Outcome::Activated);
}

#[test]
fn copies_of_one_contradicting_sample_count_once() {
    let mut case = with_contradictions(8);
    case.groups[100..108].fill(1000);
    let verdict = case.judge();
    assert_eq!(verdict.outcome, Outcome::Activated, "{:?}", verdict.reasons);
}

#[test]
fn new_labels_of_a_hard_class_are_compared_with_older_ones_of_that_class() {
    // Class 0 is always recognised, class 1 half of the time, before and after.
    let mut case = Case::in_service(2, 100, 0.9);
    let seen = |i: usize, label: usize| if label == 1 && i % 4 < 2 { 0 } else { label };
    let rows: Vec<_> = case
        .labels
        .iter()
        .enumerate()
        .map(|(i, &l)| (seen(i, l), 0.6))
        .collect();
    case.candidate = on(2, rows.clone());
    case.in_service.as_mut().unwrap().0 = on(2, rows);
    for i in 0..30 {
        let seen = (i % 2, 0.6);
        case.add(1, 1000 + i, seen, seen);
    }
    assert_eq!(case.judge().outcome, Outcome::Activated);
}

/// Two old classes and a new one, 2, of ten samples that the candidate recognises `right` times.
fn with_new_class(right: usize) -> Case {
    let mut case = Case::recognised(3, 20, 0.8);
    let keep: Vec<usize> = (0..60).filter(|i| i % 3 < 2).collect();
    case.labels = keep.iter().map(|&i| case.labels[i]).collect();
    case.groups.clone_from(&keep);
    case.new = vec![false; 40];
    case.candidate = case.candidate.select(ndarray::Axis(0), &keep);
    case.prototype.clone_from(&case.candidate);
    let served = on(2, case.labels.iter().map(|&label| (label, 0.85)));
    case.in_service = Some((served, vec![true; 40], vec![0, 1]));
    for i in 0..10 {
        case.add(2, 1000 + i, (if i < right { 2 } else { 0 }, 0.8), (0, 0.9));
    }
    case
}

#[test]
fn a_new_class_leaves_the_old_ones_to_be_compared_among_themselves() {
    let verdict = with_new_class(10).judge();
    let comparison = verdict.comparison.unwrap();
    // 0.8 of 0.9 for the two classes that both know: better than 0.85.
    assert_eq!(comparison.samples, 40);
    assert!((comparison.difference + (0.8_f64 / 0.9 / 0.85).ln()).abs() < 1e-9);
    assert_eq!(verdict.outcome, Outcome::Activated);
}

#[test]
fn a_new_class_below_its_floor_is_rejected() {
    let verdict = with_new_class(3).judge();
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert_eq!(tokens(&verdict), ["new_class_weak", "not_worse"]);
    assert!(
        verdict.next.contains(&Advice::LabelGroups {
            class: 2,
            groups: 2
        }),
        "{:?}",
        verdict.next
    );
}

#[test]
fn a_new_class_that_swallows_an_old_one_is_rejected() {
    let mut case = with_new_class(10);
    // Every sample of class 1 goes to the new class, though rightly ordered among the old ones.
    for (mut row, _) in case
        .candidate
        .rows_mut()
        .into_iter()
        .zip(&case.labels)
        .filter(|(_, label)| **label == 1)
    {
        row.assign(&ndarray::aview1(&[0.01, 0.29, 0.7]));
    }
    assert_eq!(tokens(&case.judge()), ["new_class_takes_old", "not_worse"]);
}

#[test]
fn a_forgotten_class_is_no_merit_of_the_candidate() {
    let mut case = Case::in_service(2, 10, 0.9);
    let served = on(3, case.labels.iter().map(|&label| (label + 1, 0.9)));
    case.in_service = Some((served, vec![true; 20], vec![FORGOTTEN, 0, 1]));
    case.candidate = on(2, case.labels.iter().map(|&label| (label, 0.9 / 0.95)));
    let difference = case.judge().comparison.unwrap().difference;
    assert!(difference.abs() < 1e-9, "{difference}");
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
        (
            error(&|c| c.labels[4] = 2),
            "the label of sample 4 is class 2, expected one of 0..2",
        ),
        (
            error(&|c| c.groups.truncate(3)),
            "group ids number 3, expected 20",
        ),
        (
            error(&|c| c.new.truncate(3)),
            "marks of new labels number 3, expected 20",
        ),
        (
            error(&|c| c.classes = 3),
            "the candidate's classes number 2, expected 3",
        ),
        (
            error(&|c| c.candidate[[7, 0]] = f64::NAN),
            "of the candidate are not finite for sample 7",
        ),
        (
            error(&|c| c.in_service.as_mut().unwrap().2 = vec![1, 1]),
            "in-service class 1 is class 1",
        ),
        (
            error(&|c| c.in_service.as_mut().unwrap().1.clear()),
            "was fitted on number 0, expected 20",
        ),
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
