//! The deployed form of every head: one matrix, one bias, one temperature. Knows nothing of how it was fitted.
//!
//! Read next: `candidate.rs` (how heads are fitted), `selection.rs` (which one wins).
//! Invariant: fitted heads have finite numbers, so probabilities are finite and sum to 1.

use std::{fmt, str::FromStr};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::{Novelty, dot::dot};

/// How a head was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Multinomial logistic regression with an L2 penalty.
    Logistic,
    /// Cosine to each class mean.
    Prototype,
    /// Ridge regression on one-hot targets.
    Ridge,
}

impl Kind {
    /// Every kind, cheapest first.
    pub const ALL: [Self; 3] = [Self::Prototype, Self::Ridge, Self::Logistic];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logistic => "logistic",
            Self::Prototype => "prototype",
            Self::Ridge => "ridge",
        })
    }
}

/// A word that names no kind of head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("head is {0:?}, expected logistic, prototype or ridge")]
pub struct KindError(String);

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(word: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == word).ok_or_else(|| KindError(word.to_owned()))
    }
}

/// An immutable fitted linear classifier: `logits = weights·x + bias`, `probabilities = softmax(logits / temperature)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// How it was fitted.
    pub kind: Kind,
    /// `[classes, dim]`.
    pub weights: Array2<f32>,
    /// `[classes]`.
    pub bias: Array1<f32>,
    /// Divides the logits; above zero.
    pub temperature: f64,
    /// The penalty it was fitted with, for kinds that have one.
    pub lambda: Option<f64>,
    /// When to answer `unknown`.
    pub novelty: Option<Novelty>,
}

impl Head {
    /// How many classes.
    pub fn classes(&self) -> usize {
        self.weights.nrows()
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        self.weights.ncols()
    }

    /// Probability of each class for one feature `[dim]`; sums to 1. O(classes·dim).
    ///
    /// # Panics
    /// When `feature` is not of the head's `dim`: the caller mixed up two backbones.
    pub fn probabilities(&self, feature: &[f32]) -> Vec<f64> {
        assert_eq!(feature.len(), self.dim(), "feature and head are of different backbones");
        let weights = self.weights.as_standard_layout();
        let rows = weights.as_slice().unwrap_or_default().chunks_exact(self.dim().max(1));
        let logits = rows.zip(&self.bias).map(|(w, &b)| dot(w, feature) + f64::from(b));
        let mut out: Vec<f64> = logits.collect();
        softmax(&mut out, self.temperature);
        out
    }

    /// Probabilities `[n, classes]` for features `[n, dim]`, each row as [`Head::probabilities`] gives it.
    ///
    /// # Panics
    /// When the features are not of the head's `dim`.
    pub fn batch(&self, features: ArrayView2<'_, f32>) -> Array2<f64> {
        let mut out = Array2::zeros((features.nrows(), self.classes()));
        for (x, mut row) in features.axis_iter(Axis(0)).zip(out.axis_iter_mut(Axis(0))) {
            row.assign(&Array1::from(self.probabilities(&x.to_vec())));
        }
        out
    }
}

/// Turns logits into `softmax(logits / temperature)` in place. A logit of `-inf` becomes probability 0, also where there
/// is no other.
pub fn softmax(logits: &mut [f64], temperature: f64) {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return logits.fill(0.0);
    }
    let mut sum = 0.0;
    for x in logits.iter_mut() {
        *x = ((*x - top) / temperature).exp();
        sum += *x;
    }
    for x in logits {
        *x /= sum;
    }
}

/// Probabilities below this count as this in [`log_loss`]: it bounds what one sample can weigh (13.8 nats), and is
/// what a class costs that the fitted part of a leave-out never saw.
pub const LOG_LOSS_FLOOR: f64 = 1e-6;

/// `-ln p[label]`, in nats, with `p` no less than [`LOG_LOSS_FLOOR`]. A label beyond the probabilities has `p = 0`.
pub fn log_loss(probabilities: ArrayView1<'_, f64>, label: usize) -> f64 {
    -probabilities.get(label).map_or(LOG_LOSS_FLOOR, |p| p.max(LOG_LOSS_FLOOR)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, aview1};

    #[test]
    fn kinds_survive_their_words() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("Ridge".parse::<Kind>(), Err(KindError("Ridge".into())));
    }

    #[test]
    fn probabilities_are_the_softmax_of_the_scaled_logits() {
        let head = Head {
            kind: Kind::Ridge,
            weights: Array2::from_shape_fn((2, 11), |(c, j)| if c == 0 { j as f32 } else { 0.0 }),
            bias: array![0.5, -0.5],
            temperature: 2.0,
            lambda: None,
            novelty: None,
        };
        let x: Vec<f32> = (0..11).map(|j| 0.01 * j as f32).collect();
        // Σ 0.01 j² for j ≤ 10 is 3.85, so the logits are 4.35 and -0.5.
        let expected = 1.0 / (1.0 + (-(4.35_f64 + 0.5) / 2.0).exp());
        assert!((head.probabilities(&x)[0] - expected).abs() < 1e-6);
        let batch = head.batch(aview1(&x).insert_axis(Axis(0)));
        assert_eq!(batch.row(0).to_vec(), head.probabilities(&x));
    }

    #[test]
    fn log_loss_is_bounded_and_total() {
        let p = aview1(&[1.0, 0.0]);
        assert_eq!(log_loss(p, 0), 0.0);
        assert_eq!(log_loss(p, 1), -LOG_LOSS_FLOOR.ln());
        assert_eq!(log_loss(p, 9), -LOG_LOSS_FLOOR.ln());
    }

    #[test]
    fn an_unseen_class_has_probability_zero() {
        let mut logits = [1.0, f64::NEG_INFINITY, 1.0];
        softmax(&mut logits, 0.1);
        assert_eq!(logits, [0.5, 0.0, 0.5]);
    }
}
