//! Strange models: thousands of spoilt ONNX files and manifests are loaded as a new model would be. The program never
//! dies of one: what an engine cannot bear ends a child process, and what is refused is refused in words.
//!
//! 2,000 here, 100,000 in `cargo xtask soak models`. Most go through one child after another, many files to a child, each
//! asked about alone so that a crash is laid to its file; every fiftieth goes the whole way, `init` and a child of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use acclimate_tests::device::Device;
use acclimate_tests::mutation::{spoil, spoil_text};
use acclimate_tests::skip::{assets, soak};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// How long one file may keep a child: none of them has more than a million weights.
const PATIENCE: Duration = Duration::from_mins(1);

/// A whole model and its manifest.
struct Base {
    bytes: Vec<u8>,
    manifest: String,
}

fn bases() -> Vec<Base> {
    let checkout = acclimate_tests::checkout();
    let small = |name: &str, tensor: &str| Base {
        bytes: fs::read(checkout.join("runtime/backbone/tests/models").join(name)).unwrap(),
        manifest: format!(
            "name = \"small\"\nlicence = \"MIT\"\n[file]\nsha256 = \"\"\nbytes = 1\n[input]\nkind = \"image\"\ntensor = \"image\"\n\
             layout = \"nchw\"\nrange = 1\nsize = [8, 8]\n[feature]\ntensor = \"{tensor}\"\ndim = 4\n"
        ),
    };
    let known = |path: PathBuf, name: &str| Base {
        bytes: fs::read(path).unwrap(),
        manifest: fs::read_to_string(checkout.join("models").join(name)).unwrap(),
    };
    // The small ones several times: they are quick, and a change hits what matters.
    let mut bases: Vec<Base> = Vec::new();
    for _ in 0..4 {
        bases.extend([small("tiny.onnx", "feature"), small("old.onnx", "feature"), small("captured.onnx", "negated")]);
    }
    bases.push(known(checkout.join("models/builtin/builtin-picture-1.onnx"), "builtin-picture-1.toml"));
    if let Some(assets) = assets() {
        for (file, name) in [
            ("mlperf-tiny/vww_96_int8_qdq.onnx", "mlperf-tiny-vww-int8.toml"),
            ("mlperf-tiny/pretrainedResnet.onnx", "mlperf-tiny-resnet8.toml"),
        ] {
            bases.push(known(assets.join("models").join(file), name));
        }
    }
    bases
}

/// The manifest for other bytes, so that they are not refused by their sum alone.
fn manifest_for(text: &str, bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes).iter().fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
    let line = |line: &str| match line.split(" = ").next() {
        Some("sha256") => format!("sha256 = \"{sum}\""),
        Some("bytes") => format!("bytes = {}", bytes.len().max(1)),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// A child that loads models, as a trial does.
struct Loader {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    said: PathBuf,
}

impl Loader {
    fn start(device: &Device) -> Self {
        let said = device.file("loader.log", b"");
        let mut command = device.command(["trial"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&said).unwrap());
        let mut child = command.spawn().unwrap();
        let (sender, answers) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { questions: child.stdin.take().unwrap(), child, answers, said }
    }

    /// The answer, or how the child ended instead.
    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let asked = writeln!(self.questions, "{question}").and_then(|()| self.questions.flush());
        if let Some(line) = asked.ok().and_then(|()| self.answers.recv_timeout(PATIENCE).ok()) {
            return Ok(serde_json::from_str(&line).unwrap());
        }
        let hung = self.child.try_wait().unwrap().is_none() && self.answers.try_recv() == Err(TryRecvError::Empty);
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Err(match (hung, status.signal(), status.code()) {
            (true, ..) => "hangs".to_owned(),
            (_, Some(signal), _) => format!("signal {signal}: {last}"),
            (.., code) => format!("exit code {code:?}: {last}"),
        })
    }
}

#[test]
fn no_spoilt_model_or_manifest_ends_the_program() {
    let rounds = if soak() { 100_000 } else { 2_000 };
    let seed = 0x5E1F;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let bases = bases();
    let device = Device::new();
    let file = device.path("spoilt.onnx");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut loader = Loader::start(&device);
    let (mut counts, mut whole_way) = (BTreeMap::<String, u32>::new(), 0);
    for round in 0..rounds {
        let base = &bases[random.random_range(0..bases.len())];
        let engine = ["ort", "tract"][random.random_range(0..2)];
        let bytes = if random.random_bool(0.85) { spoil(&base.bytes, &mut random) } else { base.bytes.clone() };
        let mut manifest = manifest_for(&base.manifest, &bytes);
        if bytes == base.bytes {
            manifest = spoil_text(&manifest, &mut random);
        }
        fs::write(&file, &bytes).unwrap();
        let here = format!("seed {seed:#x}, round {round}, {engine}");
        let question = json!({"manifest": manifest, "file": file, "engine": engine, "threads": 1, "ort_library": null});
        let fate = match loader.ask(&question) {
            Ok(answer) => match answer["refused"].as_str() {
                Some(why) => {
                    assert!(!why.trim().is_empty() && !why.contains("panicked at"), "{here}: {why:?}");
                    "refused".to_owned()
                }
                None => "runs".to_owned(),
            },
            Err(how) => {
                // An engine may crash; our own code, and what wraps the engines, may not.
                assert!(!how.starts_with("exit code"), "{here}: {how}");
                eprintln!("{here}: {how}");
                fs::copy(&file, std::env::temp_dir().join(format!("acclimate-spoilt-{round}.onnx"))).unwrap();
                loader = Loader::start(&device);
                how
            }
        };
        if round % 50 == 0 {
            let task = format!("t{round}");
            go_the_whole_way(&device, &task, &file, &manifest, engine, &fate, &here);
            whole_way += 1;
        }
        *counts.entry(format!("{engine}: {fate}")).or_default() += 1;
    }
    eprintln!("{rounds} spoilt models and manifests, {whole_way} of them with `init` and `model inspect`:");
    for (fate, count) in &counts {
        eprintln!("{count:7} {fate}");
    }
    let runs: u32 = counts.iter().filter(|(fate, _)| fate.ends_with("runs")).map(|(_, count)| count).sum();
    let refused: u32 = counts.iter().filter(|(fate, _)| fate.ends_with("refused")).map(|(_, count)| count).sum();
    assert!(
        runs * 20 > rounds && refused * 20 > rounds,
        "{runs} run and {refused} are refused: one of the two is hardly tried"
    );
}

/// What a user would do with such a file: the program ends by itself and says why.
fn go_the_whole_way(device: &Device, task: &str, file: &Path, manifest: &str, engine: &str, fate: &str, here: &str) {
    let beside = file.with_extension("toml");
    fs::write(&beside, manifest).unwrap();
    let file = file.as_os_str();
    let init =
        device.run(["init".as_ref(), task.as_ref(), "--engine".as_ref(), engine.as_ref(), "--model".as_ref(), file]);
    match init.code {
        Some(0) => assert_eq!(fate, "runs", "{here}"),
        Some(1) => assert!(fate != "runs" && init.stderr.starts_with("error: "), "{here}, {fate}: {}", init.stderr),
        _ => panic!("{here}: {init:?}"),
    }
    assert!(!init.stderr.contains("panicked at"), "{here}: {}", init.stderr);
    fs::remove_file(&beside).unwrap();
    let inspect = device.run(["model".as_ref(), "inspect".as_ref(), file]);
    assert!(matches!(inspect.code, Some(0 | 1)) && !inspect.stderr.contains("panicked at"), "{here}: {inspect:?}");
}

#[test]
fn a_known_model_is_loaded_without_a_child() {
    let device = Device::new();
    let model = fs::read(acclimate_tests::checkout().join("models/builtin/builtin-picture-1.onnx")).unwrap();
    let file = device.file("mine.onnx", &model);
    let init = |task: &str| {
        let init = device.run(["-v".as_ref(), "init".as_ref(), task.as_ref(), "--model".as_ref(), file.as_os_str()]);
        let init = init.expect(0);
        init.stderr.contains("in a process of its own")
    };
    assert!(init("first"), "a model that was never here is tried");
    assert!(!init("second"), "one that has run is not");
    fs::remove_file(device.data_dir().join("known-models")).unwrap();
    assert!(init("third"), "what is not written down is tried again");
}
