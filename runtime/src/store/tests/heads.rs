//! Heads: a run of the trainer is recorded whole, and what does not fit the task is refused.

use super::*;

#[test]
fn a_run_is_recorded_with_its_head_scores_and_pointer() {
    let (dir, mut tasks) = store();
    let (a, b) = (add(&mut tasks, b"a", Some("ok")), add(&mut tasks, b"b", Some("scratch")));
    let snapshot = tasks.snapshot("belt").unwrap();
    let file = head_file(&snapshot.classes, 1.0);
    let leave_out = ndarray::array![[0.75, 0.25], [0.125, 0.875]];
    let new = NewAdaptation {
        outcome: "activated",
        record: "{\"verdict\":\"activated\"}",
        head: Some(NewHead { file: &file, leave_out: leave_out.view() }),
        activate: true,
        take_back: None,
        proved: None,
        who: "alice",
    };
    let generation = tasks.record_adaptation(&snapshot, &new, at(2)).unwrap().unwrap();
    drop(tasks);

    let tasks = reader(dir.path());
    let head = tasks.in_service("belt").unwrap().unwrap();
    assert_eq!((head.generation, head.origin, head.created, head.pinned), (generation, Origin::Adapted, at(2), false));
    assert_eq!((&head.file, head.watermark), (&file, Some(snapshot.watermark)));
    assert_eq!(head.digest, Digest::of(&tasks.head_file("belt", generation).unwrap()));
    let kept = tasks.leave_out("belt", generation).unwrap();
    let row = |sample, probabilities: [f32; 2]| LeaveOut { sample, probabilities: probabilities.to_vec() };
    assert_eq!(kept, [row(a, [0.75, 0.25]), row(b, [0.125, 0.875])]);
    let [adaptation] = &tasks.adaptations("belt").unwrap()[..] else { panic!("one run, one record") };
    assert_eq!((adaptation.outcome.as_str(), adaptation.generation), ("activated", Some(generation)));
    assert_eq!(adaptation.record, new.record);
}

#[test]
fn a_rejected_head_is_kept_but_not_in_service() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    let rejected = adapt(&mut tasks, 2.0, false);
    assert_eq!(in_service(&tasks), Some(1));
    assert_eq!(rejected, Generation(2));
    assert_eq!(tasks.heads("belt").unwrap().len(), 2);
}

#[test]
fn a_run_without_a_head_is_recorded_too() {
    let (_dir, mut tasks) = store();
    let snapshot = tasks.snapshot("belt").unwrap();
    assert!(snapshot.is_empty());
    let new = NewAdaptation {
        outcome: "not_enough_samples",
        record: "{}",
        head: None,
        activate: false,
        take_back: None,
        proved: None,
        who: "alice",
    };
    assert_eq!(tasks.record_adaptation(&snapshot, &new, at(2)).unwrap(), None);
    assert_eq!(tasks.adaptations("belt").unwrap()[0].outcome, "not_enough_samples");
    assert_eq!(in_service(&tasks), None);
}

#[test]
fn a_head_that_does_not_fit_is_refused_whole() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    let snapshot = tasks.snapshot("belt").unwrap();
    let classes = &snapshot.classes;
    let wide = ndarray::Array2::zeros((2, 2));
    let right = ndarray::Array2::zeros((1, 2));
    let elsewhere = HeadFile { backbone_id: [8; 32], ..head_file(classes, 1.0) };
    let mut wider = head_file(classes, 1.0);
    wider.head.form = Form::linear(ndarray::Array2::zeros((2, DIM + 1)), ndarray::Array1::zeros(2));
    let infinite = head_file(classes, f32::INFINITY);
    let cases = [
        (head_file(classes, 1.0), wide.view(), "leave-out scores are 2 × 2 (samples × classes), expected 1 × 2"),
        (elsewhere, right.view(), "its backbone id is 0808"),
        (wider, right.view(), "its dimension is 9, expected 8"),
        (infinite, right.view(), "could not read the file of a head"),
    ];
    for (file, leave_out, expected) in cases {
        let head = Some(NewHead { file: &file, leave_out });
        let new = NewAdaptation {
            outcome: "activated",
            record: "{}",
            head,
            activate: true,
            take_back: None,
            proved: None,
            who: "alice",
        };
        let message = tasks.record_adaptation(&snapshot, &new, at(2)).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert!(tasks.heads("belt").unwrap().is_empty() && tasks.adaptations("belt").unwrap().is_empty());
}

#[test]
fn scores_are_kept_for_twenty_generations_the_pinned_and_the_one_in_service() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    adapt(&mut tasks, 2.0, false);
    tasks.pin("belt", Generation(2), true).unwrap();
    for i in 3..=24_u8 {
        adapt(&mut tasks, f32::from(i), false);
    }
    let kept: Vec<u32> =
        (1..=24).filter(|&generation| !tasks.leave_out("belt", Generation(generation)).unwrap().is_empty()).collect();
    let expected: Vec<u32> = [1, 2].into_iter().chain(5..=24).collect();
    assert_eq!(kept, expected);
    assert_eq!(tasks.heads("belt").unwrap().len(), 24, "the heads themselves stay");
}

#[test]
fn an_imported_head_is_stored_once_and_not_in_service() {
    let (_dir, mut tasks) = store();
    let bytes = head_file(&["ok".into(), "scratch".into()], 1.0).encode().unwrap();
    let generation = tasks.import_head("belt", &bytes, at(3)).unwrap();
    assert_eq!(tasks.import_head("belt", &bytes, at(4)).unwrap(), generation);
    let head = tasks.head("belt", generation).unwrap();
    assert_eq!((head.origin, head.watermark, in_service(&tasks)), (Origin::Imported, None, None));
    assert_eq!(tasks.head_file("belt", generation).unwrap(), bytes);
    assert!(matches!(tasks.import_head("belt", b"junk", at(3)), Err(StoreError::HeadFile(_))));
    let foreign = HeadFile { backbone_id: [8; 32], ..head_file(&["ok".into()], 1.0) }.encode().unwrap();
    assert!(matches!(tasks.import_head("belt", &foreign, at(3)), Err(StoreError::ForeignHead { .. })));
}

#[test]
fn a_generation_that_is_not_there_is_named() {
    let (_dir, mut tasks) = store();
    let expected = "task `belt` has no head of generation 3; `acclimate head list belt` shows what there is";
    let three = Generation(3);
    assert_eq!(tasks.head("belt", three).unwrap_err().to_string(), expected);
    assert_eq!(tasks.pin("belt", three, true).unwrap_err().to_string(), expected);
    assert_eq!(tasks.activate("belt", three, "bob", false, at(0)).unwrap_err().to_string(), expected);
}
