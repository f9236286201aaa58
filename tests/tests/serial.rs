//! Devices on serial lines as a user has them, on pseudo-terminals: a sketch that prints numbers is watched, recorded, learnt and
//! answered. Unplugging stands in `replug`, speed in `fast`, recordings of persons in `persons`.

mod fast;
mod persons;
mod replug;

use std::path::{Path, PathBuf};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::line::{Plugged, swing};
use acclimate_tests::program::Running;
use serde_json::{Value, json};

/// A device with a task for windows of two channels and 32 readings.
pub(crate) fn device() -> Device {
    let device = Device::new();
    let init = ["init", "parts", "--backbone", "builtin-signal-1", "--channels", "2", "--length", "32"];
    let _ = device.run(init).expect(0);
    device
}

/// A configuration with one serial source at a link.
pub(crate) fn config(device: &Device, link: &Path, more: &str) -> PathBuf {
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"press\"\nkind = \"serial\"\ndevice = \"{}\"\nwindow = 32\n{more}",
        link.display()
    );
    device.file("acclimate.toml", text.as_bytes())
}

pub(crate) fn line(view: &Value) -> &Value {
    &view["sources"][0]["line"]
}

#[test]
fn what_a_sketch_prints_is_learnt_and_its_device_is_told_what_it_is() {
    let device = device();
    let link = device.path("port");
    let sink = "[[sink]]\ntask = \"parts\"\nkind = \"serial\"\nsource = \"press\"\n";
    let mut daemon = Daemon::start(&device, &config(&device, &link, sink));
    let view = daemon.wait_until(|view| view["sources"][0]["health"] == "lost");
    let reason = view["sources"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("is not there") && reason.contains("acclimate serial list"), "{reason}");
    assert!(view["degraded"][0].as_str().unwrap().contains("source `press` cannot be read"), "{view}");

    let recordings = [("slow", 2.0), ("fast", 5.0)].map(|(class, pitch)| {
        // Fifty windows, over and over: all of them are taught.
        let file = swing(&device, &format!("{class}.csv"), pitch, 1600);
        (class, vec![file])
    });
    for (class, files) in &recordings {
        let plugged = Plugged::replay(&device, &link, files, &["--rate-hz", "1000", "--repeat"]);
        daemon.wait_until(|view| view["sources"][0]["health"] == "running");
        let learnt = daemon.teach("press", class, 60);
        assert!(learnt["frames"].as_u64() >= Some(60), "{learnt}");
        plugged.unplug();
        daemon.wait_until(|view| view["sources"][0]["health"] == "lost");
    }
    // Two holds are two groups, and one of each class cannot be left out: the head is there all the same.
    daemon.wait_until(|view| view["tasks"][0]["generation"].is_u64());

    // A device is told once for each stable change, and the newest again when it is back.
    for (class, files) in &recordings {
        let plugged = Plugged::replay(&device, &link, files, &["--rate-hz", "500"]);
        let view = daemon.wait_until(|view| view["tasks"][0]["looks"][0]["stable"]["class"] == *class);
        assert_eq!(line(&view)["speaks"], "text", "{view}");
        let answers = plugged.end();
        assert_eq!(answers.last().map(String::as_str), Some(*class), "{answers:?}");
        assert!(answers.len() <= 2, "{answers:?}");
    }
    let view = daemon.wait_until(|view| line(view)["opened"] == 4);
    let (status, metrics) = daemon.get("/metrics");
    assert_eq!(status, 200);
    let readings = line(&view)["readings"].as_u64().unwrap();
    assert!(readings > 3200 && metrics.contains("acclimate_source_line_opened_total{source=\"press\"} 4"), "{metrics}");
    let (status, picture) = daemon.get("/api/v1/sources/press/frame");
    assert!(status == 200 && picture.starts_with("<svg"), "{picture}");
    let _ = daemon.end().expect(0);
}

#[test]
fn windows_that_do_not_fit_the_task_are_named_with_what_to_do() {
    let device = device();
    let link = device.path("port");
    let config = config(&device, &link, "stride = 16\nchannels = [1]\n");
    let mut daemon = Daemon::start(&device, &config);
    let file = swing(&device, "slow.csv", 2.0, 6400);
    let plugged = Plugged::replay(&device, &link, &[file], &["--rate-hz", "1000", "--repeat"]);
    daemon.wait_until(|view| view["sources"][0]["frames"].as_u64() > Some(2));
    let mut answer = Value::Null;
    // Whoever wants a sample of it is told what does not fit.
    let hold = |hold| json!({ "do": "teach", "task": "parts", "source": "press", "class": "a", "hold": hold });
    daemon.ask(&hold("begin"));
    let view = daemon.wait_until(|view| view["degraded"].as_array().is_some_and(|all| !all.is_empty()));
    answer["degraded"] = view["degraded"].clone();
    let why = answer["degraded"].to_string();
    assert!(why.contains("1 channels") && why.contains("`channels` of the source"), "{why}");
    plugged.unplug();
    let _ = daemon.end().expect(0);
}

#[test]
fn what_comes_is_watched_and_recorded_without_a_loss() {
    let device = device();
    let (link, file) = (device.path("port"), swing(&device, "slow.csv", 2.0, 700));
    let port = link.to_str().unwrap();
    let plugged = Plugged::replay(&device, &link, std::slice::from_ref(&file), &["--rate-hz", "200"]);
    let watched = device.run(["serial", "watch", port, "--seconds", "3", "--json"]).expect(0).json_lines();
    let last = watched.last().unwrap();
    let rate = last["line"]["rate_hz"].as_f64().unwrap();
    println!("{last}");
    assert!((150.0..250.0).contains(&rate), "measured on a busy machine: {last}");
    assert_eq!((last["newest"].as_array().unwrap().len(), &last["line"]["lost"]), (2, &json!(0)), "{last}");
    plugged.unplug();

    // Two recordings, and a gap between them: two files, and the very readings.
    let second = swing(&device, "fast.csv", 5.0, 321);
    let output = device.path("walk.csv");
    let record = ["serial", "record", port, "--output", output.to_str().unwrap(), "--readings", "1021", "--json"];
    let recorder = Running::start(&mut device.command(record));
    let plugged = Plugged::replay(&device, &link, &[file.clone(), second.clone()], &["--rate-hz", "0"]);
    let recorded = recorder.wait().expect(0).json();
    let _ = plugged.end();
    assert_eq!((&recorded["readings"], &recorded["lost"]), (&json!(1021), &json!(1)), "{recorded}");
    let numbers = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(|one: char| one == '-' || one.is_ascii_digit()));
        lines.flat_map(|line| line.split(',').map(|word| word.parse::<f32>().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&output), numbers(&file));
    assert_eq!(numbers(&device.path("walk-2.csv")), numbers(&second));
    let added = device.run(["add", "parts", output.to_str().unwrap(), "--label", "slow"]).expect(0);
    assert!(added.stdout.starts_with("parts: 21 added"), "{}", added.stdout);
    let again = device.run(record).expect(1);
    assert!(again.stderr.contains("could not begin the recording") && again.stderr.contains("walk.csv"), "{again:?}");
}

#[test]
fn a_device_from_which_nothing_comes_is_an_error_that_says_why() {
    let device = device();
    let cut = device.file("cut.csv", b"left,right\n1,2\n3\n");
    let (port, output) = (device.path("port"), device.path("walk.csv"));
    let (port, output) = (port.to_str().unwrap(), output.to_str().unwrap());
    let watch = ["serial", "watch", port, "--seconds", "1"];
    let record = ["serial", "record", port, "--output", output, "--seconds", "1"];
    for command in [&watch[..], &record[..]] {
        let refused = device.run(command).expect(1);
        let last = refused.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(port) && last.contains("within 1 s") && last.contains("is not there"), "{refused:?}");
    }
    assert!(!Path::new(output).exists());
    let refused = device.run(["serial", "replay", cut.to_str().unwrap()]).expect(1);
    assert!(refused.stderr.contains("line 3 of") && refused.stderr.contains("expected 2 numbers"), "{refused:?}");
}

#[test]
fn a_device_is_told_what_somebody_wants_it_told() {
    let device = device();
    let (link, file) = (device.path("port"), swing(&device, "slow.csv", 2.0, 2000));
    let port = link.to_str().unwrap();
    let plugged = Plugged::replay(&device, &link, &[file], &["--rate-hz", "500"]);
    let send = |words: &[&str]| device.run(["serial", "send", port].iter().chain(words));
    let _ = send(&["--class", "worn belt"]).expect(0);
    let _ = send(&["--label-wanted"]).expect(0);
    let _ = send(&["--class", "x", "--unknown", "--speaks", "text"]).expect(0);
    let _ = send(&["--line", "led on"]).expect(0);
    let _ = send(&[]).expect(2);
    assert_eq!(plugged.end(), ["worn belt", "!", "?", "led on"]);
    let gone = send(&["--line", "x"]).expect(1);
    assert!(gone.stderr.contains("is not there"), "{gone:?}");
}

#[test]
fn a_port_is_nobody_elses_and_who_holds_it_is_said() {
    let device = device();
    let (link, file) = (device.path("port"), swing(&device, "slow.csv", 2.0, 100));
    let port = link.to_str().unwrap();
    let plugged = Plugged::replay(&device, &link, &[file], &["--rate-hz", "100", "--repeat"]);
    let mut daemon = Daemon::start(&device, &config(&device, &link, ""));
    daemon.wait_until(|view| view["sources"][0]["health"] == "running");
    let refused = device.run(["serial", "send", port, "--line", "x"]).expect(1);
    let holder = format!("{} (acclimate)", daemon.id());
    assert!(refused.stderr.contains("could not open") && refused.stderr.contains(&holder), "{refused:?}");
    plugged.unplug();
    let _ = daemon.end().expect(0);
}

#[test]
fn raw_recordings_are_the_bytes_as_they_came() {
    let device = device();
    let link = device.path("port");
    let bytes: Vec<u8> = (0..3000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (file, output) = (device.file("bytes", &bytes), device.path("copy"));
    let port = link.to_str().unwrap();
    let record = ["serial", "record", port, "--output", output.to_str().unwrap(), "--raw", "--seconds", "4"];
    let recorder = Running::start(&mut device.command(record));
    let plugged = Plugged::replay(&device, &link, &[file], &["--raw"]);
    let _ = plugged.end();
    let _ = recorder.wait().expect(0);
    assert_eq!(std::fs::read(output).unwrap(), bytes);
}
