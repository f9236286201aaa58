//! 8-bit codes of features, for storage and fitting. Knows nothing of who stores them.
//!
//! Invariant: `encode(decode(codes)) == codes`, so a stored feature never drifts.

use crate::{Feature, wide::wide};

/// 1.5·2²³: the last bits of this and a small integer are the integer's own, also below zero. Many are taken so at once; a
/// cast would look at each for what is no number.
const MANTISSA: f32 = 12_582_912.0;

/// The 8-bit code of a feature component `x`.
///
/// | | code | stored as |
/// |---|---|---|
/// | unsigned | `round(x / full_scale * 255)` in 0..=255 | `u8` |
/// | signed | `round(x / full_scale * 127)` in -127..=127 | the bits of `i8` in a `u8` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// The value of the largest code; finite and above zero.
    pub full_scale: f32,
    /// Whether components may be negative.
    pub signed: bool,
}

/// Codes of one feature and how much was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// One code per component, `[dim]`.
    pub codes: Vec<u8>,
    /// Components beyond the range, clamped to it.
    pub saturated: usize,
}

/// Why a full scale cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "full scale of the feature codes is {full_scale}, expected a finite number above 0: correct feature.full_scale in the manifest"
)]
pub struct QuantisationError {
    full_scale: f32,
}

impl Quantisation {
    /// Checks a full scale.
    ///
    /// # Errors
    /// When `full_scale` is not finite and above zero.
    pub fn new(full_scale: f32, signed: bool) -> Result<Self, QuantisationError> {
        if full_scale.is_finite() && full_scale > 0.0 {
            Ok(Self { full_scale, signed })
        } else {
            Err(QuantisationError { full_scale })
        }
    }

    /// `min(1, 8/√dim)`: eight times the root mean square of a component of a unit vector.
    pub fn default_for(dim: usize, signed: bool) -> Self {
        let full_scale = (8.0 / (dim.max(1) as f32).sqrt()).min(1.0);
        Self { full_scale, signed }
    }

    /// Largest code: 255 unsigned, 127 signed.
    fn top(self) -> f32 {
        if self.signed { 127.0 } else { 255.0 }
    }

    /// Codes of a feature, clamped to the range.
    pub fn encode(&self, feature: &Feature) -> Encoded {
        self.encode_slice(feature.as_slice())
    }

    pub(crate) fn encode_slice(self, feature: &[f32]) -> Encoded {
        let (full_scale, top) = (self.full_scale, self.top());
        let bottom = if self.signed { -top } else { 0.0 };
        let mut codes = vec![0; feature.len()];
        let saturated = wide(
            #[inline(always)]
            || {
                let mut saturated = 0_u32;
                for (to, x) in codes.iter_mut().zip(feature) {
                    let code = (x / full_scale * top).round();
                    let within = code.max(bottom).min(top);
                    saturated += u32::from(code < bottom || code > top);
                    *to = (within + MANTISSA).to_bits() as u8;
                }
                saturated
            },
        );
        Encoded { codes, saturated: saturated as usize }
    }

    /// The components that codes stand for.
    pub fn decode(&self, codes: &[u8]) -> Vec<f32> {
        let step = self.full_scale / self.top();
        let mut numbers = vec![0.0; codes.len()];
        self.values(codes, &mut numbers);
        for number in &mut numbers {
            *number *= step;
        }
        numbers
    }

    /// The codes that decode to exactly these components; none where there are none.
    pub fn codes_of(&self, decoded: &[f32]) -> Option<Vec<u8>> {
        let (top, bottom) = (self.top(), if self.signed { -self.top() } else { 0.0 });
        let step = self.full_scale / top;
        let code = |&x: &f32| {
            let code = (x / step).round().clamp(bottom, top);
            let code = if self.signed { (code as i8).cast_unsigned() } else { code as u8 };
            ((step * f32::from(self.value(code))).to_bits() == (x + 0.0).to_bits()).then_some(code)
        };
        decoded.iter().map(code).collect()
    }

    /// What a difference of one code means, as [`Quantisation::decode`] has it.
    pub(crate) fn step(self) -> f64 {
        f64::from(self.full_scale / self.top())
    }

    /// The integers that codes stand for, side by side.
    pub(crate) fn values(self, codes: &[u8], to: &mut [f32]) {
        wide(
            #[inline(always)]
            || {
                for (to, &code) in to.iter_mut().zip(codes) {
                    *to = f32::from(self.value(code));
                }
            },
        );
    }

    /// The integer a stored byte stands for.
    pub(crate) fn value(self, code: u8) -> i16 {
        if self.signed { i16::from(code.cast_signed()) } else { i16::from(code) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for signed in [false, true] {
            for full_scale in [0.22_f32, 1.0, 0.3] {
                let quantisation = Quantisation::new(full_scale, signed).unwrap();
                let codes: Vec<u8> = (0..=255_u8).filter(|&code| !(signed && code == 128)).collect();
                // `Feature` normalises, so the scale is normalised along.
                let decoded = quantisation.decode(&codes);
                let norm = decoded.iter().map(|x| x * x).sum::<f32>().sqrt();
                let scaled = Quantisation::new(full_scale / norm, signed).unwrap();
                let again = scaled.encode(&Feature::from_raw(&decoded).unwrap());
                assert_eq!(again, Encoded { codes, saturated: 0 });
            }
        }
    }

    #[test]
    fn components_beyond_the_range_are_clamped_and_counted() {
        let feature = Feature::from_raw(&[0.8, -0.6, 0.0]).unwrap();
        let unsigned = Quantisation::new(0.5, false).unwrap().encode(&feature);
        assert_eq!(unsigned, Encoded { codes: vec![255, 0, 0], saturated: 2 });
        let signed = Quantisation::new(0.7, true).unwrap().encode(&feature);
        assert_eq!(signed, Encoded { codes: vec![127, (-109_i8).cast_unsigned(), 0], saturated: 1 });
    }

    #[test]
    fn a_full_scale_must_be_a_positive_number() {
        for full_scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Quantisation::new(full_scale, false).is_err());
        }
        assert!((Quantisation::default_for(1280, false).full_scale - 0.2236).abs() < 1e-4);
        assert_eq!(Quantisation::default_for(16, false).full_scale, 1.0);
    }
}
