//! What a crash leaves: everything acknowledged and nothing else. A copy of the files while the store is open is what
//! a killed process leaves; a shortened log is what a power cut leaves.

use std::fs;

use super::*;
use crate::store::schema::FILE;

/// The files as they are now.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // A killed process leaves no shared memory; the next one makes it anew from the log.
        if !path.to_string_lossy().ends_with("-shm") {
            fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    to
}

fn payloads(tasks: &Tasks) -> Vec<Vec<u8>> {
    let samples = tasks.samples("belt", &Filter::All).unwrap();
    samples.iter().map(|sample| tasks.payload("belt", &sample.id).unwrap()).collect()
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let (dir, mut tasks) = store();
    add(&mut tasks, b"one", Some("ok"));
    let generation = adapt(&mut tasks, 1.0, true);
    let killed = copy(dir.path());
    let tasks = writer(killed.path());
    assert_eq!(payloads(&tasks), [b"one"]);
    assert_eq!(tasks.in_service("belt").unwrap().unwrap().generation, generation);
}

#[test]
fn a_kill_in_the_middle_of_a_batch_leaves_none_of_it() {
    let (dir, mut tasks) = store();
    add(&mut tasks, b"before", Some("ok"));
    let killed = tasks
        .batch(|batch| {
            batch.add_sample("belt", &sample(&vec![1; 100_000], &[0; DIM], Some("new class")), at(1))?;
            Ok::<_, StoreError>(copy(dir.path()))
        })
        .unwrap();
    assert_eq!(payloads(&tasks).len(), 2, "the original went on");
    let tasks = writer(killed.path());
    assert_eq!(payloads(&tasks), [b"before"]);
    assert_eq!(tasks.task("belt").unwrap().classes, ["ok", "scratch"]);
}

#[test]
fn a_batch_that_fails_leaves_nothing() {
    let (dir, mut tasks) = store();
    let failed: Result<(), StoreError> = tasks.batch(|batch| {
        batch.add_sample("belt", &sample(b"x", &[0; DIM], Some("dent")), at(1))?;
        batch.label("belt", &SampleId::of(b"absent"), "ok", "bob", at(1))?;
        Ok(())
    });
    assert!(matches!(failed, Err(StoreError::NoSample { .. })));
    assert_eq!(tasks.task("belt").unwrap().samples, 0);
    drop(tasks);
    assert_eq!(writer(dir.path()).task("belt").unwrap().classes, ["ok", "scratch"]);
}

#[test]
fn a_log_cut_anywhere_leaves_a_prefix_of_what_was_done() {
    let (dir, mut tasks) = store();
    for i in 0..12_u8 {
        add(&mut tasks, &[i; 1500], Some(["ok", "scratch"][usize::from(i % 2)]));
        adapt(&mut tasks, f32::from(i), true);
    }
    let killed = copy(dir.path());
    let log = killed.path().join(format!("{FILE}-wal"));
    let whole = fs::read(&log).unwrap();
    let mut seen = Vec::new();
    for cut in (0..=whole.len()).rev().step_by(whole.len() / 40) {
        let case = copy(killed.path());
        fs::write(case.path().join(format!("{FILE}-wal")), &whole[..cut]).unwrap();
        let tasks = writer(case.path());
        if tasks.list().unwrap().is_empty() {
            continue;
        }
        let (samples, heads) = (payloads(&tasks).len(), tasks.heads("belt").unwrap().len());
        assert!(samples == heads || samples == heads + 1, "{samples} samples and {heads} heads after {cut} bytes");
        // A head is old or new, never neither.
        assert_eq!(in_service(&tasks), u32::try_from(heads).ok().filter(|&newest| newest > 0));
        seen.push(samples);
    }
    assert_eq!(seen.first(), Some(&12), "the whole log holds everything");
    assert!(seen.is_sorted_by(|a, b| a >= b) && seen.last() < Some(&4), "and shorter ones less: {seen:?}");
}
