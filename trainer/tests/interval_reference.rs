//! The statistics of judgement and the evaluation record against scipy and scikit-learn (`reference/make_statistics.py`),
//! and the coverage of the accuracy's interval by simulation.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use acclimate_trainer::Evaluation;
use acclimate_trainer::interval::{
    GroupedMean, clustered_interval, fisher_greater, student_t_cdf, student_t_quantile, student_t_survival, wilson,
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    student: Vec<Student>,
    quantiles: Vec<Quantile>,
    wilson: Vec<Wilson>,
    fisher: Vec<Fisher>,
    grouped_means: Vec<Grouped>,
    evaluations: Vec<Evaluated>,
}
#[derive(Deserialize)]
struct Student {
    t: f64,
    df: f64,
    survival: f64,
}
#[derive(Deserialize)]
struct Quantile {
    p: f64,
    df: f64,
    t: f64,
}
#[derive(Deserialize)]
struct Wilson {
    right: f64,
    n: f64,
    low: f64,
    high: f64,
}
#[derive(Deserialize)]
struct Fisher {
    tables: Vec<[[u64; 2]; 2]>,
    p: f64,
}
#[derive(Deserialize)]
struct Grouped {
    values: Vec<f64>,
    groups: Vec<usize>,
    mean: f64,
    standard_error: f64,
    p: f64,
}
#[derive(Deserialize)]
struct Evaluated {
    probabilities: Vec<Vec<f64>>,
    labels: Vec<usize>,
    accuracy: f64,
    balanced_accuracy: f64,
    macro_f1: f64,
    log_loss: f64,
    ece: f64,
    confusion: Vec<Vec<u64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/statistics.json")).unwrap()
}

fn assert_close(got: f64, expected: f64, what: &str) {
    // Relative, so that a far tail is held to as many digits as the middle; ln Γ of 50,000 leaves ten of them.
    let tolerance = 1e-9 * expected.abs().max(1e-12);
    assert!((got - expected).abs() <= tolerance, "{what}: {got}, scipy says {expected}");
}

#[test]
fn student_t_agrees_with_scipy() {
    for case in reference().student {
        let what = format!("survival of {} at {} df", case.t, case.df);
        assert_close(student_t_survival(case.t, case.df), case.survival, &what);
        assert_close(student_t_cdf(-case.t, case.df), case.survival, &what);
    }
    for case in reference().quantiles {
        let what = format!("quantile {} at {} df", case.p, case.df);
        assert_close(student_t_quantile(case.p, case.df), case.t, &what);
    }
}

#[test]
fn wilson_agrees_with_scipy() {
    for case in reference().wilson {
        let (low, high) = wilson(case.right / case.n, case.n, 1.959_963_984_540_054);
        let what = format!("{} of {}", case.right, case.n);
        assert_close(low, case.low, &what);
        assert_close(high, case.high, &what);
    }
}

#[test]
fn fisher_agrees_with_scipy_on_one_table_and_several() {
    for case in reference().fisher {
        assert_close(fisher_greater(&case.tables), case.p, &format!("{:?}", case.tables));
    }
}

#[test]
fn grouped_mean_agrees_with_scipy() {
    for case in reference().grouped_means {
        let mean = GroupedMean::new(&case.values, &case.groups);
        assert_close(mean.mean, case.mean, "mean");
        assert_close(mean.standard_error, case.standard_error, "standard error");
        assert_close(mean.p_above_zero.unwrap(), case.p, "p");
    }
}

#[test]
fn evaluation_agrees_with_scikit_learn() {
    for case in reference().evaluations {
        let (n, classes) = (case.probabilities.len(), case.probabilities[0].len());
        let p = Array2::from_shape_vec((n, classes), case.probabilities.concat()).unwrap();
        let groups: Vec<usize> = (0..n).collect();
        let got = Evaluation::new(p.view(), &case.labels, &groups, false).unwrap();
        assert_close(got.accuracy, case.accuracy, "accuracy");
        assert_close(got.balanced_accuracy, case.balanced_accuracy, "balanced accuracy");
        assert_close(got.macro_f1, case.macro_f1, "macro-F1");
        assert_close(got.log_loss, case.log_loss, "log-loss");
        assert_close(got.ece, case.ece, "calibration error");
        assert_eq!(got.confusion.into_raw_vec_and_offset().0, case.confusion.concat());
    }
}

/// Share of simulated data sets whose interval holds the true accuracy. Groups of 1 to `largest` samples; a group is all
/// alike with probability `alike`, else its samples are independent: the correlation within groups is `alike`.
fn coverage(accuracy: f64, groups: usize, largest: usize, alike: f64) -> f64 {
    const DRAWS: usize = 1000;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut held = 0;
    for _ in 0..DRAWS {
        let (mut correct, mut ids) = (Vec::new(), Vec::new());
        for group in 0..groups {
            let shared = rng.random_bool(alike).then(|| rng.random_bool(accuracy));
            for _ in 0..rng.random_range(1..=largest) {
                correct.push(shared.unwrap_or_else(|| rng.random_bool(accuracy)));
                ids.push(group);
            }
        }
        let (low, high) = clustered_interval(&correct, &ids);
        held += usize::from((low..=high).contains(&accuracy));
    }
    held as f64 / DRAWS as f64
}

#[test]
fn the_accuracy_interval_holds_the_truth_19_times_in_20() {
    for accuracy in [0.6, 0.85, 0.97] {
        for (groups, largest, alike) in
            [(180, 1, 0.0), (60, 5, 0.0), (60, 5, 0.3), (60, 5, 1.0), (12, 8, 0.3), (12, 8, 1.0)]
        {
            let held = coverage(accuracy, groups, largest, alike);
            println!("{accuracy} {groups} {largest} {alike}: {held}");
            assert!(
                held >= 0.93,
                "accuracy {accuracy}, {groups} groups of 1 to {largest}, correlation {alike}: {held}"
            );
        }
    }
    // Where nothing depends on anything the price of not knowing that is small.
    assert!(coverage(0.85, 180, 1, 0.0) <= 0.97);
}

/// Mean calibration error over draws of 180 samples whose confidence is between 0.6 and 1, and whose accuracy is `gap`
/// less.
fn mean_calibration_error(gap: f64) -> f64 {
    const DRAWS: usize = 300;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let groups: Vec<usize> = (0..180).collect();
    let mut sum = 0.0;
    for _ in 0..DRAWS {
        let confidence: Vec<f64> = groups.iter().map(|_| rng.random_range(0.6..1.0)).collect();
        let p = Array2::from_shape_fn((180, 2), |(i, c)| (confidence[i] - c as f64).abs());
        let labels: Vec<usize> = confidence.iter().map(|c| usize::from(!rng.random_bool(c - gap))).collect();
        sum += Evaluation::new(p.view(), &labels, &groups, false).unwrap().ece;
    }
    sum / DRAWS as f64
}

#[test]
fn the_calibration_error_is_nearly_free_of_the_noise_of_small_bins() {
    let (calibrated, slight, gross) =
        (mean_calibration_error(0.0), mean_calibration_error(0.05), mean_calibration_error(0.2));
    println!("{calibrated:.4} {slight:.4} {gross:.4}");
    // The plain estimator reads about 0.07 where there is no error at all.
    assert!(calibrated < 0.03, "{calibrated}");
    assert!((slight - 0.05).abs() < 0.015, "{slight}");
    assert!((gross - 0.2).abs() < 0.015, "{gross}");
}
