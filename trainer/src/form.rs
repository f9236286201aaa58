//! What a head computes its logits with. Knows nothing of how it was fitted, and nothing of probabilities.
//!
//! Invariant: every form has one output per class and reads features of one dim.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayView2};

use crate::{Quantisation, dot::squared_distance, inner_products::inner_products};

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
    /// Logits `[n, classes]` of `scales·units` for features `[n, dim]` of norm 1, summed in f64. A kernel head knows no others,
    /// so its scales are 1. O(n·classes·dim), but O(n·m·(dim + classes)) for a kernel head of m features.
    pub(crate) fn logits(&self, units: ArrayView2<'_, f32>, scales: impl Fn(usize) -> f64) -> Array2<f64> {
        let (mut out, bias) = match self {
            Self::Linear(Linear { weights, bias }) => (inner_products(units, weights.view()), bias),
            Self::Kernel(kernel) => (kernel.products(units), &kernel.bias),
        };
        for (i, mut row) in out.outer_iter_mut().enumerate() {
            let scale = scales(i);
            row.zip_mut_with(bias, |to, &bias| *to = scale * *to + f64::from(bias));
        }
        out
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

impl Kernel {
    /// `coefficients·k(x)`, `[n, classes]`.
    fn products(&self, units: ArrayView2<'_, f32>) -> Array2<f64> {
        let Self { support, coefficients, gamma, .. } = self;
        let support = support.as_standard_layout();
        let support = support.as_slice().unwrap_or_default();
        let mut out = Array2::zeros((units.nrows(), coefficients.nrows()));
        for (unit, mut out) in units.outer_iter().zip(out.outer_iter_mut()) {
            let unit = unit.to_slice().map_or_else(|| Cow::Owned(unit.to_vec()), Cow::Borrowed);
            let rows = support.chunks_exact(unit.len().max(1));
            let likeness: Vec<f64> = rows.map(|row| (-gamma * squared_distance(row, &unit)).exp()).collect();
            for (to, row) in out.iter_mut().zip(coefficients.outer_iter()) {
                *to = row.iter().zip(&likeness).map(|(&c, k)| f64::from(c) * k).sum();
            }
        }
        out
    }
}
