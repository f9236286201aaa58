//! A head at another site: adjusted without labels, audited, taken back by labels, and forgotten.

use acclimate_trainer::domain;

use super::*;
use crate::store::{Change, Generation, Origin};

/// How far the other site's features lie off.
const OFF: u8 = 60;

fn unlabelled(numbers: impl IntoIterator<Item = usize>, off: u8) -> Unlabelled {
    let rows: Vec<f32> = numbers.into_iter().flat_map(|number| QUANTISATION.decode(&codes(number, off))).collect();
    let features = Array2::from_shape_vec((rows.len() / DIM, DIM), rows).unwrap();
    Unlabelled { groups: (0..features.nrows()).collect(), features }
}

/// A store whose head was fitted on sixty samples and adjusted to forty others.
fn adjusted(kind: Kind) -> (TempDir, Tasks, AdjustRecord) {
    let (dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&[kind])).unwrap();
    let (outcome, record) = adjust(&mut tasks, "belt", &unlabelled(100..140, OFF), &options(&[])).unwrap();
    assert_eq!(outcome, Outcome::Activated, "{kind}: {record:?}");
    (dir, tasks, record)
}

fn label(tasks: &mut Tasks, numbers: impl IntoIterator<Item = usize>, off: u8) {
    for number in numbers {
        add(tasks, number, off);
    }
}

#[test]
fn what_is_unlike_is_adjusted_to_and_the_head_is_that_of_the_fitted_one() {
    for kind in [Kind::Discriminant, Kind::Kernel, Kind::Logistic, Kind::Prototype, Kind::Ridge] {
        let (_dir, mut tasks, record) = adjusted(kind);
        assert_eq!((record.from, record.generation), (1, Some(2)), "{kind}");
        let [before, head] = [1, 2].map(|number| tasks.head("belt", Generation(number)).unwrap());
        assert_eq!((tasks.task("belt").unwrap().in_service, head.origin), (Some(head.generation), Origin::Adjusted));
        let by = head.file.provenance.adjusted.clone().unwrap();
        assert_eq!((by.samples, by.groups, head.file.provenance.unproved), (40, 40, true));
        assert_eq!(domain::moved(&before.file.head, &by.shift), Some(head.file.head.clone()), "{kind}");
        assert_reproduced(&tasks, &format!("{kind}, adjusted"));

        // A second one starts from the fitted head as well, and gives the same.
        let (_, again) = adjust(&mut tasks, "belt", &unlabelled(100..140, OFF), &options(&[])).unwrap();
        assert_eq!((again.from, again.generation), (1, Some(3)));
        assert_eq!(in_service(&tasks).head, head.file.head, "{kind}");
    }
}

#[test]
fn what_is_alike_too_little_or_of_a_raw_head_is_not_adjusted_to() {
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    let ask = |tasks: &mut Tasks, samples: &Unlabelled| adjust(tasks, "belt", samples, &options(&[])).unwrap();
    let (outcome, record) = ask(&mut tasks, &unlabelled(100..140, 0));
    assert_eq!((outcome, &record.reasons[0][..], record.generation), (Outcome::Rejected, "no_drift", None));
    let (outcome, record) = ask(&mut tasks, &unlabelled(100..103, OFF));
    assert_eq!((outcome, &record.reasons[0][..]), (Outcome::NotEnoughSamples, "too_few_groups"));
    assert_eq!(tasks.task("belt").unwrap().in_service, Some(Generation(1)));
    adapt(&mut tasks, "belt", &options(&[Kind::Shipped])).unwrap();
    tasks.activate("belt", Generation(2), "alice", true, at(9)).unwrap();
    let (outcome, record) = ask(&mut tasks, &unlabelled(100..140, OFF));
    assert_eq!((outcome, &record.reasons[0][..]), (Outcome::Rejected, "not_adjustable"));
}

#[test]
fn labels_that_disagree_take_an_adjustment_back_and_those_that_agree_do_not() {
    for (off, back) in [(0, true), (OFF, false)] {
        let (_dir, mut tasks, _) = adjusted(Kind::Ridge);
        label(&mut tasks, 200..215, off);
        let adapted = adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
        assert_eq!(adapted.record.taken_back, back.then_some(2), "{:?}", adapted.record.because);
        let changes: Vec<Change> = tasks.service_history("belt").unwrap().iter().map(|row| row.change).collect();
        assert_eq!(changes.contains(&Change::TakenBack), back, "{changes:?}");
        let head = tasks.in_service("belt").unwrap().unwrap();
        if adapted.outcome == Outcome::Activated {
            assert_eq!(head.file.provenance.parent, Some(if back { 1 } else { 2 }));
        }
        assert_eq!(head.file.provenance.adjusted.is_some(), adapted.outcome != Outcome::Activated && !back);
        assert_reproduced(&tasks, "after labels");
    }
}

#[test]
fn forgetting_a_labelled_sample_gives_the_head_that_never_had_it_and_is_not_adjusted() {
    let (_dir, mut tasks, _) = adjusted(Kind::Ridge);
    let what = Forget::Samples(vec![SampleId::of(&7_usize.to_le_bytes())]);
    let receipt = forget(&mut tasks, "belt", &what, &options(&[])).unwrap();
    assert_eq!(receipt.generations, [Generation(1), Generation(2)]);
    let (_other, mut never) = store((0..60).filter(|&number| number != 7));
    adapt(&mut never, "belt", &options(&[Kind::Ridge])).unwrap();
    assert_eq!(in_service(&tasks).head, in_service(&never).head);
    assert_eq!(in_service(&tasks).provenance.adjusted, None);
    assert_reproduced(&tasks, "refitted");
    // And it can be adjusted again.
    let (outcome, _) = adjust(&mut tasks, "belt", &unlabelled(100..140, OFF), &options(&[])).unwrap();
    assert_eq!(outcome, Outcome::Activated);
}
