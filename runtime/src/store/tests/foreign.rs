//! Signed heads of other devices in the store: whose they are, that they were seen, and all of it or nothing.

use super::*;

const SIGNER: [u8; 32] = [5; 32];

fn of(sequence: u64, unproved: bool) -> Installed {
    Installed {
        signer: SIGNER,
        name: "press-7".into(),
        device: "press".into(),
        sequence,
        issued: at(1),
        samples: Marks::of(&[SampleId::of(b"marked")]),
        unproved,
    }
}

fn install(tasks: &mut Tasks, mark: f32, of: &Installed, activate: bool) -> Result<Generation, StoreError> {
    let file = head_file(&["ok".into(), "scratch".into()], mark);
    let new = NewInstall { file: &file, of, outcome: "activated", record: "{}", activate, who: "mqtt" };
    tasks.install("belt", &new, at(3))
}

#[test]
fn a_head_is_taken_in_with_whose_it_is_and_survives_the_next_opening() {
    let (dir, mut tasks) = store();
    let generation = install(&mut tasks, 1.0, &of(4, true), true).unwrap();
    drop(tasks);
    let mut tasks = writer(dir.path());
    let head = tasks.head("belt", generation).unwrap();
    assert_eq!((head.origin, head.installed.as_ref(), head.unproved()), (Origin::Installed, Some(&of(4, true)), true));
    assert_eq!(in_service(&tasks), Some(generation.0));
    let last = tasks.service_history("belt").unwrap().pop().unwrap();
    assert_eq!((last.change, last.who.as_str(), last.forced), (Change::Installed, "mqtt", false));
    assert_eq!(tasks.adaptations("belt").unwrap().len(), 1);
    // The same head again, newer, keeps its number; once it was proved here it stays so.
    assert_eq!(install(&mut tasks, 1.0, &of(6, false), true).unwrap(), generation);
    assert_eq!(install(&mut tasks, 1.0, &of(7, true), true).unwrap(), generation);
    assert_eq!(tasks.head("belt", generation).unwrap().installed, Some(of(7, false)));
    assert_eq!(tasks.heads("belt").unwrap().len(), 1);
    assert_eq!(tasks.generation_of("belt", &head.digest).unwrap(), Some(generation));
}

#[test]
fn a_head_that_does_not_fit_leaves_no_trace() {
    let (_dir, mut tasks) = store();
    let mut file = head_file(&["ok".into(), "scratch".into()], 1.0);
    file.backbone_id = [9; 32];
    let of = of(4, true);
    let new = NewInstall { file: &file, of: &of, outcome: "activated", record: "{}", activate: true, who: "mqtt" };
    assert!(matches!(tasks.install("belt", &new, at(3)), Err(StoreError::ForeignHead { .. })));
    assert_eq!((tasks.seen("belt", &SIGNER).unwrap(), tasks.heads("belt").unwrap().len()), (None, 0));
}

#[test]
fn what_was_seen_of_a_signer_only_grows() {
    let (_dir, mut tasks) = store();
    let said = |sequence, mark: u8, judged| Seen { sequence, head: Digest([mark; 32]), judged };
    let mut note = |seen: Seen| {
        tasks.note_seen("belt", &SIGNER, &seen).unwrap();
        tasks.seen("belt", &SIGNER).unwrap().unwrap()
    };
    assert_eq!(note(said(5, 1, false)), said(5, 1, false));
    assert_eq!(note(said(4, 2, true)), said(5, 1, false), "older");
    assert_eq!(note(said(5, 2, true)), said(5, 1, false), "another under the same number");
    assert_eq!(note(said(5, 1, true)), said(5, 1, true), "the same, judged now");
    assert_eq!(note(said(5, 1, false)), said(5, 1, true), "judged once is judged");
    let most = u64::try_from(i64::MAX).unwrap();
    assert_eq!(note(said(most, 3, false)), said(most, 3, false));
    assert_eq!(tasks.seen("belt", &[6; 32]).unwrap(), None, "another signer");
}

#[test]
fn a_head_that_was_fitted_on_what_is_forgotten_goes_and_is_not_taken_back() {
    let (_dir, mut tasks) = store();
    for payload in [&b"marked"[..], b"another"] {
        tasks.add_sample("belt", &sample(payload, &codes(payload), Some("ok")), at(1)).unwrap();
    }
    let generation = install(&mut tasks, 1.0, &of(4, true), true).unwrap();
    let digest = tasks.head("belt", generation).unwrap().digest;
    let mut forget = |payload: &[u8]| {
        let what = Forget::Samples(vec![SampleId::of(payload)]);
        tasks.forget("belt", &what, "alice", at(4), |_, _| Ok::<_, StoreError>(None)).unwrap().generations
    };
    assert_eq!(forget(b"another"), []);
    assert_eq!(forget(b"marked"), [generation]);
    assert_eq!((in_service(&tasks), tasks.is_withdrawn("belt", &digest).unwrap()), (None, true));
    assert!(matches!(install(&mut tasks, 1.0, &of(5, true), true), Err(StoreError::Forgotten { .. })));
}

#[test]
fn what_this_device_fitted_is_its_own_whoever_brings_it_back() {
    let (_dir, mut tasks) = store();
    let generation = adapt(&mut tasks, 1.0, false);
    let file = tasks.head("belt", generation).unwrap().file;
    let of = of(4, true);
    let new = NewInstall { file: &file, of: &of, outcome: "activated", record: "{}", activate: true, who: "mqtt" };
    assert_eq!(tasks.install("belt", &new, at(3)).unwrap(), generation);
    let head = tasks.head("belt", generation).unwrap();
    assert_eq!((head.origin, head.installed), (Origin::Adapted, None));
}
