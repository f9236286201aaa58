//! Several backbones in a task: features of each, one in use, and the way between them.

use super::*;

const OTHER: [u8; 32] = [9; 32];

fn feature(sample: SampleId, code: u8) -> NewFeature {
    NewFeature { sample, codes: vec![code; DIM], saturated: 0, norm: 3.0 }
}

/// A task with two samples, a head in service, and another backbone that has a feature of the first sample only.
fn two() -> (TempDir, Tasks, [SampleId; 2]) {
    let (dir, mut tasks) = store();
    let ids = [add(&mut tasks, b"a", Some("ok")), add(&mut tasks, b"b", Some("scratch"))];
    adapt(&mut tasks, 1.0, true);
    let on = tasks.add_backbone("belt", &new_backbone(OTHER)).unwrap();
    assert_eq!((on.backbone_id, tasks.task("belt").unwrap().backbone_id), (OTHER, BACKBONE));
    tasks.add_features("belt", &OTHER, &[feature(ids[0], 5)], "other", at(3)).unwrap();
    (dir, tasks, ids)
}

fn record_on(tasks: &mut Tasks, snapshot: &Snapshot, activate: bool) -> Result<Option<Generation>, StoreError> {
    let file = HeadFile { backbone_id: snapshot.backbone_id, ..head_file(&snapshot.classes, 9.0) };
    let leave_out = Array2::from_elem((snapshot.len(), snapshot.classes.len()), 0.5);
    let head = Some(NewHead { file: &file, leave_out: leave_out.view() });
    let new = NewAdaptation {
        outcome: "activated",
        record: "{}",
        head,
        activate,
        take_back: None,
        proved: None,
        who: "alice",
    };
    tasks.record_adaptation(snapshot, &new, at(4))
}

#[test]
fn backbone_and_head_change_together_and_back() {
    let (_dir, mut tasks, [a, b]) = two();
    assert_eq!(tasks.missing_features("belt", &OTHER).unwrap(), [b]);
    assert!(matches!(tasks.snapshots("belt", &OTHER), Err(StoreError::FeaturesMissing { missing: 1, .. })));
    tasks.add_features("belt", &OTHER, &[feature(b, 6)], "other", at(3)).unwrap();
    let [served, snapshot] = tasks.snapshots("belt", &OTHER).unwrap();
    assert_eq!((served.ids, served.norms), (vec![a, b], vec![2.0, 2.0]));
    assert_eq!((snapshot.ids.as_slice(), snapshot.norms.as_slice()), (&[a, b][..], &[3.0, 3.0][..]));
    assert_eq!(snapshot.codes.row(1).to_vec(), [6; DIM]);

    let generation = record_on(&mut tasks, &snapshot, true).unwrap();
    let task = tasks.task("belt").unwrap();
    assert_eq!((task.backbone_id, task.in_service), (OTHER, generation));
    assert_eq!(tasks.snapshot("belt").unwrap().codes.row(0).to_vec(), [5; DIM]);
    assert_eq!(tasks.before("belt").unwrap(), Generation(1));
    assert_eq!(tasks.rollback("belt", "bob", at(5)).unwrap(), Generation(1));
    assert_eq!(tasks.task("belt").unwrap().backbone_id, BACKBONE);
    assert_eq!(tasks.extractors_of_labelled("belt", &OTHER).unwrap(), ["other"]);
}

#[test]
fn a_rejected_candidate_leaves_the_backbone_and_its_features_stay() {
    let (_dir, mut tasks, [_, b]) = two();
    tasks.add_features("belt", &OTHER, &[feature(b, 6)], "other", at(3)).unwrap();
    let [_, snapshot] = tasks.snapshots("belt", &OTHER).unwrap();
    let generation = record_on(&mut tasks, &snapshot, false).unwrap().unwrap();
    let task = tasks.task("belt").unwrap();
    assert_eq!((task.backbone_id, task.in_service), (BACKBONE, Some(Generation(1))));
    tasks.activate("belt", generation, "bob", true, at(5)).unwrap();
    assert_eq!(tasks.task("belt").unwrap().backbone_id, OTHER);
}

#[test]
fn a_sample_that_came_meanwhile_stops_the_switch_until_it_has_a_feature() {
    let (_dir, mut tasks, [_, b]) = two();
    tasks.add_features("belt", &OTHER, &[feature(b, 6)], "other", at(3)).unwrap();
    let [_, snapshot] = tasks.snapshots("belt", &OTHER).unwrap();
    let late = add(&mut tasks, b"c", None);
    let refused = record_on(&mut tasks, &snapshot, true).unwrap_err();
    let expected = "1 samples of task `belt` have no feature of backbone `tiny` yet";
    assert!(refused.to_string().starts_with(expected), "{refused}");
    assert_eq!(tasks.heads("belt").unwrap().len(), 1, "nothing of the run was recorded");
    tasks.add_features("belt", &OTHER, &[feature(late, 7)], "other", at(4)).unwrap();
    record_on(&mut tasks, &snapshot, true).unwrap();
    assert_eq!(tasks.task("belt").unwrap().backbone_id, OTHER);

    // And back: what came since lacks a feature of the first.
    let newest = tasks.add_sample("belt", &sample(b"d", &[1; DIM], None), at(6)).unwrap().id();
    assert!(matches!(tasks.rollback("belt", "bob", at(7)), Err(StoreError::FeaturesMissing { .. })));
    assert_eq!(tasks.missing_features("belt", &BACKBONE).unwrap(), [newest]);
    tasks.add_features("belt", &BACKBONE, &[feature(newest, 1)], "test", at(7)).unwrap();
    assert_eq!(tasks.rollback("belt", "bob", at(7)).unwrap(), Generation(1));
}

#[test]
fn a_models_own_classifier_is_generation_0_in_service_at_once() {
    let (_dir, mut tasks) = store();
    let classes = ["ok".to_owned(), "scratch".to_owned()];
    let mut file = head_file(&classes, 2.0);
    file.head.kind = Kind::Shipped;
    let new = NewTask { shipped: Some(file.clone()), classes_only: true, ..new_task("gate") };
    let task = tasks.create_task(&new, at(0)).unwrap();
    assert_eq!((task.in_service, task.classes_only), (Some(Generation(0)), true));
    let head = tasks.in_service("gate").unwrap().unwrap();
    assert_eq!((head.origin, head.watermark, &head.file), (Origin::Shipped, None, &file));
    assert_eq!(tasks.service_history("gate").unwrap()[0].change, Change::Shipped);
    assert_eq!(tasks.add_shipped("gate", &file, at(1)).unwrap(), Generation(0), "once");

    let refused = tasks.add_sample("gate", &sample(b"x", &[0; DIM], Some("dent")), at(1)).unwrap_err();
    let expected = "task `gate` was made with --classes-only and has no class \"dent\": its 2 classes are ok, scratch";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(tasks.task("gate").unwrap().samples, 0);
    let id = tasks.add_sample("gate", &sample(b"x", &[0; DIM], Some("ok")), at(1)).unwrap().id();
    assert!(matches!(tasks.label("gate", &id, "dent", "bob", at(2)), Err(StoreError::ClassesOnly { .. })));
    let snapshot = tasks.snapshot("gate").unwrap();
    assert_eq!(record_on(&mut tasks, &snapshot, true).unwrap(), Some(Generation(1)));
    assert_eq!(tasks.rollback("gate", "bob", at(3)).unwrap(), Generation(0));
}

#[test]
fn a_backbone_changes_by_itself_only_where_no_head_is_in_service() {
    let (_dir, mut tasks) = store();
    tasks.add_backbone("belt", &new_backbone(OTHER)).unwrap();
    tasks.use_backbone("belt", &OTHER).unwrap();
    assert_eq!(tasks.task("belt").unwrap().backbone_id, OTHER);
    assert!(matches!(tasks.use_backbone("belt", &[1; 32]), Err(StoreError::NoBackbone { .. })));
    let (_dir, mut tasks, [_, b]) = two();
    tasks.add_features("belt", &OTHER, &[feature(b, 6)], "other", at(3)).unwrap();
    assert!(matches!(tasks.use_backbone("belt", &OTHER), Err(StoreError::InService { .. })));
}

#[test]
fn features_that_do_not_fit_and_payloads_that_are_gone_are_named() {
    let (_dir, mut tasks, [a, _]) = two();
    let short = NewFeature { codes: vec![0; DIM + 1], ..feature(a, 0) };
    assert!(matches!(tasks.add_features("belt", &OTHER, &[short], "other", at(3)), Err(StoreError::Codes { .. })));
    let absent = feature(SampleId::of(b"absent"), 0);
    tasks.add_features("belt", &OTHER, &[absent], "other", at(3)).unwrap();
    tasks.has_payload("belt", &a).unwrap();
    tasks.conn.execute("DELETE FROM payloads", []).unwrap();
    assert!(matches!(tasks.has_payload("belt", &a), Err(StoreError::PayloadGone { .. })));
    assert!(matches!(tasks.payload("belt", &a), Err(StoreError::PayloadGone { .. })));
}
