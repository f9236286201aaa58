//! Perceptual hash: near-duplicates of a picture lie within a few bits of each other.
//!
//! Knows nothing about groups or what distance counts as near. Invariant: after the 32 × 32 reduction all arithmetic is
//! on integers, so equal pictures have equal hashes on every machine.
//!
//! The discrete-cosine hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010),
//! section 3.2.1: luminance, reduced to 32 × 32, DCT-II, the 8 × 8 coefficients of frequencies 1 to 8 each way (the mean
//! and the purely horizontal and vertical ones are left out, and with them brightness and even gradients of light), one
//! bit each: above their median.

use super::{Picture, Thumbnail};

const SIDE: usize = Thumbnail::SIDE;
const FREQUENCIES: usize = 8;

impl Picture {
    /// That of its thumbnail.
    pub fn perceptual_hash(&self) -> u64 {
        self.thumbnail().perceptual_hash()
    }
}

impl Thumbnail {
    /// 64 bits; compare by the number of bits that differ. A picture of one colour hashes to 0.
    pub fn perceptual_hash(&self) -> u64 {
        let small = self.pixels();
        let basis = basis();
        // Rows first: [SIDE, FREQUENCIES], then columns. |sum| < 32 · 255 · 2^14 · 32 · 2^14 < 2^46.
        let rows: Vec<[i64; FREQUENCIES]> = small
            .chunks_exact(SIDE)
            .map(|row| std::array::from_fn(|u| row.iter().zip(&basis[u]).map(|(&p, &c)| i64::from(p) * c).sum()))
            .collect();
        let mut coefficients = [0_i64; FREQUENCIES * FREQUENCIES];
        for (index, coefficient) in coefficients.iter_mut().enumerate() {
            let (v, u) = (index / FREQUENCIES, index % FREQUENCIES);
            *coefficient = rows.iter().zip(&basis[v]).map(|(row, &c)| row[u] * c).sum();
        }
        let mut sorted = coefficients;
        sorted.sort_unstable();
        let twice_median = sorted[31] + sorted[32];
        coefficients
            .iter()
            .enumerate()
            .filter(|&(_, &c)| 2 * c > twice_median)
            .fold(0, |hash, (bit, _)| hash | 1 << bit)
    }
}

/// `round(2^14 · cos(π (2x + 1) u / 64))` for u = 1..=8. Rounding is symmetric, so that each row sums to 0 exactly.
fn basis() -> [[i64; SIDE]; FREQUENCIES] {
    std::array::from_fn(|u| {
        std::array::from_fn(|x| {
            let angle = std::f64::consts::PI * ((2 * x + 1) * (u + 1)) as f64 / 64.0;
            (angle.cos() * f64::from(1 << 14)).round() as i64
        })
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    /// Waves of every direction with amplitudes as in photographs (1/f), other ones for each seed; `shade` is applied
    /// to every value.
    fn waves(seed: u32, side: u32, shade: impl Fn(f64) -> f64) -> Picture {
        let mut random = seed;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) / f64::from(1 << 24)
        };
        let waves: Vec<[f64; 4]> = (0..60)
            .map(|_| {
                let (u, v) = (next() * 20.0 - 10.0, next() * 20.0 - 10.0);
                [u, v, next() * 6.3, 60.0 / (1.0 + u.hypot(v))]
            })
            .collect();
        let mut rgb = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let (x, y) = (f64::from(2 * x + 1) / f64::from(side), f64::from(2 * y + 1) / f64::from(side));
                let sum: f64 =
                    waves.iter().map(|[u, v, phase, size]| size * (3.0 * (u * x + v * y) + phase).cos()).sum();
                rgb.extend([0.9, 1.0, 1.1].map(|tint| shade(128.0 + tint * sum).clamp(0.0, 255.0) as u8));
            }
        }
        Picture::from_rgb(side, side, rgb).unwrap()
    }

    fn distance(a: &Picture, b: &Picture) -> u32 {
        (a.perceptual_hash() ^ b.perceptual_hash()).count_ones()
    }

    #[test]
    fn one_colour_hashes_to_zero() {
        for value in [0, 7, 128, 255] {
            assert_eq!(Picture::from_rgb(50, 40, vec![value; 6000]).unwrap().perceptual_hash(), 0);
        }
    }

    #[test]
    fn brightness_size_and_jpeg_stay_near_and_others_far() {
        for seed in 0..12 {
            let picture = waves(seed, 160, |v| v);
            assert!(distance(&picture, &waves(seed, 160, |v| v * 1.04 + 3.0)) <= 4, "brightness, seed {seed}");
            assert!(distance(&picture, &waves(seed, 120, |v| v)) <= 4, "size, seed {seed}");
            let mut jpeg = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 60)
                .encode(picture.rgb(), 160, 160, image::ExtendedColorType::Rgb8)
                .unwrap();
            assert!(distance(&picture, &Picture::decode(&jpeg).unwrap()) <= 4, "JPEG, seed {seed}");
            for other in 0..seed {
                assert!(distance(&picture, &waves(other, 160, |v| v)) > 8, "seeds {seed} and {other}");
            }
        }
    }

    #[test]
    fn hash_is_stable() {
        // Integers only: no platform's cosine has a say in the picture.
        let rgb = (0..64_u32 * 64 * 3).map(|i| ((i / 192) * (i / 192) * 3 + (i % 192) * (i / 384) * 7) as u8).collect();
        assert_eq!(Picture::from_rgb(64, 64, rgb).unwrap().perceptual_hash(), 3_425_364_681_127_259_443);
    }
}
