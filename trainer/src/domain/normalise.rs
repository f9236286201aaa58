//! Per-domain normalisation that allows for another mix of classes. Knows nothing of whether it is called for.
//!
//! Plain normalisation subtracts the target's mean and adds the source's; where classes come in another mix, it moves
//! features that were right. Here each feature is compared with the mean that learnt features of its probable classes
//! have, `Σ_c p_c(x) μ_c - x`, and the mean of that, shrunk by `n/(n + 10)`, is what features are moved by. A linear head
//! on moved features is the same head with another bias, a kernel head compares with features moved the other way, and
//! nothing else changes. Scales are left alone: they gained
//! nothing in any measurement.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::{Form, Head, Kernel, Kind, Linear};

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

/// What unlabelled features `[n, dim]` of another domain are moved by, `[dim]`; none for a head that acts on raw features.
/// O(n·classes·dim), and what the head takes to answer.
pub fn shift(head: &Head, source: &Source, target: ArrayView2<'_, f32>) -> Option<Vec<f32>> {
    if head.kind == Kind::Shipped {
        return None;
    }
    let mass = head.batch(target, None).sum_axis(Axis(0));
    let mut sum = Array1::<f64>::zeros(target.ncols());
    for row in target.outer_iter() {
        sum.zip_mut_with(&row, |sum, &x| *sum += f64::from(x));
    }
    let shift = (mass.dot(&source.means) - sum) / (target.nrows() as f64 + BELIEF);
    Some(shift.iter().map(|&by| by as f32).collect())
}

/// The head that answers for a feature as this one does for the feature moved by `shift`, `[dim]`: another bias, or, of a
/// kernel head, other features to compare with. None for a head that acts on raw features, or where numbers overflow. Sets
/// of classes are promised for what is like the source, and are not carried over.
pub fn moved(head: &Head, shift: &[f32]) -> Option<Head> {
    if head.kind == Kind::Shipped || head.dim() != shift.len() {
        return None;
    }
    let shift = ArrayView1::from(shift);
    let form = match &head.form {
        Form::Linear(Linear { weights, bias }) => {
            let by = weights.mapv(f64::from).dot(&shift.mapv(f64::from));
            let bias = bias.iter().zip(&by).map(|(&bias, by)| (f64::from(bias) + by) as f32).collect();
            Form::linear(weights.clone(), bias)
        }
        Form::Kernel(kernel) => {
            Form::Kernel(Kernel { support: &kernel.support - &shift, quantisation: None, ..kernel.clone() })
        }
    };
    form.is_finite().then(|| Head { form, conformal: None, ..head.clone() })
}

/// The head for unlabelled features `[n, dim]` of another domain: [`moved`] by [`shift`].
pub fn normalise(head: &Head, source: &Source, target: ArrayView2<'_, f32>) -> Option<Head> {
    moved(head, &shift(head, source, target)?)
}
