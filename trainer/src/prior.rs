//! The classifier that came in a model's file, as a place to start from. Knows nothing of files: weights, bias, and which
//! classes are whose.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::{Form, Kind, Samples, Solution, samples::SIZES};

/// A linear classifier on raw features that was there before any sample.
///
/// Its classes are those that heads which start from it have, in their order: all that are to be kept, of which samples
/// may hold a few only, and classes that samples hold and it does not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// `[classes, dim]`, on the raw feature; whatever in rows that it does not know.
    pub weights: Array2<f32>,
    /// `[classes]`.
    pub bias: Array1<f32>,
    /// Which classes it knows, `[classes]`.
    pub knows: Vec<bool>,
    /// Its class for each class of the samples; rising.
    pub of_samples: Vec<usize>,
}

impl Prior {
    /// Whether it is a prior for these samples.
    pub(crate) fn fits(&self, samples: &Samples<'_>) -> bool {
        let n = self.knows.len();
        self.weights.dim() == (n, samples.dim())
            && self.bias.len() == n
            && self.of_samples.len() == samples.classes()
            && self.of_samples.iter().all(|&class| class < n)
            && self.of_samples.is_sorted_by(|a, b| a < b)
            && self.weights.iter().chain(&self.bias).all(|x| f64::from(x.abs()) <= *SIZES.end())
    }

    pub(crate) fn knows_all(&self) -> bool {
        self.knows.iter().all(|&knows| knows)
    }

    /// Itself as a head: no sample has a say but in the temperature, so plain scores are out-of-sample.
    pub(crate) fn solution(&self, samples: &Samples<'_>) -> Solution {
        let (weights, bias) = (self.weights.mapv(f64::from), self.bias.mapv(f64::from));
        let mut scores = linear(samples.features(), &weights);
        for (mut row, &norm) in scores.outer_iter_mut().zip(samples.norms().unwrap_or_default()) {
            row *= f64::from(norm);
            row += &bias;
        }
        Solution { kind: Kind::Shipped, form: Form::linear(weights, bias), scores, lambda: None, scale: None }
    }

    /// Weights and bias that act on features of norm 1 as it does on raw ones of the samples' mean norm, centred over the
    /// classes it knows (which no softmax sees); 0 for the others.
    pub(crate) fn unit(&self, samples: &Samples<'_>) -> (Array2<f64>, Array1<f64>) {
        let norms = samples.norms().unwrap_or_default();
        let norm = norms.iter().map(|&norm| f64::from(norm)).sum::<f64>() / norms.len().max(1) as f64;
        let (mut weights, mut bias) = (self.weights.mapv(|w| norm * f64::from(w)), self.bias.mapv(f64::from));
        let known: Vec<usize> = (0..self.knows.len()).filter(|&class| self.knows[class]).collect();
        let share = known.len().max(1) as f64;
        let mean = weights.select(Axis(0), &known).sum_axis(Axis(0)) / share;
        let mean_bias = bias.select(Axis(0), &known).sum() / share;
        for (class, mut row) in weights.outer_iter_mut().enumerate() {
            if self.knows[class] {
                row -= &mean;
                bias[class] -= mean_bias;
            } else {
                row.fill(0.0);
                bias[class] = 0.0;
            }
        }
        (weights, bias)
    }
}

/// `features · weightsᵀ` in f64, `[n, classes]`.
pub(crate) fn linear(features: ArrayView2<'_, f32>, weights: &Array2<f64>) -> Array2<f64> {
    features.mapv(f64::from).dot(&weights.t())
}
