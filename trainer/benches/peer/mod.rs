//! scikit-learn beside us: a Python that fits the same made-up features in turns with us, so that a busy machine slows
//! both. Knows nothing of what is printed. `cargo bench` and `acclimate bench fit` share this file.
//!
//! Invariant: both sides see the same features and labels, and of each the best of as many fits counts.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use acclimate_trainer::{FitError, FitOptions, Kind, Samples, fit};
use ndarray::Array2;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What is asked of the other side for each head, in words.
pub(crate) const MODELS: [(&str, &str); 5] = [
    ("ridge", "RidgeClassifierCV, 13 penalties"),
    ("discriminant", "LinearDiscriminantAnalysis, lsqr, shrinkage auto"),
    ("kernel", "SVC, library defaults"),
    ("logistic", "LogisticRegression, one C"),
    ("auto", "LogisticRegression, one C"),
];

/// One fit that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// A kind of head, or `auto` for the selection among the closed forms, with one width of kernel.
    pub(crate) head: &'static str,
    /// Samples.
    pub(crate) samples: usize,
    /// Components of a feature.
    pub(crate) dim: usize,
    /// Classes.
    pub(crate) classes: usize,
}

/// The kinds that a head's name stands for; none where there is no such kind.
pub(crate) fn kinds(head: &str) -> Vec<Kind> {
    let words: &[&str] = if head == "auto" { &["prototype", "ridge", "discriminant", "kernel"] } else { &[head] };
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

/// The cases of a grid that make sense: kinds that exist, and two samples of each class or more.
pub(crate) fn grid(heads: &[&'static str], samples: &[usize], dims: &[usize], classes: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &head in heads.iter().filter(|head| !kinds(head).is_empty()) {
        for &samples in samples {
            for &dim in dims {
                let classes = classes.iter().filter(|&&classes| samples >= 2 * classes);
                cases.extend(classes.map(|&classes| Case { head, samples, dim, classes }));
            }
        }
    }
    cases
}

/// Seconds of one fit after which a side is not asked for cases of the same head that are at least as large: a whole grid
/// would take hours otherwise.
pub(crate) const PATIENCE: f64 = 10.0;

/// Seconds of the fastest fit on each side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Ours, unless a smaller case took too long.
    pub(crate) ours: Option<f64>,
    /// scikit-learn's, where there is one and no smaller case took too long.
    pub(crate) theirs: Option<f64>,
}

/// Cases that took more than [`PATIENCE`] on either side.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    ours: Vec<Case>,
    theirs: Vec<Case>,
}

/// How much a class mean stands out of the noise around it.
const SPREAD: f32 = 0.15;
/// Length of what all features have in common, as that of pictures' features is: nothing in them is negative.
const COMMON: f32 = 0.8;

/// Features of norm 1, `[samples, dim]`, whose labels go round: class means with noise around them, both with variances that
/// fall from component to component as those of a picture backbone's features do along their principal axes, and what all
/// have in common.
pub(crate) fn features(case: Case) -> Array2<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let scales: Vec<f32> = (1..=case.dim).map(|j| (j as f32).powf(-0.45)).collect();
    let length = scales.iter().map(|scale| scale * scale).sum::<f32>().sqrt();
    // Uniform, of variance 1.
    let mut noise = |scale: f32| scale / length * random.random_range(-1.732_f32..1.732);
    let means = Array2::from_shape_fn((case.classes, case.dim), |(_, j)| SPREAD * noise(scales[j]));
    let common = COMMON / (case.dim as f32).sqrt();
    let mut features = Array2::from_shape_fn((case.samples, case.dim), |(_, j)| common + noise(scales[j]));
    for (row, mut feature) in features.outer_iter_mut().enumerate() {
        feature += &means.row(row % case.classes);
        let norm = feature.dot(&feature).sqrt();
        feature /= norm;
    }
    features
}

/// γ of the one width that `auto` fits a kernel of: half over the variance, where a search for one begins.
fn one_width(features: &Array2<f32>) -> f64 {
    let variance: f64 = features.columns().into_iter().map(|column| f64::from(column.var(0.0))).sum();
    0.5 / variance
}

impl Slow {
    /// Notes a side's seconds, and says whether it should fit again: `turns` times in all, in no more than [`PATIENCE`].
    fn again(slow: &mut Vec<Case>, case: Case, seconds: f64, turn: usize, turns: usize) -> bool {
        if seconds > PATIENCE {
            slow.push(case);
        }
        turn + 1 < turns && seconds * turns as f64 <= PATIENCE
    }

    /// Whether a case no larger of the same head was too slow.
    fn too_slow(slow: &[Case], case: Case) -> bool {
        let no_larger = |of: &Case| of.samples <= case.samples && of.dim <= case.dim && of.classes <= case.classes;
        slow.iter().any(|of| of.head == case.head && no_larger(of))
    }
}

/// Measures one case on both sides, in turns, at most `turns` times.
///
/// # Errors
/// When the other side fails, in words.
pub(crate) fn measure(
    case: Case,
    threads: usize,
    turns: usize,
    peer: Option<&mut Peer>,
    slow: &mut Slow,
) -> Result<Times, String> {
    let we = !Slow::too_slow(&slow.ours, case);
    let mut peer = peer.filter(|_| !Slow::too_slow(&slow.theirs, case));
    let mut times = Times { ours: None, theirs: None };
    if !we && peer.is_none() {
        return Ok(times);
    }
    let features = features(case);
    let labels: Vec<usize> = (0..case.samples).map(|row| row % case.classes).collect();
    let groups: Vec<usize> = (0..case.samples).collect();
    let samples = Samples::new(features.view(), &labels, &groups, case.classes).map_err(|error| error.to_string())?;
    let gamma = (case.head == "auto").then(|| one_width(&features));
    let options = FitOptions { kinds: kinds(case.head), threads, gamma, ..FitOptions::default() };
    if let Some(peer) = &mut peer {
        peer.tell(&features)?;
    }
    let least = |known: Option<f64>, seconds: f64| Some(known.map_or(seconds, |known| known.min(seconds)));
    let (mut ask, mut work) = (peer.is_some(), we);
    for turn in 0..turns {
        if let (Some(peer), true) = (&mut peer, ask) {
            let seconds = peer.fit(case)?;
            times.theirs = least(times.theirs, seconds);
            ask = Slow::again(&mut slow.theirs, case, seconds, turn, turns);
        }
        if work {
            let start = Instant::now();
            std::hint::black_box(fit(&samples, &options)).map_err(|error: FitError| error.to_string())?;
            let seconds = start.elapsed().as_secs_f64();
            times.ours = least(times.ours, seconds);
            work = Slow::again(&mut slow.ours, case, seconds, turn, turns);
        }
    }
    Ok(times)
}

/// A Python with scikit-learn, waiting for questions.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What answers.
    pub(crate) versions: String,
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    file: PathBuf,
}

impl Peer {
    /// Starts `$ACCLIMATE_PYTHON` or `python3`.
    ///
    /// # Errors
    /// When there is none or it lacks scikit-learn, in words.
    pub(crate) fn start(threads: usize) -> Result<Self, String> {
        let python = std::env::var("ACCLIMATE_PYTHON").unwrap_or_else(|_| "python3".into());
        let lacking = |why: &str| format!("{python}: {why} (set ACCLIMATE_PYTHON to a Python that has scikit-learn)");
        let mut child = Command::new(&python)
            .args(["-c", include_str!("peer.py")])
            .envs(
                ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, threads.to_string())),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| lacking(&error.to_string()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(lacking("no pipes"));
        };
        let mut answers = BufReader::new(answers).lines();
        let versions = answers.next().and_then(Result::ok).ok_or_else(|| lacking("has no scikit-learn"))?;
        let file = std::env::temp_dir().join(format!("acclimate-bench-{}-{threads}.f32", std::process::id()));
        Ok(Self { versions, child, questions, answers, file })
    }

    fn tell(&mut self, features: &Array2<f32>) -> Result<(), String> {
        let bytes: Vec<u8> = features.iter().flat_map(|x| x.to_le_bytes()).collect();
        let path: &Path = &self.file;
        fs::write(path, bytes).map_err(|error| format!("could not write the features to {}: {error}", path.display()))
    }

    fn fit(&mut self, case: Case) -> Result<f64, String> {
        let Case { head, samples, dim, classes } = case;
        let file = self.file.display();
        writeln!(self.questions, "{head}\t{file}\t{samples}\t{dim}\t{classes}")
            .map_err(|error| format!("scikit-learn took no question: {error}"))?;
        let answer = self.answers.next().and_then(Result::ok).ok_or("scikit-learn ended without an answer")?;
        answer.parse().map_err(|_| format!("scikit-learn answered {answer:?}, expected seconds"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
