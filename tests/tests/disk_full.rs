//! A disk that a daemon has filled: it goes on answering, says what is wrong, acknowledges nothing that is not stored, and
//! goes on by itself when there is room again.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use acclimate_tests::daemon::{Daemon, Socket};
use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::small_disk::SmallDisk;
use serde_json::{Value, json};

const DISK_KIB: u64 = 16 << 10;
/// What somebody else keeps on it, and removes later.
const FILLER: usize = 9 << 20;

fn frames(view: &Value) -> u64 {
    view["sources"].as_array().unwrap().iter().map(|source| source["frames"].as_u64().unwrap()).sum()
}

fn answers(view: &Value) -> bool {
    view["tasks"][0]["looks"].as_array().unwrap().iter().all(|look| look["now"].is_object())
}

/// Hands samples in until one is refused; those that were acknowledged, and why the last was not.
fn fill(socket: &mut Socket, first: u64) -> (BTreeSet<String>, String) {
    let mut acknowledged = BTreeSet::new();
    for number in first..first + 20_000 {
        let class = number as usize % 2;
        let answer = socket.add("outside", picture::CLASSES[class], &picture::draw(class, 5_000_000 + number)).unwrap();
        match answer["added"]["sample"].as_str() {
            Some(id) => acknowledged.insert(id.to_owned()),
            None => return (acknowledged, answer["error"]["message"].as_str().unwrap().to_owned()),
        };
    }
    panic!("the disk was not filled by {} samples", acknowledged.len());
}

#[test]
fn a_full_disk_degrades_it_and_nothing_that_was_acknowledged_is_lost() {
    let device = Device::new();
    let Some(disk) = SmallDisk::mount(&device.data_dir(), DISK_KIB) else { return };
    let mut daemon = Daemon::start(&device, &crate::daemon::config(&device));
    daemon.teach("disc", "disc", 12);
    assert_eq!(daemon.teach("stripes", "stripes", 12)["adaptation"]["verdict"], "activated");
    daemon.wait_until(answers);
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![1; FILLER]).unwrap();

    let mut socket = Socket::connect(&device).unwrap();
    let (mut acknowledged, why) = fill(&mut socket, 0);
    eprintln!("{} samples filled it: {why}", acknowledged.len());
    assert!(acknowledged.len() > 10 && why.contains("nothing can be stored") && why.contains("full"), "{why}");

    // It says so, everywhere, and answers all the same.
    let is_degraded = |view: &Value| view["degraded"].to_string().contains("nothing can be stored");
    let view = daemon.wait_until(is_degraded);
    let (status, ready) = daemon.get("/readyz");
    assert!(status == 200 && ready.contains("nothing can be stored"), "{status} {ready}");
    let later = frames(&view) + 40;
    let view = daemon.wait_until(|view| frames(view) > later && answers(view));
    assert!(is_degraded(&view), "nobody made room: {view}");
    assert_eq!(
        daemon.ask(&json!({ "do": "classify", "task": "parts", "source": "disc" }))["prediction"]["class"],
        "disc"
    );

    // Samples are refused in words, and so are labels, but for one so small that it still finds room in the log.
    let some = acknowledged.first().unwrap().clone();
    let to_both = ["one", "two"].map(|class| {
        socket.command(&json!({ "do": "label", "task": "parts", "samples": [some], "label": class })).unwrap()
    });
    for answer in to_both.iter().filter(|answer| answer["reply"].is_null()) {
        let why = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(answer["error"]["code"] == "failed" && why.contains("nothing can be stored"), "{answer}");
    }
    let (more, _) = fill(&mut socket, 30_000);
    assert!(more.len() <= 1, "what is full stays full: {}", more.len());
    acknowledged.extend(more);
    daemon.wait_until(is_degraded);

    // Room is made, and it finds out by itself.
    fs::remove_file(&filler).unwrap();
    daemon.wait_until(|view| view["degraded"] == json!([]));
    assert!(!daemon.get("/readyz").1.contains("nothing can be stored"));
    let answer = socket.add("outside", "disc", &picture::draw(0, 6_000_000)).unwrap();
    acknowledged.insert(answer["added"]["sample"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
    daemon.ask(&json!({ "do": "label", "task": "parts", "samples": [some], "label": "disc" }));
    let adapted = daemon.ask(&json!({ "do": "adapt", "task": "parts" }));
    assert!(adapted["adaptation"]["verdict"].is_string(), "{adapted}");
    let ended = daemon.end().expect(0);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);

    let listed = device.json(["sample", "list", "parts"]);
    let stored: BTreeSet<&str> = listed.as_array().unwrap().iter().map(|of| of["sample"].as_str().unwrap()).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !stored.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged samples are lost: {lost:?}", lost.len(), acknowledged.len());
    assert_eq!(device.json(["audit", "parts"])["reproduced"], true);
    let left: Vec<_> = fs::read_dir(disk.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn on_a_disk_that_is_full_from_the_start_it_says_so_and_starts_once_there_is_room() {
    let device = Device::new();
    let Some(disk) = SmallDisk::mount(&device.data_dir(), DISK_KIB) else { return };
    let config = crate::daemon::config(&device);
    // Nothing is left of a log, which opening would take up without any more room.
    let _ = device.run(["init", "parts", "--backbone", "builtin-picture-1"]).expect(0);
    let filler = disk.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let refused = device.run(["run".as_ref(), "--config".as_ref(), config.as_os_str()]).expect(1).stderr;
    assert!(refused.contains("its disk is full (0 KiB are free): make room"), "{refused}");
    fs::remove_file(&filler).unwrap();
    let mut daemon = Daemon::start(&device, &config);
    assert_eq!(daemon.status()["degraded"], json!([]));
    let _ended = daemon.end().expect(0);
}
