//! What a head computes its logits with. Knows nothing of how it was fitted, and nothing of probabilities.
//!
//! Invariant: every form has one output per class and reads features of one dim.

use ndarray::{Array1, Array2, ArrayView1};

use crate::{
    Quantisation,
    dot::{dot, squared_distance},
};

/// The numbers of a head: f64 as solved, f32 as deployed.
#[derive(Clone, Debug, PartialEq)]
pub enum Form<T = f32> {
    /// One direction per class.
    Linear(Linear<T>),
    /// Likeness to stored features.
    Kernel(Kernel<T>),
}

/// `logits = weights·x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<T = f32> {
    /// `[classes, dim]`.
    pub weights: Array2<T>,
    /// `[classes]`.
    pub bias: Array1<T>,
}

/// `logits = coefficients·k(x) + bias` with `k(x)_i = exp(-γ‖x - support_i‖²)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel<T = f32> {
    /// Features of samples it was fitted on, decoded, `[n, dim]`.
    pub support: Array2<f32>,
    /// What they were decoded with, where it is known: then they take a byte per component in a file.
    pub quantisation: Option<Quantisation>,
    /// `[classes, n]`.
    pub coefficients: Array2<T>,
    /// `[classes]`.
    pub bias: Array1<T>,
    /// γ; above 0.
    pub gamma: f64,
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
            Self::Kernel(Kernel { coefficients, .. }) => coefficients.nrows(),
        }
    }

    /// How many components a feature has.
    pub fn dim(&self) -> usize {
        match self {
            Self::Linear(Linear { weights, .. }) => weights.ncols(),
            Self::Kernel(Kernel { support, .. }) => support.ncols(),
        }
    }
}

impl Form<f64> {
    /// As it is deployed.
    pub(crate) fn narrow(&self) -> Form {
        match self {
            Self::Linear(Linear { weights, bias }) => Form::linear(weights.mapv(|w| w as f32), bias.mapv(|b| b as f32)),
            Self::Kernel(Kernel { support, quantisation, coefficients, bias, gamma }) => Form::Kernel(Kernel {
                support: support.clone(),
                quantisation: *quantisation,
                coefficients: coefficients.mapv(|c| c as f32),
                bias: bias.mapv(|b| b as f32),
                gamma: *gamma,
            }),
        }
    }
}

impl Form {
    /// For one feature.
    pub(crate) fn one(&self) -> Many<'_> {
        Many { form: self, wide: Vec::new() }
    }

    /// For many features: what all need is done once.
    pub(crate) fn many(&self) -> Many<'_> {
        let wide = match self {
            Self::Linear(Linear { weights, .. }) => weights.iter().copied().map(f64::from).collect(),
            Self::Kernel(_) => Vec::new(),
        };
        Many { form: self, wide }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Linear(Linear { weights, bias }) => weights.iter().chain(bias).all(|x| x.is_finite()),
            Self::Kernel(Kernel { support, quantisation: _, coefficients, bias, gamma }) => {
                support.iter().chain(coefficients).chain(bias).all(|x| x.is_finite()) && gamma.is_finite()
            }
        }
    }
}

/// A form at work.
pub(crate) struct Many<'a> {
    form: &'a Form,
    /// Weights of a linear form in f64, row by row, where that pays; the same numbers give the same sums.
    wide: Vec<f64>,
}

impl Many<'_> {
    /// Logits `[classes]` of `scale·unit`, summed in f64. A kernel head knows features of norm 1 only, so `scale` is 1
    /// there. O(classes·dim), but O(n·(dim + classes)) for a kernel head of n features.
    pub(crate) fn logits(&self, unit: &[f32], scale: f64, out: &mut [f64]) {
        let dim = unit.len().max(1);
        match self.form {
            Form::Linear(Linear { bias, .. }) if !self.wide.is_empty() => {
                let wide: Vec<f64> = unit.iter().copied().map(f64::from).collect();
                for ((to, w), &b) in out.iter_mut().zip(self.wide.chunks_exact(dim)).zip(bias) {
                    *to = scale * dot(w, &wide) + f64::from(b);
                }
            }
            Form::Linear(Linear { weights, bias }) => {
                let weights = weights.as_standard_layout();
                let rows = weights.as_slice().unwrap_or_default().chunks_exact(dim);
                for ((to, w), &b) in out.iter_mut().zip(rows).zip(bias) {
                    *to = scale * dot(w, unit) + f64::from(b);
                }
            }
            Form::Kernel(Kernel { support, coefficients, bias, gamma, .. }) => {
                let support = support.as_standard_layout();
                let rows = support.as_slice().unwrap_or_default().chunks_exact(dim);
                let likeness: Vec<f64> = rows.map(|row| (-gamma * squared_distance(row, unit)).exp()).collect();
                let sum =
                    |row: ArrayView1<'_, f32>| row.iter().zip(&likeness).map(|(&c, k)| f64::from(c) * k).sum::<f64>();
                for ((to, row), &b) in out.iter_mut().zip(coefficients.outer_iter()).zip(bias) {
                    *to = sum(row) + f64::from(b);
                }
            }
        }
    }
}
