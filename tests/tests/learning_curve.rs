//! The learning curve on TrashNet: from few labels, how good a head of many will be.
//!
//! 4 draws here, 20 in `cargo xtask soak learning-curve`.

use acclimate_tests::curves::Foretold;
use acclimate_tests::features::Features;
use acclimate_tests::skip::soak;
use acclimate_tests::table::Mean;
use acclimate_tests::trashnet::BACKBONE;

#[test]
fn what_more_labels_gain_is_foretold() {
    let Some(trash) = Features::trashnet(BACKBONE) else { return };
    let draws = if soak() { 20 } else { 4 };
    for per_class in [20, 30] {
        let foretold: Vec<Foretold> = (0..draws).map(|seed| Foretold::on(&trash, per_class, seed).unwrap()).collect();
        println!("{per_class} a class: {foretold:?}");
        // One draw's gain is uncertain by the test's own chance, about 4 points.
        let gained = Mean::of(foretold.iter().map(|one| one.later - one.now)).mean;
        let bias = Mean::of(foretold.iter().map(|one| one.gain.median)).mean - gained;
        assert!(bias.abs() < if soak() { 0.03 } else { 0.06 }, "gain foretold less gained: {bias:.3}");
        let inside = foretold.iter().filter(|one| one.gain.interval.0 < gained && gained < one.gain.interval.1).count();
        assert!(4 * inside >= 3 * foretold.len(), "{inside} of {draws} intervals hold the mean gain {gained:.3}");
    }
}
