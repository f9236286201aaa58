//! A candidate against a head in service: the paired comparison, contradicting labels, new classes.

use acclimate_trainer::{Advice, FORGOTTEN, Outcome, Reason};

use crate::case::{Case, on, tokens};

#[test]
fn an_equal_candidate_is_activated() {
    let verdict = Case::in_service(3, 10, 0.9).judge();
    assert_eq!((verdict.outcome, verdict.unproved), (Outcome::Activated, false));
    let comparison = verdict.comparison.unwrap();
    assert_eq!((comparison.samples, comparison.groups, comparison.excluded), (30, 30, 0));
    assert_eq!((comparison.difference, comparison.p_worse), (0.0, Some(0.5)));
    assert_eq!((comparison.accuracy, comparison.accuracy_in_service), (1.0, 1.0));
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
    case.candidate = on(2, case.labels.iter().enumerate().map(|(i, &l)| (l, if i == 0 { 0.3 } else { 0.9 })));
    let verdict = case.judge();
    assert!(verdict.comparison.unwrap().p_worse.unwrap() > 0.05);
    assert_eq!(tokens(&verdict), ["worse_by_margin"]);
    assert_eq!(verdict.next, [Advice::LabelGroups { class: 0, groups: 5 }]);
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
    assert_eq!((verdict.outcome, verdict.unproved), (Outcome::Activated, true));
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
    assert_eq!((verdict.outcome, comparison.difference), (Outcome::Activated, 0.0));
}

#[test]
fn rows_without_a_kept_score_are_left_out_and_none_at_all_makes_a_first_head() {
    let mut case = Case::in_service(2, 10, 0.9);
    let (scores, _, _) = case.in_service.as_mut().unwrap();
    scores.row_mut(3).fill(f64::NAN);
    assert_eq!(case.judge().comparison.unwrap().excluded, 1);
    case.in_service.as_mut().unwrap().0.fill(f64::NAN);
    let verdict = case.judge();
    assert_eq!((verdict.outcome, verdict.unproved), (Outcome::Activated, true));
    assert_eq!(tokens(&verdict), ["nothing_to_compare", "better_than_chance"]);
    assert_eq!(verdict.comparison, None);
}

/// Twenty new samples labelled 0, of which the candidate takes `wrong` for 1; the older ones are right 9 times in 10.
fn with_contradictions(wrong: usize) -> Case {
    let mut case = Case::in_service(2, 50, 0.9);
    let miss = |i: usize, label: usize| {
        if (i / 2).is_multiple_of(10) { 1 - label } else { label }
    };
    let rows: Vec<_> = case.labels.iter().enumerate().map(|(i, &l)| (miss(i, l), 0.9)).collect();
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
    let Reason::LabelsContradict(found) = verdict.reasons[0] else { panic!("{:?}", verdict.reasons) };
    assert_eq!((found.new_wrong, found.new, found.older_wrong, found.older), (8, 20, 5, 50));
    assert!(found.p < 0.01, "{}", found.p);
    let rows = (100..108).collect();
    assert_eq!(verdict.next, [Advice::Review { class: 0, looks_like: 1, rows }, Advice::TrustLabels]);

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
    let rows: Vec<_> = case.labels.iter().enumerate().map(|(i, &l)| (seen(i, l), 0.6)).collect();
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
    assert!(verdict.next.contains(&Advice::LabelGroups { class: 2, groups: 2 }), "{:?}", verdict.next);
}

#[test]
fn a_new_class_that_swallows_an_old_one_is_rejected() {
    let mut case = with_new_class(10);
    // Every sample of class 1 goes to the new class, though rightly ordered among the old ones.
    for (mut row, _) in case.candidate.rows_mut().into_iter().zip(&case.labels).filter(|(_, label)| **label == 1) {
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
