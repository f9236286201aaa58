//! Forgetting leaves nothing: the statistics are those of a store that never had the sample, and its bytes are in no file.

use std::collections::HashSet;
use std::path::Path;

use acclimate_tests::device::Device;
use acclimate_tests::picture;

/// Long enough to be in no other picture, short enough to lie within one page of the database somewhere.
const WINDOW: usize = 32;

#[test]
fn statistics_and_bytes_are_those_of_a_store_that_never_had_the_sample() {
    let device = Device::with_task();
    device.add_folders(&device.draw("clean", 6, 1));
    let never_had_it = device.digest();

    let secret = picture::draw(0, 99_000);
    let file = device.file("secret/disc/secret.png", &secret);
    device.add_folders(file.ancestors().nth(2).unwrap());
    let had_it = device.digest();
    assert_ne!(had_it, never_had_it);
    assert!(holds(&device.data_dir(), &secret), "the payload is stored, or its absence later would say nothing");
    let _ = device.run(["adapt", "parts"]).expect(0);
    let [fitted_on_it] = device.in_service()[..] else { panic!("one generation in service") };

    let samples = device.json(["sample", "list", "parts", "--class", "disc"]);
    let is_secret = |sample: &&serde_json::Value| sample["source"].as_str().unwrap().ends_with("secret.png");
    let id = samples.as_array().unwrap().iter().find(is_secret).unwrap()["sample"].as_str().unwrap().to_owned();
    let receipt = device.json(["forget", "parts", &id, "--yes"]);

    assert_eq!(receipt["digest_before"], had_it.as_str());
    assert_eq!(receipt["digest_after"], never_had_it.as_str());
    assert_eq!(device.digest(), never_had_it);
    assert!(!holds(&device.data_dir(), &secret), "bytes of the payload are left in the data directory");
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

/// Whether any file below a folder holds any stretch of the payload.
fn holds(folder: &Path, payload: &[u8]) -> bool {
    // The first and last bytes are the same in every PNG.
    let windows: HashSet<&[u8]> = payload[64..payload.len() - 64].windows(WINDOW).collect();
    folder.read_dir().unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, payload);
        }
        // A socket has no bytes.
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(WINDOW).any(|window| windows.contains(window)))
    })
}
