//! As fast as a pseudo-terminal gives: eight devices at once, and nothing is lost.

use std::fmt::Write as _;
use std::time::Instant;

use acclimate_tests::daemon::Daemon;
use acclimate_tests::line::{Plugged, swing};
use acclimate_tests::program::Running;
use acclimate_tests::skip::soak;
use serde_json::{Value, json};

use super::device;

/// Megabytes a second of one line, on a machine that has nothing else to do.
const MEGABYTES: f64 = 2.0;

#[test]
fn eight_devices_at_once_lose_nothing() {
    const DEVICES: usize = 8;
    let device = device();
    let readings = if soak() { 400_000 } else { 20_000 };
    let file = swing(&device, "much.csv", 2.0, readings);
    let bytes = std::fs::metadata(&file).unwrap().len();
    let mut text = String::from("[http]\nlisten = \"127.0.0.1:0\"\n");
    let link = |number: usize| device.path(format!("port-{number}"));
    for number in 0..DEVICES {
        let at = link(number).display().to_string();
        let _ = writeln!(text, "[[source]]\nname = \"p{number}\"\nkind = \"serial\"\ndevice = \"{at}\"\nwindow = 32");
    }
    let config = device.file("acclimate.toml", text.as_bytes());
    let mut daemon = Daemon::start(&device, &config);
    let began = Instant::now();
    let plugged: Vec<Plugged> = (0..DEVICES)
        .map(|number| Plugged::replay(&device, &link(number), std::slice::from_ref(&file), &["--rate-hz", "0"]))
        .collect();
    for plugged in plugged {
        let _ = plugged.end();
    }
    let seconds = began.elapsed().as_secs_f64();
    let whole = |view: &Value| {
        let sources = view["sources"].as_array().unwrap();
        sources.iter().all(|source| source["line"]["readings"] == json!(readings))
    };
    let view = daemon.wait_until(whole);
    println!("{DEVICES} devices: {:.2} MB/s together", DEVICES as f64 * bytes as f64 / seconds / 1e6);
    for source in view["sources"].as_array().unwrap() {
        let line = &source["line"];
        assert_eq!((&line["lost"], &line["unreadable"]), (&json!(0), &json!(0)), "{source}");
        assert_eq!(line["windows"], json!(readings / 32), "{source}");
    }
    let _ = daemon.end().expect(0);
}

#[test]
fn one_line_is_read_as_fast_as_it_gives() {
    let device = device();
    let readings = if soak() { 2_000_000 } else { 100_000 };
    let (link, file) = (device.path("port"), swing(&device, "much.csv", 2.0, readings));
    let output = device.path("copy.csv");
    let words = ["--readings", &readings.to_string(), "--json"];
    let record = ["serial", "record", link.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let recorder = Running::start(&mut device.command(record.iter().chain(&words)));
    let began = Instant::now();
    let plugged = Plugged::replay(&device, &link, &[file], &["--rate-hz", "0"]);
    let recorded = recorder.wait().expect(0).json();
    let seconds = began.elapsed().as_secs_f64();
    let _ = plugged.end();
    let speed = recorded["bytes"].as_f64().unwrap() / seconds / 1e6;
    println!("one line: {speed:.2} MB/s, {recorded}");
    assert_eq!((&recorded["readings"], &recorded["lost"]), (&json!(readings), &json!(0)));
    assert!(!soak() || speed >= MEGABYTES, "{speed}");
}
