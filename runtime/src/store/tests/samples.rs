//! Samples and labels: the same content is the same sample, claims are kept, order is the order of arrival.

use std::collections::HashMap;

use acclimate_backbone::Thumbnail;

use super::*;

#[test]
fn a_task_is_read_back_as_it_was_made() {
    let (dir, mut tasks) = store();
    let backbone = NewBackbone {
        model: Model::File("/models/a b.onnx".into()),
        quantisation: Quantisation { full_scale: 0.22, signed: true },
        ..new_backbone(BACKBONE)
    };
    let new = NewTask {
        backbone: backbone.clone(),
        group_by: GroupBy::Column,
        classes: vec!["z".into(), "a".into()],
        ..new_task("gate")
    };
    let made = tasks.create_task(&new, at(5)).unwrap();
    drop(tasks);
    let tasks = reader(dir.path());
    assert_eq!(tasks.task("gate").unwrap(), made);
    assert_eq!(made.classes, ["z", "a"], "in the order given");
    assert_eq!((made.model, made.quantisation), (backbone.model, backbone.quantisation));
    assert_eq!(made.group_by, GroupBy::Column);
    let names: Vec<String> = tasks.list().unwrap().into_iter().map(|task| task.name).collect();
    assert_eq!(names, ["belt", "gate"]);
}

#[test]
fn names_that_topics_need_or_cannot_have_are_refused() {
    let (_dir, mut tasks) = store();
    for name in ["status", "info", "cmd", "rsp", "event", "", "Gate", "a/b", "a b", "ä", &"x".repeat(65)] {
        let refused = tasks.create_task(&new_task(name), at(0));
        assert!(matches!(refused, Err(StoreError::TaskName { .. })), "{name:?}");
    }
    assert!(matches!(tasks.create_task(&new_task("belt"), at(0)), Err(StoreError::TaskExists { .. })));
    for class in ["", " ok", "ok ", "a\nb", &"x".repeat(201)] {
        let refused = tasks.add_sample("belt", &sample(b"x", &codes(b"x"), Some(class)), at(0));
        assert!(matches!(refused, Err(StoreError::ClassName { .. })), "{class:?}");
    }
    assert_eq!(tasks.task("belt").unwrap().samples, 0, "a refused label takes its sample along");
}

#[test]
fn the_same_content_is_the_same_sample() {
    let (_dir, mut tasks) = store();
    let codes = codes(b"x");
    let mut add = |label| tasks.add_sample("belt", &sample(b"x", &codes, label), at(1)).unwrap();
    let id = SampleId::of(b"x");
    assert_eq!(add(None), Added::New(id));
    assert_eq!(add(None), Added::Known(id));
    assert_eq!(add(Some("ok")), Added::Relabelled { id, from: None });
    assert_eq!(add(Some("ok")), Added::Known(id));
    assert_eq!(add(None), Added::Known(id), "no label withdraws none");
    assert_eq!(add(Some("scratch")), Added::Relabelled { id, from: Some("ok".into()) });
    assert_eq!(tasks.samples("belt", &Filter::All).unwrap().len(), 1);
    assert_eq!(tasks.label_history("belt", &id).unwrap().len(), 2);
}

#[test]
fn the_same_content_in_two_tasks_is_two_samples() {
    let (_dir, mut tasks) = store();
    tasks.create_task(&new_task("gate"), at(0)).unwrap();
    for task in ["belt", "gate"] {
        let added = tasks.add_sample(task, &sample(b"x", &codes(b"x"), None), at(1)).unwrap();
        assert_eq!(added, Added::New(SampleId::of(b"x")));
    }
}

#[test]
fn a_sample_is_read_back_as_it_came() {
    let (_dir, mut tasks) = store();
    let codes = codes(b"x");
    let new = NewSample { taken: Some(at(9)), group_key: Some("shelf 3"), ..sample(b"x", &codes, Some("ok")) };
    let id = tasks.add_sample("belt", &new, at(1)).unwrap().id();
    let expected = Sample {
        id,
        seq: 1,
        media: "image/png".into(),
        source: "a.png".into(),
        taken: Some(at(9)),
        group_key: Some("shelf 3".into()),
        phash: Some(u64::MAX),
        saturated: 1,
        extractor: "test".into(),
        added: at(1),
        bytes: 1,
        label: Some("ok".into()),
    };
    assert_eq!(tasks.sample("belt", &id.to_string()).unwrap(), expected);
    assert_eq!(tasks.payload("belt", &id).unwrap(), b"x");
    assert!(tasks.has_sample("belt", &id).unwrap());
    assert!(!tasks.has_sample("belt", &SampleId::of(b"y")).unwrap());
}

#[test]
fn a_feature_of_another_length_is_refused() {
    let (_dir, mut tasks) = store();
    let refused = tasks.add_sample("belt", &sample(b"x", &[0; DIM + 1], None), at(1)).unwrap_err();
    assert_eq!(refused.to_string(), "sample for task `belt` has a feature of 9 codes, but the task's backbone makes 8");
}

#[test]
fn every_claim_is_kept_and_the_last_one_counts() {
    let (_dir, mut tasks) = store();
    let id = add(&mut tasks, b"x", Some("ok"));
    assert_eq!(tasks.label("belt", &id, "dent", "bob", at(2)).unwrap().as_deref(), Some("ok"));
    assert_eq!(tasks.label("belt", &id, "dent", "bob", at(3)).unwrap().as_deref(), Some("dent"));
    assert_eq!(tasks.unlabel("belt", &id, "eve", at(1)).unwrap().as_deref(), Some("dent"));
    assert_eq!(tasks.unlabel("belt", &id, "eve", at(1)).unwrap(), None);
    let history: Vec<_> = tasks
        .label_history("belt", &id)
        .unwrap()
        .into_iter()
        .map(|claim| (claim.class, claim.who, claim.when))
        .collect();
    let claim = |class: Option<&str>, who: &str, when| (class.map(str::to_owned), who.to_owned(), at(when));
    assert_eq!(history, [claim(Some("ok"), "alice", 1), claim(Some("dent"), "bob", 2), claim(None, "eve", 1)]);
    assert_eq!(tasks.task("belt").unwrap().classes, ["ok", "scratch", "dent"]);
    assert_eq!(tasks.task("belt").unwrap().labelled, 0);
}

#[test]
fn a_filter_says_which_samples() {
    let (_dir, mut tasks) = store();
    let (a, b, c) =
        (add(&mut tasks, b"a", Some("ok")), add(&mut tasks, b"b", None), add(&mut tasks, b"c", Some("scratch")));
    let ids = |filter: Filter| -> Vec<SampleId> {
        tasks.samples("belt", &filter).unwrap().into_iter().map(|sample| sample.id).collect()
    };
    assert_eq!(ids(Filter::All), [a, b, c]);
    assert_eq!(ids(Filter::Labelled), [a, c]);
    assert_eq!(ids(Filter::Unlabelled), [b]);
    assert_eq!(ids(Filter::Of("scratch".into())), [c]);
    let unknown = tasks.samples("belt", &Filter::Of("dent".into())).unwrap_err();
    assert_eq!(unknown.to_string(), "task `belt` has no class `dent`; its classes are: ok, scratch");
}

#[test]
fn a_sample_is_found_by_its_first_digits() {
    let (_dir, mut tasks) = store();
    let id = add(&mut tasks, b"x", None);
    let digits = id.to_string();
    assert_eq!(digits, "2d711642b726b04401627ca9fbac32f5", "the first half of what sha256sum prints");
    assert_eq!(tasks.sample("belt", "2D71").unwrap().id, id, "in either case");
    for none in ["2d7", "", "2d72", "2d71%", "zzzz"] {
        assert!(matches!(tasks.sample("belt", none), Err(StoreError::NoSample { .. })), "{none:?}");
    }
    // Two contents whose ids begin alike.
    let mut seen = HashMap::new();
    let pair = (0..1_000_000_u32)
        .find_map(|i| Some((i, seen.insert(SampleId::of(&i.to_le_bytes()).0[..2].to_vec(), i)?)))
        .unwrap();
    let first = add(&mut tasks, &pair.0.to_le_bytes(), None);
    add(&mut tasks, &pair.1.to_le_bytes(), None);
    let refused = tasks.sample("belt", &first.to_string()[..4]).unwrap_err();
    assert!(refused.to_string().contains("is ambiguous"), "{refused}");
    assert_eq!(tasks.sample("belt", &first.to_string()).unwrap().id, first);
}

#[test]
fn order_is_that_of_arrival_whatever_the_clock_says() {
    let (_dir, mut tasks) = store();
    let times = [1_700_000_000, 0, -50_000, 4_000_000_000, 3];
    let mut expected = Vec::new();
    for (i, second) in times.into_iter().enumerate() {
        let payload = [u8::try_from(i).unwrap()];
        let added = tasks.add_sample("belt", &sample(&payload, &codes(&payload), Some("ok")), at(second)).unwrap();
        expected.push(added.id());
    }
    let snapshot = tasks.snapshot("belt").unwrap();
    assert_eq!(snapshot.ids, expected);
    assert!(snapshot.label_seqs.is_sorted());
    let listed = tasks.samples("belt", &Filter::All).unwrap();
    assert_eq!(listed.iter().map(|sample| sample.added).collect::<Vec<_>>(), times.map(at));
}

#[test]
fn a_snapshot_holds_what_is_labelled() {
    let (_dir, mut tasks) = store();
    let a = add(&mut tasks, b"a", Some("scratch"));
    add(&mut tasks, b"b", None);
    let c = add(&mut tasks, b"c", Some("ok"));
    let before = tasks.snapshot("belt").unwrap();
    tasks.label("belt", &a, "ok", "bob", at(3)).unwrap();
    let after = tasks.snapshot("belt").unwrap();

    assert_eq!((before.ids, &before.labels[..]), (vec![a, c], &[1, 0][..]));
    assert_eq!(before.codes.row(1).to_vec(), codes(b"c"));
    assert_eq!(before.classes, ["ok", "scratch"]);
    assert_eq!(before.group_inputs[1].phash, Some(u64::MAX));
    assert_eq!(after.labels, [0, 0]);
    let new: Vec<bool> = after.label_seqs.iter().map(|&seq| before.watermark.is_before(seq)).collect();
    assert_eq!(new, [true, false], "only the first was labelled since");
    assert_eq!(after.features().row(1).to_vec(), after.quantisation.decode(&codes(b"c")));
    assert_eq!(after.groups(), [0, 0], "equal hashes");
    tasks.set_group_by("belt", GroupBy::None).unwrap();
    assert_eq!(tasks.snapshot("belt").unwrap().groups(), [0, 1]);
}

#[test]
fn a_thumbnail_is_kept_with_its_sample_and_goes_with_it() {
    let (_dir, mut tasks) = store();
    let thumbnail = Thumbnail::from_pixels(&[7; Thumbnail::PIXELS]).unwrap();
    let codes = codes(b"a");
    let new = NewSample { thumbnail: Some(&thumbnail), ..sample(b"a", &codes, Some("ok")) };
    let id = tasks.add_sample("belt", &new, at(1)).unwrap().id();
    add(&mut tasks, b"b", Some("ok"));
    let inputs = tasks.snapshot("belt").unwrap().group_inputs;
    assert_eq!(inputs.iter().map(|input| input.thumbnail.as_ref()).collect::<Vec<_>>(), [Some(&thumbnail), None]);
    let count = |tasks: &Tasks| -> i64 {
        tasks.conn.query_one("SELECT count(*) FROM thumbnails", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&tasks), 1);
    tasks.forget("belt", &Forget::Samples(vec![id]), "alice", at(2), |_, _| Ok::<_, StoreError>(None)).unwrap();
    assert_eq!(count(&tasks), 0);
}

#[test]
fn a_missing_task_is_named() {
    let (_dir, mut tasks) = store();
    let expected = "there is no task `gate`; `acclimate task list` shows what there is";
    assert_eq!(tasks.task("gate").unwrap_err().to_string(), expected);
    assert_eq!(tasks.snapshot("gate").unwrap_err().to_string(), expected);
    assert_eq!(tasks.add_sample("gate", &sample(b"x", &[], None), at(0)).unwrap_err().to_string(), expected);
}
