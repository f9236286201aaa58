//! Small cases against scikit-learn and against refits by brute force; `reference/make.py` wrote the numbers.
#![allow(clippy::needless_pass_by_value, reason = "array views are handles")]
#![allow(clippy::struct_field_names, reason = "the file's names")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use acclimate_trainer::{FitOptions, Form, Kind, Samples, Solution, Weighting, solve};
use ndarray::{Array2, ArrayView2, Axis};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    dim: usize,
    classes: usize,
    codes: Vec<u8>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    prototype: Scores,
    ridge: Vec<Scores>,
    discriminant: Vec<Scores>,
    kernel: Vec<Scores>,
    logistic: Vec<Probabilities>,
}

#[derive(Deserialize)]
struct Scores {
    penalty: Option<f64>,
    scores: Vec<f64>,
    leave_one_out: Vec<f64>,
    leave_group_out: Vec<f64>,
    gamma: Option<f64>,
    #[serde(default)]
    squared_errors: Vec<f64>,
}

#[derive(Deserialize)]
struct Probabilities {
    penalty: f64,
    probabilities: Vec<f64>,
}

impl Case {
    fn features(&self) -> Array2<f32> {
        let x = self.codes.iter().map(|&code| f32::from(code) / 256.0).collect();
        Array2::from_shape_vec((self.labels.len(), self.dim), x).unwrap()
    }

    fn solve(&self, kind: Kind, groups: &[usize], penalty: Option<f64>, gamma: Option<f64>) -> Solution {
        let x = self.features();
        let samples = Samples::new(x.view(), &self.labels, groups, self.classes).unwrap();
        // scikit-learn's logistic regression is not told to balance the classes.
        let weighting = if kind == Kind::Logistic { Weighting::None } else { Weighting::Auto };
        solve(kind, &samples, penalty, &FitOptions { weighting, gamma, ..FitOptions::default() }).unwrap()
    }

    fn logits(&self, solution: &Solution) -> Array2<f64> {
        let x = self.features().mapv(f64::from);
        match &solution.form {
            Form::Linear(linear) => x.dot(&linear.weights.t()) + &linear.bias,
            Form::Kernel(kernel) => {
                let between = Array2::from_shape_fn((x.nrows(), kernel.support.nrows()), |(i, k)| {
                    let difference = &x.row(i) - &kernel.support.row(k).mapv(f64::from);
                    (-kernel.gamma * difference.dot(&difference)).exp()
                });
                between.dot(&kernel.coefficients.t()) + &kernel.bias
            }
        }
    }

    fn compare(&self, what: &str, got: ArrayView2<'_, f64>, expected: &[f64], tolerance: f64) {
        assert_eq!(got.len(), expected.len(), "{}: {what}", self.name);
        let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < tolerance, "{}: {what} differs by {worst}", self.name);
    }

    fn compare_scores(&self, kind: Kind, expected: &Scores, tolerance: f64) -> Solution {
        let singles: Vec<usize> = (0..self.labels.len()).collect();
        let what = |what: &str| format!("{kind} {what} at {:?}", expected.penalty);
        let by_group = self.solve(kind, &self.groups, expected.penalty, expected.gamma);
        self.compare(&what("scores"), self.logits(&by_group).view(), &expected.scores, tolerance);
        self.compare(&what("leave group out"), by_group.scores.view(), &expected.leave_group_out, tolerance);
        let by_one = self.solve(kind, &singles, expected.penalty, expected.gamma);
        self.compare(&what("leave one out"), by_one.scores.view(), &expected.leave_one_out, tolerance);
        by_one
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Reference>(include_str!("reference/reference.json")).unwrap().cases
}

#[test]
fn prototype_is_the_cosine_to_class_means_refitted_without_the_sample() {
    for case in cases() {
        case.compare_scores(Kind::Prototype, &case.prototype, 1e-8);
    }
}

#[test]
fn ridge_agrees_with_refits_and_with_ridge_cv() {
    for case in cases() {
        for expected in &case.ridge {
            let by_one = case.compare_scores(Kind::Ridge, expected, 1e-7);
            let targets = Array2::from_shape_fn(by_one.scores.raw_dim(), |(i, c)| f64::from(case.labels[i] == c));
            if expected.squared_errors.is_empty() {
                continue; // weighted samples
            }
            let squares = (&by_one.scores - &targets).mapv(|error| error * error);
            case.compare("squared errors", squares.view(), &expected.squared_errors, 1e-7);
        }
    }
}

#[test]
fn discriminant_agrees_with_linear_discriminant_analysis_refitted_without_the_sample() {
    for case in cases() {
        for expected in &case.discriminant {
            let singles: Vec<usize> = (0..case.labels.len()).collect();
            let [by_group, by_one] =
                [&case.groups, &singles].map(|groups| case.solve(Kind::Discriminant, groups, expected.penalty, None));
            for (what, scores, expected) in [
                ("scores", case.logits(&by_group), &expected.scores),
                ("leave group out", by_group.scores, &expected.leave_group_out),
                ("leave one out", by_one.scores, &expected.leave_one_out),
            ] {
                let posterior = log_softmax(scores);
                case.compare(&format!("discriminant {what}"), posterior.view(), expected, 1e-6);
            }
        }
    }
}

#[test]
fn kernel_agrees_with_refits_of_kernel_ridge() {
    for case in cases() {
        for expected in &case.kernel {
            case.compare_scores(Kind::Kernel, expected, 1e-7);
        }
    }
}

#[test]
fn logistic_agrees_with_logistic_regression_at_the_same_penalty() {
    for case in cases() {
        for expected in &case.logistic {
            let solution = case.solve(Kind::Logistic, &case.groups, Some(expected.penalty), None);
            let mut probabilities = case.logits(&solution);
            for mut row in probabilities.axis_iter_mut(Axis(0)) {
                acclimate_trainer::softmax(row.as_slice_mut().unwrap(), 1.0);
            }
            let what = format!("probabilities at {}", expected.penalty);
            case.compare(&what, probabilities.view(), &expected.probabilities, 1e-5);
        }
    }
}

/// Logarithms of probabilities; scores that differ by the same for every class give the same.
fn log_softmax(mut scores: Array2<f64>) -> Array2<f64> {
    for mut row in scores.axis_iter_mut(Axis(0)) {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = row.iter().map(|x| (x - top).exp()).sum::<f64>().ln();
        row.mapv_inplace(|x| x - top - sum);
    }
    scores
}
