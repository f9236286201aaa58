//! How long fits take, and how long scikit-learn takes for the same samples in the same run.
//!
//! `cargo bench -p acclimate-trainer`. The ratio lines need a Python with scikit-learn: `$ACCLIMATE_PYTHON` or `python3`.
//! `acclimate bench fit --full` has the whole grid.
#![allow(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(missing_docs, reason = "the macros of criterion make undocumented functions")]

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

mod peer;

use std::time::{Duration, Instant};

use acclimate_trainer::{FitOptions, Kind, Quantisation, Statistics, fit};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use ndarray::Array2;
use peer::Peer;
use synthetic::Synthetic;

const DIM: usize = 1280;
const CLASSES: usize = 10;

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

/// Prints our time, scikit-learn's and their ratio, and our own rates beside the machine's.
fn side_by_side(_: &mut Criterion) {
    let mut peer = Peer::start(1).map_err(|why| println!("scikit-learn: skipped: {why}")).ok();
    if let Some(peer) = &peer {
        println!("{}, one thread, dim {DIM}, {CLASSES} classes, best of 3 in turns", peer.versions);
    }
    let heads = peer::MODELS.map(|(head, _)| head);
    let mut slow = peer::Slow::default();
    for case in peer::grid(&heads, &[200, 2000], &[DIM], &[CLASSES]) {
        match peer::measure(case, 1, 3, peer.as_mut(), &mut slow) {
            Ok(peer::Times { ours: Some(ours), theirs }) => {
                let theirs = theirs.map_or(String::new(), |theirs| {
                    format!(", scikit-learn {:.1} ms: ratio {:.1}", 1e3 * theirs, theirs / ours)
                });
                println!("{} n={}: {:.1} ms{theirs}", case.head, case.samples, 1e3 * ours);
            }
            Ok(_) => println!("{} n={}: a smaller case took over {} s", case.head, case.samples, peer::PATIENCE),
            Err(why) => println!("{} n={}: {why}", case.head, case.samples),
        }
    }
    rates();
}

/// Fastest of several runs, in seconds.
fn fastest<T>(mut run: impl FnMut() -> T) -> f64 {
    let times = (0..7).map(|_| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// The second moment beside a square product of the same library in f32, and a batch of predictions beside its product of
/// features and weights alone.
fn rates() {
    let square = Mat::<f32>::from_fn(DIM, DIM, |i, j| ((i * 7 + j * 3) % 11) as f32 - 5.0);
    let mut product = Mat::<f32>::zeros(DIM, DIM);
    let seconds = fastest(|| matmul(product.as_mut(), Accum::Replace, &square, &square, 1.0, Par::Seq));
    let machine = 2.0 * (DIM as f64).powi(3) / seconds;
    let codes = Array2::from_shape_fn((2000, DIM), |(i, j)| (i * 89 + j * 57) as u8);
    let labels = vec![0; 2000];
    let mut statistics = Statistics::new(DIM, Quantisation::default_for(DIM, false));
    let seconds = fastest(|| statistics.add(codes.view(), &labels).unwrap());
    let moment = 2000.0 * (DIM * (DIM + 1)) as f64 / seconds;
    println!(
        "second moment of 2000 x {DIM} codes: {:.0} GFLOP/s, {:.0} % of a square product's {:.0}",
        moment / 1e9,
        100.0 * moment / machine,
        machine / 1e9
    );
    let case = case(2000);
    let head = fit(&case.samples(), &options(&[Kind::Prototype])).unwrap().swap_remove(0).head;
    let weights = &head.linear().unwrap().weights;
    let features = MatRef::from_row_major_slice(case.x.as_slice().unwrap(), 2000, DIM);
    let weights = MatRef::from_row_major_slice(weights.as_slice().unwrap(), CLASSES, DIM);
    let mut product = Mat::<f32>::zeros(2000, CLASSES);
    let alone = fastest(|| matmul(product.as_mut(), Accum::Replace, features, weights.transpose(), 1.0, Par::Seq));
    let batch = fastest(|| head.batch(case.x.view(), None));
    println!(
        "batch of 2000 x {DIM}, {CLASSES} classes: {:.2} ms, {:.1} times the product alone in f32, {:.2} ms",
        1e3 * batch,
        batch / alone,
        1e3 * alone
    );
}

criterion_group!(benches, fits, statistics, side_by_side);
criterion_main!(benches);
