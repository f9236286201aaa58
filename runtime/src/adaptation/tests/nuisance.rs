//! Heads that do without the direction in which a site changed: fitted, audited, inherited, and forgotten.

use super::*;
use crate::store::Forget;

/// Features of the same things in another light: everything is brighter by as much.
fn brighter(number: usize) -> Vec<u8> {
    codes(number, 0).into_iter().map(|code| code + 50).collect()
}

fn add_brighter(tasks: &mut Tasks, number: usize) {
    add_codes(tasks, number, &brighter(number));
}

/// Seen for long, and taken for each class in these parts.
fn mean(features: impl IntoIterator<Item = Vec<u8>>, taken_for: [f32; 3]) -> Elsewhere {
    let rows: Vec<Vec<f32>> = features.into_iter().map(|codes| QUANTISATION.decode(&codes)).collect();
    let feature = (0..DIM).map(|j| rows.iter().map(|row| row[j]).sum::<f32>() / rows.len() as f32).collect();
    Elsewhere { feature, taken_for: taken_for.to_vec() }
}

#[test]
fn what_moved_is_left_out_audited_inherited_and_forgotten() {
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&Kind::ALL)).unwrap();
    assert_eq!(in_service(&tasks).provenance.nuisance, None);

    (100..105).for_each(|number| add_brighter(&mut tasks, number));
    let elsewhere = Some(mean((200..240).map(brighter), [0.3, 0.4, 0.3]));
    let record = adapt(&mut tasks, "belt", &Options { elsewhere, ..options(&Kind::ALL) }).unwrap().record;
    assert_eq!((&record.verdict[..], record.nuisance), ("activated", Some(1)), "{record:#?}");
    assert!(record.reasons.contains(&"nuisance_left_out".to_owned()));
    let head = in_service(&tasks);
    let weights = &head.head.linear().unwrap().weights;
    let along = weights.dot(&head.provenance.nuisance.as_ref().unwrap().directions().t());
    assert!(along.iter().all(|x| x.abs() < 1e-5), "{along}");
    assert_reproduced(&tasks, "without a direction");

    // The next head does without it too, although nothing has changed since.
    (60..66).for_each(|number| add(&mut tasks, number, 0));
    let record = adapt(&mut tasks, "belt", &options(&Kind::ALL)).unwrap().record;
    assert_eq!(record.nuisance, Some(1), "{record:#?}");
    assert_eq!(in_service(&tasks).provenance.nuisance, head.provenance.nuisance);
    assert_reproduced(&tasks, "inherited");

    // It was measured against the sample that goes.
    let what = Forget::Samples(vec![SampleId::of(&0_usize.to_le_bytes())]);
    let _receipt = forget(&mut tasks, "belt", &what, &options(&[])).unwrap();
    assert_eq!(in_service(&tasks).provenance.nuisance, None);
    assert_reproduced(&tasks, "forgotten");
}

#[test]
fn a_direction_that_tells_classes_apart_is_used_all_the_same() {
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&Kind::ALL)).unwrap();
    (60..66).for_each(|number| add(&mut tasks, number, 0));
    // Nothing but one class was seen for long.
    let one = (200..260).filter(|number| number % 3 == 0).map(|number| codes(number, 0));
    let elsewhere = Some(mean(one, [0.3, 0.4, 0.3]));
    let record = adapt(&mut tasks, "belt", &Options { elsewhere, ..options(&Kind::ALL) }).unwrap().record;
    assert_eq!(record.nuisance, None, "{record:#?}");
    assert_eq!(in_service(&tasks).provenance.nuisance, None);
}

#[test]
fn features_of_another_backbone_and_kinds_that_cannot_do_without_are_no_reason() {
    let (_dir, mut tasks) = store(0..60);
    adapt(&mut tasks, "belt", &options(&Kind::ALL)).unwrap();
    for (elsewhere, kind) in [
        (Elsewhere { feature: vec![0.1; DIM + 1], taken_for: Vec::new() }, Kind::Ridge),
        (mean((200..240).map(brighter), [0.4, 0.3, 0.3]), Kind::Kernel),
    ] {
        let elsewhere = Some(elsewhere);
        let record = adapt(&mut tasks, "belt", &Options { elsewhere, ..options(&[kind]) }).unwrap().record;
        assert_eq!((record.nuisance, record.head.as_deref()), (None, Some(&kind.to_string()[..])));
    }
}
