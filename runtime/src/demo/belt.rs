//! A conveyor belt with machined parts under a camera, drawn pixel by pixel.
//!
//! Knows nothing about learning. Invariant: the stream is a function of the seed and of what was asked, so a
//! demonstration can be repeated; no two parts are alike (kind, pose, metal, dirt, belt, noise).
//!
//! Healthy parts carry oil stains and machining marks too, so a defect is not merely "something there". The change of
//! light is mild to the eye and enough to mislead a head that was fitted by day.

use acclimate_backbone::Picture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scene::Scene;

/// Width and height of a picture.
pub(super) const SIDE: u32 = 192;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A piece broken out of an edge.
    Chipped,
    /// Nothing but dirt and machining marks.
    Ok,
    /// Scratches across the face, all about one way.
    Scratch,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Chipped, Self::Ok, Self::Scratch];

    /// Name of the class as a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chipped => "chipped",
            Self::Ok => "ok",
            Self::Scratch => "scratch",
        }
    }
}

/// The light in the hall: cool and high by day; warmer, weaker, lower and from further round in the evening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// 0 by day, 1 in the evening.
    pub(super) evening: f32,
}

impl Light {
    /// Noon.
    pub const DAY: Self = Self { evening: 0.0 };
    /// Just before the lamps go on.
    pub const EVENING: Self = Self { evening: 1.0 };

    /// Between the two: 0 is [`Light::DAY`], 1 is [`Light::EVENING`]; beyond is clamped.
    pub fn between(evening: f32) -> Self {
        Self { evening: evening.clamp(0.0, 1.0) }
    }

    pub(super) fn mix(self, day: f32, evening: f32) -> f32 {
        day + (evening - day) * self.evening
    }
}

/// The stream of pictures.
pub struct Belt {
    random: ChaCha8Rng,
}

impl Belt {
    /// Equal seeds give equal streams.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Draws the next part, of the class and under the light asked for.
    pub fn part(&mut self, class: Class, light: Light) -> Picture {
        let random = &mut self.random;
        let scene = Scene::new(random, class, light);
        let mut rgb = Vec::with_capacity((SIDE * SIDE * 3) as usize);
        for y in 0..SIDE {
            for x in 0..SIDE {
                // From -1 to 1 over the picture.
                let point = [x, y].map(|at| (at as f32 + 0.5) / SIDE as f32 * 2.0 - 1.0);
                let [red, green, blue] = scene.at(point);
                for value in [red, green, blue] {
                    let noise = random.random_range(-1.0..1.0_f32) + random.random_range(-1.0..1.0_f32);
                    let sensed = value + noise * scene.noise * (0.3 + value).sqrt();
                    // A camera's tone curve.
                    rgb.push((sensed.clamp(0.0, 1.0).powf(0.6) * 255.0 + 0.5) as u8);
                }
            }
        }
        Picture::from_rgb(SIDE, SIDE, rgb).expect("every pixel was drawn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_streams_and_other_seeds_do_not() {
        let stream = |seed| {
            let mut belt = Belt::new(seed);
            Class::ALL.map(|class| belt.part(class, Light::between(0.5)))
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }

    /// Near-duplicates are judged as one group: a stream that repeats itself would teach nothing.
    #[test]
    fn no_two_parts_are_near_duplicates() {
        let mut belt = Belt::new(1);
        let hashes: Vec<u64> = (0..60)
            .map(|index| belt.part(Class::ALL[index % 3], if index < 30 { Light::DAY } else { Light::EVENING }))
            .map(|picture| picture.perceptual_hash())
            .collect();
        for (index, a) in hashes.iter().enumerate() {
            for b in &hashes[..index] {
                assert!((a ^ b).count_ones() > 4);
            }
        }
    }

    #[test]
    fn evening_is_darker_and_warmer() {
        let mut belt = Belt::new(3);
        let mut mean = |light| {
            let mut sums = [0_u64; 3];
            for _ in 0..6 {
                for pixel in belt.part(Class::Ok, light).rgb().as_chunks::<3>().0 {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(value);
                    }
                }
            }
            sums.map(|sum| sum as f64)
        };
        let (day, evening) = (mean(Light::DAY), mean(Light::EVENING));
        assert!(evening[1] < 0.97 * day[1]);
        assert!(evening[0] / evening[2] > 1.05 * day[0] / day[2]);
    }
}
