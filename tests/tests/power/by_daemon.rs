//! A session of a daemon that is taught, told and asked through its socket and over HTTP, on a disk.

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::disk::Disk;
use acclimate_tests::http;
use acclimate_tests::picture;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::Session;
use super::aftermath::DATA;
use super::state::{State, Step};

/// Commands after the two classes were taught.
const COMMANDS: usize = 10;

struct Recorder {
    disk: Disk,
    device: Device,
    daemon: Daemon,
    steps: Vec<Step>,
}

pub(super) fn record(disk: Disk, seed: u64) -> Session {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let device = Device::on(disk.path().join(DATA));
    let config = crate::daemon::config(&device);
    let begun = disk.moment();
    let mut daemon = Daemon::start(&device, &config);
    daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    let mut recorder = Recorder { disk, device, daemon, steps: Vec::new() };
    recorder.push("start", begun);
    for class in picture::CLASSES {
        recorder.step(&format!("teach {class}"), |daemon| drop(daemon.teach(class, class, 6)));
    }
    for number in 0..COMMANDS as u64 {
        let State { labels, .. } = recorder.steps.last().expect("three steps").after.clone();
        let samples: Vec<&String> = labels.keys().collect();
        let class = picture::CLASSES[random.random_range(0..2)];
        let sample = samples.choose(&mut random);
        match (random.random_range(0..7), sample) {
            (0, _) => recorder.step("teach again", |daemon| drop(daemon.teach(class, class, 2))),
            (1, _) => recorder.ask(&json!({ "do": "adapt", "task": "parts", "trust_labels": true })),
            (2, _) => recorder.ask(&json!({ "do": "undo", "task": "parts" })),
            (3, _) => recorder.ask(&json!({ "do": "rollback", "task": "parts" })),
            (4, Some(sample)) => recorder.ask(&json!({ "do": "forget", "task": "parts", "samples": [sample] })),
            (5, Some(sample)) => {
                recorder.ask(&json!({ "do": "label", "task": "parts", "samples": [sample], "label": class }));
            }
            _ => {
                let class = picture::CLASSES.iter().position(|&name| name == class).expect("one of them");
                let bytes = picture::draw(class, 100_000 * (seed + 1) + number);
                recorder.step("add", |daemon| drop(daemon.add("outside", picture::CLASSES[class], &bytes)));
            }
        }
    }
    let Recorder { disk, device, daemon, steps } = recorder;
    let _ended = daemon.end().expect(0);
    Session { record: disk.record(), steps, device }
}

impl Recorder {
    /// A command, in turn through the socket and over HTTP; one that is refused has changed nothing.
    fn ask(&mut self, command: &Value) {
        let said = command.to_string();
        if self.steps.len().is_multiple_of(2) {
            return self.step(&said, |daemon| drop(daemon.try_ask(command)));
        }
        self.step(&format!("{said} over HTTP"), |daemon| {
            let address = daemon.address();
            let head =
                format!("POST /api/v1/command HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
            let (status, answer) = http::ask(address, &head, &said);
            assert!(matches!(status, 200 | 409), "{answer}");
        });
    }

    fn step(&mut self, what: &str, ask: impl FnOnce(&mut Daemon)) {
        let begun = self.disk.moment();
        ask(&mut self.daemon);
        self.push(what, begun);
    }

    fn push(&mut self, what: &str, begun: usize) {
        let acknowledged = self.disk.moment();
        let after = State::of(&self.device).unwrap();
        self.steps.push(Step { what: what.to_owned(), begun, acknowledged, on_the_way: Vec::new(), after });
    }
}
