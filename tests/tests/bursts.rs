//! Bursts of near-duplicates: what a head says of itself must not rest on copies of the pictures that it is asked about.
//!
//! 2 draws here, 10 in `cargo xtask soak bursts`.

use acclimate_tests::bursts::{Jitter, Told};
use acclimate_tests::features::Features;
use acclimate_tests::skip::soak;
use acclimate_tests::table::Mean;
use acclimate_tests::trashnet::BACKBONE;

/// How far the grouped estimate may be above the test, on average.
const ABOVE: f64 = 0.02;
/// The same over two draws of 60 pictures: their difference to a test of 180 scatters by 4.5 points.
const ABOVE_REDUCED: f64 = 0.08;

#[test]
fn copies_are_left_out_together() {
    let Some(trash) = Features::trashnet(BACKBONE) else { return };
    let (draws, per_class, above) = if soak() { (10, 20, ABOVE) } else { (2, 10, ABOVE_REDUCED) };
    let told = |jitter| (0..draws).map(|seed| Told::on(&trash, per_class, jitter, seed).unwrap()).collect::<Vec<_>>();
    let mean = |told: &[Told], of: fn(&Told) -> f64| Mean::of(told.iter().map(of)).mean;

    let cut = told(Jitter::Cut);
    println!("{cut:?}");
    assert!(mean(&cut, |told| told.whole) > 0.98);
    assert!(mean(&cut, |told| told.single - told.test) > 0.10, "without groups an estimate on bursts is far too good");
    assert!(mean(&cut, |told| told.grouped - told.test) < above);
    // Who knows the bursts says the same, whatever the draw.
    assert!(mean(&cut, |told| (told.grouped - told.bursts).abs()) < 0.01);

    // Grouping was not made on these.
    let turned = told(Jitter::Turned);
    println!("{turned:?}");
    assert!(mean(&turned, |told| told.whole) > 0.85);
    assert!(mean(&turned, |told| told.grouped - told.bursts) < 0.05);
}

#[test]
fn other_pictures_stay_apart() {
    let Some(trash) = Features::trashnet(BACKBONE) else { return };
    let count = |features: &Features| features.groups.iter().max().map_or(0, |last| last + 1);
    // One is there twice, and a few scenes were taken twice.
    assert!(count(&trash) >= 712, "{} groups of 719 photographs", count(&trash));
    let Some(others) = Features::imagenet_verify(BACKBONE) else { return };
    assert_eq!(count(&others), 200, "photographs of as many things");
}
