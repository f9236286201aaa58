//! `bench fit`: how long heads take to fit here, beside scikit-learn in the same run, and in how much memory.
//! Knows nothing of backbones: features are made up.

use std::process::Command;
use std::time::Instant;

use acclimate::comparison::peak;
use acclimate::record::{BenchFitRecord, FitCaseRecord, FitMemoryRecord};
use acclimate_trainer::{FitOptions, Kind, Samples, fit};
use anyhow::{Context as _, bail};

use self::peer::{Case, MODELS, PATIENCE, Peer, Slow};
use crate::cli::{Context, Outcome, args};

#[path = "../../../../trainer/benches/peer/mod.rs"]
mod peer;

/// Fits on each side, of which the fastest counts, up to so many samples.
const TURNS: [(usize, usize); 3] = [(200, 5), (2000, 3), (usize::MAX, 1)];

/// Runs `acclimate bench fit`.
pub(super) fn run(context: &Context, args: &args::BenchFit) -> anyhow::Result<Outcome> {
    let cases = grid(args)?;
    let threads = match context.global.threads {
        Some(threads) => vec![usize::from(threads)],
        None if args.full => vec![1, 2],
        None => vec![1],
    };
    let (mut known, mut without_peer) = (None, None);
    let mut fits = Vec::new();
    let mut capped = Vec::new();
    let bar = context.progress(cases.len() * threads.len(), "fitting");
    for &threads in &threads {
        let mut peer = if args.alone || without_peer.is_some() {
            None
        } else {
            Peer::start(threads).map_err(|why| without_peer = Some(why)).ok()
        };
        known = known.or_else(|| peer.as_ref().map(|peer| peer.versions.clone()));
        let mut slow = Slow::default();
        for &case in &cases {
            let turns = TURNS.into_iter().find(|(samples, _)| case.samples <= *samples).map_or(1, |(_, turns)| turns);
            let times = peer::measure(case, threads, turns, peer.as_mut(), &mut slow).map_err(anyhow::Error::msg)?;
            let Case { head, samples, dim, classes } = case;
            let missing = [("ours", times.ours.is_none()), ("theirs", peer.is_some() && times.theirs.is_none())];
            for (side, _) in missing.into_iter().filter(|(_, missing)| *missing) {
                capped.push(format!("{side} of {head} {samples}×{dim}, {classes} classes, {threads} threads"));
            }
            fits.extend(times.ours.map(|ours| record(case, threads, ours, times.theirs)));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if !capped.is_empty() {
        eprintln!("not measured, as a smaller case of the head took over {PATIENCE} s: {}", capped.join("; "));
    }
    // Of one case this process itself tells.
    let memory = if cases.len() > 1 { memory(&fits)? } else { Vec::new() };
    let record = BenchFitRecord { peer: known, without_peer, fits, memory, peak_memory_bytes: peak() };
    context.print(&record, || record.words())?;
    Ok(Outcome::Done)
}

/// The cases asked for.
fn grid(args: &args::BenchFit) -> anyhow::Result<Vec<Case>> {
    let all = MODELS.map(|(head, _)| head);
    if let Some(word) = args.head.iter().find(|word| !all.contains(&word.as_str())) {
        bail!("head is {word:?}, expected one of {}", all.join(", "));
    }
    let wanted = |head: &&str| args.head.is_empty() || args.head.iter().any(|word| word == head);
    let heads: Vec<&'static str> = all.into_iter().filter(wanted).collect();
    let or = |given: &[usize], full: &[usize], quick: &[usize]| match (given.is_empty(), args.full) {
        (false, _) => given.to_vec(),
        (true, true) => full.to_vec(),
        (true, false) => quick.to_vec(),
    };
    let samples = or(&args.samples, &[50, 200, 2000, 10_000], &[50, 200, 2000]);
    let dims = or(&args.dim, &[160, 384, 1280], &[1280]);
    let classes = or(&args.classes, &[2, 10, 100], &[10]);
    let cases = peer::grid(&heads, &samples, &dims, &classes);
    if cases.is_empty() {
        bail!("no case to fit: ask for two samples of each class or more, of a head that there is");
    }
    Ok(cases)
}

fn record(case: Case, threads: usize, ours: f64, theirs: Option<f64>) -> FitCaseRecord {
    let Case { head, samples, dim, classes } = case;
    let model = MODELS.into_iter().find(|(name, _)| *name == head).map_or("", |(_, model)| model);
    FitCaseRecord {
        head: head.to_owned(),
        samples,
        dim,
        classes,
        threads,
        milliseconds: 1e3 * ours,
        peer_model: model.to_owned(),
        peer_milliseconds: theirs.map(|theirs| 1e3 * theirs),
        ratio: theirs.map(|theirs| theirs / ours),
    }
}

/// Fits the largest case of each head that was measured in a process of its own, and asks that for its memory.
fn memory(fits: &[FitCaseRecord]) -> anyhow::Result<Vec<FitMemoryRecord>> {
    let program = std::env::current_exe().context("could not find this program to run it again")?;
    let mut out = Vec::new();
    for (head, _) in MODELS {
        let of_head = fits.iter().filter(|fit| fit.head == head);
        let Some(&FitCaseRecord { samples, dim, classes, .. }) =
            of_head.max_by_key(|fit| (fit.samples * fit.dim, fit.classes))
        else {
            continue;
        };
        let numbers = [samples, dim, classes].map(|number| number.to_string());
        let output = Command::new(&program)
            .args(["--json", "bench", "fit", "--alone", "--threads", "1", "--head", head])
            .args(["--samples", &numbers[0], "--dim", &numbers[1], "--classes", &numbers[2]])
            .output()
            .with_context(|| format!("could not run {} to measure memory", program.display()))?;
        let record: BenchFitRecord = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("could not read the memory of a process that fits a {head} head"))?;
        if let Some(peak_memory_bytes) = record.peak_memory_bytes {
            out.push(FitMemoryRecord { head: head.to_owned(), samples, dim, classes, peak_memory_bytes });
        }
    }
    Ok(out)
}

/// How long heads of these kinds take on made-up features.
pub(super) fn seconds(
    samples: usize,
    dim: usize,
    classes: usize,
    kinds: Vec<Kind>,
    threads: usize,
) -> anyhow::Result<f64> {
    let features = peer::features(Case { head: "", samples, dim, classes });
    let labels: Vec<usize> = (0..samples).map(|sample| sample % classes).collect();
    let groups: Vec<usize> = (0..samples).collect();
    let samples = Samples::new(features.view(), &labels, &groups, classes)?;
    let start = Instant::now();
    std::hint::black_box(fit(&samples, &FitOptions { kinds, threads, ..FitOptions::default() })?);
    Ok(start.elapsed().as_secs_f64())
}
