//! Recordings of movement through the command line: WHARF (wrist, seven activities, 17 persons) and magic wand (gestures),
//! split by person into those who teach and those who test. Knows the assets' layout and what `adapt` and `evaluate` print.
//!
//! Invariant: a split depends on its seed and the manifest alone; `tests/reference/signals.py` makes the same ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::device::Device;

/// The manifest of `wharf-cnn1d`: the layer before its classifier.
const CNN: &str = r#"
name = "wharf-cnn1d"
licence = "LicenseRef-tests-only"
[file]
sha256 = "8de6f3dd4ff72507d13bdc808e35fec011c69eaef0af698ac5bc0e0c739f296e"
bytes = 137143
[input]
kind = "signal"
tensor = "input"
layout = "nlc"
channels = 3
length = 96
rate_hz = 32
unit = "g"
[feature]
tensor = "StatefulPartitionedCall/functional_1_1/feat_1/Relu:0"
dim = 64
signed = false
"#;

/// One recording, in g.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its file's name without ending.
    pub name: String,
    /// What it is of.
    pub class: String,
    /// Who moved.
    pub person: String,
    /// Three axes a reading.
    pub readings: Vec<[f64; 3]>,
}

/// A data set.
#[derive(Debug)]
pub struct Signals {
    /// Readings of a window.
    pub length: usize,
    /// Readings a second.
    pub rate_hz: f64,
    recordings: Vec<Recording>,
}

/// Who teaches and who tests.
#[derive(Debug)]
pub struct Split<'a> {
    /// What it was drawn with.
    pub seed: usize,
    /// To learn from.
    pub train: Vec<&'a Recording>,
    /// To be tested on.
    pub test: Vec<&'a Recording>,
}

impl Signals {
    /// WHARF: windows of three seconds; recordings shorter than that are left out.
    ///
    /// # Panics
    /// When it is not what its manifest says.
    pub fn wharf(assets: &Path) -> Self {
        let decode = |code: f64| code / 63.0 * 3.0 - 1.5;
        let recordings = read(&assets.join("data/wharf-imu"), ' ').into_iter().map(|recording| Recording {
            readings: recording.readings.iter().map(|reading| reading.map(decode)).collect(),
            ..recording
        });
        let recordings = recordings.filter(|recording| recording.readings.len() >= 96).collect();
        Self { length: 96, rate_hz: 32.0, recordings }
    }

    /// Magic wand: one window of 64 readings from the middle of a gesture, its last reading held where it is shorter; of
    /// the long recordings of no gesture at most 12 windows. Some files are in milli-g; one decimal of g is common to all.
    ///
    /// # Panics
    /// When it is not what its manifest says.
    pub fn wand(assets: &Path) -> Self {
        const LENGTH: usize = 64;
        let norm = |reading: &[f64; 3]| reading.iter().map(|number| number * number).sum::<f64>().sqrt();
        let recordings = read(&assets.join("data/magic-wand"), ',').into_iter().map(|mut recording| {
            let readings = &mut recording.readings;
            let milli = readings.iter().map(norm).sum::<f64>() > 100.0 * readings.len() as f64;
            let unit = if milli { 1000.0 } else { 1.0 };
            for number in readings.iter_mut().flatten() {
                *number = (*number / unit * 10.0).round() / 10.0;
            }
            match readings.len() {
                200.. => readings.truncate(12 * LENGTH),
                LENGTH.. => *readings = readings[(readings.len() - LENGTH) / 2..][..LENGTH].to_vec(),
                _ => readings.resize(LENGTH, readings[readings.len() - 1]),
            }
            recording
        });
        Self { length: LENGTH, rate_hz: 25.0, recordings: recordings.collect() }
    }

    /// The same with other readings, one list a recording in order.
    #[must_use]
    pub fn with_readings(&self, readings: impl Iterator<Item = Vec<[f64; 3]>>) -> Self {
        let recordings = self.recordings.iter().zip(readings);
        let recordings = recordings.map(|(recording, readings)| Recording { readings, ..recording.clone() });
        Self { recordings: recordings.collect(), ..*self }
    }

    /// All recordings.
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// The splits in which both parts have every class and at least 30 % of the windows.
    pub fn splits(&self) -> Vec<Split<'_>> {
        let persons: BTreeSet<&str> = self.recordings.iter().map(|recording| recording.person.as_str()).collect();
        let persons: Vec<&str> = persons.into_iter().collect();
        let n = persons.len();
        let classes = |part: &[&Recording]| part.iter().map(|one| one.class.as_str()).collect::<BTreeSet<_>>().len();
        let windows = |part: &[&Recording]| part.iter().map(|one| one.readings.len() / self.length).sum::<usize>();
        let split = |seed: usize| {
            let teaches = |index: usize| (index * 7 + seed * 3) % n < n / 2;
            let teaches = |person: &str| persons.iter().position(|&one| one == person).is_some_and(teaches);
            let (train, test): (Vec<_>, Vec<_>) =
                self.recordings.iter().partition(|recording| teaches(&recording.person));
            Split { seed, train, test }
        };
        let all = self.recordings.iter().collect::<Vec<_>>();
        let fair = |split: &Split<'_>| {
            let share = windows(&split.train) as f64 / windows(&all) as f64;
            [&split.train, &split.test].into_iter().all(|part| classes(part) == classes(&all))
                && (0.3..=0.7).contains(&share)
        };
        (0..n).map(split).filter(fair).collect()
    }

    /// A device with a task, `moves`, on the built-in backbone for signals, and no samples. Groups are persons.
    #[track_caller]
    pub fn device(&self) -> Device {
        let device = Device::new();
        let (length, rate) = (self.length.to_string(), self.rate_hz.to_string());
        let init = ["init", "moves", "--backbone", "builtin-signal-1", "--channels", "3", "--length", &length];
        let words = ["--rate-hz", &rate, "--unit", "g", "--group-by", "column"];
        let _ = device.run(init.into_iter().chain(words)).expect(0);
        device
    }

    /// The same on `wharf-cnn1d`, a small convolutional network of the assets that was trained on the volunteer f1.
    ///
    /// # Panics
    /// When the model is not there.
    #[track_caller]
    pub fn device_on_cnn(&self, assets: &Path) -> Device {
        let device = Device::new();
        let model =
            fs::read(assets.join("models/wharf-cnn1d/wharf-cnn1d_fp32.onnx")).expect("the model is in the assets");
        let model = device.file("wharf-cnn1d.onnx", &model);
        device.file("wharf-cnn1d.toml", CNN.as_bytes());
        let model = model.to_str().expect("a path of text");
        let _ = device.run(["init", "moves", "--model", model, "--group-by", "column"]).expect(0);
        device
    }

    /// Learns from one part of a split on a device that has the task `moves`, and is tested on the other.
    ///
    /// # Panics
    /// When a command fails or prints something else than the contract says.
    #[track_caller]
    pub fn learn(&self, device: &Device, split: &Split<'_>) -> Learnt {
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
        let train = table(device, "train", &split.train);
        let _ = device.run(["add", "moves", ".", "--labels-from-csv", &train]).expect(0);
        let adapted = device.json(["adapt", "moves"]);
        let test = table(device, "test", &split.test);
        let tested = device.json(["evaluate", "moves", ".", "--labels-from-csv", &test]);
        let (said, found) = (&adapted["evaluation"], &tested["evaluation"]);
        Learnt {
            head: adapted["head"].as_str().expect("a head was selected").to_owned(),
            windows: said["samples"].as_u64().expect("a count of samples"),
            leave_out: number(&said["accuracy"]),
            test: number(&found["accuracy"]),
            tested: found["samples"].as_u64().expect("a count of samples"),
        }
    }
}

/// What scikit-learn's better classifier reaches with features of this kind, one figure a split, as committed in
/// `tests/reference/signals.json`. The splits are those of [`Signals::splits`], in order.
///
/// # Panics
/// When the file is not what the script writes.
pub fn reference(data: &str, kind: &str) -> Vec<f64> {
    let all: Value = serde_json::from_str(include_str!("../reference/signals.json")).expect("the reference is JSON");
    let splits = all[data].as_array().unwrap_or_else(|| panic!("the reference has no {data}"));
    let column = |classifier: &str| -> Vec<f64> {
        splits.iter().map(|split| split[kind][classifier].as_f64().expect("an accuracy")).collect()
    };
    let (ridge, logistic) = (column("ridge"), column("logistic"));
    if ridge.iter().sum::<f64>() > logistic.iter().sum::<f64>() { ridge } else { logistic }
}

/// What was said after learning, and what the test says.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// The head that was selected.
    pub head: String,
    /// Windows learnt from.
    pub windows: u64,
    /// Accuracy on persons left out, as `adapt` states it.
    pub leave_out: f64,
    /// Accuracy on the persons of the test.
    pub test: f64,
    /// Windows tested.
    pub tested: u64,
}

/// Writes recordings as CSV files and the table that names them, with the person as group; returns the table's path.
///
/// # Panics
/// When the device's folder cannot be written.
pub fn table(device: &Device, part: &str, recordings: &[&Recording]) -> String {
    let mut rows = String::from("path,label,group\n");
    for Recording { name, class, person, readings } in recordings {
        let mut text = String::from("x,y,z\n");
        for [x, y, z] in readings {
            let _ = writeln!(text, "{x},{y},{z}");
        }
        device.file(format!("{part}/{class}/{name}.csv"), text.as_bytes());
        let _ = writeln!(rows, "{class}/{name}.csv,{class},{person}");
    }
    device.file(format!("{part}/labels.csv"), rows.as_bytes()).display().to_string()
}

/// The recordings of a manifest with the columns path, label and person first.
fn read(folder: &Path, separator: char) -> Vec<Recording> {
    let manifest = fs::read_to_string(folder.join("manifest.csv")).expect("the data set has a manifest");
    let row = |line: &str| {
        let [path, class, person, _] = line.split(',').collect::<Vec<_>>()[..] else { panic!("columns of {line}") };
        let text = fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let reading = |line: &str| {
            let numbers = line.split(separator).filter(|field| !field.is_empty()).map(|field| field.trim().parse());
            let numbers = numbers.collect::<Result<Vec<f64>, _>>().unwrap_or_else(|error| panic!("{path}: {error}"));
            <[f64; 3]>::try_from(numbers).unwrap_or_else(|numbers| panic!("{path}: {numbers:?}"))
        };
        let name = Path::new(path).file_stem().expect("a file has a name").display().to_string();
        let readings = text.lines().filter(|line| !line.trim().is_empty()).map(reading).collect();
        Recording { name, class: class.to_owned(), person: person.to_owned(), readings }
    };
    manifest.lines().skip(1).map(row).collect()
}
