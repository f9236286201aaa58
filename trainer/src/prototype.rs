//! Nearest class mean by cosine: the cold start. Snell, Swersky and Zemel 2017, "Prototypical Networks"; imprinting:
//! Qi, Brown and Lowe 2018.
//!
//! Logit of class c: `x·m_c / ‖m_c‖` with `m_c` the weighted sum of its features, which is linear in x.
//! Leave-out in closed form: the left-out group's features are subtracted from the sums.

use faer::{Mat, Par, linalg::matmul::matmul};
use ndarray::{Array1, Array2};

use crate::{
    Form, Kind, Samples, Solution,
    dot::{dot, norm},
    leave_out::LeaveOut,
};

/// Class directions and the scores of each sample without its group.
pub(crate) struct Directions {
    /// Unit vectors, `[classes, dim]`; zero where features cancel.
    pub(crate) means: Array2<f64>,
    /// `x·mean` with the sample's group left out, `[n, classes]`; `-inf` where nothing of the class is left.
    pub(crate) scores: Array2<f64>,
}

impl Directions {
    /// O(n·classes·dim). `columns` are the features, one column per sample, `[dim, n]`.
    pub(crate) fn new(samples: &Samples<'_>, leave_out: &LeaveOut, columns: &Mat<f64>) -> Self {
        let (dim, n, classes) = (samples.dim(), samples.rows(), samples.classes());
        let counts = samples.counts();
        let weight = |row: usize| samples.weights().map_or(1.0, |weights| weights[row]);
        let mut sums = Mat::<f64>::zeros(dim, classes);
        for (row, &label) in samples.labels().iter().enumerate() {
            add(sums.col_as_slice_mut(label), columns.col_as_slice(row), weight(row));
        }
        let norms: Vec<f64> = (0..classes).map(|class| norm(sums.col_as_slice(class))).collect();
        let mut products = Mat::<f64>::zeros(classes, n);
        matmul(products.as_mut(), faer::Accum::Replace, sums.transpose(), columns, 1.0, Par::Seq);
        let mut scores = Array2::from_shape_fn((n, classes), |(row, class)| over(products[(class, row)], norms[class]));
        for members in &leave_out.members {
            let mut present: Vec<usize> = members.iter().map(|&row| samples.labels()[row]).collect();
            present.sort_unstable();
            present.dedup();
            for class in present {
                let mut rest = sums.col_as_slice(class).to_vec();
                let own = members.iter().filter(|&&row| samples.labels()[row] == class);
                let left = counts[class] - own.clone().count();
                for &row in own {
                    add(&mut rest, columns.col_as_slice(row), -weight(row));
                }
                // Subtraction leaves rounding where nothing should be left.
                let length = norm(&rest);
                let length = if length > 1e-12 * norms[class] { length } else { 0.0 };
                for &row in members {
                    let product = dot(&rest, columns.col_as_slice(row));
                    scores[(row, class)] = if left == 0 { f64::NEG_INFINITY } else { over(product, length) };
                }
            }
        }
        let means = Array2::from_shape_fn((classes, dim), |(class, j)| over(sums[(j, class)], norms[class]));
        Self { means, scores }
    }

    /// As a head without bias.
    pub(crate) fn solution(&self) -> Solution {
        let bias = Array1::zeros(self.means.nrows());
        let (weights, scores) = (self.means.clone(), self.scores.clone());
        Solution { kind: Kind::Prototype, form: Form::linear(weights, bias), scores, lambda: None, scale: None }
    }
}

fn add(to: &mut [f64], what: &[f64], times: f64) {
    for (a, b) in to.iter_mut().zip(what) {
        *a += times * b;
    }
}

/// `a / b`, zero where there is nothing to divide by.
fn over(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::solution::columns;
    use ndarray::array;

    #[test]
    fn features_that_cancel_have_no_direction_and_no_say() {
        let x = array![[1.0_f32, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.5]];
        let samples = Samples::new(x.view(), &[0, 0, 1, 1], &[0, 1, 2, 3], 2).unwrap();
        let directions = Directions::new(&samples, &LeaveOut::new(&samples), &columns(&samples));
        assert_eq!(directions.means, array![[0.0, 0.0], [0.0, 1.0]]);
        // Without the first sample its class points the other way.
        assert_eq!(directions.scores, array![[-1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.5]]);
    }
}
