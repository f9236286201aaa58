//! One feature vector, checked once. Knows nothing of backbones or storage.
//!
//! Invariant: every component is finite and the L2 norm is 1 to within 1e-3. Heads rely on both and check neither.

/// One feature, shape `[dim]`, f32, L2 norm 1, with the norm it had.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    unit: Box<[f32]>,
    norm: f32,
}

/// Why a backbone's output is no feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No components at all.
    #[error("feature has no components: the backbone returned an empty tensor")]
    Empty,
    /// NaN, infinity or overflow, usually a half-precision engine on unscaled input.
    #[error("component {index} of the feature is not finite: check the input's scale and the engine's precision")]
    NotFinite {
        /// Position of the first bad component.
        index: usize,
    },
    /// All components are zero, so there is no direction to keep.
    #[error("feature has zero norm: the backbone answers nothing for this input")]
    ZeroNorm,
}

impl Feature {
    /// Normalises a raw backbone output of shape `[dim]`.
    ///
    /// # Errors
    /// When `raw` is empty, has a component that is not finite, or is zero.
    pub fn from_raw(raw: &[f32]) -> Result<Self, FeatureError> {
        if raw.is_empty() {
            return Err(FeatureError::Empty);
        }
        if let Some(index) = raw.iter().position(|x| !x.is_finite()) {
            return Err(FeatureError::NotFinite { index });
        }
        // f64: the sum of squares of large f32 values overflows f32.
        let norm = raw.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        if norm < 1e-12 {
            return Err(FeatureError::ZeroNorm);
        }
        let unit = raw.iter().map(|&x| (f64::from(x) / norm) as f32).collect();
        Ok(Self { unit, norm: (norm as f32).min(f32::MAX) })
    }

    /// The components, `[dim]`.
    pub fn as_slice(&self) -> &[f32] {
        &self.unit
    }

    /// The L2 norm before normalisation: `norm · as_slice()` is what the backbone answered. A model's own classifier
    /// acts on that.
    pub fn norm(&self) -> f32 {
        self.norm
    }

    /// How many components.
    pub fn dim(&self) -> usize {
        self.unit.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn huge_and_tiny_outputs_are_normalised() {
        for scale in [1e-9_f32, 1.0, 1e19] {
            let feature = Feature::from_raw(&[3.0 * scale, 4.0 * scale]).unwrap();
            assert!((feature.as_slice()[0] - 0.6).abs() < 1e-6, "{scale}");
            assert!((feature.norm() / (5.0 * scale) - 1.0).abs() < 1e-6, "{scale}");
            assert_eq!(feature.dim(), 2);
        }
    }

    #[test]
    fn bad_outputs_are_named() {
        assert_eq!(Feature::from_raw(&[]), Err(FeatureError::Empty));
        assert_eq!(Feature::from_raw(&[0.0; 3]), Err(FeatureError::ZeroNorm));
        assert_eq!(Feature::from_raw(&[1.0, f32::NAN]), Err(FeatureError::NotFinite { index: 1 }));
        assert_eq!(Feature::from_raw(&[f32::INFINITY]), Err(FeatureError::NotFinite { index: 0 }));
    }
}
