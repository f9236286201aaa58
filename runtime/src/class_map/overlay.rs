//! A class activation map laid over its picture: warm where it speaks for the class, cold where against, dimmed where the
//! backbone does not look. Pure; knows colours and places.

use acclimate_backbone::{Picture, PictureError};

use super::ClassMap;

/// What speaks for the class, and against it.
const FOR: [f64; 3] = [235.0, 60.0, 20.0];
const AGAINST: [f64; 3] = [30.0, 90.0, 235.0];

/// How much of the colour the strongest place has.
const STRONGEST: f64 = 0.65;

/// What is left of the light outside of what the backbone sees.
const OUTSIDE: f64 = 0.4;

/// The picture under its map; the same size.
///
/// # Errors
/// The picture is larger than pictures may be.
pub fn overlay(picture: &Picture, map: &ClassMap) -> Result<Picture, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    let (rows, columns) = map.places.dim();
    let [x, y, w, h] = map.region;
    let place = |at: u32, side: u32, start: f64, length: f64, count: usize| {
        let along = ((f64::from(at) + 0.5) / f64::from(side) - start) / length;
        // Negative and beyond are outside.
        (0.0..1.0).contains(&along).then_some((along * count as f64) as usize).filter(|&place| place < count)
    };
    let mut rgb = picture.rgb().to_vec();
    for (at, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (column, row) = ((at % width as usize) as u32, (at / width as usize) as u32);
        let (colour, share) = match (place(row, height, y, h, rows), place(column, width, x, w, columns)) {
            (Some(row), Some(column)) => {
                let value = map.places[(row, column)];
                (if value < 0.0 { AGAINST } else { FOR }, STRONGEST * value.abs())
            }
            _ => ([0.0; 3], 1.0 - OUTSIDE),
        };
        for (channel, colour) in pixel.iter_mut().zip(colour) {
            *channel = (f64::from(*channel) * (1.0 - share) + colour * share).round() as u8;
        }
    }
    Picture::from_rgb(width, height, rgb)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use ndarray::array;

    use super::*;

    #[test]
    fn places_are_coloured_where_they_are_and_what_is_not_seen_is_dimmed() {
        // Four columns, of which the backbone sees the middle two: left for, right against; above nothing.
        let picture = Picture::from_rgb(4, 2, vec![100; 24]).unwrap();
        let map = ClassMap {
            class: 0,
            confidence: 0.9,
            places: array![[0.0, 0.0], [1.0, -1.0]],
            scale: 2.0,
            region: [0.25, 0.0, 0.5, 1.0],
        };
        let seen = overlay(&picture, &map).unwrap();
        let pixel = |x: usize, y: usize| &seen.rgb()[(y * 4 + x) * 3..(y * 4 + x) * 3 + 3];
        assert_eq!((pixel(0, 0), pixel(3, 1)), (&[40, 40, 40][..], &[40, 40, 40][..]));
        assert_eq!((pixel(1, 0), pixel(2, 0)), (&[100, 100, 100][..], &[100, 100, 100][..]));
        assert!(pixel(1, 1)[0] > 180 && pixel(1, 1)[2] < 60, "{:?}", pixel(1, 1));
        assert!(pixel(2, 1)[2] > 180 && pixel(2, 1)[0] < 60, "{:?}", pixel(2, 1));
    }
}
