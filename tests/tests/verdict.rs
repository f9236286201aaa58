//! The verdict on real pictures, through the command line: 45 new samples of one class of TrashNet come to a store of all
//! others. With 40 % of them mislabelled the candidate is rejected and the old head stays in service; with true labels it
//! is not.
//!
//! 4 draws here, 40 in `cargo xtask soak verdict-real`.

use acclimate_tests::device::Device;
use acclimate_tests::skip::{assets, soak};
use acclimate_tests::trashnet::{Photograph, TrashNet};
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;

/// New samples of a draw.
const NEW: usize = 45;
/// Mislabelled ones among them: 40 %.
const BAD: usize = 18;

const CLASSES: [&str; 6] = ["cardboard", "glass", "metal", "paper", "plastic", "trash"];

#[test]
fn mislabelled_additions_are_rejected_and_clean_ones_are_not() {
    let Some(assets) = assets() else { return };
    let trashnet = TrashNet::read(&assets);
    let all = trashnet.device();
    trashnet.add(&all, "all.csv", trashnet.photographs());
    let draws = if soak() { 40 } else { 4 };
    let (mut bad_rejected, mut clean_rejected) = (0, 0);
    for draw in 0..draws {
        let (before, new) = without_the_new_ones(&all, draw);
        let generation = in_service(&before);
        for (mislabelled, rejected) in [(true, &mut bad_rejected), (false, &mut clean_rejected)] {
            let device = before.copy();
            let labelled = if mislabelled { mislabel(&new, draw) } else { new.clone() };
            trashnet.add(&device, &format!("{draw}.csv"), &labelled);
            let adapted = device.run(["adapt", "waste", "--json"]);
            println!("draw {draw}, {}, mislabelled {mislabelled}: {}", new[0].class, adapted.json()["reasons"]);
            match adapted.code {
                Some(0) => assert!(in_service(&device) > generation, "an activated head serves"),
                Some(3) => {
                    *rejected += 1;
                    assert_eq!(in_service(&device), generation, "draw {draw}: the old head is in service");
                }
                code => panic!("draw {draw}: exit code {code:?}"),
            }
        }
    }
    println!("rejected: {bad_rejected} of {draws} mislabelled, {clean_rejected} of {draws} clean");
    assert!(f64::from(bad_rejected) >= 0.6 * draws as f64, "{bad_rejected} of {draws} mislabelled rejected");
    assert!(f64::from(clean_rejected) <= 0.05 * draws as f64, "{clean_rejected} of {draws} clean rejected");
}

/// A device with a head in service that was fitted on all samples but some of one class, which have no label; and those.
fn without_the_new_ones(all: &Device, draw: u64) -> (Device, Vec<Photograph>) {
    let device = all.copy();
    let class = CLASSES[draw as usize % CLASSES.len()];
    let samples = device.json(["sample", "list", "waste", "--class", class]);
    let mut samples = samples.as_array().unwrap().clone();
    samples.shuffle(&mut ChaCha8Rng::seed_from_u64(draw));
    samples.truncate(NEW);
    let mut new = Vec::new();
    for sample in &samples {
        let _ = device.run(["label", "waste", sample["sample"].as_str().unwrap(), "--remove"]).expect(0);
        new.push(Photograph { path: sample["source"].as_str().unwrap().into(), class: class.into() });
    }
    let _ = device.run(["adapt", "waste"]).expect(0);
    (device, new)
}

/// The first ones said to be of other classes.
fn mislabel(new: &[Photograph], draw: u64) -> Vec<Photograph> {
    let mut random = ChaCha8Rng::seed_from_u64(draw ^ 0xBAD);
    let mut labelled = new.to_vec();
    for photograph in &mut labelled[..BAD] {
        let others: Vec<_> = CLASSES.into_iter().filter(|class| *class != photograph.class).collect();
        photograph.class = (*others.choose(&mut random).unwrap()).to_owned();
    }
    labelled
}

/// The generation in service.
fn in_service(device: &Device) -> u64 {
    device.json(["head", "show", "waste"])["generation"].as_u64().unwrap()
}
