//! Power may fail at any moment. `add`, `adapt` and `task set-backbone` are killed at random ones: every sample that was
//! acknowledged is there, the store opens, the head in service is the old one or the new one, and the backbone in use is
//! that head's.
//!
//! 30 moments here, 1,000 in `cargo xtask soak kill`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::{Finished, Running};
use acclimate_tests::skip::soak;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, OpenFlags};

use crate::set_backbone::{coarser, other_backbone};

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
    let model = other_backbone(&trial, "coarser", coarser);
    let cycles = [add(&trial, 2).wait(), adapt(&trial).wait(), switch(&trial, &model).wait()];
    let cycles = cycles.map(|finished| finished.elapsed);
    let (mut device, mut acknowledged) = (origin.copy(), first.clone());
    let mut killed = [0; 3];
    for round in 0..rounds {
        if round % CHAIN == 0 {
            (device, acknowledged) = (origin.copy(), first.clone());
        }
        let before = device.in_service();
        let phase = (round % 3) as usize;
        let running = match phase {
            0 => add(&device, round + 3),
            1 => adapt(&device),
            _ => switch(&device, &model),
        };
        let moment = cycles[phase].mul_f64(random.random_range(0.0..1.1));
        let (finished, was_killed) = running.kill_after(moment);
        killed[phase] += u32::from(was_killed);
        if phase == 0 {
            acknowledged.extend(acknowledgements(&finished));
        }
        check(&device, &before, &acknowledged, &format!("seed {seed:#x}, round {round}, killed after {moment:?}"));
    }
    eprintln!("killed {killed:?} adds, adaptations and changes of backbone of {} each", rounds / 3);
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

/// To the backbone that is not in use.
fn switch(device: &Device, model: &Path) -> Running {
    let start = ["task", "set-backbone", "parts", "--json"];
    let mut command = device.command(start);
    if device.json(["task", "list"])[0]["backbone"] == "coarser" {
        command.arg("builtin-picture-1");
    } else {
        command.arg("--model").arg(model);
    }
    Running::start(&mut command)
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
    let together: i64 = database
        .query_row(
            "SELECT count(*) FROM tasks t JOIN heads h ON h.task = t.id AND h.backbone = t.backbone_in_use
             WHERE h.generation = ?1",
            [after[0].cast_signed()],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(together, 1, "{round}: the backbone in use is that of the head in service");
    let lacking: i64 = database
        .query_row(
            "SELECT count(*) FROM samples s JOIN tasks t ON t.id = s.task WHERE NOT EXISTS
             (SELECT 1 FROM features WHERE sample = s.seq AND backbone = t.backbone_in_use)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(lacking, 0, "{round}: every sample has a feature of the backbone in use");
}
