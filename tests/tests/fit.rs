//! Fits that nobody would ask for, and fits that scikit-learn makes as well.
//!
//! *Total*: whatever comes in, out comes an error or a finite head whose probabilities sum to 1, and never a panic; what may
//! be fitted is. *Right*: on random well-posed problems the heads and their leave-out predictions are scikit-learn's, refitted.
//! Reduced here; `cargo xtask soak fit` draws 20,000 and 100. `ACCLIMATE_SEED=N` repeats one fuzzed case.

#![allow(clippy::needless_pass_by_value, reason = "array views are handles and are passed by value")]

mod differential;
mod fuzzed;

use std::panic::{AssertUnwindSafe, catch_unwind};

use acclimate_tests::skip::soak;
use acclimate_trainer::{Candidate, Evaluation, Feature, FitError, Head, Kind, LOG_LOSS_FLOOR, fit_within, select};
use ndarray::ArrayView1;

use fuzzed::Fuzzed;

/// Cases beyond the first that were found wrong once.
const ONCE_WRONG: [u64; 8] = [940, 3_090, 11_168, 12_252, 14_409, 18_472, 19_192, 19_732];

#[test]
fn whatever_comes_in_out_comes_an_error_or_a_finite_head() {
    let seeds: Vec<u64> = match std::env::var("ACCLIMATE_SEED") {
        Ok(seed) => vec![seed.parse().expect("ACCLIMATE_SEED is a number")],
        Err(_) if soak() => (0..20_000).collect(),
        Err(_) => (0..300).chain(ONCE_WRONG).collect(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<(u64, Result<usize, String>)> = std::thread::scope(|scope| {
        let share = |first: usize| {
            let seeds = seeds.iter().copied().skip(first).step_by(threads);
            move || seeds.map(|seed| (seed, check(seed))).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(share(first))).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a bug of this test")).collect()
    });
    let heads: usize = results.iter().filter_map(|(_, result)| result.as_ref().ok()).sum();
    let refused = results.iter().filter(|(_, result)| *result == Ok(0)).count();
    println!("{} cases, {heads} heads, {refused} cases without one", results.len());
    let mut wrong: Vec<String> = results
        .into_iter()
        .filter_map(|(seed, result)| Some(format!("ACCLIMATE_SEED={seed}: {}", result.err()?)))
        .collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(seeds.len() < 2 || heads > seeds.len(), "the cases are so bad that they test nothing");
}

/// How many heads came of a case; what is wrong, in words.
fn check(seed: u64) -> Result<usize, String> {
    let case = Fuzzed::draw(seed);
    match catch_unwind(AssertUnwindSafe(|| judged(&case))) {
        Ok(result) => result,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", words.unwrap_or("without a word")))
        }
    }
}

fn judged(case: &Fuzzed) -> Result<usize, String> {
    let samples = match (case.samples(), case.is_whole()) {
        (Err(_), false) => return Ok(0),
        (Ok(samples), true) => samples,
        (Ok(_), false) => return Err("samples that are none were taken".into()),
        (Err(error), true) => return Err(format!("samples were refused: {error}")),
    };
    let mut asked = 0.0;
    let mut may_start = |_: Kind, flops: f64| {
        assert!(flops.is_finite() && flops >= 0.0, "{flops} operations");
        asked += 1.0;
        asked <= case.time_for * Kind::ALL.len() as f64
    };
    let fitted = match (fit_within(&samples, &case.options, &mut may_start), case.is_possible()) {
        (Err(_), false) => return Ok(0),
        // Means can be had of anything; what is solved for, not where all kinds asked for are singular to all digits.
        (Err(FitError::Singular { .. }), true) if !case.options.kinds.contains(&Kind::Prototype) => return Ok(0),
        (Ok(fitted), true) => fitted.candidates,
        (Ok(_), false) => return Err("numbers that are none were taken".into()),
        (Err(error), true) => return Err(format!("not fitted: {error}")),
    };
    for candidate in &fitted {
        sound(case, candidate).map_err(|what| format!("{}: {what}", candidate.head.kind))?;
    }
    if !fitted.is_empty() && select(&fitted) >= fitted.len() {
        return Err("nothing is selected".into());
    }
    Ok(fitted.len())
}

/// Says what is wrong with a candidate.
fn sound(case: &Fuzzed, candidate: &Candidate) -> Result<(), String> {
    let Candidate { head, leave_out, fold_losses, importance, log_loss, accuracy, groups, ungrouped, .. } = candidate;
    let n = case.x.nrows();
    let want = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    want(head.form.is_finite(), "weights are not finite")?;
    want(head.temperature.is_finite() && head.temperature > 0.0, "a temperature that is none")?;
    want(head.lambda.is_none_or(|lambda| lambda.is_finite() && lambda > 0.0), "a penalty that is none")?;
    want((leave_out.nrows(), fold_losses.len(), importance.len(), groups.len()) == (n, n, n, n), "rows are missing")?;
    want(fold_losses.iter().all(|loss| (0.0..=-LOG_LOSS_FLOOR.ln()).contains(loss)), "a loss out of bounds")?;
    want(importance.iter().all(|weight| weight.is_finite() && *weight >= 0.0), "an importance that is none")?;
    want(log_loss.is_finite() && (0.0..=1.0).contains(accuracy), "an estimate that is none")?;
    // Without the only sample there is nothing to score with.
    for row in leave_out.outer_iter().filter(|_| n > 1) {
        distribution(row).map_err(|what| format!("left out: {what}"))?;
    }
    if head.classes() > 1 {
        let labels = head_labels(case, head);
        let evaluation = Evaluation::new(leave_out.view(), &labels, groups, *ungrouped);
        evaluation.map_err(|error| format!("no evaluation: {error}"))?;
    }
    for feature in case.x.outer_iter().filter_map(|row| Feature::from_raw(&row.to_vec()).ok()) {
        let p = head.probabilities(&feature);
        distribution(ArrayView1::from(&p))?;
        if let Some(novelty) = &head.novelty {
            want(novelty.score(feature.as_slice()).is_finite(), "a novelty that is none")?;
        }
        if let Some(conformal) = &head.conformal {
            let set = conformal.set(&p, 0.9).map_err(|error| error.to_string())?;
            want(!set.is_empty() && set.iter().all(|&class| class < p.len()), "a set of classes that is none")?;
        }
    }
    Ok(())
}

/// The case's labels as a head numbers classes.
fn head_labels(case: &Fuzzed, head: &Head) -> Vec<usize> {
    match (&case.options.prior, head.kind) {
        (Some(prior), Kind::BiasedRidge | Kind::Shipped) => {
            case.labels.iter().map(|&label| prior.of_samples[label]).collect()
        }
        _ => case.labels.clone(),
    }
}

fn distribution(p: ArrayView1<'_, f64>) -> Result<(), String> {
    let within = p.iter().all(|p| (0.0..=1.0).contains(p));
    if within && (p.sum() - 1.0).abs() < 1e-9 { Ok(()) } else { Err(format!("probabilities {p}")) }
}
