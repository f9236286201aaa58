//! Per-domain normalisation that allows for another mix of classes. Knows nothing of whether it is called for.
//!
//! Plain normalisation subtracts the target's mean and adds the source's; where classes come in another mix, it moves
//! features that were right. Here each feature is compared with the mean that learnt features of its probable classes
//! have, `Σ_c p_c(x) μ_c - x`, and the mean of that, shrunk by `n/(n + 10)`, is what features are moved by. A linear head
//! on moved features is the same head with another bias, so nothing else changes. Scales are left alone: they gained
//! nothing in any measurement.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::{Form, Head};

use super::plain;

/// Features that are as good as the belief that nothing moved.
const BELIEF: f64 = 10.0;

/// What a head was learnt on.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Mean feature of each class as the head sees classes, `[classes, dim]`: weighted by the probabilities it gave without
    /// the features' groups, for the target's features are not in it either.
    pub means: Array2<f64>,
}

impl Source {
    /// From learnt features `[n, dim]` and leave-out probabilities `[n, classes]`. O(n·classes·dim).
    pub fn new(features: ArrayView2<'_, f32>, leave_out: ArrayView2<'_, f64>) -> Self {
        let mut means = leave_out.t().dot(&features.mapv(f64::from));
        for (mut mean, mass) in means.outer_iter_mut().zip(leave_out.sum_axis(Axis(0))) {
            mean /= mass.max(f64::MIN_POSITIVE);
        }
        Self { means }
    }
}

/// The head for unlabelled features `[n, dim]` of another domain; none for a head that is not linear in features of norm 1.
/// O(n·classes·dim).
pub fn normalise(head: &Head, source: &Source, target: ArrayView2<'_, f32>) -> Option<Head> {
    let linear = plain(head)?;
    let mass = head.batch(target, None).sum_axis(Axis(0));
    let mut sum = Array1::<f64>::zeros(target.ncols());
    for row in target.outer_iter() {
        sum.zip_mut_with(&row, |sum, &x| *sum += f64::from(x));
    }
    let shift = (mass.dot(&source.means) - sum) / (target.nrows() as f64 + BELIEF);
    let moved = linear.weights.mapv(f64::from).dot(&shift);
    let bias = linear.bias.iter().zip(&moved).map(|(&bias, by)| (f64::from(bias) + by) as f32).collect();
    Some(Head { form: Form::linear(linear.weights.clone(), bias), conformal: None, ..head.clone() })
}
