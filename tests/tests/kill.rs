//! Power may fail at any moment. `add` and `adapt` are killed at random ones: every sample that was acknowledged is there,
//! the store opens, and the head in service is the old one or the new one.
//!
//! 30 moments here, 1,000 in `cargo xtask soak kill`.

use std::collections::BTreeSet;
use std::time::Duration;

use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::{Finished, Running};
use acclimate_tests::skip::soak;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, OpenFlags};

/// Rounds on one store before the next begins from the same start: the harm of one kill may show after the next.
const CHAIN: u64 = 10;

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    let rounds = if soak() { 1_000 } else { 30 };
    let seed = 0xACC1;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let origin = Device::with_task();
    origin.add_folders(&origin.draw("first", 6, 1));
    let _ = origin.run(["adapt", "parts"]).expect(0);
    let first: BTreeSet<String> = stored(&origin);

    // A whole cycle of each, to choose moments from; the pictures are new to every round.
    let trial = origin.copy();
    let cycles = [&add(&trial, 2).wait(), &adapt(&trial).wait()].map(|finished| finished.elapsed);
    let (mut device, mut acknowledged) = (origin.copy(), first.clone());
    let mut killed = [0, 0];
    for round in 0..rounds {
        if round % CHAIN == 0 {
            (device, acknowledged) = (origin.copy(), first.clone());
        }
        let before = device.in_service();
        let adapts = round % 2 == 1;
        let running = if adapts { adapt(&device) } else { add(&device, round + 3) };
        let moment = cycles[usize::from(adapts)].mul_f64(random.random_range(0.0..1.1));
        let (finished, was_killed) = running.kill_after(moment);
        killed[usize::from(adapts)] += u32::from(was_killed);
        if !adapts {
            acknowledged.extend(acknowledgements(&finished));
        }
        check(&device, &before, &acknowledged, &format!("seed {seed:#x}, round {round}, killed after {moment:?}"));
    }
    eprintln!("killed {} of {} adds and {} of {} adaptations", killed[0], rounds / 2, killed[1], rounds / 2);
    // Otherwise the moments say nothing.
    assert!(killed.iter().all(|&killed| killed > 0), "{killed:?} killed; cycles {cycles:?}");
}

fn add(device: &Device, seed: u64) -> Running {
    let folder = device.draw(&format!("round-{seed}"), 4, seed);
    Running::start(device.command(["add", "parts", "--labels-from-folders", "--json"]).arg(folder))
}

fn adapt(device: &Device) -> Running {
    Running::start(&mut device.command(["adapt", "parts", "--json"]))
}

fn acknowledgements(finished: &Finished) -> BTreeSet<String> {
    let lines = finished.json_lines();
    lines.iter().filter_map(|line| line["sample"].as_str().map(str::to_owned)).collect()
}

fn stored(device: &Device) -> BTreeSet<String> {
    let samples = device.json(["sample", "list", "parts"]);
    samples.as_array().unwrap().iter().map(|sample| sample["sample"].as_str().unwrap().to_owned()).collect()
}

fn check(device: &Device, before: &[u64], acknowledged: &BTreeSet<String>, round: &str) {
    let stored = stored(device);
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{round}: acknowledged and lost: {lost:?}");

    let after = device.in_service();
    assert_eq!(after.len(), 1, "{round}: in service {after:?}, before {before:?}");
    assert!(after[0] >= before[0], "{round}: in service {after:?}, before {before:?}");
    let picture = device.file("ask.png", &picture::draw(0, 5_000_000));
    let answer = device.json(["classify".as_ref(), "parts".as_ref(), picture.as_os_str()]);
    assert_eq!(answer["generation"].as_u64(), Some(after[0]), "{round}: the head in service answers");

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(device.data_dir().join("acclimate.db"), flags).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{round}");
}
