//! Forgetting leaves nothing: the statistics are those of a store that never had the sample, and its bytes are in no file.

use std::collections::HashSet;
use std::path::Path;

use acclimate_tests::device::Device;
use acclimate_tests::picture;

/// Long enough not to be there by chance, short enough to lie within one page of the database.
const WINDOW: usize = 32;

#[test]
fn statistics_and_bytes_are_those_of_a_store_that_never_had_the_sample() {
    let device = Device::with_task();
    device.add_folders(&device.draw("clean", 6, 1));
    let never_had_it = device.digest();

    let secret = picture::draw(0, 99_000);
    let traces = stretches(&secret, &device.path("clean"));
    let file = device.file("secret/disc/secret.png", &secret);
    device.add_folders(file.ancestors().nth(2).unwrap());
    let had_it = device.digest();
    assert_ne!(had_it, never_had_it);
    assert!(holds(&device.data_dir(), &traces), "the payload is stored, or its absence later would say nothing");
    let _ = device.run(["adapt", "parts"]).expect(0);
    let [fitted_on_it] = device.in_service()[..] else { panic!("one generation in service") };

    let samples = device.json(["sample", "list", "parts", "--class", "disc"]);
    let is_secret = |sample: &&serde_json::Value| sample["source"].as_str().unwrap().ends_with("secret.png");
    let id = samples.as_array().unwrap().iter().find(is_secret).unwrap()["sample"].as_str().unwrap().to_owned();
    let receipt = device.json(["forget", "parts", &id, "--yes"]);

    assert_eq!(receipt["digest_before"], had_it.as_str());
    assert_eq!(receipt["digest_after"], never_had_it.as_str());
    assert_eq!(device.digest(), never_had_it);
    assert!(!holds(&device.data_dir(), &traces), "bytes of the payload are left in the data directory");
    let heads = device.json(["head", "list", "parts"]);
    let generations: Vec<_> =
        heads.as_array().unwrap().iter().map(|head| head["generation"].as_u64().unwrap()).collect();
    assert!(!generations.contains(&fitted_on_it), "generation {fitted_on_it} was fitted on it: {generations:?}");
    assert_eq!(device.in_service().len(), 1, "the head in service was fitted again");

    // The same as a store that never had it, whatever the order of things.
    let other = Device::with_task();
    other.add_folders(&device.path("clean"));
    assert_eq!(other.digest(), never_had_it);
}

#[test]
fn without_yes_nothing_goes() {
    let device = Device::with_task();
    device.add_folders(&device.draw("few", 2, 1));
    let before = device.digest();
    let plan = device.json(["forget", "parts", "--class", "disc"]);
    assert_eq!((plan["done"].as_bool(), plan["samples"].as_array().unwrap().len()), (Some(false), 2));
    assert_eq!(device.digest(), before);
}

/// Every stretch of the payload that no picture below `others` has: headers and code tables are alike.
fn stretches<'a>(payload: &'a [u8], others: &Path) -> HashSet<&'a [u8]> {
    let mut stretches: HashSet<&[u8]> = payload.windows(WINDOW).collect();
    each_file(others, &mut |bytes| {
        for window in bytes.windows(WINDOW) {
            stretches.remove(window);
        }
    });
    stretches
}

/// Whether any file below a folder holds any of these stretches.
fn holds(folder: &Path, stretches: &HashSet<&[u8]>) -> bool {
    let mut found = false;
    each_file(folder, &mut |bytes| found |= bytes.windows(WINDOW).any(|window| stretches.contains(window)));
    found
}

fn each_file(folder: &Path, look: &mut dyn FnMut(&[u8])) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, look);
        } else {
            look(&std::fs::read(&path).unwrap());
        }
    }
}
