//! The verdict on real pictures, through the command line: 45 new samples come to a store of nearly all of TrashNet, all
//! concerning one class. With 40 % of them mislabelled the candidate is rejected and the old head stays in service, be they
//! pictures of the class called otherwise or others called so; with true labels it is not.
//!
//! 4 draws here, 40 in `cargo xtask soak verdict-real`.

use acclimate_tests::device::Device;
use acclimate_tests::skip::{assets, soak};
use acclimate_tests::trashnet::{Photograph, TrashNet};
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

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
    let mut rejected = [0; 3];
    for draw in 0..draws {
        let mut random = ChaCha8Rng::seed_from_u64(draw);
        let class = CLASSES[draw as usize % CLASSES.len()];
        let (before, of_class, others) = without_some(&all, class, &mut random);
        let generation = in_service(&before);
        for (count, addition) in rejected.iter_mut().zip(additions(class, &of_class, &others, &mut random)) {
            let device = before.copy();
            trashnet.add(&device, &format!("{draw}.csv"), &addition);
            let adapted = device.run(["adapt", "waste", "--json"]);
            println!("draw {draw}, {class}: exit code {:?}, {}", adapted.code, adapted.json()["reasons"]);
            match adapted.code {
                Some(0) => assert!(in_service(&device) > generation, "draw {draw}: an activated head serves"),
                Some(3) => {
                    *count += 1;
                    assert_eq!(in_service(&device), generation, "draw {draw}: the old head is in service");
                }
                code => panic!("draw {draw}: exit code {code:?}"),
            }
        }
    }
    let [clean, called_otherwise, called_so] = rejected;
    println!(
        "rejected of {draws}: {clean} clean, {called_otherwise} with pictures of the class called otherwise, {called_so} \
         with others called so"
    );
    let draws = draws as f64;
    assert!(f64::from(clean) <= 0.05 * draws, "clean additions are rejected");
    assert!(f64::from(called_otherwise) >= 0.6 * draws && f64::from(called_so) >= 0.6 * draws, "mislabelled ones pass");
}

/// A device with a head in service that was fitted on all samples but some, which have no label: [`NEW`] of a class, and
/// [`BAD`] of others.
fn without_some(all: &Device, class: &str, random: &mut ChaCha8Rng) -> (Device, Vec<Photograph>, Vec<Photograph>) {
    let device = all.copy();
    let mut samples = device.json(["sample", "list", "waste"]).as_array().unwrap().clone();
    samples.shuffle(random);
    let (of_class, others): (Vec<_>, Vec<_>) = samples.into_iter().partition(|sample| sample["label"] == class);
    let take = |samples: &[Value]| -> Vec<Photograph> {
        let unlabelled = samples.iter().map(|sample| {
            let [id, path, class] = ["sample", "source", "label"].map(|key| sample[key].as_str().unwrap());
            let _ = device.run(["label", "waste", id, "--remove"]).expect(0);
            Photograph { path: path.into(), class: class.into() }
        });
        unlabelled.collect()
    };
    let taken = (take(&of_class[..NEW]), take(&others[..BAD]));
    let _ = device.run(["adapt", "waste"]).expect(0);
    (device, taken.0, taken.1)
}

/// True labels; some of the class called otherwise; others called so.
fn additions(
    class: &str,
    of_class: &[Photograph],
    others: &[Photograph],
    random: &mut ChaCha8Rng,
) -> [Vec<Photograph>; 3] {
    let wrong: Vec<&str> = CLASSES.into_iter().filter(|other| *other != class).collect();
    let mut called_otherwise = of_class.to_vec();
    for photograph in &mut called_otherwise[..BAD] {
        (*wrong.choose(random).unwrap()).clone_into(&mut photograph.class);
    }
    let mut called_so = of_class[BAD..].to_vec();
    called_so.extend(others.iter().map(|other| Photograph { class: class.to_owned(), ..other.clone() }));
    [of_class.to_vec(), called_otherwise, called_so]
}

/// The generation in service.
fn in_service(device: &Device) -> u64 {
    device.json(["head", "show", "waste"])["generation"].as_u64().unwrap()
}
