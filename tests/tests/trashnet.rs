//! The main job on real pictures: TrashNet split again and again, learnt and tested with the commands of the command line,
//! beside scikit-learn on the same features.
//!
//! 3 splits here, 30 in `cargo xtask soak trashnet`; `cargo xtask report splits` prints the table.

use acclimate_tests::device::Device;
use acclimate_tests::draws::Draw;
use acclimate_tests::features::Features;
use acclimate_tests::reference::Reference;
use acclimate_tests::skip::{assets, skip, soak};
use acclimate_tests::table::Mean;
use acclimate_tests::trashnet::{BACKBONE, Learnt, TrashNet, onnx_runtime};

/// How far the mean test accuracy may be below the best of scikit-learn's four classifiers.
const BEHIND: f64 = 0.01;
/// The same over three splits. The difference of one split scatters by 2.0 points, so the mean of three by 1.15: what is
/// level on thirty would fall below this once in fifty, were the seeds not fixed.
const BEHIND_REDUCED: f64 = 0.025;
/// How far the mean accuracy of samples left out may be from the mean test accuracy.
const BIAS: f64 = 0.015;
/// The least share of splits on which accuracy left out and test accuracy agree within the stated 95 % interval and the
/// test's own noise. Within the stated interval alone, which speaks of the true accuracy, the accuracy on 180 others lies
/// in 69 % even if all is well: it scatters by 3.4 points around what 540 samples say, the interval is ± 3.5.
const INSIDE: f64 = 0.9;
/// Mean debiased expected calibration error on the test part.
const CALIBRATION: f64 = 0.06;
/// The least share of photographs of which both engines name the same class.
const AGREEMENT: f64 = 0.995;

#[test]
fn as_good_as_scikit_learn_and_as_good_as_it_says() {
    let Some((assets, features)) = assets().zip(Features::trashnet(BACKBONE)) else { return };
    let trashnet = TrashNet::read(&assets);
    let reference = Reference::committed(&features).unwrap();
    let (splits, behind) = if soak() { (30, BEHIND) } else { (3, BEHIND_REDUCED) };
    let (mut devices, mut all) = (Vec::<Device>::new(), Vec::<Learnt>::new());
    let mut draws = Vec::<Draw>::new();
    for seed in 0..splits {
        let split = trashnet.split(seed as u64);
        draws.push(split.rows(&features));
        let (device, learnt) = trashnet.learn(&split);
        println!("{learnt:?}");
        all.push(learnt);
        devices.push(device);
    }

    let against = |splits: usize| {
        let (name, best) = reference.best(&features, &draws[..splits]).unwrap();
        let best = Mean::of(best).mean;
        let test = Mean::of(all[..splits].iter().map(|learnt| learnt.test)).mean;
        println!("{splits} splits: test accuracy {test:.4}, scikit-learn's {name} {best:.4}");
        assert!(test >= best - behind, "{splits} splits: test accuracy {test}, scikit-learn's {best}");
    };
    against(splits);
    let bias = Mean::of(all.iter().map(Learnt::bias)).mean;
    let calibration = Mean::of(all.iter().map(|learnt| learnt.ece)).mean;
    let inside = all.iter().filter(|learnt| learnt.inside()).count();
    let agree = all.iter().filter(|learnt| learnt.inside_with_test_noise()).count();
    println!("left out - test {bias:.4}, calibration error {calibration:.4}");
    println!("test inside the stated interval: {inside} of {splits}; with the test's own noise: {agree}");
    assert!(calibration <= CALIBRATION, "calibration error {calibration}");
    if soak() {
        against(10);
        assert!(bias.abs() <= BIAS, "left out {bias} better than the test");
        assert!(
            agree as f64 >= INSIDE * splits as f64,
            "inside the interval and the test's noise: {agree} of {splits}"
        );
    }

    match onnx_runtime() {
        Ok(()) => {
            let asked = if soak() { trashnet.photographs().to_vec() } else { trashnet.split(0).test };
            let same = trashnet.agreement(&devices[0], &asked);
            println!("both engines name the same class on {same} of {}", asked.len());
            assert!(same as f64 >= AGREEMENT * asked.len() as f64, "{same} of {}", asked.len());
        }
        Err(why) => skip("ort", &why),
    }
}

/// The built-in backbone alone, on the manifest's own split. Measured 0.728.
#[test]
fn the_built_in_backbone_serves_where_no_model_is() {
    let Some(assets) = assets() else { return };
    let trashnet = TrashNet::read(&assets);
    let split = trashnet.own_split();
    assert_eq!((split.train.len(), split.test.len()), (540, 180));
    let learnt = trashnet.learn_on(&trashnet.device_on("builtin-picture-1"), &split);
    println!("{learnt:?}");
    assert!(learnt.test >= 0.68, "{learnt:?}");
}

#[test]
fn a_split_depends_on_its_seed_and_leaves_nothing_out() {
    let Some(assets) = assets() else { return };
    let trashnet = TrashNet::read(&assets);
    let (one, again, other) = (trashnet.split(1), trashnet.split(1), trashnet.split(2));
    assert_eq!((&one.train, &one.test), (&again.train, &again.test));
    assert_ne!(one.test, other.test);
    let mut all: Vec<_> = one.train.iter().chain(&one.test).cloned().collect();
    all.sort();
    let mut expected = trashnet.photographs().to_vec();
    expected.sort();
    assert_eq!(all, expected);
    for class in ["cardboard", "glass", "metal", "paper", "plastic", "trash"] {
        assert_eq!(one.test.iter().filter(|photograph| photograph.class == class).count(), 30, "{class}");
    }
}
