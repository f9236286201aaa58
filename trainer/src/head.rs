//! A head as it is deployed: numbers, one temperature, and when to answer `unknown`. Knows nothing of how it was fitted.
//!
//! Read next: `form.rs` (what it computes with), `candidate.rs` (how heads are fitted), `selection.rs` (which one wins).
//! Invariant: fitted heads have finite numbers, so probabilities are finite and sum to 1.

use std::{fmt, str::FromStr};

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, aview1};

use crate::{Conformal, Feature, Form, Linear, Novelty};

/// How a head was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Ridge regression towards the weights of the model's own classifier.
    BiasedRidge,
    /// Linear discriminant analysis with a shrunk covariance.
    Discriminant,
    /// Kernel ridge regression with the Gaussian kernel.
    Kernel,
    /// Multinomial logistic regression with an L2 penalty.
    Logistic,
    /// Cosine to each class mean.
    Prototype,
    /// Ridge regression on one-hot targets.
    Ridge,
    /// The model's own classifier, which acts on the raw feature.
    Shipped,
}

impl Kind {
    /// Every kind, cheapest first.
    pub const ALL: [Self; 7] = [
        Self::Shipped,
        Self::Prototype,
        Self::Ridge,
        Self::BiasedRidge,
        Self::Discriminant,
        Self::Logistic,
        Self::Kernel,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BiasedRidge => "biased_ridge",
            Self::Discriminant => "discriminant",
            Self::Kernel => "kernel",
            Self::Logistic => "logistic",
            Self::Prototype => "prototype",
            Self::Ridge => "ridge",
            Self::Shipped => "shipped",
        })
    }
}

/// A word that names no kind of head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("head is {0:?}, expected biased_ridge, discriminant, kernel, logistic, prototype, ridge or shipped")]
pub struct KindError(String);

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(word: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == word).ok_or_else(|| KindError(word.to_owned()))
    }
}

/// An immutable fitted classifier: `probabilities = softmax(logits / temperature)`, with the logits of its [`Form`].
/// `x` is the feature of norm 1, but the raw one (norm times that) for [`Kind::Shipped`].
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// How it was fitted.
    pub kind: Kind,
    /// What it computes with.
    pub form: Form,
    /// Divides the logits; above zero.
    pub temperature: f64,
    /// The penalty it was fitted with, for kinds that have one; the shrinkage for [`Kind::Discriminant`].
    pub lambda: Option<f64>,
    /// When to answer `unknown`.
    pub novelty: Option<Novelty>,
    /// How to answer with sets of classes.
    pub conformal: Option<Conformal>,
}

impl Head {
    /// How many classes.
    pub fn classes(&self) -> usize {
        self.form.classes()
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        self.form.dim()
    }

    /// Its weights and bias; none where it is not linear.
    pub fn linear(&self) -> Option<&Linear> {
        match &self.form {
            Form::Linear(linear) => Some(linear),
            Form::Kernel(_) => None,
        }
    }

    /// Probability of each class for one feature; sums to 1. O(classes·dim).
    ///
    /// # Panics
    /// When `feature` is not of the head's `dim`: the caller mixed up two backbones.
    pub fn probabilities(&self, feature: &Feature) -> Vec<f64> {
        self.batch(aview1(feature.as_slice()).insert_axis(Axis(0)), Some(&[feature.norm()])).into_raw_vec_and_offset().0
    }

    /// Probabilities `[n, classes]` for features `[n, dim]` of norm 1 and the norms `[n]` that they had, each row as
    /// [`Head::probabilities`] gives it. Without its norm (none given, or not a number) a feature has no answer from a
    /// [`Kind::Shipped`] head: its row is NaN.
    ///
    /// # Panics
    /// When the features are not of the head's `dim`.
    pub fn batch(&self, features: ArrayView2<'_, f32>, norms: Option<&[f32]>) -> Array2<f64> {
        assert_eq!(features.ncols(), self.dim(), "feature and head are of different backbones");
        let norm = |i: usize| norms.and_then(|norms| norms.get(i)).copied().unwrap_or(f32::NAN);
        let scale = |i: usize| if self.kind == Kind::Shipped { f64::from(norm(i)) } else { 1.0 };
        let mut out = self.form.logits(features, scale);
        for (i, row) in out.outer_iter_mut().enumerate() {
            match row.into_slice() {
                Some(row) if scale(i).is_finite() => softmax(row, self.temperature),
                Some(row) => row.fill(f64::NAN),
                None => {}
            }
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
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;

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
            form: Form::linear(
                Array2::from_shape_fn((2, 11), |(c, j)| if c == 0 { j as f32 } else { 0.0 }),
                array![0.5, -0.5],
            ),
            temperature: 2.0,
            lambda: None,
            novelty: None,
            conformal: None,
        };
        // Σ j² for j ≤ 10 is 385, so the raw logits are 3.85 + 0.5 and -0.5 for 0.01 j; of norm 1 the first is √385 + 0.5.
        let x = Feature::from_raw(&(0..11).map(|j| 0.01 * j as f32).collect::<Vec<_>>()).unwrap();
        let shipped = Head { kind: Kind::Shipped, ..head.clone() };
        for (head, logit) in [(&head, 385_f64.sqrt()), (&shipped, 3.85)] {
            let expected = 1.0 / (1.0 + (-(logit + 1.0) / 2.0).exp());
            assert!((head.probabilities(&x)[0] - expected).abs() < 1e-6, "{}", head.kind);
            let batch = head.batch(aview1(x.as_slice()).insert_axis(Axis(0)), Some(&[x.norm()]));
            assert_eq!(batch.row(0).to_vec(), head.probabilities(&x));
        }
        let without = shipped.batch(aview1(x.as_slice()).insert_axis(Axis(0)), None);
        assert!(without.iter().all(|p| p.is_nan()), "{without}");
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
