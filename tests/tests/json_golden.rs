//! Every JSON output has one example in `tests/golden/`: documentation for whoever parses it, and a promise. Compared are
//! keys, types, and tokens, not numbers. `UPDATE_GOLDEN=1` writes the examples anew; a changed one is a changed contract.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use acclimate_tests::broker::{self, Broker};
use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::line::{Plugged, swing};
use acclimate_tests::picture;
use acclimate_tests::program::Running;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAckReason, Publish};
use serde_json::Value;

use crate::adjust::dark;

/// Keys whose values are words of the contract; everything else that is a string may differ.
const TOKENS: [&str; 5] = ["head", "media", "origin", "status", "verdict"];

/// A device whose task has a head in service that nobody doubts.
pub(crate) fn adapted() -> Device {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 12, 1));
    let _ = device.run(["adapt", "parts"]).expect(0);
    device
}

/// Adds pictures of one class under the other's name: fewer than it has, so that the majority is still right.
pub(crate) fn contradicted(device: &Device) {
    let folder = device.draw("contradicting", 6, 5).join(picture::CLASSES[0]);
    let add = ["add".as_ref(), "parts".as_ref(), folder.as_os_str(), "--label".as_ref(), picture::CLASSES[1].as_ref()];
    let _ = device.run(add).expect(0);
}

#[test]
fn every_json_output_is_like_its_example() {
    let device = Device::new();
    let mut golden = Golden::default();
    golden.check(&device, 0, "init", &["init", "parts", "--backbone", "builtin-picture-1"]);
    golden.check(&device, 4, "adapt-not-enough-samples", &["adapt", "parts"]);

    let folder = device.draw("first", 12, 1);
    let folder = folder.to_str().unwrap();
    fs::write(device.path("first/broken.png"), b"").unwrap();
    golden.check(&device, 1, "add", &["add", "parts", folder, "--labels-from-folders"]);
    fs::remove_file(device.path("first/broken.png")).unwrap();
    // Named: on drawings several kinds are as good as one another, and which is best may hang on the engine.
    let ridge = ["adapt", "parts", "--head", "ridge"];
    let _ = device.run(ridge).expect(0);
    device.add_folders(&device.draw("second", 3, 2));
    golden.check(&device, 0, "adapt-activated", &ridge);
    golden.check(&device, 0, "tune", &["tune", "parts", "--dry-run"]);
    golden.check(&device, 0, "task-list", &["task", "list"]);

    let test = device.draw("test", 3, 9);
    golden.check(&device, 0, "drift", &["drift", "parts", test.to_str().unwrap()]);
    golden.check(&device, 3, "adjust-rejected", &["adjust", "parts", test.to_str().unwrap()]);
    let elsewhere = device.copy();
    let dark = dark(&elsewhere, "dark", 12, 3);
    golden.check(&elsewhere, 0, "adjust-activated", &["adjust", "parts", dark.to_str().unwrap()]);
    golden.check(&device, 0, "evaluate", &["evaluate", "parts", test.to_str().unwrap()]);
    let broken = device.file("ask/broken.png", b"");
    let ask = device.file("ask/one.png", &picture::draw(1, 9));
    golden.check(&device, 1, "classify", &["classify", "parts", ask.to_str().unwrap(), broken.to_str().unwrap()]);
    let covered = ["classify", "parts", ask.to_str().unwrap(), "--coverage", "0.8"];
    golden.check(&device, 0, "classify-coverage", &covered);

    let samples = golden.check(&device, 0, "sample-list", &["sample", "list", "parts"]);
    let sample = samples[0]["sample"].as_str().unwrap();
    golden.check(&device, 0, "label", &["label", "parts", sample, "stripes"]);
    let suspects = golden.check(&device, 0, "sample-list-suspect", &["sample", "list", "parts", "--suspect"]);
    assert_eq!((&suspects[0]["sample"], &suspects[0]["looks_like"]), (&samples[0]["sample"], &samples[0]["label"]));
    golden.check(&device, 0, "label-remove", &["label", "parts", sample, "--remove"]);
    let useful =
        golden.check(&device, 0, "sample-list-most-useful", &["sample", "list", "parts", "--most-useful", "3"]);
    assert_eq!((useful.as_array().map(Vec::len), &useful[0]["sample"]), (Some(1), &samples[0]["sample"]));
    golden.check(&device, 0, "sample-show", &["sample", "show", "parts", sample]);

    let file = device.path("exported.head");
    let file = file.to_str().unwrap();
    golden.check(&device, 0, "head-list", &["head", "list", "parts"]);
    golden.check(&device, 0, "head-show", &["head", "show", "parts"]);
    golden.check(&device, 0, "head-export", &["head", "export", "parts", "--output", file]);
    let onnx = device.path("exported.onnx");
    golden.check(&device, 0, "head-export-onnx", &["head", "export", "parts", "--onnx", onnx.to_str().unwrap()]);
    let samples = device.path("samples.npz");
    golden.check(&device, 0, "sample-export", &["sample", "export", "parts", samples.to_str().unwrap()]);
    golden.check(&device, 0, "audit", &["audit", "parts"]);
    golden.check(&Device::with_task(), 0, "head-import", &["head", "import", "parts", file]);
    golden.check(&device, 0, "head-activate", &["head", "activate", "parts", "1"]);
    golden.check(&device, 0, "head-rollback", &["head", "rollback", "parts"]);

    golden.check(&device, 0, "key-generate", &["key", "generate"]);
    golden.check(&device, 0, "key-show", &["key", "show"]);
    let signed = device.path("parts.signed");
    let signed = signed.to_str().unwrap();
    golden.check(&device, 0, "head-export-signed", &["head", "export", "parts", "--signed", signed]);
    let other = Device::with_task();
    golden.check(&other, 3, "head-install-rejected", &["head", "install", "parts", signed]);
    let key = device.run(["key", "show"]).expect(0).stdout;
    golden.check(&other, 0, "key-trust", &["key", "trust", "press-7", key.trim()]);
    golden.check(&other, 0, "key-list", &["key", "list"]);
    golden.check(&other, 0, "head-install", &["head", "install", "parts", signed]);
    golden.check(&other, 0, "head-list-installed", &["head", "list", "parts"]);
    golden.check(&other, 0, "key-distrust", &["key", "distrust", "press-7"]);

    contradicted(&device);
    golden.check(&device, 3, "adapt-rejected", &ridge);
    golden.check(&device, 0, "forget-plan", &["forget", "parts", sample]);
    golden.check(&device, 0, "forget", &["forget", "parts", sample, "--yes"]);

    golden.check(&device, 0, "model-list", &["model", "list"]);
    golden.check(&device, 0, "model-pull", &["model", "pull", "builtin-picture-1"]);
    let mine = fs::read(acclimate_tests::checkout().join("runtime/backbone/tests/models/tiny.onnx")).unwrap();
    let mine = device.file("mine.onnx", &mine);
    golden.check(&device, 0, "model-add", &["model", "add", mine.to_str().unwrap()]);
    let before = device.digest();
    golden.check(&device, 0, "model-compare", &["model", "compare", "parts", "mine"]);
    assert_eq!(device.digest(), before, "the task is not touched");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/builtin/builtin-picture-1.onnx");
    golden.check(&device, 0, "model-inspect", &["model", "inspect", model.to_str().unwrap()]);
    golden.check(&device, 0, "doctor", &["doctor", "--checksums"]);
    golden.check(&device, 0, "camera-list", &["camera", "list"]);
    let right = device.file("acclimate.toml", b"[device]\nid = \"press-7\"\n");
    let right = right.to_str().unwrap();
    golden.check(&device, 0, "config-check", &["config", "check", right]);
    let wrong = device.file("wrong.toml", b"[htp]\n[[source]]\nname = \"yard\"\nkind = \"kamera\"\n");
    golden.check(&device, 1, "config-check-wrong", &["config", "check", wrong.to_str().unwrap()]);
    golden.check(&device, 0, "config-show", &["--config", right, "config", "show"]);
    let broker = Broker::start(|event| match event {
        broker::Event::Published(..) => vec![broker::Do::Acknowledge(PubAckReason::Success)],
        broker::Event::Subscribed(filters) if filters[0].ends_with("/status") => {
            let status = Publish::new("acclimate/press-7/status", QoS::AtMostOnce, "online", None);
            vec![broker::Do::Send(Box::new(status))]
        }
        _ => Vec::new(),
    });
    let mqtt = device.file("mqtt.toml", format!("[device]\nid = \"press-7\"\n{}", broker.section()).as_bytes());
    golden.check(&device, 0, "mqtt-test", &["--config", mqtt.to_str().unwrap(), "mqtt", "test"]);
    golden.check(&device, 0, "mqtt-discover", &["--config", mqtt.to_str().unwrap(), "mqtt", "discover"]);
    golden.check(&device, 0, "bench", &["bench", "--pictures", "10"]);
    let cases = ["--head", "ridge", "--samples", "50", "--samples", "60", "--dim", "160", "--classes", "2"];
    golden.check(&device, 0, "bench-fit", &[&["bench", "fit", "--alone"], &cases[..]].concat());
    golden.check(&device, 0, "bench-daemon", &["bench", "daemon", "--frames", "100", "--samples", "30"]);
    golden.check(&device, 0, "demo", &["demo"]);

    let watched = Device::with_task();
    let pictures = watched.draw("replay", 3, 1).join("disc");
    let pictures = pictures.display();
    let config = format!("[[source]]\nname = \"belt\"\nkind = \"replay\"\npath = \"{pictures}\"\nevery = \"50ms\"\n");
    let mut daemon = Daemon::start(&watched, &watched.file("site.toml", config.as_bytes()));
    daemon.wait_until(|view| {
        view["tasks"][0]["extractor"].is_string() && view["tasks"][0]["looks"][0]["milliseconds"].is_number()
    });
    golden.check(&watched, 0, "status", &["status"]);
    golden.check(&watched, 0, "sense", &["sense", "belt"]);
    let _ended = daemon.end().expect(0);
    golden.finish();
}

#[test]
fn every_json_output_of_lines_is_like_its_example() {
    let device = Device::new();
    let mut golden = Golden::default();
    golden.check(&device, 0, "serial-list", &["serial", "list"]);
    let (link, file) = (device.path("port"), swing(&device, "walk.csv", 2.0, 400));
    let (port, output) = (link.to_str().unwrap(), device.path("heard.csv"));
    let plugged = Plugged::replay(&device, &link, std::slice::from_ref(&file), &["--rate-hz", "200", "--repeat"]);
    golden.check(&device, 0, "serial-watch", &["serial", "watch", port, "--seconds", "3"]);
    let record = ["serial", "record", port, "--output", output.to_str().unwrap(), "--readings", "100"];
    golden.check(&device, 0, "serial-record", &record);
    plugged.unplug();
    let replay = ["serial", "replay", file.to_str().unwrap(), "--rate-hz", "1000"];
    golden.check(&device, 0, "serial-replay", &replay);
    golden.finish();
}

#[derive(Default)]
struct Golden {
    differences: Vec<String>,
}

impl Golden {
    /// Runs a command with `--json`, compares what it prints with the example, and returns it.
    #[track_caller]
    fn check(&mut self, device: &Device, code: i32, name: &str, arguments: &[&str]) -> Value {
        let finished = Running::start(device.command(arguments).arg("--json")).wait().expect(code);
        // One result per input is JSON Lines; their example is an array of the lines.
        let lines = finished.json_lines();
        let several = matches!(arguments[0], "add" | "classify") || arguments.starts_with(&["serial", "watch"]);
        let printed = if several { Value::Array(lines) } else { finished.json() };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.json"));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            write(&path, device, &printed);
        }
        match fs::read_to_string(&path) {
            Ok(example) => {
                let example =
                    serde_json::from_str(&example).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                compare(name, &example, &printed, &mut self.differences);
            }
            Err(error) => self.differences.push(format!("{}: {error}", path.display())),
        }
        printed
    }

    fn finish(self) {
        assert!(self.differences.is_empty(), "UPDATE_GOLDEN=1 writes them anew:\n{}", self.differences.join("\n"));
    }
}

/// Writes an example, with the paths of this machine replaced, and of several like results the first of each kind.
fn write(path: &PathBuf, device: &Device, printed: &Value) {
    let mut example = printed.clone();
    if let Some(several) = example.as_array_mut() {
        let mut kinds = HashSet::new();
        several.retain(|one| {
            let keys: Vec<String> = one.as_object().into_iter().flat_map(|one| one.keys().cloned()).collect();
            kinds.insert((one["status"].to_string(), keys))
        });
    }
    let text = serde_json::to_string_pretty(&example).unwrap();
    let root = device.data_dir();
    let root = root.parent().unwrap().to_str().unwrap();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap();
    let text = text.replace(root, "/home/user").replace(checkout, "/home/user/acclimate");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text + "\n").unwrap();
}

/// Notes where `found` is not like `example`. `null` is like anything: what is absent has no type.
fn compare(place: &str, example: &Value, found: &Value, differences: &mut Vec<String>) {
    match (example, found) {
        (Value::Object(expected), Value::Object(got)) => {
            for key in expected.keys().filter(|key| !got.contains_key(*key)) {
                differences.push(format!("{place}.{key}: missing"));
            }
            for (key, value) in got {
                let place = format!("{place}.{key}");
                match expected.get(key) {
                    None => differences.push(format!("{place}: not in the example")),
                    Some(token) if TOKENS.contains(&key.as_str()) && token.is_string() && token != value => {
                        differences.push(format!("{place}: {value}, expected {token}"));
                    }
                    Some(expected) => compare(&place, expected, value, differences),
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            for (index, value) in got.iter().enumerate() {
                // Like any of the examples is enough: results of one kind differ by status.
                let tries = expected.iter().map(|expected| {
                    let mut differences = Vec::new();
                    compare(&format!("{place}[{index}]"), expected, value, &mut differences);
                    differences
                });
                differences.extend(tries.min_by_key(Vec::len).unwrap_or_default());
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (expected, got) => {
            if std::mem::discriminant(expected) != std::mem::discriminant(got) {
                differences.push(format!("{place}: {got}, expected something like {expected}"));
            }
        }
    }
}

#[test]
fn the_comparison_sees_keys_types_and_tokens() {
    let differences = |example: &str, found: &str| {
        let mut differences = Vec::new();
        compare("", &serde_json::from_str(example).unwrap(), &serde_json::from_str(found).unwrap(), &mut differences);
        differences.len()
    };
    let example = r#"{"a":1,"verdict":"activated","rows":[{"b":"x"}],"c":null}"#;
    assert_eq!(differences(example, r#"{"a":2.5,"verdict":"activated","rows":[{"b":"y"},{"b":"z"}],"c":1}"#), 0);
    assert_eq!(differences(example, r#"{"a":"2","verdict":"activated","rows":[],"c":1}"#), 1);
    assert_eq!(differences(example, r#"{"a":1,"verdict":"rejected","rows":[]}"#), 2);
    assert_eq!(differences(example, r#"{"a":1,"verdict":"activated","rows":[{"b":1},{"d":"x"}],"c":1,"e":0}"#), 4);
}
