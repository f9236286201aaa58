//! How long fits take, and how long scikit-learn takes for the same samples in the same run.
//!
//! `cargo bench -p acclimate-trainer`. The ratio lines need a Python with scikit-learn: `$ACCLIMATE_PYTHON` or `python3`.
//! Both sides take turns on one thread and the best of five counts, so that a busy machine slows both.
#![allow(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(missing_docs, reason = "the macros of criterion make undocumented functions")]

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use acclimate_trainer::{FitOptions, Kind, Quantisation, Statistics, fit, solve};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use synthetic::Synthetic;

const DIM: usize = 1280;
const CLASSES: usize = 10;

/// Answers each line `name rows` with the seconds of one fit; features come in a file of f32, row by row.
const PEER: &str = r#"
import sys, time
import numpy as np, sklearn
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
path, dim, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = np.fromfile(path, dtype=np.float32).reshape(-1, dim).astype(np.float64)
y = np.arange(len(x)) % classes
print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", flush=True)
for line in sys.stdin:
    name, rows = line.split()
    model = {"ridge": RidgeClassifierCV(alphas=np.logspace(-3, 3, 13)), "logistic": LogisticRegression(C=1.0, max_iter=1000)}[name]
    start = time.perf_counter()
    model.fit(x[: int(rows)], y[: int(rows)])
    print(time.perf_counter() - start, flush=True)
"#;

fn case(n: usize) -> Synthetic {
    Synthetic::new(1, n, DIM, CLASSES, 1, 0.15)
}

fn options(kinds: &[Kind]) -> FitOptions {
    FitOptions { kinds: kinds.to_vec(), ..FitOptions::default() }
}

fn fits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for n in [200, 2000] {
        let case = case(n);
        for kind in [Kind::Prototype, Kind::Ridge] {
            group.bench_function(BenchmarkId::new(kind.to_string(), n), |bencher| {
                bencher.iter(|| fit(&case.samples(), &options(&[kind])).unwrap());
            });
        }
    }
    let small = case(200);
    group.bench_function(BenchmarkId::new("logistic", 200), |bencher| {
        bencher.iter(|| fit(&small.samples(), &options(&[Kind::Logistic])).unwrap());
    });
    let site = Synthetic::new(1, 540, DIM, 6, 1, 0.15);
    group.bench_function(BenchmarkId::new("all", 540), |bencher| {
        bencher.iter(|| fit(&site.samples(), &options(&Kind::ALL)).unwrap());
    });
    group.finish();
}

fn statistics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("statistics");
    group.sample_size(10);
    for n in [1, 2000] {
        let codes = Array2::from_shape_fn((n, DIM), |(i, j)| (i * 89 + j * 57) as u8);
        let labels: Vec<usize> = (0..n).map(|i| i % CLASSES).collect();
        let mut statistics = Statistics::new(DIM, Quantisation::default_for(DIM, false));
        group.bench_function(BenchmarkId::new("add", n), |bencher| {
            bencher.iter(|| statistics.add(codes.view(), &labels).unwrap());
        });
    }
    group.finish();
}

/// Prints our time, scikit-learn's and their ratio.
fn side_by_side(_: &mut Criterion) {
    let python = std::env::var("ACCLIMATE_PYTHON").unwrap_or_else(|_| "python3".into());
    if let Err(why) = compare(&python) {
        println!("scikit-learn: skipped: {python}: {why} (set ACCLIMATE_PYTHON to a Python that has it)");
    }
}

fn compare(python: &str) -> Result<(), String> {
    let case = case(2000);
    let path = std::env::temp_dir().join(format!("acclimate-bench-{}.f32", std::process::id()));
    let bytes: Vec<u8> = case.x.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(&path, bytes).map_err(|error| format!("features cannot be written: {error}"))?;
    let result = converse(python, &path, &case);
    let _ = std::fs::remove_file(path);
    result
}

fn converse(python: &str, path: &std::path::Path, case: &Synthetic) -> Result<(), String> {
    let mut child = Command::new(python)
        .args(["-c", PEER])
        .arg(path)
        .args([DIM.to_string(), CLASSES.to_string()])
        .envs(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, "1")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || answers.next().and_then(Result::ok).ok_or("no scikit-learn, or it failed".to_owned());
    println!("{}, one thread, dim {DIM}, {CLASSES} classes, best of 5 in turns", next()?);
    for n in [200, 2000] {
        let part = case.permuted(&(0..n).collect::<Vec<_>>());
        let samples = part.samples();
        let mut line = String::new();
        for (name, what) in [("ridge", "RidgeClassifierCV, 13 penalties"), ("logistic", "LogisticRegression, C = 1")] {
            let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..5 {
                writeln!(questions, "{name} {n}").map_err(|error| error.to_string())?;
                theirs = theirs.min(next()?.parse().map_err(|_| "an answer that is no number")?);
                let start = Instant::now();
                if name == "ridge" {
                    fit(&samples, &options(&[Kind::Ridge])).unwrap();
                } else {
                    // Theirs is one fit at one penalty. Ours is that and the five folds that score it.
                    solve(Kind::Logistic, &samples, Some(1.0), &options(&[])).unwrap();
                }
                ours = ours.min(start.elapsed().as_secs_f64());
            }
            let _ = writeln!(
                line,
                "{name} n={n}: {:.1} ms, scikit-learn ({what}) {:.1} ms: ratio {:.1}",
                1e3 * ours,
                1e3 * theirs,
                theirs / ours
            );
        }
        print!("{line}");
    }
    drop(questions);
    child.wait().map(drop).map_err(|error| error.to_string())
}

criterion_group!(benches, fits, statistics, side_by_side);
criterion_main!(benches);
