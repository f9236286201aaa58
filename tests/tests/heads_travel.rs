//! Heads that travel: taught on one device, signed, installed on another, judged there, and taken back when labels say so. And
//! everything that is refused, with its reason, while the head in service stays.

use std::fs;
use std::path::{Path, PathBuf};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::program::Running;
use acclimate_tests::skip::soak;
use serde_json::{Value, json};

/// A device with a head that nobody doubts and a key to sign it with.
pub(crate) fn taught() -> Device {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 12, 1));
    let _ = device.run(["adapt", "parts", "--head", "ridge"]).expect(0);
    let _ = device.run(["key", "generate"]).expect(0);
    device
}

/// Has a device trust another one's key.
pub(crate) fn trust(device: &Device, name: &str, of: &Device) {
    let key = of.run(["key", "show"]).expect(0).stdout;
    let _ = device.run(["key", "trust", name, key.trim()]).expect(0);
}

/// The head in service of a device, signed, in a file.
pub(crate) fn signed(device: &Device, name: &str) -> PathBuf {
    let file = device.path(name);
    let _ = device
        .run(["head".as_ref(), "export".as_ref(), "parts".as_ref(), "--signed".as_ref(), file.as_os_str()])
        .expect(0);
    file
}

fn install(device: &Device, file: &Path, code: i32) -> Value {
    let words = ["head".as_ref(), "install".as_ref(), "parts".as_ref(), file.as_os_str(), "--json".as_ref()];
    device.run(words).expect(code).json()
}

/// Refused for this reason; what is in service stays.
#[track_caller]
fn refused(device: &Device, file: &Path, reason: &str) -> Value {
    let in_service = || device.json(["task", "list"])[0]["in_service"].clone();
    let before = in_service();
    let said = install(device, file, 3);
    assert_eq!((&said["verdict"], &said["reasons"][0]), (&json!("rejected"), &json!(reason)), "{said}");
    assert_eq!(in_service(), before, "the head in service stays");
    said
}

/// Adds pictures under each other's class.
pub(crate) fn contradict(device: &Device, count: u64, seed: u64) {
    let folder = device.draw(&format!("contrary-{seed}"), count, seed);
    for (class, other) in [(0, 1), (1, 0)] {
        let of = folder.join(picture::CLASSES[class]);
        let label = picture::CLASSES[other];
        let words = ["add".as_ref(), "parts".as_ref(), of.as_os_str(), "--label".as_ref(), label.as_ref()];
        let _ = device.run(words).expect(0);
    }
}

#[test]
fn taught_on_one_device_it_runs_unproved_on_another_and_contrary_labels_take_it_back() {
    let (press, gate) = (taught(), Device::with_task());
    let file = signed(&press, "parts.signed");
    refused(&gate, &file, "unknown_signer");
    trust(&gate, "press-7", &press);
    let said = install(&gate, &file, 0);
    let head = (&said["verdict"], &said["unproved"], &said["generation"], &said["issue"]["signer"]);
    assert_eq!(head, (&json!("activated"), &json!(true), &json!(1), &json!("press-7")), "{said}");
    refused(&gate, &file, "in_service");

    let listed = &gate.json(["head", "list", "parts"])[0];
    let shown = (&listed["in_service"], &listed["origin"], &listed["unproved"], &listed["from"]["signer"]);
    assert_eq!(shown, (&json!(true), &json!("installed"), &json!(true), &json!("press-7")), "{listed}");
    let words = gate.run(["head", "show", "parts"]).expect(0).stdout;
    assert!(words.contains("signed by press-7, number 1") && words.contains("unproved: too few labels"), "{words}");
    assert_eq!(gate.json(["task", "list"])[0]["classes"], json!(picture::CLASSES), "its classes can be labelled");
    let ask = gate.file("ask.png", &picture::draw(1, 77));
    assert_eq!(gate.json(["classify", "parts", ask.to_str().unwrap()])["class"], picture::CLASSES[1]);

    contradict(&gate, 3, 5);
    let adapted = gate.run(["adapt", "parts", "--json"]).json();
    assert_eq!(adapted["taken_back"], 1, "{adapted}");
    assert_ne!(gate.json(["task", "list"])[0]["in_service"], 1);
    // It is not taken again, and its device is told why.
    refused(&gate, &file, "seen");
}

#[test]
fn labels_that_agree_prove_it_and_a_device_that_can_judge_does_so_at_once() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    gate.add_folders(&gate.draw("own", 6, 3));
    let said = install(&gate, &signed(&press, "parts.signed"), 0);
    assert_eq!((&said["verdict"], &said["unproved"]), (&json!("activated"), &json!(false)), "{said}");
    assert_eq!(gate.json(["head", "show", "parts"])["unproved"], false);
    let audit = gate.run(["audit", "parts"]).expect(1).stdout;
    assert!(audit.contains("not in this store"), "nothing of it was fitted here: {audit}");

    // Unproved first, then the labels come: whatever is in service after that is proved.
    let door = Device::with_task();
    trust(&door, "press-7", &press);
    assert_eq!(install(&door, &signed(&press, "again.signed"), 0)["unproved"], true);
    door.add_folders(&door.draw("own", 8, 3));
    let adapted = door.run(["adapt", "parts", "--json"]).json();
    assert_eq!((&adapted["taken_back"], &adapted["proved"]), (&Value::Null, &json!(1)), "{adapted}");
    let after = door.json(["head", "list", "parts"]);
    assert_eq!(after[0]["unproved"], false, "{after}");
}

#[test]
fn what_is_worse_here_is_kept_and_not_used_until_a_person_says_so() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    contradict(&gate, 6, 5);
    let _ = gate.run(["adapt", "parts"]).expect(0);
    let file = signed(&press, "parts.signed");
    let said = refused(&gate, &file, "worse");
    assert!(said["because"][0].as_str().unwrap().contains("on this device's own samples it is worse"), "{said}");
    assert_eq!((&said["generation"], said["comparison"]["samples"].as_u64()), (&json!(2), Some(12)), "{said}");
    refused(&gate, &file, "seen");
    let _ = gate.run(["head", "activate", "parts", "2"]).expect(1);
    assert_eq!(gate.json(["head", "activate", "parts", "2", "--force"])["generation"], 2);
    assert_eq!(gate.json(["head", "rollback", "parts"])["generation"], 1);
}

#[test]
fn a_head_that_was_fitted_on_the_samples_here_is_not_judged_by_them() {
    let press = taught();
    // The same pictures on another device: their scores would flatter it.
    let gate = Device::with_task();
    trust(&gate, "press-7", &press);
    gate.add_folders(&press.path("first"));
    let said = install(&gate, &signed(&press, "parts.signed"), 0);
    assert_eq!((&said["verdict"], &said["unproved"]), (&json!("activated"), &json!(true)), "{said}");
    assert!(said["comparison"].is_null(), "{said}");
}

#[test]
fn a_stranger_a_flipped_bit_an_old_one_another_backbones_and_one_out_of_date_are_refused_with_their_reason() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    let old = signed(&press, "old.signed");
    press.add_folders(&press.draw("second", 3, 2));
    let _ = press.run(["adapt", "parts", "--head", "ridge"]).expect(0);
    let new = signed(&press, "new.signed");
    assert_eq!(install(&gate, &new, 0)["issue"]["number"], 2);

    let stranger = taught();
    refused(&gate, &signed(&stranger, "stranger.signed"), "unknown_signer");
    let bytes = fs::read(&new).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    refused(&gate, &gate.file("flipped.signed", &flipped), "bad_signature");
    refused(&gate, &gate.file("cut.signed", &bytes[..bytes.len() - 1]), "malformed");
    refused(&gate, &gate.file("more.signed", &[&bytes[..], b"\0"].concat()), "malformed");
    refused(&gate, &gate.file("noise.signed", b"not a head at all"), "malformed");
    refused(&gate, &old, "older");
    let plain = press.path("plain.head");
    let _ = press.run(["head", "export", "parts", "--output", plain.to_str().unwrap()]).expect(0);
    let said = refused(&gate, &plain, "malformed");
    assert!(said["because"][0].as_str().unwrap().contains("nobody has signed it"), "{said}");
    let import = gate.run(["head", "import", "parts", new.to_str().unwrap()]).expect(1).stderr;
    assert!(import.contains("`acclimate head install parts FILE`"), "{import}");

    let model = acclimate_tests::checkout().join("runtime/backbone/tests/models/tiny.onnx");
    let other = Device::new();
    let _ = other.run(["init".as_ref(), "parts".as_ref(), "--model".as_ref(), model.as_os_str()]).expect(0);
    trust(&other, "press-7", &press);
    refused(&other, &new, "other_backbone");

    let file = press.path("ends-today.signed");
    let words = ["head", "export", "parts", "--days", "0", "--signed", file.to_str().unwrap()];
    let _ = press.run(words).expect(0);
    let late = Device::with_task();
    trust(&late, "press-7", &press);
    refused(&late, &file, "expired");

    // The device goes back: what is in service there again is newer than what it replaced.
    let _ = press.run(["head", "rollback", "parts"]).expect(0);
    let back = install(&gate, &signed(&press, "back.signed"), 0);
    assert_eq!((&back["issue"]["number"], &back["issue"]["generation"]), (&json!(3), &json!(1)), "{back}");

    let _ = gate.run(["key", "distrust", "press-7"]).expect(0);
    refused(&gate, &new, "unknown_signer");
}

#[test]
fn only_what_was_learnt_here_is_signed_here_and_with_a_key() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    let file = gate.path("none.signed");
    let export = ["head", "export", "parts", "--signed", file.to_str().unwrap()];
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let no_key = gate.run(export).expect(1).stderr;
    assert!(no_key.contains("`acclimate key generate` makes one"), "{no_key}");
    let _ = gate.run(["key", "generate"]).expect(0);
    let no_head = gate.run(export).expect(1).stderr;
    assert!(no_head.contains("has no head in service yet"), "{no_head}");
    install(&gate, &signed(&press, "parts.signed"), 0);
    let foreign = gate.run(export).expect(1).stderr;
    assert!(foreign.contains("was not learnt here (installed)"), "{foreign}");
    assert!(!file.exists());
}

#[test]
fn a_running_daemon_takes_heads_in_and_shows_whose_they_are() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    let mut daemon = Daemon::start(&gate, &gate.file("site.toml", b"[device]\nid = \"gate-1\"\n"));
    let file = signed(&press, "parts.signed");
    let said = install(&gate, &file, 0);
    assert_eq!(
        (&said["verdict"], &said["unproved"], &said["generation"]),
        (&json!("activated"), &json!(true), &json!(1))
    );
    daemon.wait_until(|view| view["tasks"][0]["generation"] == 1 && view["tasks"][0]["unproved"] == true);
    let status = gate.run(["status"]).expect(0).stdout;
    assert!(status.contains("unproved"), "{status}");
    assert_eq!(install(&gate, &file, 3)["reasons"][0], "in_service");
    let mut flipped = fs::read(&file).unwrap();
    flipped[300] ^= 1;
    assert_eq!(install(&gate, &gate.file("flipped.signed", &flipped), 3)["verdict"], "rejected");
    let _ended = daemon.end().expect(0);
}

#[test]
fn kill_9_within_an_install_leaves_the_head_before_or_the_new_one_and_it_can_be_installed_again() {
    let (press, gate) = (taught(), Device::with_task());
    trust(&gate, "press-7", &press);
    gate.add_folders(&gate.draw("own", 3, 3));
    let _ = gate.run(["adapt", "parts"]).expect(0);
    let file = signed(&press, "parts.signed");
    let start = |device: &Device| {
        let words = ["head".as_ref(), "install".as_ref(), "parts".as_ref(), file.as_os_str(), "--json".as_ref()];
        Running::start(&mut device.command(words))
    };
    let cycle = start(&gate.copy()).wait().expect(0).elapsed;
    let rounds = if soak() { 200 } else { 12 };
    let mut killed = 0;
    for round in 0..rounds {
        let device = gate.copy();
        let moment = cycle.mul_f64(1.1 * f64::from(round) / f64::from(rounds));
        let (_, was_killed) = start(&device).kill_after(moment);
        killed += u32::from(was_killed);
        let heads = device.json(["head", "list", "parts"]);
        let serving: Vec<&Value> = heads.as_array().unwrap().iter().filter(|head| head["in_service"] == true).collect();
        assert_eq!(serving.len(), 1, "{moment:?}: {heads}");
        let installed = serving[0]["origin"] == "installed";
        assert_eq!(
            heads.as_array().unwrap().len(),
            if installed { 2 } else { 1 },
            "{moment:?}: all of it or nothing, {heads}"
        );
        let again = install(&device, &file, if installed { 3 } else { 0 });
        assert_eq!(again["reasons"][0] == "in_service", installed, "{moment:?}: {again}");
    }
    assert!(killed > 0, "no moment was within an install");
}
