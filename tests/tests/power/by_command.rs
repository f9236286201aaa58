//! A session of commands, one after the other, on a disk.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use acclimate_tests::device::Device;
use acclimate_tests::disk::Disk;
use acclimate_tests::picture;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Session;
use super::aftermath::DATA;
use super::state::{State, Step, exported};
use crate::set_backbone::{coarser, other_backbone};

/// Commands after the first adaptation.
const COMMANDS: usize = 8;

struct Recorder {
    disk: Disk,
    device: Device,
    steps: Vec<Step>,
}

pub(super) fn record(disk: Disk, seed: u64) -> Session {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let device = Device::on(disk.path().join(DATA));
    let mut recorder = Recorder { disk, device, steps: Vec::new() };
    recorder.command(&["init", "parts", "--backbone", "builtin-picture-1"]);
    recorder.add(5, 10 * seed + 1);
    recorder.command(&["adapt", "parts"]);
    for number in 0..COMMANDS as u64 {
        let State { labels, service, .. } = recorder.steps.last().expect("three steps").after.clone();
        let samples: Vec<&String> = labels.keys().collect();
        let sample = samples.choose(&mut random).expect("samples were added");
        match random.random_range(0..8) {
            0 => recorder.add(2, 10 * seed + 2 + number),
            1 => recorder.command(&["adapt", "parts", "--trust-labels"]),
            2 if labels.len() > 6 => recorder.command(&["forget", "parts", sample, "--yes"]),
            3 if service.len() == 1 && service[0] > 1 => recorder.command(&["head", "rollback", "parts"]),
            4 => recorder.export(),
            5 => recorder.switch(),
            _ => {
                let class = picture::CLASSES[random.random_range(0..2)];
                recorder.command(&["label", "parts", sample, class]);
            }
        }
    }
    recorder.export();
    let Recorder { disk, steps, device } = recorder;
    Session { record: disk.record(), steps, device }
}

impl Recorder {
    /// A command that says by ending that it is done. One that is refused has changed nothing.
    fn command(&mut self, arguments: &[&str]) {
        let begun = self.disk.moment();
        let ended = self.device.run(arguments);
        let (acknowledged, what) = (self.disk.moment(), format!("{} ({:?})", arguments.join(" "), ended.code));
        let refusal = ended.code == Some(3) || arguments.contains(&"rollback");
        assert!(ended.code == Some(0) || refusal, "{what}: {}", ended.stderr);
        self.push(Step { what, begun, acknowledged, on_the_way: Vec::new(), after: State::default() });
    }

    fn export(&mut self) {
        if self.steps.last().is_none_or(|step| step.after.service.is_empty()) {
            return;
        }
        let file = exported(&self.device).display().to_string();
        self.command(&["head", "export", "parts", "--output", &file]);
    }

    /// To the backbone that is not in use, whose file lies on another disk.
    fn switch(&mut self) {
        if self.device.json(["task", "list"])[0]["backbone"] == "coarser" {
            return self.command(&["task", "set-backbone", "parts", "builtin-picture-1"]);
        }
        let model = other_backbone(&self.device, "coarser", coarser).display().to_string();
        self.command(&["task", "set-backbone", "parts", "--model", &model]);
    }

    /// `add`, which says of every picture that it is there.
    fn add(&mut self, count: u64, seed: u64) {
        let folder = self.device.draw(&format!("pictures-{seed}"), count, seed);
        let begun = self.disk.moment();
        let mut command = self.device.command(["add", "parts", "--labels-from-folders", "--json"]);
        let mut child = command.arg(folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut on_the_way = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let moment = self.disk.moment();
            let said: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            on_the_way.push((moment, said["sample"].as_str().unwrap().to_owned()));
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(on_the_way.len() as u64, 2 * count);
        let (acknowledged, what) = (self.disk.moment(), format!("add {} pictures", 2 * count));
        self.push(Step { what, begun, acknowledged, on_the_way, after: State::default() });
    }

    fn push(&mut self, step: Step) {
        let after = State::of(&self.device).unwrap();
        self.steps.push(Step { after, ..step });
    }
}
