//! Another device's head: judged when it comes and when there are labels, proved or taken back, and never by samples that it
//! was fitted on.

use super::*;
use crate::store::{Change, Generation, Origin};
use crate::sync::tests::{now, pair};
use crate::sync::{DeviceKey, Trusted, issue, weigh};

/// A device that was taught with these samples, and the head that it has signed.
fn taught(numbers: impl IntoIterator<Item = usize>, key: &DeviceKey) -> Vec<u8> {
    let (_dir, mut tasks) = store(numbers);
    adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    issue(&tasks, "belt", key, "press-7", 30, Some(now())).unwrap().1
}

fn install(tasks: &mut Tasks, signed: &[u8], trusted: &Trusted) -> crate::record::InstallRecord {
    let trusted = std::slice::from_ref(trusted);
    weigh(tasks, "belt", signed, trusted, Some(now()), &options(&[])).unwrap().write_down(tasks).unwrap()
}

/// Labels samples as their class, or as another.
fn label(tasks: &mut Tasks, numbers: impl IntoIterator<Item = usize>, off_by: usize) {
    for number in numbers {
        add(tasks, number, 0);
        let id = SampleId::of(&number.to_le_bytes());
        let class = CLASSES[(number + off_by) % 3];
        tasks.batch(|batch| batch.label("belt", &id, class, "alice", at(2))).unwrap();
    }
}

fn head(tasks: &Tasks, generation: u32) -> crate::store::StoredHead {
    tasks.head("belt", Generation(generation)).unwrap()
}

#[test]
fn without_labels_it_is_in_service_unproved_and_contrary_labels_put_the_head_before_back() {
    let (key, press) = pair("press-7");
    let signed = taught(0..60, &key);
    // The model's own classifier is in service, generation 0.
    let (_dir, mut tasks) = store([]);
    let record = install(&mut tasks, &signed, &press);
    assert_eq!((record.verdict.as_str(), record.unproved, record.generation), ("activated", true, Some(1)));
    let foreign = head(&tasks, 1);
    assert_eq!((foreign.origin, foreign.unproved(), foreign.watermark), (Origin::Installed, true, None));
    let of = foreign.installed.unwrap();
    assert_eq!((of.name.as_str(), of.device.as_str(), of.sequence), ("press-7", "press-7", 2));
    assert!(!foreign.file.provenance.unproved, "there it was proved");

    label(&mut tasks, 100..103, 1);
    let adapted = adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    assert_eq!(
        (adapted.outcome, adapted.record.taken_back),
        (Outcome::NotEnoughSamples, None),
        "one of each says nothing"
    );
    label(&mut tasks, 103..112, 1);
    let adapted = adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    assert_eq!(adapted.record.taken_back, Some(1), "{:?}", adapted.record);
    let moves: Vec<_> =
        tasks.service_history("belt").unwrap().iter().map(|one| (one.change, one.generation.map(|g| g.0))).collect();
    let expected = [(Change::Shipped, Some(0)), (Change::Installed, Some(1)), (Change::TakenBack, Some(0))];
    assert_eq!(moves[..3], expected, "{moves:?}");
    assert!(head(&tasks, 1).unproved());
    if adapted.outcome == Outcome::Activated {
        assert_reproduced(&tasks, "after another device's head was taken back");
    }
    assert_eq!(install(&mut tasks, &signed, &press).reasons, ["seen"]);
}

#[test]
fn labels_that_agree_prove_it() {
    let (key, press) = pair("press-7");
    let (_dir, mut tasks) = store([]);
    install(&mut tasks, &taught(0..60, &key), &press);
    label(&mut tasks, 100..109, 0);
    adapt(&mut tasks, "belt", &options(&[Kind::Prototype])).unwrap();
    assert!(head(&tasks, 1).unproved(), "three groups of each class are too few");
    tasks.activate("belt", Generation(1), "alice", false, at(3)).unwrap();
    label(&mut tasks, 109..130, 0);
    let adapted = adapt(&mut tasks, "belt", &options(&[Kind::Prototype])).unwrap();
    let said = (adapted.record.taken_back, adapted.record.proved, head(&tasks, 1).unproved());
    assert_eq!(said, (None, Some(1), false));
}

#[test]
fn where_there_are_labels_it_is_judged_at_once() {
    let (key, press) = pair("press-7");
    let signed = taught(0..60, &key);
    let (_dir, mut good) = store(100..130);
    let record = install(&mut good, &signed, &press);
    assert_eq!((record.verdict.as_str(), record.unproved), ("activated", false), "{record:?}");
    assert_eq!(record.comparison.as_ref().map(|of| of.samples), Some(30));

    let (_dir, mut contrary) = store([]);
    label(&mut contrary, 100..130, 1);
    adapt(&mut contrary, "belt", &options(&[Kind::Ridge])).unwrap();
    let served = contrary.task("belt").unwrap().in_service;
    let record = install(&mut contrary, &signed, &press);
    assert_eq!((record.verdict.as_str(), record.reasons[0].as_str()), ("rejected", "worse"), "{record:?}");
    assert_eq!(contrary.task("belt").unwrap().in_service, served, "the head in service stays");
    assert!(head(&contrary, record.generation.unwrap()).unproved(), "kept, for a person to overrule the verdict");
}

#[test]
fn numbers_beyond_all_bounds_are_judged_and_not_left_out() {
    let (_dir, tasks) = store(100..130);
    let wild = HeadFile {
        head: Head {
            kind: Kind::Ridge,
            form: Form::linear(Array2::from_elem((3, DIM), f32::MAX), Array1::zeros(3)),
            ..shipped().head
        },
        ..shipped()
    };
    let judged = judge_foreign(&tasks, "belt", &wild, None, None, &options(&[])).unwrap();
    assert!(judged.worse, "{:?}", judged.verdict);
}

#[test]
fn samples_that_it_was_fitted_on_do_not_judge_it_here() {
    let (key, press) = pair("press-7");
    let signed = taught(0..60, &key);
    // Thirty of its own samples, under other labels: were they counted, it would lose by far.
    let (_dir, mut tasks) = store(100..130);
    label(&mut tasks, 0..30, 1);
    let record = install(&mut tasks, &signed, &press);
    assert_eq!((record.verdict.as_str(), record.comparison.map(|of| of.samples)), ("activated", Some(30)));
    // And when it is in service and a candidate is judged against it.
    let adapted = adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    let of = adapted.record.comparison.unwrap();
    assert_eq!((of.samples, of.excluded), (30, 30));
}

#[test]
fn a_head_that_was_fitted_here_and_comes_back_is_judged_by_its_leave_out_scores() {
    let (key, press) = pair("press-7");
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    let signed = issue(&tasks, "belt", &key, "belt-1", 30, Some(now())).unwrap().1;
    assert_eq!(install(&mut tasks, &signed, &press).reasons, ["in_service"]);
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    let signed = issue(&tasks, "belt", &key, "belt-1", 30, Some(now())).unwrap().1;
    tasks.rollback("belt", "alice", at(3)).unwrap();
    let record = install(&mut tasks, &signed, &press);
    assert_eq!((record.verdict.as_str(), record.generation), ("activated", Some(1)), "{record:?}");
    assert_eq!(record.comparison.map(|of| of.samples), Some(60), "in leave-out form");
    assert_eq!(head(&tasks, 1).origin, Origin::Adapted, "it is its own");
}
