//! The corpora of the fuzz targets, and what is near to them, as ordinary tests: for toolchains without a fuzzer.

use std::{fs, path::Path};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{anything, times};

fn play(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").map(|file| file.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for file in files {
        let whole = fs::read(&file).expect("readable");
        target(&whole);
        for _ in 0..times(20_000, 100) {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..6) {
                let at = rng.random_range(0..=bytes.len());
                match rng.random_range(0..3) {
                    0 => bytes.insert(at, rng.random()),
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ if at < bytes.len() => bytes[at] = rng.random(),
                    _ => {}
                }
            }
            target(&bytes);
        }
    }
}

#[test]
fn bytes() {
    play("bytes", anything::bytes);
}

#[test]
fn messages_to_the_device() {
    play("device", anything::device);
}

#[test]
fn messages_to_the_host() {
    play("host", anything::host);
}
