//! Some rows of samples, copied, in an order of their own. Knows nothing of why they were picked.

use ndarray::{Array2, Axis};

use crate::{Quantisation, Samples};

/// Copies of rows.
pub(crate) struct Picked {
    features: Array2<f32>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    weights: Option<Vec<f64>>,
    classes: usize,
    quantisation: Option<Quantisation>,
}

impl Picked {
    pub(crate) fn new(of: &Samples<'_>, rows: &[usize]) -> Self {
        let pick = |all: &[usize]| rows.iter().map(|&row| all[row]).collect();
        Self {
            features: of.features().select(Axis(0), rows),
            labels: pick(of.labels()),
            groups: pick(of.groups()),
            weights: of.weights().map(|all| rows.iter().map(|&row| all[row]).collect()),
            classes: of.classes(),
            quantisation: of.quantisation(),
        }
    }

    /// None where a class has no sample here.
    pub(crate) fn samples(&self) -> Option<Samples<'_>> {
        let samples = Samples::new(self.features.view(), &self.labels, &self.groups, self.classes).ok()?;
        let samples = match &self.weights {
            Some(weights) => samples.with_weights(weights).ok()?,
            None => samples,
        };
        Some(self.quantisation.map_or(samples, |quantisation| samples.with_quantisation(quantisation)))
    }
}
