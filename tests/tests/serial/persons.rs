//! Recordings of persons who move, replayed down a line, recorded from it and learnt: what comes is what was sent, and what is learnt
//! is as good as scikit-learn's on the same features, on persons who taught nothing. Two splits here, all in
//! `cargo xtask soak serial`.

use std::fmt::Write as _;
use std::path::PathBuf;

use acclimate_tests::device::Device;
use acclimate_tests::line::Plugged;
use acclimate_tests::program::Running;
use acclimate_tests::signals::{Signals, reference};
use acclimate_tests::skip::{assets, soak};
use acclimate_tests::table::Mean;

/// How far the mean accuracy may be below that of the better of scikit-learn's classifiers.
const BELOW: f64 = 0.02;

#[test]
fn gestures_that_came_over_a_line_are_learnt_as_well_as_scikit_learn_learns_them() {
    let Some(assets) = assets() else { return };
    over_a_line("magic-wand", &Signals::wand(&assets));
}

#[test]
fn activities_that_came_over_a_line_are_learnt_as_well_as_scikit_learn_learns_them() {
    let Some(assets) = assets() else { return };
    over_a_line("wharf-imu", &Signals::wharf(&assets));
}

fn over_a_line(data: &str, signals: &Signals) {
    let heard = heard(signals);
    let splits = heard.splits();
    let splits = if soak() { &splits[..] } else { &splits[..1] };
    let accuracies: Vec<f64> = splits
        .iter()
        .map(|split| {
            let learnt = heard.learn(&heard.device(), split);
            println!("{data}, split {}: {learnt:?}", split.seed);
            learnt.test
        })
        .collect();
    let theirs = &reference(data, "builtin-signal-1")[..splits.len()];
    let [ours, theirs] = [&accuracies[..], theirs].map(|accuracies| Mean::of(accuracies.iter().copied()));
    println!("{data} over a line: accuracy {ours}, scikit-learn's on the same features {theirs}");
    let below = if soak() { BELOW } else { 3.0 * BELOW };
    assert!(ours.mean >= theirs.mean - below, "{} and {}", ours.mean, theirs.mean);
}

/// The recordings as they are after a line: each is a file of its own, for between two there is a gap.
fn heard(signals: &Signals) -> Signals {
    let device = Device::new();
    let file = |(number, recording): (usize, &acclimate_tests::signals::Recording)| {
        let mut text = String::new();
        for [x, y, z] in &recording.readings {
            let _ = writeln!(text, "{x},{y},{z}");
        }
        device.file(format!("sent/{number:04}.csv"), text.as_bytes())
    };
    let sent: Vec<PathBuf> = signals.recordings().iter().enumerate().map(file).collect();
    let all: usize = signals.recordings().iter().map(|recording| recording.readings.len()).sum();
    let (link, output) = (device.path("port"), device.path("heard.csv"));
    let words = ["--readings", &all.to_string(), "--json"];
    let record = ["serial", "record", link.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let recorder = Running::start(&mut device.command(record.iter().chain(&words)));
    let plugged = Plugged::replay(&device, &link, &sent, &["--rate-hz", "0"]);
    let recorded = recorder.wait().expect(0).json();
    let _ = plugged.end();
    let files = recorded["files"].as_array().unwrap();
    assert_eq!(files.len(), sent.len(), "{} lost", recorded["lost"]);
    let read = |path: &str| -> Vec<[f64; 3]> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(['#', 'c']));
        lines
            .map(|line| {
                let numbers: Vec<f64> = line.split(',').map(|word| word.parse().unwrap()).collect();
                numbers.try_into().unwrap()
            })
            .collect()
    };
    let heard = signals.with_readings(files.iter().map(|file| read(file.as_str().unwrap())));
    for (sent, heard) in signals.recordings().iter().zip(heard.recordings()) {
        let single = |readings: &[[f64; 3]]| -> Vec<[u32; 3]> {
            readings.iter().map(|reading| reading.map(|number| (number as f32).to_bits())).collect()
        };
        assert!(single(&sent.readings) == single(&heard.readings), "{} came otherwise", sent.name);
    }
    heard
}
