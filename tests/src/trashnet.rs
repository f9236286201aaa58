//! TrashNet through the command line: 720 photographs of waste in six classes, split again and again with seeds into 90 to
//! learn from and 30 to be tested on per class, as in its manifest. Knows the assets' layout and what `adapt`, `evaluate`
//! and `classify` print.
//!
//! Invariant: a split depends on its seed and the manifest alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::device::{Device, sample_id};
use crate::draws::Draw;
use crate::features::Features;
use crate::table::Mean;

/// The backbone that the figures are for.
pub const BACKBONE: &str = "mobilenetv2-1.0-224";

/// Photographs of each class to learn from; the others are for the test.
pub const TRAIN_PER_CLASS: usize = 90;

/// A photograph with its true class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Photograph {
    /// Its file.
    pub path: PathBuf,
    /// What it shows.
    pub class: String,
}

/// One re-split.
#[derive(Clone, Debug)]
pub struct Split {
    /// What it was drawn with.
    pub seed: u64,
    /// To learn from.
    pub train: Vec<Photograph>,
    /// To be tested on.
    pub test: Vec<Photograph>,
}

impl Split {
    /// The same as rows of the features of [`Features::trashnet`]. A photograph that is there twice is one sample.
    ///
    /// # Panics
    /// When a photograph cannot be read or has no feature.
    pub fn rows(&self, features: &Features) -> Draw {
        let rows: HashMap<&str, usize> = features.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let row = |photograph: &Photograph| {
            let id = sample_id(&fs::read(&photograph.path).expect("a photograph that can be read"));
            *rows.get(id.as_str()).expect("every photograph has a feature")
        };
        let train: BTreeSet<usize> = self.train.iter().map(row).collect();
        Draw { seed: self.seed, train: train.into_iter().collect(), test: self.test.iter().map(row).collect() }
    }
}

/// The data set and the models, where they lie.
#[derive(Debug)]
pub struct TrashNet {
    models: PathBuf,
    folder: PathBuf,
    photographs: Vec<Photograph>,
    /// Which of them the manifest itself tests on.
    tested: Vec<bool>,
}

impl TrashNet {
    /// Reads the manifest below the assets folder.
    ///
    /// # Panics
    /// When it cannot be read, or is not what it says it is.
    pub fn read(assets: &Path) -> Self {
        let folder = assets.join("data/trashnet");
        let manifest = fs::read_to_string(folder.join("manifest.csv")).expect("TrashNet has a manifest");
        let (photographs, tested): (Vec<Photograph>, Vec<bool>) = manifest
            .lines()
            .skip(1)
            .map(|line| {
                let [path, class, split] = line.split(',').collect::<Vec<_>>()[..] else { panic!("columns of {line}") };
                (Photograph { path: folder.join(path), class: class.to_owned() }, split == "test")
            })
            .unzip();
        assert_eq!(photographs.len(), 720, "photographs in the manifest");
        Self { models: assets.join("models"), folder, photographs, tested }
    }

    /// The manifest's own split; its seed means nothing.
    pub fn own_split(&self) -> Split {
        let part = |test: bool| {
            let rows = self.photographs.iter().zip(&self.tested).filter(|&(_, &tested)| tested == test);
            rows.map(|(photograph, _)| photograph.clone()).collect()
        };
        Split { seed: 0, train: part(false), test: part(true) }
    }

    /// All photographs.
    pub fn photographs(&self) -> &[Photograph] {
        &self.photographs
    }

    /// The folder that all photographs are below.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of the classes, in order.
    pub fn classes(&self) -> Vec<String> {
        let classes: BTreeSet<&String> = self.photographs.iter().map(|photograph| &photograph.class).collect();
        classes.into_iter().cloned().collect()
    }

    /// Splits again: each class is shuffled and cut.
    pub fn split(&self, seed: u64) -> Split {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut classes = BTreeMap::<&str, Vec<Photograph>>::new();
        for photograph in &self.photographs {
            classes.entry(&photograph.class).or_default().push(photograph.clone());
        }
        let mut split = Split { seed, train: Vec::new(), test: Vec::new() };
        for (_, mut photographs) in classes {
            photographs.sort();
            photographs.shuffle(&mut random);
            split.test.extend(photographs.split_off(TRAIN_PER_CLASS));
            split.train.append(&mut photographs);
        }
        split
    }

    /// A device with a task, `waste`, and no samples.
    #[track_caller]
    pub fn device(&self) -> Device {
        self.device_on(BACKBONE)
    }

    /// The same on another backbone.
    #[track_caller]
    pub fn device_on(&self, backbone: &str) -> Device {
        let device = Device::new();
        let models = self.models.to_str().expect("the assets' path is text");
        let _ = device.run(["init", "waste", "--backbone", backbone, "--models", models]).expect(0);
        device
    }

    /// Adds photographs under the classes that they come with, right or wrong.
    #[track_caller]
    pub fn add(&self, device: &Device, name: &str, photographs: &[Photograph]) {
        let table = device.file(name, csv(photographs).as_bytes());
        let [folder, table] = [&self.folder, &table].map(|path| path.to_str().expect("a path of text"));
        let _ = device.run(["add", "waste", folder, "--labels-from-csv", table]).expect(0);
    }

    /// Learns from one part of a split and is tested on the other.
    ///
    /// # Panics
    /// When a command fails or prints something else than the contract says.
    #[track_caller]
    pub fn learn(&self, split: &Split) -> (Device, Learnt) {
        let device = self.device();
        let learnt = self.learn_on(&device, split);
        (device, learnt)
    }

    /// The same on a device that has the task.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn learn_on(&self, device: &Device, split: &Split) -> Learnt {
        self.add(device, "train.csv", &split.train);
        let adapted = device.json(["adapt", "waste"]);
        let table = device.file("test.csv", csv(&split.test).as_bytes());
        let [folder, table] = [&self.folder, &table].map(|path| path.to_str().expect("a path of text"));
        let tested = device.json(["evaluate", "waste", folder, "--labels-from-csv", table]);
        Learnt::read(split.seed, &adapted, &tested["evaluation"])
    }

    /// On how many of these photographs both engines name the same class with the head in service.
    ///
    /// # Panics
    /// When a command fails or answers for fewer.
    #[track_caller]
    pub fn agreement(&self, device: &Device, photographs: &[Photograph]) -> usize {
        let [ort, tract] = ["ort", "tract"].map(|engine| {
            let mut command = device.command(["classify", "waste", "--json", "--engine", engine]);
            let command = command.args(photographs.iter().map(|photograph| &photograph.path));
            let answers = crate::program::Running::start(command).wait().expect(0).json_lines();
            assert_eq!(answers.len(), photographs.len(), "answers of {engine}");
            answers
        });
        ort.iter().zip(&tract).filter(|(ort, tract)| ort["class"] == tract["class"]).count()
    }
}

/// Whether `acclimate` can run ONNX Runtime here; if not, why.
///
/// # Errors
/// What `doctor` found.
///
/// # Panics
/// When `doctor` prints something else than the contract says.
pub fn onnx_runtime() -> Result<(), String> {
    let checks = crate::program::Running::start(&mut Device::new().command(["doctor", "--json"])).wait().json();
    let checks = checks.as_array().expect("doctor prints an array");
    let check = checks.iter().find(|check| check["check"] == "onnx runtime").expect("doctor tries ONNX Runtime");
    if check["status"] == "fine" { Ok(()) } else { Err(check["found"].to_string()) }
}

/// Photographs as `--labels-from-csv` takes them.
pub fn csv(photographs: &[Photograph]) -> String {
    let mut table = String::from("path,label\n");
    for Photograph { path, class } in photographs {
        let _ = writeln!(table, "{},{class}", path.display());
    }
    table
}

/// What was said after learning, and what the test says.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// The split's seed.
    pub seed: u64,
    /// The head that was selected.
    pub head: String,
    /// Accuracy on samples left out, as `adapt` states it.
    pub leave_out: f64,
    /// Its stated 95 % interval.
    pub interval: (f64, f64),
    /// Accuracy on the test part.
    pub test: f64,
    /// Photographs in the test part.
    pub tested: u64,
    /// Debiased expected calibration error on the test part.
    pub ece: f64,
}

impl Learnt {
    /// From what `adapt` and the `evaluation` of `evaluate` printed.
    ///
    /// # Panics
    /// When they are something else than the contract says.
    pub fn read(seed: u64, adapted: &Value, tested: &Value) -> Self {
        let number =
            |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number in {adapted}, {tested}"));
        let said = &adapted["evaluation"];
        Self {
            seed,
            head: adapted["head"].as_str().expect("a head was selected").to_owned(),
            leave_out: number(&said["accuracy"]),
            interval: (number(&said["accuracy_interval"][0]), number(&said["accuracy_interval"][1])),
            test: number(&tested["accuracy"]),
            tested: tested["samples"].as_u64().expect("a count of samples"),
            ece: number(&tested["ece"]),
        }
    }

    /// How much too good the accuracy on samples left out is.
    pub fn bias(&self) -> f64 {
        self.leave_out - self.test
    }

    /// Whether the accuracy on the test part lies in the stated interval.
    pub fn inside(&self) -> bool {
        self.interval.0 <= self.test && self.test <= self.interval.1
    }

    /// The same when the test part's own chance is granted too: it is a sample as well, and a smaller one.
    pub fn inside_with_test_noise(&self) -> bool {
        let side = if self.test < self.leave_out { self.interval.0 } else { self.interval.1 };
        let noise = 1.96 * (self.test * (1.0 - self.test) / self.tested as f64).sqrt();
        self.bias().abs() <= (side - self.leave_out).hypot(noise)
    }
}

/// A mean and half its 95 % interval, as [`Mean`].
pub fn mean(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let Mean { mean, half } = Mean::of(values);
    (mean, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(leave_out: f64, interval: (f64, f64), test: f64) -> Learnt {
        Learnt { seed: 0, head: "ridge".into(), leave_out, interval, test, tested: 180, ece: 0.0 }
    }

    #[test]
    fn a_test_outside_the_interval_may_be_inside_with_its_own_noise() {
        let far = learnt(0.80, (0.76, 0.83), 0.74);
        assert!(!far.inside() && far.inside_with_test_noise());
        let farther = learnt(0.80, (0.76, 0.83), 0.70);
        assert!(!farther.inside() && !farther.inside_with_test_noise());
        assert!(learnt(0.80, (0.76, 0.83), 0.83).inside());
    }
}
