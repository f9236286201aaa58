//! A head as solved, in f64, with its raw leave-out scores: what lies between the numbers and a candidate.

use faer::Mat;
use ndarray::Array2;

use crate::{Form, Kind, Linear, Samples};

/// A fit before calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// How it was fitted.
    pub kind: Kind,
    /// What was solved for.
    pub form: Form<f64>,
    /// Logits of each sample from a fit that did not see its group, `[n, classes]`; `-inf` where that fit saw nothing
    /// of the class.
    pub scores: Array2<f64>,
    /// The penalty, for kinds that have one; the shrinkage for [`Kind::Discriminant`].
    pub lambda: Option<f64>,
    /// What the scores of the model's own classifier were multiplied by, for [`Kind::BiasedRidge`].
    pub scale: Option<f64>,
}

impl Solution {
    /// Its weights and bias; none where it is not linear.
    pub fn linear(&self) -> Option<&Linear<f64>> {
        match &self.form {
            Form::Linear(linear) => Some(linear),
            Form::Kernel(_) => None,
        }
    }
}

/// The features in f64, one column per sample, `[dim, n]`.
pub(crate) fn columns(samples: &Samples<'_>) -> Mat<f64> {
    let features = samples.features();
    let features = features.as_standard_layout();
    let mut columns = Mat::zeros(samples.dim(), samples.rows());
    for (i, row) in features.as_slice().unwrap_or_default().chunks_exact(samples.dim()).enumerate() {
        for (to, &x) in columns.col_as_slice_mut(i).iter_mut().zip(row) {
            *to = f64::from(x);
        }
    }
    columns
}
