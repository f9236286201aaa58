//! What a head computes its logits with. Knows nothing of how it was fitted, and nothing of probabilities.
//!
//! Invariant: every form has one output per class and reads features of one dim.

use ndarray::{Array1, Array2};

use crate::dot::dot;

/// The numbers of a head: f64 as solved, f32 as deployed.
#[derive(Clone, Debug, PartialEq)]
pub enum Form<T = f32> {
    /// One direction per class.
    Linear(Linear<T>),
}

/// `logits = weights·x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<T = f32> {
    /// `[classes, dim]`.
    pub weights: Array2<T>,
    /// `[classes]`.
    pub bias: Array1<T>,
}

impl<T> Form<T> {
    /// The linear form of weights `[classes, dim]` and bias `[classes]`.
    pub fn linear(weights: Array2<T>, bias: Array1<T>) -> Self {
        Self::Linear(Linear { weights, bias })
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::Linear(Linear { weights, .. }) => weights.nrows(),
        }
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        match self {
            Self::Linear(Linear { weights, .. }) => weights.ncols(),
        }
    }
}

impl Form<f64> {
    /// As it is deployed.
    pub(crate) fn narrow(&self) -> Form {
        match self {
            Self::Linear(Linear { weights, bias }) => Form::linear(weights.mapv(|w| w as f32), bias.mapv(|b| b as f32)),
        }
    }
}

impl Form {
    /// Logits `[classes]` of `scale·unit`, summed in f64.
    pub(crate) fn logits(&self, unit: &[f32], scale: f64) -> Vec<f64> {
        match self {
            Self::Linear(Linear { weights, bias }) => {
                let weights = weights.as_standard_layout();
                let rows = weights.as_slice().unwrap_or_default().chunks_exact(unit.len().max(1));
                rows.zip(bias).map(|(w, &b)| scale * dot(w, unit) + f64::from(b)).collect()
            }
        }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Linear(Linear { weights, bias }) => weights.iter().chain(bias).all(|x| x.is_finite()),
        }
    }
}
