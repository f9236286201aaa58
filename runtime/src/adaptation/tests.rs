//! Adaptations on a store of drawn features: what a person fixes is kept, what is forgotten was never there.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write as _;

use acclimate_trainer::{Decision, Form, Head, Quantisation, Weighting};
use jiff::Timestamp;
use ndarray::{Array1, Array2};
use tempfile::TempDir;

use super::*;
use crate::record::AdjustRecord;
use crate::store::{Access, Model, NewBackbone, NewSample, NewTask, SampleId};

mod adjust;
mod foreign;
mod nuisance;

const DIM: usize = 12;
const CLASSES: [&str; 3] = ["dent", "ok", "scratch"];
const BACKBONE: [u8; 32] = [7; 32];
const QUANTISATION: Quantisation = Quantisation { full_scale: 0.8, signed: false };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A classifier that came in the model: it knows what is told apart here, roughly and without confidence.
fn shipped() -> HeadFile {
    let weights = Array2::from_shape_fn((3, DIM), |(c, j)| if j % 3 == c { 0.3 } else { 0.01 * j as f32 - 0.1 });
    HeadFile {
        task: "belt".into(),
        backbone_id: BACKBONE,
        classes: CLASSES.map(str::to_owned).to_vec(),
        head: Head {
            kind: Kind::Shipped,
            form: Form::linear(weights, Array1::zeros(3)),
            temperature: 1.0,
            lambda: None,
            novelty: None,
            conformal: None,
        },
        decision: Decision::default(),
        provenance: Provenance {
            adjusted: None,
            counts: vec![0; 3],
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

/// A store with samples of these numbers; the class is the number modulo three.
fn store(numbers: impl IntoIterator<Item = usize>) -> (TempDir, Tasks) {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Tasks::open(dir.path(), &Access::Write { command: "acclimate test".into() }).unwrap();
    let backbone = NewBackbone {
        name: "tiny".into(),
        id: BACKBONE,
        manifest: "name = \"tiny\"\n".into(),
        model: Model::Builtin,
        dim: DIM,
        quantisation: QUANTISATION,
    };
    let task = NewTask {
        name: "belt".into(),
        backbone,
        group_by: GroupBy::None,
        classes: CLASSES.map(str::to_owned).to_vec(),
        classes_only: false,
        shipped: Some(shipped()),
    };
    tasks.create_task(&task, at(0)).unwrap();
    for number in numbers {
        add(&mut tasks, number, 0);
    }
    (dir, tasks)
}

/// Codes of a sample; at another site some lie off.
fn codes(number: usize, off: u8) -> Vec<u8> {
    let noise = SampleId::of(&number.to_le_bytes()).0;
    let code =
        |j: usize| noise[j] / 3 + if j % 3 == number % 3 { 70 } else { 20 } + if j.is_multiple_of(3) { off } else { 0 };
    (0..DIM).map(code).collect()
}

fn add(tasks: &mut Tasks, number: usize, off: u8) {
    add_codes(tasks, number, &codes(number, off));
}

fn add_codes(tasks: &mut Tasks, number: usize, codes: &[u8]) {
    let sample = NewSample {
        payload: &number.to_le_bytes(),
        media: "image/png",
        source: "a.png",
        taken: None,
        group_key: None,
        phash: None,
        thumbnail: None,
        codes,
        saturated: 0,
        norm: 2.0 + 0.1 * (number % 5) as f32,
        extractor: "test",
        label: Some(CLASSES[number % 3]),
        who: "alice",
    };
    tasks.add_sample("belt", &sample, at(1)).unwrap();
}

fn options(kinds: &[Kind]) -> Options {
    Options {
        kinds: kinds.to_vec(),
        trust_labels: false,
        elsewhere: None,
        fixed: Fixed::default(),
        rule: Rule::default(),
        budget: None,
        group_by: None,
        threads: 1,
        who: "alice".into(),
        device: "test".into(),
    }
}

fn in_service(tasks: &Tasks) -> HeadFile {
    tasks.in_service("belt").unwrap().unwrap().file
}

fn assert_reproduced(tasks: &Tasks, what: &str) {
    let record = audit(tasks, "belt", &options(&Kind::ALL)).unwrap().unwrap();
    assert!(record.reproduced, "{what}: {:#?}", record.checks);
}

/// Costs that make `scratch` dear to miss.
fn costs() -> Costs {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"label,scratch,ok,dent\nok,1,0,1\nscratch,0,30,5\ndent,2,2,0\n").unwrap();
    Costs::read(file.path()).unwrap()
}

#[test]
fn forgetting_gives_bit_for_bit_the_head_of_a_store_that_never_had_the_sample() {
    let numbers = || 0..24;
    for kind in Kind::ALL {
        let lambda = (!matches!(kind, Kind::Prototype | Kind::Shipped)).then_some(0.4);
        let plain = options(&[kind]);
        let fixed = Options {
            fixed: Fixed { gamma: None, lambda, precision: None, weighting: Weighting::Balanced },
            rule: Rule { costs: Some(costs()), precision: Some(0.8), thresholds: Vec::new() },
            ..options(&[kind])
        };
        for options in [plain, fixed] {
            let (_dir, mut had_it) = store(numbers());
            let adapted = adapt(&mut had_it, "belt", &options).unwrap();
            assert_eq!(adapted.outcome, Outcome::Activated, "{kind}: {:?}", adapted.record.because);
            let before = in_service(&had_it);
            let what = Forget::Samples(vec![SampleId::of(&7_usize.to_le_bytes())]);
            // Whoever forgets knows nothing of what was fixed once.
            forget(&mut had_it, "belt", &what, &self::options(&Kind::ALL)).unwrap();

            let (_dir, mut never_had_it) = store(numbers().filter(|&number| number != 7));
            adapt(&mut never_had_it, "belt", &options).unwrap();
            let (refitted, never) = (in_service(&had_it), in_service(&never_had_it));
            assert_eq!(refitted.head, never.head, "{kind}");
            assert_eq!(refitted.decision, never.decision, "{kind}");
            assert_eq!(refitted.provenance.fixed, never.provenance.fixed, "{kind}");
            assert_eq!(refitted.provenance.statistics, never.provenance.statistics, "{kind}");
            if kind != Kind::Shipped {
                assert_ne!(refitted.head, before.head, "{kind}: the sample had no say to begin with");
            }
            assert_reproduced(&had_it, &format!("{kind}, refitted"));
        }
    }
}

#[test]
fn what_a_person_fixed_is_in_the_head_and_audited_with_it() {
    let (_dir, mut tasks) = store(0..30);
    let fixed = Fixed { gamma: None, lambda: Some(0.37), precision: None, weighting: Weighting::None };
    let rule = Rule { costs: Some(costs()), precision: Some(0.9), thresholds: Vec::new() };
    adapt(&mut tasks, "belt", &Options { fixed, rule, ..options(&[Kind::Ridge]) }).unwrap();
    let head = in_service(&tasks);
    assert_eq!((head.head.kind, head.head.lambda), (Kind::Ridge, Some(0.37)));
    assert_eq!(head.provenance.fixed, Fixed { precision: Some(0.9), ..fixed });
    // Rows and columns are in the order of the head's classes: dent, ok, scratch.
    assert_eq!(head.decision.costs().unwrap()[(2, 1)].to_bits(), 30.0_f64.to_bits());
    assert_eq!(head.decision.thresholds().unwrap().len(), 3);
    assert_reproduced(&tasks, "ridge at 0.37");
}

#[test]
fn answers_stay_as_they_are_until_somebody_says_otherwise() {
    let (_dir, mut tasks) = store(0..30);
    let with = |rule: Rule| Options { rule, ..options(&[Kind::Ridge]) };
    let set = |thresholds: &[(Option<&str>, f64)]| Rule {
        thresholds: thresholds.iter().map(|&(class, p)| (class.map(str::to_owned), p)).collect(),
        ..Rule::default()
    };
    adapt(&mut tasks, "belt", &with(Rule { costs: Some(costs()), ..set(&[(None, 0.5), (Some("ok"), 0.75)]) })).unwrap();
    let first = in_service(&tasks).decision;
    assert_eq!(first.thresholds().unwrap(), [0.5, 0.75, 0.5]);
    adapt(&mut tasks, "belt", &options(&[Kind::Ridge])).unwrap();
    assert_eq!(in_service(&tasks).decision, first, "an adaptation that says nothing changes nothing");
    adapt(&mut tasks, "belt", &with(set(&[(None, 0.0)]))).unwrap();
    assert_eq!((in_service(&tasks).decision.thresholds(), in_service(&tasks).decision.costs()), (None, first.costs()));
    adapt(&mut tasks, "belt", &with(Rule { costs: Some(Costs::none()), ..Rule::default() })).unwrap();
    assert!(in_service(&tasks).decision.is_plain());
    let error = adapt(&mut tasks, "belt", &with(set(&[(Some("rust"), 0.5)]))).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("`rust`") && cause.contains("dent, ok, scratch"), "{cause}");
}

#[test]
fn what_there_was_no_time_for_is_in_the_record_and_the_rest_is_reproduced() {
    let (_dir, mut tasks) = store(0..30);
    let hurried = Options { budget: Some(Duration::ZERO), ..options(&Kind::ALL) };
    let adapted = adapt(&mut tasks, "belt", &hurried).unwrap();
    let of = |skipped: bool| {
        let candidates = adapted.record.candidates.iter().filter(move |one| one.skipped.is_some() == skipped);
        candidates.map(|one| one.head.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(false), ["shipped", "prototype", "ridge"], "the yardstick and one that learns");
    assert_eq!(of(true).len(), Kind::ALL.len() - 3);
    assert_eq!(adapted.outcome, Outcome::Activated);
    assert_reproduced(&tasks, "in a hurry");
}

#[test]
fn tuning_tries_more_and_adapts_with_what_it_found() {
    let (_dir, mut tasks) = store(0..30);
    let mut last = (0, 0);
    let tried = tune(&mut tasks, "belt", &options(&Kind::ALL), true, &mut |done, all| {
        assert!(done >= last.0 && done <= all, "{done} of {all} after {last:?}");
        last = (done, all);
    });
    let (record, adapted) = tried.unwrap();
    assert!(last.0 == last.1 && last.1 > 0, "{last:?}");
    assert!(adapted.is_none() && record.adaptation.is_none() && tasks.adaptations("belt").unwrap().is_empty());
    let ridges = record.candidates.iter().filter(|one| one.head == "ridge").count();
    assert!(ridges >= 7 && record.candidates.iter().filter(|one| one.selected).count() == 1, "{record:#?}");

    let (again, adapted) = tune(&mut tasks, "belt", &options(&Kind::ALL), false, &mut |_, _| {}).unwrap();
    assert_eq!(again.candidates, record.candidates);
    let best = record.candidates.iter().find(|one| one.selected).unwrap();
    let adapted = adapted.unwrap().record;
    assert_eq!((adapted.head.as_ref(), adapted.lambda), (Some(&best.head), best.lambda));
    assert_eq!(in_service(&tasks).head.lambda, best.lambda);
    assert_reproduced(&tasks, "tuned");
}
