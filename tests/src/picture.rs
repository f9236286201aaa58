//! Pictures drawn for tests: two classes that the built-in backbone tells apart, each picture unlike every other, so that
//! each is a group of its own. Deterministic: the same class and seed give the same bytes.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What is drawn: discs and stripes.
pub const CLASSES: [&str; 2] = ["disc", "stripes"];

/// Edge of a picture in pixels.
pub const SIDE: u32 = 96;

/// One picture as PNG. `class` indexes [`CLASSES`].
///
/// # Panics
/// When there is no such class.
pub fn draw(class: usize, seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed * 2 + class as u64);
    let mut number = |low: f32, high: f32| random.random_range(low..high);
    // A ground of soft blobs, different each time, so that no two pictures are near duplicates.
    let blobs: Vec<[f32; 4]> =
        (0..6).map(|_| [number(0.0, 96.0), number(0.0, 96.0), number(8.0, 30.0), number(-70.0, 70.0)]).collect();
    let (x0, y0, size, brightness) = (number(30.0, 66.0), number(30.0, 66.0), number(14.0, 26.0), number(90.0, 140.0));
    let (angle, period) = (number(0.0, 3.0), number(7.0, 12.0));
    let pixel = |x: u32, y: u32| {
        let (x, y) = (x as f32, y as f32);
        let ground: f32 =
            blobs.iter().map(|[bx, by, r, a]| a * (-((x - bx).powi(2) + (y - by).powi(2)) / (r * r)).exp()).sum();
        let ground = brightness + ground;
        let colour = match class {
            0 if (x - x0).hypot(y - y0) < size => [ground + 90.0, ground * 0.4, ground * 0.4],
            1 if ((x * angle.cos() + y * angle.sin()) / period).fract().abs() < 0.5 => {
                [ground * 0.4, ground * 0.5, ground + 90.0]
            }
            0 | 1 => [ground; 3],
            _ => panic!("class {class} of {}", CLASSES.len()),
        };
        Rgb(colour.map(|value| value.clamp(0.0, 255.0) as u8))
    };
    let mut png = Vec::new();
    let picture = RgbImage::from_fn(SIDE, SIDE, pixel);
    picture.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).expect("a vector takes any picture");
    png
}
