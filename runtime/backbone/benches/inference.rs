//! Inference of MobileNetV2 by our ONNX Runtime engine beside Python's `onnxruntime`, on one library, one thread, in turns.
//!
//! `cargo bench -p acclimate-backbone --bench inference` (add `--profile dev` where only that is compiled: the engine's
//! time is spent in the library either way). Python is `ACCLIMATE_PYTHON`, else `python3`; the library is the one in its
//! `onnxruntime` package. Ratio: Python's time by ours, at least 1 is wanted.

#![allow(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use acclimate_backbone::{Backbone, ElementType, Ends, EngineChoice, EngineOptions, Library, Network, Picture, Tensor};
use ndarray::ArrayD;

/// Runs between two looks at the clock, and how often each side is measured.
const RUNS: u32 = 10;
const ROUNDS: usize = 15;

/// Runs the same input over and over: a line in, seconds for so many runs out. The first line it prints is the library.
const PYTHON: &str = r"
import glob, os, sys, time
import numpy, onnxruntime
capi = os.path.join(os.path.dirname(onnxruntime.__file__), 'capi')
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
image = numpy.full((1, 3, 224, 224), 0.25, numpy.float32)
session.run(None, {'input': image})
print(sorted(glob.glob(os.path.join(capi, 'libonnxruntime.so*')))[-1], flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        session.run(None, {'input': image})
    print(time.perf_counter() - start, flush=True)
";

fn main() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/assets");
    let assets = env::var_os("ACCLIMATE_ASSETS").map_or_else(beside, PathBuf::from);
    let Ok(entry) = Library::new(vec![assets.join("models")]).find("mobilenetv2-1.0-224") else {
        return println!("skipped: no mobilenetv2-1.0-224 in {}", assets.display());
    };
    let file = entry.file.unwrap();
    let interpreter = env::var_os("ACCLIMATE_PYTHON").unwrap_or_else(|| "python3".into());
    let spawned = Command::new(interpreter)
        .args(["-c", PYTHON])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut python) = spawned else { return println!("skipped: no Python") };
    let mut requests = python.stdin.take().unwrap();
    let mut answers = BufReader::new(python.stdout.take().unwrap()).lines();
    let Some(Ok(library)) = answers.next() else { return println!("skipped: Python has no onnxruntime and numpy") };

    let options = EngineOptions { engine: EngineChoice::Ort, threads: 1, ort_library: Some(library.clone().into()) };
    // The whole model on both sides, as Python runs it; then the cut backbone from a picture, for information.
    let ends = Ends { output: None, input: "input", shape: &[3, 224, 224], element: ElementType::F32 };
    let mut network = Network::open(std::fs::read(&file).unwrap(), &ends, &options).unwrap();
    println!("library: {library}; ours: {}", network.extractor());
    let image = Tensor::F32(ArrayD::from_elem(vec![1, 3, 224, 224], 0.25));
    network.run(&image).unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| drop(network.run(&image).unwrap())));
        writeln!(requests, "{RUNS}").unwrap();
        let seconds: f64 = answers.next().unwrap().unwrap().parse().unwrap();
        theirs.push(Duration::from_secs_f64(seconds) / RUNS);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "one run, median of {ROUNDS}: ours {ours:.2?}, Python {theirs:.2?}, ratio {:.2}",
        theirs.as_secs_f64() / ours.as_secs_f64()
    );

    let mut backbone = Backbone::open(&entry.manifest, &file, &options).unwrap();
    let picture = [Picture::from_rgb(512, 384, vec![127; 512 * 384 * 3]).unwrap()];
    println!("decoded picture of 512 × 384 to feature: {:.2?}", time(|| drop(backbone.features(&picture).unwrap())));
    drop(requests);
    python.wait().unwrap();
}

/// Time of one run, averaged over several.
fn time(mut run: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..RUNS).for_each(|_| run());
    start.elapsed() / RUNS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
