//! Exponentials of many numbers at once, on the widest vectors that the processor has. Knows nothing of what they are for.
//!
//! `eˣ = 2ᵏ eʳ`, with k the integer nearest to `x / ln 2` and `|r| ≤ ln 2 / 2`, where Taylor's polynomial of degree 13 is exact to
//! rounding (Muller 2016, "Elementary Functions", chapter 11, for the reduction in two parts).
//! Invariant: within 2 units in the last place, and the same bits on every processor, as nothing is fused.

use crate::wide::wide;

/// Below this the answer is 0, above [`MOST`] that of it: what is between are normal numbers.
const LEAST: f64 = -708.0;
const MOST: f64 = 709.0;
/// `ln 2` in two parts: products of the first with k are exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Added to a number it leaves the nearest integer in the last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// `1/j!` from 13 down to 0.
const TAYLOR: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `eˣ` of each, in place; what is no number stays none.
pub(crate) fn exp(numbers: &mut [f64]) {
    wide(
        #[inline(always)]
        || {
            for x in numbers.iter_mut() {
                let within = x.clamp(LEAST, MOST);
                let shifted = within * std::f64::consts::LOG2_E + ROUND;
                let k = shifted - ROUND;
                let r = (within - k * LN_2_HIGH) - k * LN_2_LOW;
                let series = TAYLOR.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
                // The exponent's bias; what of `ROUND` is above the integer falls off the top.
                let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
                *x = if *x < LEAST { 0.0 } else { series * power };
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_the_librarys_to_the_last_places() {
        let numbers: Vec<f64> = (-300_000..=300_000)
            .map(|i| f64::from(i) * 2.36e-3)
            .chain([0.0, -0.0, 1e-300, -1e-17, MOST, LEAST])
            .collect();
        let mut got = numbers.clone();
        exp(&mut got);
        for (x, got) in numbers.iter().zip(got) {
            let expected = x.exp();
            assert!((got - expected).abs() <= 2.0 * f64::EPSILON * expected, "{x}: {got} {expected}");
        }
    }

    #[test]
    fn beyond_what_numbers_can_say_are_the_ends() {
        let mut numbers = [-709.0, -1e300, f64::NEG_INFINITY, 1e300, f64::INFINITY, f64::NAN];
        exp(&mut numbers);
        assert_eq!(numbers[..3], [0.0; 3]);
        assert!(numbers[3..5].iter().all(|x| x.is_finite() && *x > 1e307), "{numbers:?}");
        assert!(numbers[5].is_nan());
    }
}
