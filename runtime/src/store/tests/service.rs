//! The pointer to the head in service: where it goes, and where it comes back to.

use super::*;

/// A store whose generations 1 to 3 went in service one after the other.
fn three() -> (TempDir, Tasks) {
    let (dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    for mark in [1.0, 2.0, 3.0] {
        adapt(&mut tasks, mark, true);
    }
    (dir, tasks)
}

#[test]
fn rolling_back_twice_goes_two_steps_and_no_further_than_the_first() {
    let (_dir, mut tasks) = three();
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(2));
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(1));
    let refused = tasks.rollback("belt", "bob", at(5)).unwrap_err();
    assert!(matches!(refused, StoreError::NothingBefore { .. }));
    assert_eq!(in_service(&tasks), Some(1));
}

#[test]
fn what_comes_after_a_roll_back_goes_back_to_where_it_started() {
    let (_dir, mut tasks) = three();
    tasks.rollback("belt", "bob", at(5)).unwrap();
    adapt(&mut tasks, 4.0, true);
    assert_eq!(in_service(&tasks), Some(4));
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(2), "not the 3 that was rolled back");
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(1));
}

#[test]
fn a_person_may_put_any_head_in_service_and_it_is_recorded() {
    let (dir, mut tasks) = three();
    let rejected = adapt(&mut tasks, 4.0, false);
    assert_eq!(tasks.activate("belt", rejected, "bob", true, at(9)).unwrap(), Some(Generation(3)));
    assert_eq!(tasks.activate("belt", rejected, "bob", true, at(9)).unwrap(), Some(rejected), "again moves nothing");
    drop(tasks);
    let tasks = reader(dir.path());
    let history = tasks.service_history("belt").unwrap();
    let moves: Vec<(u32, Change, bool)> =
        history.iter().map(|row| (row.generation.unwrap().0, row.change, row.forced)).collect();
    let adapted = |generation| (generation, Change::Adapted, false);
    assert_eq!(moves, [adapted(1), adapted(2), adapted(3), (4, Change::Activated, true)]);
    assert_eq!((history[3].who.as_str(), history[3].when), ("bob", at(9)));
}

#[test]
fn there_is_nothing_to_roll_back_without_a_head() {
    let (_dir, mut tasks) = store();
    assert!(matches!(tasks.rollback("belt", "bob", at(5)), Err(StoreError::NothingBefore { .. })));
}

#[test]
fn a_forgotten_generation_is_skipped_on_the_way_back() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    let b = add(&mut tasks, b"b", Some("ok"));
    adapt(&mut tasks, 2.0, true);
    tasks.unlabel("belt", &b, "bob", at(3)).unwrap();
    adapt(&mut tasks, 3.0, true);
    tasks
        .forget::<StoreError>("belt", &Forget::Samples(vec![b]), "bob", at(4), |_, _| panic!("3 was not fitted on it"))
        .unwrap();
    assert_eq!(in_service(&tasks), Some(3));
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(1), "2 was fitted on it and is gone");
}
