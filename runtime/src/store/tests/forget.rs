//! Forgetting: afterwards the store is one that never had the samples, and their bytes are in no file of it.

use std::fs;

use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::store::schema::FILE;

fn samples(ids: &[SampleId]) -> Forget {
    Forget::Samples(ids.to_vec())
}

/// Forgets with a head of this mark fitted on what remains.
fn forget(tasks: &mut Tasks, what: &Forget, mark: f32) -> Receipt {
    let receipt = tasks.forget::<StoreError>("belt", what, "bob", at(9), |rest, _| {
        let leave_out = Array2::from_elem((rest.len(), rest.classes.len()), 0.5);
        Ok(Some(Refitted { file: head_file(&rest.classes, mark), leave_out }))
    });
    receipt.unwrap()
}

/// Files of the directory that hold these bytes.
fn holders(dir: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if contains(&fs::read(&path).unwrap(), needle) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let starts = haystack.iter().enumerate().filter(|&(_, byte)| *byte == needle[0]);
    starts.into_iter().any(|(at, _)| haystack[at..].starts_with(needle))
}

fn noise(rng: &mut impl rand::Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn the_statistics_are_those_of_a_store_that_never_had_the_sample() {
    let (_dir, mut tasks) = store();
    let (_dir_never, mut never) = store();
    for (payload, label) in [(b"a", "ok"), (b"b", "scratch"), (b"c", "dent"), (b"d", "ok")] {
        add(&mut tasks, payload, Some(label));
        if payload != b"c" && payload != b"d" {
            add(&mut never, payload, Some(label));
        }
    }
    let before = tasks.digest("belt").unwrap();
    let gone = [SampleId::of(b"c"), SampleId::of(b"d")];
    let receipt = forget(&mut tasks, &samples(&gone), 1.0);
    assert_eq!(receipt.removed, gone);
    assert_eq!((receipt.before, receipt.after), (before, never.digest("belt").unwrap()));
    assert_eq!(tasks.digest("belt").unwrap(), receipt.after);
    assert_ne!(receipt.before, receipt.after);
}

#[test]
fn heads_fitted_on_it_go_and_the_one_in_service_is_fitted_anew() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    let b = add(&mut tasks, b"b", Some("scratch"));
    adapt(&mut tasks, 2.0, true);
    adapt(&mut tasks, 3.0, false);

    let plan = tasks.plan_forget("belt", &samples(&[b])).unwrap();
    let expected = ForgetPlan { samples: vec![b], generations: vec![Generation(2), Generation(3)], refit: true };
    assert_eq!(plan, expected);

    let receipt = forget(&mut tasks, &samples(&[b]), 9.0);
    assert_eq!((receipt.generations, receipt.refitted), (plan.generations, Some(Generation(4))));
    assert!(!receipt.scrub.pending);
    let left: Vec<u32> = tasks.heads("belt").unwrap().iter().map(|head| head.generation.0).collect();
    assert_eq!(left, [1, 4], "1 never saw it, and no number is used twice");
    let head = tasks.in_service("belt").unwrap().unwrap();
    assert_eq!((head.generation, head.origin), (Generation(4), Origin::Refitted));
    assert_eq!(tasks.leave_out("belt", Generation(4)).unwrap().len(), 1);
    assert_eq!(tasks.service_history("belt").unwrap().last().unwrap().change, Change::Forgot);
    assert_eq!(tasks.adaptations("belt").unwrap().len(), 1, "what was said about deleted heads goes with them");
    assert!(matches!(tasks.sample("belt", &b.to_string()), Err(StoreError::NoSample { .. })));
}

#[test]
fn a_sample_that_no_head_saw_takes_none_along() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    let unlabelled = add(&mut tasks, b"b", None);
    adapt(&mut tasks, 1.0, true);
    tasks.label("belt", &unlabelled, "scratch", "bob", at(3)).unwrap();
    let plan = tasks.plan_forget("belt", &samples(&[unlabelled])).unwrap();
    assert_eq!((plan.generations, plan.refit), (vec![], false), "it was labelled after the fit");
}

#[test]
fn a_label_withdrawn_before_the_fit_does_not_count_and_one_withdrawn_after_does() {
    let (_dir, mut tasks) = store();
    add(&mut tasks, b"a", Some("ok"));
    let b = add(&mut tasks, b"b", Some("ok"));
    tasks.unlabel("belt", &b, "bob", at(2)).unwrap();
    adapt(&mut tasks, 1.0, true);
    tasks.label("belt", &b, "ok", "bob", at(3)).unwrap();
    adapt(&mut tasks, 2.0, true);
    tasks.unlabel("belt", &b, "bob", at(4)).unwrap();
    assert_eq!(tasks.plan_forget("belt", &samples(&[b])).unwrap().generations, [Generation(2)]);
}

#[test]
fn a_class_goes_with_its_samples_its_name_and_its_claims() {
    let (_dir, mut tasks) = store();
    let (a, b) = (add(&mut tasks, b"a", Some("scratch")), add(&mut tasks, b"b", Some("scratch")));
    adapt(&mut tasks, 1.0, true);
    tasks.label("belt", &a, "ok", "bob", at(3)).unwrap();
    adapt(&mut tasks, 2.0, true);
    tasks.label("belt", &b, "ok", "bob", at(3)).unwrap();
    adapt(&mut tasks, 3.0, true);
    let c = add(&mut tasks, b"c", Some("scratch"));

    let receipt = forget(&mut tasks, &Forget::Class("scratch".into()), 9.0);
    assert_eq!(receipt.removed, [c]);
    assert_eq!(receipt.generations, [Generation(1), Generation(2)], "1 and 2 learnt scratch from a and b");
    assert_eq!((receipt.refitted, in_service(&tasks)), (None, Some(3)), "3 did not");
    assert_eq!(tasks.task("belt").unwrap().classes, ["ok"]);
    assert_eq!(tasks.label_history("belt", &a).unwrap().len(), 1);
    assert!(matches!(tasks.plan_forget("belt", &Forget::Class("scratch".into())), Err(StoreError::NoClass { .. })));
}

#[test]
fn with_too_little_left_no_head_is_in_service() {
    let (_dir, mut tasks) = store();
    let a = add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    let receipt = tasks.forget::<StoreError>("belt", &samples(&[a]), "bob", at(4), |rest, head| {
        assert!(rest.is_empty() && head.generation == Generation(1));
        Ok(None)
    });
    assert_eq!(receipt.unwrap().refitted, None);
    assert_eq!((in_service(&tasks), tasks.heads("belt").unwrap().len()), (None, 0));
}

#[test]
fn when_the_refit_fails_nothing_is_forgotten() {
    let (_dir, mut tasks) = store();
    let a = add(&mut tasks, b"a", Some("ok"));
    adapt(&mut tasks, 1.0, true);
    let before = tasks.digest("belt").unwrap();
    let stale = || StoreError::Stale { task: "belt".into() };
    let failed = tasks.forget("belt", &samples(&[a]), "bob", at(4), |_, _| Err(stale()));
    assert!(matches!(failed, Err(StoreError::Stale { .. })));
    assert_eq!((tasks.digest("belt").unwrap(), in_service(&tasks)), (before, Some(1)));
    assert_eq!(tasks.payload("belt", &a).unwrap(), b"a");
}

#[test]
fn a_head_fitted_on_a_snapshot_from_before_is_not_taken() {
    let (_dir, mut tasks) = store();
    let (a, _) = (add(&mut tasks, b"a", Some("ok")), add(&mut tasks, b"b", Some("ok")));
    let snapshot = tasks.snapshot("belt").unwrap();
    forget(&mut tasks, &samples(&[a]), 1.0);
    assert!(matches!(record(&mut tasks, &snapshot, 2.0, true), Err(StoreError::Stale { .. })));
    assert!(tasks.heads("belt").unwrap().is_empty());
}

#[test]
fn a_withdrawn_head_is_not_taken_back_from_its_file() {
    let (_dir, mut tasks) = store();
    let a = add(&mut tasks, b"a", Some("ok"));
    let generation = adapt(&mut tasks, 1.0, true);
    let bytes = tasks.head_file("belt", generation).unwrap();
    forget(&mut tasks, &samples(&[a]), 2.0);
    assert!(matches!(tasks.import_head("belt", &bytes, at(5)), Err(StoreError::Forgotten { .. })));
}

#[test]
fn the_bytes_are_in_no_file_afterwards() {
    let (dir, mut tasks) = store();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for length in [300, 5_000, 200_000] {
        let payload = noise(&mut rng, length);
        add(&mut tasks, &payload, Some("ok"));
        payloads.push(payload);
    }
    // A copy from an older version, as a migration leaves it.
    fs::write(dir.path().join(format!("{FILE}.bak-v0")), &payloads[0]).unwrap();
    adapt(&mut tasks, 1.0, true);
    for payload in &payloads {
        assert!(!holders(dir.path(), &payload[..32]).is_empty(), "the search finds what is there");
    }
    let going: Vec<SampleId> = payloads.iter().take(2).map(|payload| SampleId::of(payload)).collect();
    let receipt = forget(&mut tasks, &samples(&going), 2.0);
    assert!(receipt.scrub.wal_bytes > 0 && receipt.scrub.backups.len() == 1, "{receipt:?}");
    for payload in &payloads[..2] {
        for piece in payload.chunks(100) {
            assert_eq!(holders(dir.path(), &piece[..16.min(piece.len())]), Vec::<String>::new());
        }
        assert_eq!(holders(dir.path(), &codes(payload)), Vec::<String>::new(), "nor their features");
        assert_eq!(holders(dir.path(), &SampleId::of(payload).0), Vec::<String>::new(), "nor their ids");
    }
    assert_eq!(tasks.payload("belt", &SampleId::of(&payloads[2])).unwrap(), payloads[2]);
}

#[test]
fn small_samples_leave_nothing_in_the_slack_of_pages_that_were_merged() {
    let (dir, mut tasks) = store();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    let mut live: Vec<Vec<u8>> = Vec::new();
    for _ in 0..400 {
        let length = rng.random_range(20..1200);
        live.push(noise(&mut rng, length));
    }
    let all: Vec<(usize, NewRow)> = live.iter().map(|payload| NewRow::of(payload)).enumerate().collect();
    tasks
        .batch(|batch| {
            for (i, row) in &all {
                batch.add_sample(
                    "belt",
                    &sample(&row.payload, &row.codes, ["ok", "dent"].get(i % 3).copied()),
                    at(1),
                )?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let mut gone = Vec::new();
    for _ in 0..12 {
        // A few here and there, so that pages run empty, are merged and hold copies of their neighbours.
        let going: Vec<Vec<u8>> = (0..30).map(|_| live.swap_remove(rng.random_range(0..live.len()))).collect();
        let ids: Vec<SampleId> = going.iter().map(|payload| SampleId::of(payload)).collect();
        forget(&mut tasks, &samples(&ids), 1.0);
        gone.extend(going);
    }
    let files: Vec<Vec<u8>> =
        fs::read_dir(dir.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let whole = files.concat();
    let known: std::collections::HashSet<&[u8]> = whole.windows(8).collect();
    for payload in &live {
        assert!(known.contains(&payload[..8]), "the search finds what is there");
    }
    for payload in &gone {
        assert!(
            payload.chunks_exact(8).all(|piece| !known.contains(piece)),
            "a piece of a sample of {} bytes",
            payload.len()
        );
        assert!(!known.contains(&codes(payload)[..]), "a feature");
    }
}

/// A payload with its codes.
struct NewRow {
    payload: Vec<u8>,
    codes: [u8; DIM],
}

impl NewRow {
    fn of(payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), codes: codes(payload) }
    }
}

#[test]
fn what_a_reader_holds_up_is_finished_when_the_store_is_next_opened() {
    let (dir, mut tasks) = store();
    let payload = noise(&mut rand_chacha::ChaCha8Rng::seed_from_u64(3), 9_000);
    let id = add(&mut tasks, &payload, Some("ok"));
    let beside = reader(dir.path());
    let receipt = beside
        .read(|conn| {
            // An old state, held open.
            conn.query_one("SELECT count(*) FROM samples", [], |row| row.get::<_, i64>(0)).unwrap();
            Ok(forget(&mut tasks, &samples(&[id]), 1.0))
        })
        .unwrap();
    assert!(receipt.scrub.pending);
    assert!(!holders(dir.path(), &payload[..32]).is_empty(), "the log still has it");
    drop((beside, tasks));
    drop(writer(dir.path()));
    assert_eq!(holders(dir.path(), &payload[..32]), Vec::<String>::new());
}
