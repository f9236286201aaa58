//! How a head's scores change with the feature that a backbone answers: gradients of logits. Knows nothing of maps, pictures
//! or how heads are fitted.
//!
//! For class activation maps (Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", eq. 1 and 2): behind
//! a spatial mean a linear head's weights say how much each channel of the map counts. For heads that are not linear the
//! gradient at the feature takes their place; behind a mean that is what Grad-CAM weighs channels by (Selvaraju et al. 2017,
//! "Grad-CAM", eq. 1), but for the number of places.
//!
//! Heads read the unit feature `u = r / ‖r‖` of the raw `r`, so by the chain rule `∂s/∂r = (g - (g·u) u) / ‖r‖` with
//! `g = ∂s/∂u`: what only lengthens a feature changes nothing. [`Kind::Shipped`] reads `r` itself.

use ndarray::{ArrayView1, Axis, aview1};

use crate::{
    Feature, Form, Head, Kernel, Kind, Linear,
    dot::{axpy, dot, squared_distance},
};

impl Head {
    /// The scores `[classes]` of one feature, before temperature and softmax. O(classes·dim).
    ///
    /// # Panics
    /// When `feature` is not of the head's `dim`: the caller mixed up two backbones.
    pub fn logits(&self, feature: &Feature) -> Vec<f64> {
        assert_eq!(feature.dim(), self.dim(), "feature and head are of different backbones");
        let unit = aview1(feature.as_slice()).insert_axis(Axis(0));
        self.form.logits(unit, |_| self.reads(feature)).into_raw_vec_and_offset().0
    }

    /// What speaks for one class rather than for the average of all, as weights `[classes]` of the logits that sum to 0: what
    /// moves every logit alike moves no probability. Of a head of one class, that class.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn contrast(&self, class: usize) -> Vec<f64> {
        let classes = self.classes();
        assert!(class < classes, "the head has {classes} classes, not {}", class + 1);
        let others = if classes == 1 { 0.0 } else { 1.0 / classes as f64 };
        (0..classes).map(|other| f64::from(other == class) - others).collect()
    }

    /// The gradient `[dim]` of `Σ weights_c · logit_c` by the raw feature (of any norm), at `feature`. O(classes·dim), but
    /// O(n·(dim + classes)) for a kernel head of n features.
    ///
    /// # Panics
    /// When `feature` is not of the head's `dim`, or there is not one weight for each class.
    pub fn gradient(&self, feature: &Feature, weights: &[f64]) -> Vec<f64> {
        assert_eq!(feature.dim(), self.dim(), "feature and head are of different backbones");
        assert_eq!(weights.len(), self.classes(), "one weight for each class");
        let unit = feature.as_slice();
        let mut gradient = by_what_is_read(&self.form, unit, weights);
        if self.kind != Kind::Shipped {
            // The length that f32 left, which is not quite 1.
            let along = dot(&gradient, unit) / dot(unit, unit);
            axpy(&mut gradient, -along, unit);
            let norm = f64::from(feature.norm());
            for g in &mut gradient {
                *g /= norm;
            }
        }
        gradient
    }

    /// What the unit feature is multiplied with before the head reads it.
    fn reads(&self, feature: &Feature) -> f64 {
        if self.kind == Kind::Shipped { f64::from(feature.norm()) } else { 1.0 }
    }
}

/// The gradient of `Σ weights_c · logit_c` by what the form reads; a kernel is only ever asked at the unit feature.
fn by_what_is_read(form: &Form, unit: &[f32], weights: &[f64]) -> Vec<f64> {
    let mut gradient = vec![0.0; unit.len()];
    match form {
        Form::Linear(Linear { weights: rows, .. }) => {
            for (row, &weight) in rows.outer_iter().zip(weights) {
                add(&mut gradient, weight, row);
            }
        }
        Form::Kernel(Kernel { support, coefficients, gamma, .. }) => {
            // ∂/∂u exp(-γ‖u - s‖²) = 2γ (s - u) exp(-γ‖u - s‖²)
            let mut total = 0.0;
            for (row, of_row) in support.outer_iter().zip(coefficients.axis_iter(ndarray::Axis(1))) {
                let weight: f64 = of_row.iter().zip(weights).map(|(&c, weight)| f64::from(c) * weight).sum();
                let squared = row
                    .to_slice()
                    .map_or_else(|| squared_distance(&row.to_vec(), unit), |row| squared_distance(row, unit));
                let pull = 2.0 * gamma * weight * (-gamma * squared).exp();
                total += pull;
                add(&mut gradient, pull, row);
            }
            axpy(&mut gradient, -total, unit);
        }
    }
    gradient
}

fn add(to: &mut [f64], factor: f64, row: ArrayView1<'_, f32>) {
    match row.to_slice() {
        Some(row) => axpy(to, factor, row),
        None => axpy(to, factor, &row.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::{Array1, array};

    fn linear(kind: Kind) -> Head {
        let form = Form::linear(array![[1.0, 2.0], [0.0, -1.0], [5.0, 0.0]], Array1::zeros(3));
        Head { kind, form, temperature: 3.0, lambda: None, novelty: None, conformal: None }
    }

    #[test]
    fn of_a_shipped_classifier_it_is_the_weights_of_the_class() {
        let feature = Feature::from_raw(&[3.0, 4.0]).unwrap();
        assert_eq!(linear(Kind::Shipped).gradient(&feature, &[1.0, 0.0, 0.0]), [1.0, 2.0]);
        assert_eq!(linear(Kind::Shipped).gradient(&feature, &[1.0, -1.0, 0.0]), [1.0, 3.0]);
        assert!((linear(Kind::Shipped).logits(&feature)[0] - 11.0).abs() < 1e-6);
    }

    #[test]
    fn of_a_unit_feature_it_is_what_is_left_across_it_over_its_length() {
        // u = (0.6, 0.8), g = (1, 2), g·u = 2.2.
        let feature = Feature::from_raw(&[3.0, 4.0]).unwrap();
        let gradient = linear(Kind::Ridge).gradient(&feature, &[1.0, 0.0, 0.0]);
        for (found, expected) in gradient.iter().zip([(1.0 - 2.2 * 0.6) / 5.0, (2.0 - 2.2 * 0.8) / 5.0]) {
            assert!((found - expected).abs() < 1e-7, "{gradient:?}");
        }
        assert!((linear(Kind::Ridge).logits(&feature)[0] - 2.2).abs() < 1e-6);
    }

    #[test]
    fn a_contrast_moves_no_average_and_one_class_speaks_for_itself() {
        let contrast = linear(Kind::Ridge).contrast(1);
        assert!(contrast.iter().sum::<f64>().abs() < 1e-12 && (contrast[1] - 2.0 / 3.0).abs() < 1e-12);
        let alone = Head { form: Form::linear(array![[1.0, 2.0]], Array1::zeros(1)), ..linear(Kind::Ridge) };
        assert_eq!(alone.contrast(0), [1.0]);
    }
}
