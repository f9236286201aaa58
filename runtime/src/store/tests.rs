//! What the tests of the store share: a task of two classes on features of eight codes, and heads for it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backbones;
mod crash;
mod files;
mod foreign;
mod forget;
mod heads;
mod samples;
mod service;

use std::path::Path;

use acclimate_trainer::{Decision, Form, Head, Kind, Quantisation};
use jiff::Timestamp;
use ndarray::{Array1, Array2};
use tempfile::TempDir;

use super::*;
use crate::group::GroupBy;
use crate::head_file::{Fixed, HeadFile, Provenance};

const DIM: usize = 8;
const BACKBONE: [u8; 32] = [7; 32];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn writer(dir: &Path) -> Tasks {
    Tasks::open(dir, &Access::Write { command: "acclimate test".into() }).unwrap()
}

fn reader(dir: &Path) -> Tasks {
    Tasks::open(dir, &Access::Read).unwrap()
}

fn new_backbone(id: [u8; 32]) -> NewBackbone {
    NewBackbone {
        name: "tiny".into(),
        id,
        manifest: "name = \"tiny\"\n".into(),
        model: Model::Builtin,
        dim: DIM,
        quantisation: Quantisation { full_scale: 0.5, signed: false },
    }
}

pub(crate) fn new_task(name: &str) -> NewTask {
    NewTask {
        name: name.into(),
        backbone: new_backbone(BACKBONE),
        group_by: GroupBy::Auto,
        classes: vec!["ok".into(), "scratch".into()],
        classes_only: false,
        shipped: None,
    }
}

/// A store with the empty task `belt`.
fn store() -> (TempDir, Tasks) {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = writer(dir.path());
    tasks.create_task(&new_task("belt"), at(0)).unwrap();
    (dir, tasks)
}

fn codes(payload: &[u8]) -> [u8; DIM] {
    SampleId::of(payload).0[..DIM].try_into().unwrap()
}

/// A sample with this content; its feature follows from it.
fn sample<'a>(payload: &'a [u8], codes: &'a [u8], label: Option<&'a str>) -> NewSample<'a> {
    NewSample {
        payload,
        media: "image/png",
        source: "a.png",
        taken: None,
        group_key: None,
        phash: Some(u64::MAX),
        thumbnail: None,
        codes,
        saturated: 1,
        norm: 2.0,
        extractor: "test",
        label,
        who: "alice",
    }
}

fn add(tasks: &mut Tasks, payload: &[u8], label: Option<&str>) -> SampleId {
    tasks.add_sample("belt", &sample(payload, &codes(payload), label), at(1)).unwrap().id()
}

/// A head for these classes; `mark` makes it differ from others.
fn head_file(classes: &[String], mark: f32) -> HeadFile {
    let n = classes.len();
    HeadFile {
        task: "belt".into(),
        backbone_id: BACKBONE,
        classes: classes.to_vec(),
        head: Head {
            kind: Kind::Prototype,
            form: Form::linear(Array2::from_elem((n, DIM), mark), Array1::zeros(n)),
            temperature: 1.0,
            lambda: None,
            novelty: None,
            conformal: None,
        },
        decision: Decision::default(),
        provenance: Provenance {
            adjusted: None,
            counts: vec![0; n],
            device: "test".into(),
            evaluation: None,
            extractor: "test".into(),
            fixed: Fixed::default(),
            nuisance: None,
            parent: None,
            statistics: None,
            time: at(0),
            unproved: true,
        },
    }
}

/// Records a run on the samples of now, with a head that may go in service.
fn adapt(tasks: &mut Tasks, mark: f32, activate: bool) -> Generation {
    let snapshot = tasks.snapshot("belt").unwrap();
    record(tasks, &snapshot, mark, activate).unwrap()
}

fn record(tasks: &mut Tasks, snapshot: &Snapshot, mark: f32, activate: bool) -> Result<Generation, StoreError> {
    let file = head_file(&snapshot.classes, mark);
    let leave_out = Array2::from_elem((snapshot.len(), snapshot.classes.len()), 0.5);
    let new = NewAdaptation {
        outcome: if activate { "activated" } else { "rejected" },
        record: "{}",
        head: Some(NewHead { file: &file, leave_out: leave_out.view() }),
        activate,
        take_back: None,
        proved: None,
        who: "alice",
    };
    tasks.record_adaptation(snapshot, &new, at(2)).map(Option::unwrap)
}

fn in_service(tasks: &Tasks) -> Option<u32> {
    tasks.task("belt").unwrap().in_service.map(|generation| generation.0)
}
