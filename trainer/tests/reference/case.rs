//! One reference case, as `make.py` writes it, and its comparison with what we make of it. Knows nothing of where it comes
//! from: `tests/reference.rs` has committed ones, `cargo xtask soak fit` draws more.
//!
//! Invariant: leave-out predictions are compared with those of refits without the samples, never with a closed form.

use acclimate_trainer::{FitOptions, Form, Kind, Samples, Solution, Weighting, softmax, solve};
use ndarray::{Array2, ArrayView2, Axis};
use serde::Deserialize;

/// How far scores may be from scikit-learn's.
const CLOSE: f64 = 1e-7;
/// The same for logarithms of a discriminant's probabilities, which a covariance has been inverted for.
const INVERTED: f64 = 1e-6;
/// The same for probabilities of logistic regression, which both sides iterate to.
const ITERATED: f64 = 1e-5;
/// The same for means.
const MEANS: f64 = 1e-8;

/// One problem, and what the slow way makes of it.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    dim: usize,
    classes: usize,
    codes: Vec<u8>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    /// Whether numbers above 1 are compared in proportion.
    #[serde(default)]
    relative: bool,
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
        let unit = |expected: f64| if self.relative { expected.abs().max(1.0) } else { 1.0 };
        let worst = got.iter().zip(expected).map(|(a, &b)| (a - b).abs() / unit(b)).fold(0.0, f64::max);
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

    /// Cosines to the class means, as `NearestCentroid`'s, refitted without the sample.
    pub(crate) fn compare_prototype(&self) {
        self.compare_scores(Kind::Prototype, &self.prototype, MEANS);
    }

    /// `Ridge` on one-hot targets with intercept, refitted without the sample and without its group, and `RidgeCV`.
    pub(crate) fn compare_ridge(&self) {
        for expected in &self.ridge {
            let by_one = self.compare_scores(Kind::Ridge, expected, CLOSE);
            let targets = Array2::from_shape_fn(by_one.scores.raw_dim(), |(i, c)| f64::from(self.labels[i] == c));
            if expected.squared_errors.is_empty() {
                continue; // weighted samples
            }
            let squares = (&by_one.scores - &targets).mapv(|error| error * error);
            self.compare("squared errors", squares.view(), &expected.squared_errors, CLOSE);
        }
    }

    /// `LinearDiscriminantAnalysis` at a given shrinkage, refitted without the sample and without its group.
    pub(crate) fn compare_discriminant(&self) {
        for expected in &self.discriminant {
            let singles: Vec<usize> = (0..self.labels.len()).collect();
            let [by_group, by_one] =
                [&self.groups, &singles].map(|groups| self.solve(Kind::Discriminant, groups, expected.penalty, None));
            for (what, scores, expected) in [
                ("scores", self.logits(&by_group), &expected.scores),
                ("leave group out", by_group.scores, &expected.leave_group_out),
                ("leave one out", by_one.scores, &expected.leave_one_out),
            ] {
                let posterior = log_softmax(scores);
                self.compare(&format!("discriminant {what}"), posterior.view(), expected, INVERTED);
            }
        }
    }

    /// `KernelRidge`, refitted without the sample and without its group.
    pub(crate) fn compare_kernel(&self) {
        for expected in &self.kernel {
            self.compare_scores(Kind::Kernel, expected, CLOSE);
        }
    }

    /// `LogisticRegression` at the same penalty.
    pub(crate) fn compare_logistic(&self) {
        for expected in &self.logistic {
            let solution = self.solve(Kind::Logistic, &self.groups, Some(expected.penalty), None);
            let mut probabilities = self.logits(&solution);
            for mut row in probabilities.axis_iter_mut(Axis(0)) {
                softmax(row.as_slice_mut().unwrap(), 1.0);
            }
            let what = format!("probabilities at {}", expected.penalty);
            self.compare(&what, probabilities.view(), &expected.probabilities, ITERATED);
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
