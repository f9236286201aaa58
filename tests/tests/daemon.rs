//! The daemon from outside: taught through its socket, answering, going back, ended and killed.
//!
//! Killed at 20 moments here, at 500 in `cargo xtask soak kill-daemon`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use acclimate_tests::daemon::{Daemon, Socket};
use acclimate_tests::device::Device;
use acclimate_tests::picture;
use acclimate_tests::skip::soak;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Two sources that show one class each, over and over, and a task that looks at both.
pub(crate) fn config(device: &Device) -> PathBuf {
    let pictures = device.draw("replay", 30, 1);
    let source = |class: &str| {
        let folder = pictures.join(class).display().to_string();
        format!("[[source]]\nname = \"{class}\"\nkind = \"replay\"\npath = \"{folder}\"\nevery = \"20ms\"\n")
    };
    let http = "[http]\nlisten = \"127.0.0.1:0\"\n";
    let text = format!("{http}{}{}[[task]]\nname = \"parts\"\n", source("disc"), source("stripes"));
    device.file("acclimate.toml", text.as_bytes())
}

fn look<'a>(view: &'a Value, source: &str) -> &'a Value {
    let looks = view["tasks"][0]["looks"].as_array().unwrap();
    looks.iter().find(|look| look["source"] == source).unwrap()
}

fn says(view: &Value, source: &str, class: &str) -> bool {
    look(view, source)["stable"]["class"] == class
}

#[test]
fn a_daemon_is_taught_two_classes_answers_goes_back_and_goes_on_after_a_restart() {
    let device = Device::new();
    let config = config(&device);
    let mut daemon = Daemon::start(&device, &config);
    let empty = device.digest();

    let first = daemon.teach("disc", "disc", 12);
    assert_eq!(first["adaptation"]["verdict"], "not_enough_samples", "{first}");
    assert_eq!(first["digest_before"], empty.as_str());
    let one_class = device.digest();
    assert_eq!(first["digest_after"], one_class.as_str());

    let second = daemon.teach("stripes", "stripes", 12);
    assert_eq!(second["adaptation"]["verdict"], "activated", "{second}");
    let two_classes = device.digest();
    assert_eq!(second["digest_before"], one_class.as_str());
    assert_eq!(second["digest_after"], two_classes.as_str());
    eprintln!("learnt from {} frames in {} ms", second["frames"], second["milliseconds"]);
    let view = daemon.wait_until(|view| says(view, "disc", "disc") && says(view, "stripes", "stripes"));
    assert_eq!(view["tasks"][0]["generation"].as_u64(), Some(device.in_service()[0]));
    let classified = daemon.ask(&json!({ "do": "classify", "task": "parts", "source": "disc" }));
    assert_eq!(classified["prediction"]["class"], "disc");

    // The same numbers as on the command line: what the daemon fitted is fitted again, and judged, to the bit.
    let audit = device.json(["audit", "parts"]);
    assert_eq!(audit["reproduced"], true, "{audit}");

    // The command line acts on the daemon's store, and says so.
    let adapted = device.run(["adapt", "parts"]);
    assert!(matches!(adapted.code, Some(0 | 3)) && adapted.stderr.contains("acclimate.sock"), "{adapted:?}");
    let more = device.draw("more", 2, 7);
    let added = device.run(["add".as_ref(), "parts".as_ref(), more.as_os_str(), "--labels-from-folders".as_ref()]);
    let added = added.expect(0);
    assert!(added.stdout.contains("parts: 4 added") && added.stderr.contains("acclimate.sock"), "{added:?}");
    let sample =
        device.json(["sample", "list", "parts", "--class", "stripes"])[0]["sample"].as_str().unwrap().to_owned();
    let before = device.digest();
    let labelled = device.run(["label", "parts", &sample, "disc"]).expect(0);
    assert!(labelled.stderr.contains("acclimate.sock"));
    assert_ne!(device.digest(), before);
    let status = device.run(["status"]).expect(0).stdout;
    assert!(status.contains("task parts") && status.contains("source disc"), "{status}");

    // Back, step by step: the label, then the second class, then the first.
    let undo = json!({ "do": "undo", "task": "parts" });
    assert_eq!(daemon.ask(&undo)["digest_after"], before.as_str());
    let ids = device.json(["sample", "list", "parts"]);
    let added_ids: Vec<&str> = ids
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["source"].as_str().unwrap().contains("more"))
        .map(|s| s["sample"].as_str().unwrap())
        .collect();
    daemon.ask(&json!({ "do": "forget", "task": "parts", "samples": added_ids }));
    assert_eq!(device.digest(), two_classes);
    let undone = daemon.ask(&undo);
    assert_eq!(
        (undone["digest_before"].as_str(), undone["digest_after"].as_str()),
        (Some(&*two_classes), Some(&*one_class))
    );
    assert_eq!(undone["generation"], Value::Null);
    assert!(device.in_service().is_empty());
    assert_eq!(daemon.ask(&undo)["digest_after"], empty.as_str());

    // Taught again, ended, started again: it answers.
    daemon.teach("disc", "disc", 12);
    assert_eq!(daemon.teach("stripes", "stripes", 12)["adaptation"]["verdict"], "activated");
    let taught = device.digest();
    let ended = daemon.end().expect(0);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
    assert!(!device.data_dir().join("acclimate.sock").exists());
    assert_eq!(device.digest(), taught);
    let mut daemon = Daemon::start(&device, &config);
    daemon.wait_until(|view| says(view, "disc", "disc") && says(view, "stripes", "stripes"));
    daemon.signal("HUP");
    daemon.wait_until(|view| says(view, "disc", "disc"));
    let _ended = daemon.end().expect(0);
}

#[test]
fn a_source_on_request_gives_a_frame_when_it_is_asked_and_while_a_class_is_held() {
    let device = Device::new();
    let text = fs::read_to_string(config(&device)).unwrap();
    let on_request = text.replace("every = \"20ms\"", "trigger = \"request\"");
    let mut daemon = Daemon::start(&device, &device.file("acclimate.toml", on_request.as_bytes()));
    let view = daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    assert_eq!((&view["sources"][0]["frames"], &view["sources"][0]["on_request"]), (&json!(0), &json!(true)), "{view}");

    let sense = |source| json!({ "do": "sense", "source": source });
    let first = daemon.ask(&sense("disc"));
    assert_eq!((&first["source"], &first["said"][0]["task"]), (&json!("disc"), &json!("parts")), "{first}");
    assert_eq!(first["said"][0]["state"], Value::Null, "there is no head yet");
    let frames = |view: &Value, at: usize| view["sources"][at]["frames"].as_u64().unwrap();
    let view = daemon.status();
    assert_eq!((frames(&view, 0), frames(&view, 1)), (1, 0), "an ask is one frame: {view}");

    daemon.teach("disc", "disc", 12);
    let taught = daemon.teach("stripes", "stripes", 12);
    assert_eq!(taught["adaptation"]["verdict"], "activated", "{taught}");
    let again = daemon.ask(&sense("stripes"));
    assert_eq!(again["said"][0]["state"]["class"], "stripes", "{again}");
    let on_the_command_line = device.run(["sense", "disc"]).expect(0);
    assert!(on_the_command_line.stdout.contains("task parts: disc"), "{on_the_command_line:?}");
    let unknown = device.run(["sense", "attic"]).expect(1);
    assert!(unknown.stderr.contains("there is no source `attic`"), "{}", unknown.stderr);
    let _ended = daemon.end().expect(0);
}

#[test]
fn a_changed_configuration_is_taken_over_and_what_needs_a_restart_is_said() {
    let device = Device::new();
    let path = config(&device);
    let text = fs::read_to_string(&path).unwrap();
    let mut daemon = Daemon::start(&device, &path);
    daemon.wait_until(|view| view["tasks"][0]["looks"].as_array().map(Vec::len) == Some(2));
    let told = device.path("told");
    let sink = format!(
        "from = [{{ source = \"disc\", crop = [0.25, 0.25, 0.5, 0.5] }}]\nagree = 1\n\
         [[sink]]\ntask = \"parts\"\nkind = \"command\"\nevents = [\"rejected\", \"adapted\", \"changed\"]\n\
         argv = [\"/bin/sh\", \"-c\", \"cat >> $0\", \"{}\"]\n[adapt]\nafter_labels = 4\nat_most_every = \"1s\"\n",
        told.display()
    );
    fs::write(&path, format!("{text}{sink}")).unwrap();
    daemon.signal("HUP");
    let view = daemon.wait_until(|view| view["tasks"][0]["looks"][0]["crop"].is_array());
    assert_eq!((view["tasks"][0]["looks"].as_array().unwrap().len(), &view["degraded"]), (1, &json!([])), "{view}");

    // The policy and the sink of the new one.
    let folder = device.draw("more", 8, 4);
    device.add_folders(&folder);
    daemon.wait_until(|view| view["tasks"][0]["generation"].is_number());
    daemon.wait_until(|_| fs::read_to_string(&told).is_ok_and(|told| told.contains("\"event\":\"adapted\"")));

    // What cannot be taken over shows until it is as it was again; what is wrong changes nothing.
    let other = format!("{text}{sink}").replace("[http]\n", "[http]\nnames = [\"press.example\"]\n");
    fs::write(&path, other).unwrap();
    daemon.signal("HUP");
    let view = daemon.wait_until(|view| view["degraded"] != json!([]));
    assert_eq!(view["degraded"], json!(["the configuration has changed: a change of [http] needs a restart"]));
    fs::write(&path, "[htp]\n").unwrap();
    daemon.signal("HUP");
    daemon.wait_until(|view| view["degraded"].to_string().contains("the configuration is wrong, and stays as it was"));
    fs::write(&path, format!("{text}{sink}")).unwrap();
    daemon.signal("HUP");
    daemon.wait_until(|view| view["degraded"] == json!([]));

    // One source changes, one goes, one comes.
    let sources = text
        .replace("name = \"stripes\"\nkind", "name = \"belt\"\nkind")
        .replace("every = \"20ms\"", "every = \"1ms\"");
    fs::write(&path, format!("{sources}{sink}")).unwrap();
    daemon.signal("HUP");
    let named = |view: &Value| -> Vec<String> {
        view["sources"].as_array().unwrap().iter().map(|source| source["name"].as_str().unwrap().to_owned()).collect()
    };
    let view = daemon.wait_until(|view| {
        named(view) == ["belt", "disc"]
            && view["sources"].as_array().unwrap().iter().all(|source| source["frames"].as_u64() > Some(9))
    });
    assert_eq!(view["degraded"], json!([]));
    let ended = daemon.end().expect(0);
    assert!(ended.stderr.contains("a change of [http] needs a restart"), "{}", ended.stderr);
}

#[test]
fn next_to_nothing_is_configured_and_it_runs() {
    let device = Device::with_task();
    // A port of its own: other tests run beside this one.
    let config = device.file("empty.toml", b"[http]\nlisten = \"127.0.0.1:0\"\n");
    let mut daemon = Daemon::start(&device, &config);
    let view = daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    assert_eq!(view["tasks"][0]["name"], "parts");
    assert_eq!(view["degraded"], json!([]));
    let second = device.run(["run", "--config", config.to_str().unwrap()]).expect(1);
    assert!(second.stderr.contains("acclimate run"), "{}", second.stderr);
    let _ended = daemon.end().expect(0);
    let none = device.run(["status"]).expect(1);
    assert!(none.stderr.contains("no daemon runs"), "{}", none.stderr);
}

/// What a daemon acknowledged: samples, and the label that each was acknowledged with last.
type Acknowledged = BTreeMap<String, String>;

#[test]
fn kill_daemon_whatever_was_acknowledged_is_there_after_kill_9() {
    let rounds = if soak() { 500 } else { 20 };
    let seed = 0xACC2;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let device = Device::new();
    let config = config(&device);
    let mut daemon = Daemon::start(&device, &config);
    daemon.teach("disc", "disc", 10);
    daemon.teach("stripes", "stripes", 10);
    let _ended = daemon.end().expect(0);

    let (mut acknowledged, mut killed, mut learnt, mut slowest) = (Acknowledged::new(), 0, 0, Duration::ZERO);
    for round in 0..rounds {
        let start = Instant::now();
        let mut daemon = Daemon::start(&device, &config);
        // Not every time, so that others are killed before.
        if round % 5 == 1 {
            daemon.wait_until(|view| look(view, "disc")["now"].is_object());
            slowest = slowest.max(start.elapsed());
        }
        let socket = Socket::connect(&device).unwrap();
        let (acknowledges, acknowledging) = mpsc::channel();
        let busy = std::thread::spawn({
            let known: Vec<String> = acknowledged.keys().cloned().collect();
            move || keep_busy(socket, round, &known, &acknowledges)
        });
        // However slow the machine is: every other time not before something was acknowledged.
        if round % 2 == 0 {
            acknowledging.recv().unwrap();
        }
        let moment = start.elapsed() + Duration::from_millis(random.random_range(0..1300));
        let (_, was_killed) = daemon.kill_after(moment);
        killed += u32::from(was_killed);
        let (said, adaptations) = busy.join().unwrap();
        learnt += adaptations;
        let round = format!("seed {seed:#x}, round {round}, killed after {moment:?}");
        check(&device, &mut acknowledged, said, &round);
    }
    let samples = acknowledged.len();
    eprintln!("killed {killed} of {rounds}; {samples} samples acknowledged, {learnt} adaptations");
    eprintln!("it answered again within {slowest:.2?} of its start");
    assert!(killed == rounds as u32 && acknowledged.len() >= rounds / 2, "{killed}, {}", acknowledged.len());
    let mut daemon = Daemon::start(&device, &config);
    daemon.wait_until(|view| look(view, "disc")["now"].is_object());
    let _ended = daemon.end().expect(0);
}

/// Adds, labels, teaches and adapts until the daemon is gone; what it acknowledged, in order, and how often it adapted.
fn keep_busy(
    mut socket: Socket,
    round: usize,
    known: &[String],
    acknowledges: &Sender<()>,
) -> (Vec<(String, String)>, usize) {
    let (mut said, mut adaptations) = (Vec::new(), 0);
    for step in 0_u64.. {
        let class = (step % 2) as usize;
        let label = picture::CLASSES[class];
        let bytes = picture::draw(class, 1_000_000 + 10_000 * round as u64 + step);
        let Some(answer) = socket.add("outside", label, &bytes) else { break };
        if let Some(id) = answer["added"]["sample"].as_str() {
            said.push((id.to_owned(), label.to_owned()));
            let _ = acknowledges.send(());
        }
        if let Some(id) = known.get(step as usize) {
            let other = picture::CLASSES[(step + round as u64) as usize % 2];
            let asked = json!({ "do": "label", "task": "parts", "samples": [id], "label": other });
            let Some(answer) = socket.command(&asked) else { break };
            if answer["reply"]["done"].is_string() {
                said.push((id.clone(), other.to_owned()));
            }
        }
        let rest = match step % 4 {
            0 => json!({ "do": "adapt", "task": "parts" }),
            1 => json!({ "do": "teach", "task": "parts", "source": "disc", "class": "disc", "hold": "begin" }),
            2 => json!({ "do": "teach", "task": "parts", "source": "disc", "class": "disc", "hold": "end" }),
            _ => continue,
        };
        let Some(answer) = socket.command(&rest) else { break };
        adaptations += usize::from(answer["reply"]["adaptation"].is_object());
    }
    (said, adaptations)
}

/// What the round before said no more counts where this round asked for another label that was never acknowledged.
fn check(device: &Device, acknowledged: &mut Acknowledged, said: Vec<(String, String)>, round: &str) {
    let relabelled: Vec<String> = said.iter().map(|(id, _)| id.clone()).collect();
    let samples = device.json(["sample", "list", "parts"]);
    let stored: Acknowledged = samples
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| {
            let label = sample["label"].as_str().unwrap_or_default().to_owned();
            (sample["sample"].as_str().unwrap().to_owned(), label)
        })
        .collect();
    for (id, label) in said {
        acknowledged.insert(id, label);
    }
    for (id, label) in acknowledged.iter() {
        let found = stored.get(id).unwrap_or_else(|| panic!("{round}: sample {id} was acknowledged and is lost"));
        if relabelled.contains(id) {
            assert_eq!(found, label, "{round}: the label of {id} was acknowledged and is lost");
        }
    }
    // A label that was under way when it was killed may be there without having been acknowledged.
    for (id, label) in acknowledged.iter_mut() {
        label.clone_from(&stored[id]);
    }
    let in_service = device.in_service();
    assert_eq!(in_service.len(), 1, "{round}: {in_service:?}");
}
