//! Nearest class mean by cosine: the cold start. Snell, Swersky and Zemel 2017, "Prototypical Networks"; imprinting:
//! Qi, Brown and Lowe 2018.
//!
//! Logit of class c: `x·m_c / ‖m_c‖` with `m_c` the weighted sum of its features, which is linear in x.
//! Leave-out in closed form: the left-out group's features are subtracted from the sums.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use ndarray::{Array1, Array2};

use crate::{
    Form, Kind, Samples, Solution,
    dot::{axpy, dot, norm},
    leave_out::LeaveOut,
};

/// Samples in f64 at once.
const BLOCK: usize = 256;

/// Class directions, and what they are made of.
pub(crate) struct Directions<'a, 'b> {
    samples: &'a Samples<'b>,
    /// Sums of the features of a class, `[dim, classes]`.
    sums: Mat<f64>,
    /// Their lengths, `[classes]`.
    norms: Vec<f64>,
    /// Sums' products with samples, `[classes, n]`.
    products: Mat<f64>,
}

impl<'a, 'b> Directions<'a, 'b> {
    /// O(n·classes·dim).
    pub(crate) fn new(samples: &'a Samples<'b>) -> Self {
        let (dim, n, classes) = (samples.dim(), samples.rows(), samples.classes());
        let mut sums = Mat::<f64>::zeros(dim, classes);
        for (row, &label) in samples.labels().iter().enumerate() {
            axpy(sums.col_as_slice_mut(label), weight(samples, row), &samples.row(row));
        }
        let norms: Vec<f64> = (0..classes).map(|class| norm(sums.col_as_slice(class))).collect();
        let mut products = Mat::<f64>::zeros(classes, n);
        let mut block = Mat::<f64>::zeros(dim, BLOCK.min(n));
        for first in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - first);
            for at in 0..width {
                for (to, &x) in block.col_as_slice_mut(at).iter_mut().zip(samples.row(first + at).iter()) {
                    *to = f64::from(x);
                }
            }
            let (to, block) = (products.as_mut().subcols_mut(first, width), block.subcols(0, width));
            matmul(to, Accum::Replace, sums.transpose(), block, 1.0, Par::Seq);
        }
        Self { samples, sums, norms, products }
    }

    /// `x·mean` with the sample's group left out, `[n, classes]`; `-inf` where nothing of the class is left.
    /// O(n·dim·m) for m classes in a group.
    pub(crate) fn left_out(&self, leave_out: &LeaveOut) -> Array2<f64> {
        let Self { samples, sums, norms, products } = self;
        let (n, classes, labels) = (samples.rows(), samples.classes(), samples.labels());
        let counts = samples.counts();
        let mut scores = Array2::from_shape_fn((n, classes), |(row, class)| over(products[(class, row)], norms[class]));
        for members in &leave_out.members {
            let mut present: Vec<usize> = members.iter().map(|&row| labels[row]).collect();
            present.sort_unstable();
            present.dedup();
            for class in present {
                let mut rest = sums.col_as_slice(class).to_vec();
                let own = members.iter().filter(|&&row| labels[row] == class);
                let left = counts[class] - own.clone().count();
                for &row in own {
                    axpy(&mut rest, -weight(samples, row), &samples.row(row));
                }
                // Subtraction leaves rounding where nothing should be left.
                let length = norm(&rest);
                let length = if length > 1e-12 * norms[class] { length } else { 0.0 };
                for &row in members {
                    let product = dot(&rest, &samples.row(row));
                    scores[(row, class)] = if left == 0 { f64::NEG_INFINITY } else { over(product, length) };
                }
            }
        }
        scores
    }

    /// As a head without bias.
    pub(crate) fn solution(&self, leave_out: &LeaveOut) -> Solution {
        let (dim, classes) = self.sums.shape();
        let weights = Array2::from_shape_fn((classes, dim), |(c, j)| over(self.sums[(j, c)], self.norms[c]));
        let (form, scores) = (Form::linear(weights, Array1::zeros(classes)), self.left_out(leave_out));
        Solution { kind: Kind::Prototype, form, scores, lambda: None, scale: None }
    }
}

fn weight(samples: &Samples<'_>, row: usize) -> f64 {
    samples.weights().map_or(1.0, |weights| weights[row])
}

/// `a / b`, zero where there is nothing to divide by.
fn over(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;

    #[test]
    fn features_that_cancel_have_no_direction_and_no_say() {
        let x = array![[1.0_f32, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.5]];
        let samples = Samples::new(x.view(), &[0, 0, 1, 1], &[0, 1, 2, 3], 2).unwrap();
        let solution = Directions::new(&samples).solution(&LeaveOut::new(&samples));
        assert_eq!(solution.linear().unwrap().weights, array![[0.0, 0.0], [0.0, 1.0]]);
        // Without the first sample its class points the other way.
        assert_eq!(solution.scores, array![[-1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.5]]);
    }
}
