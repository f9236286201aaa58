//! Pixels on their way to a backbone: turned, masked, cropped, and encoded where they are kept. Pure; knows no task.

use acclimate_backbone::{Picture, PictureError};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageError, RgbImage, imageops};

use crate::source::{Content, Readings};

/// Quality of what is encoded here.
const QUALITY: u8 = 92;

/// What is done to every frame of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lens {
    /// Quarter turns clockwise.
    pub(crate) turns: u8,
    /// Polygons that are blacked out, corners in fractions of the turned frame.
    pub(crate) mask: Vec<Vec<[f64; 2]>>,
}

impl Lens {
    /// Whether it changes nothing.
    pub(super) fn is_clear(&self) -> bool {
        self.turns.is_multiple_of(4) && self.mask.is_empty()
    }

    /// The picture, turned and masked.
    pub(super) fn through(&self, picture: Picture) -> Result<Picture, PictureError> {
        let picture = turned(picture, self.turns % 4)?;
        if self.mask.is_empty() {
            return Ok(picture);
        }
        let (width, height) = (picture.width(), picture.height());
        let mut rgb = picture.rgb().to_vec();
        for polygon in &self.mask {
            black_out(&mut rgb, width, height, polygon);
        }
        Picture::from_rgb(width, height, rgb)
    }
}

/// Decodes what was sensed.
pub(in crate::daemon) fn picture(content: &Content) -> Result<Picture, PictureError> {
    match content {
        // What is no picture is refused as none.
        Content::File(bytes) | Content::Window(Readings { npy: bytes, .. }) => Picture::decode(bytes),
        Content::Rgb { width, height, pixels } => Picture::from_rgb(*width, *height, pixels.clone()),
    }
}

fn turned(picture: Picture, turns: u8) -> Result<Picture, PictureError> {
    if turns == 0 {
        return Ok(picture);
    }
    let (width, height) = (picture.width(), picture.height());
    let (expected, found) = (picture.rgb().len() as u64, picture.rgb().len() as u64);
    let image = RgbImage::from_raw(width, height, picture.rgb().to_vec());
    let image = image.ok_or(PictureError::Pixels { width, height, expected, found })?;
    let image = match turns {
        1 => imageops::rotate90(&image),
        2 => imageops::rotate180(&image),
        _ => imageops::rotate270(&image),
    };
    Picture::from_rgb(image.width(), image.height(), image.into_raw())
}

/// Blacks out the pixels whose centre lies in a polygon (even-odd rule).
fn black_out(rgb: &mut [u8], width: u32, height: u32, polygon: &[[f64; 2]]) {
    let edges = || polygon.iter().zip(polygon.iter().cycle().skip(1));
    for row in 0..height as usize {
        let y = (row as f64 + 0.5) / f64::from(height);
        let mut crossings: Vec<f64> = edges()
            .filter(|([_, y0], [_, y1])| (*y0 <= y) != (*y1 <= y))
            .map(|([x0, y0], [x1, y1])| (x0 + (y - y0) / (y1 - y0) * (x1 - x0)) * f64::from(width))
            .collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // Pixel `i` has its centre at `i + 0.5`; `as` clamps what lies outside.
            let from = (pair[0] - 0.5).ceil().max(0.0) as usize;
            let to = ((pair[1] - 0.5).ceil().max(0.0) as usize).min(width as usize);
            if from < to {
                let line = row * width as usize;
                rgb[(line + from) * 3..(line + to) * 3].fill(0);
            }
        }
    }
}

/// The region `[x, y, width, height]`, in fractions, of a picture: whole pixels, at least one.
pub(in crate::daemon) fn cropped(picture: &Picture, crop: [f64; 4]) -> Result<Picture, PictureError> {
    let [x, y, w, h] = crop;
    let span = |start: f64, length: f64, side: u32| {
        let from = ((start * f64::from(side)).round().max(0.0) as u32).min(side - 1);
        let to = (((start + length) * f64::from(side)).round().max(0.0) as u32).clamp(from + 1, side);
        (from as usize, to as usize)
    };
    let ((left, right), (top, bottom)) = (span(x, w, picture.width()), span(y, h, picture.height()));
    let mut rgb = Vec::with_capacity((right - left) * (bottom - top) * 3);
    for row in top..bottom {
        let line = row * picture.width() as usize;
        rgb.extend_from_slice(&picture.rgb()[(line + left) * 3..(line + right) * 3]);
    }
    Picture::from_rgb((right - left) as u32, (bottom - top) as u32, rgb)
}

/// The picture as a JPEG.
pub(super) fn encoded(picture: &Picture) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    encoder.encode(picture.rgb(), picture.width(), picture.height(), ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// A picture whose pixels say where they are: `[x, y, 9]`.
    fn picture(width: u32, height: u32) -> Picture {
        let pixel = |y: u32| (0..width).flat_map(move |x| [x as u8, y as u8, 9]);
        Picture::from_rgb(width, height, (0..height).flat_map(pixel).collect()).unwrap()
    }

    fn at(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let start = ((y * picture.width() + x) * 3) as usize;
        picture.rgb()[start..start + 3].try_into().unwrap()
    }

    #[test]
    fn a_quarter_turn_clockwise_brings_the_lower_left_corner_up_left() {
        let lens = |turns| Lens { turns, mask: Vec::new() };
        let turned = lens(1).through(picture(4, 3)).unwrap();
        assert_eq!((turned.width(), turned.height()), (3, 4));
        assert_eq!((at(&turned, 0, 0), at(&turned, 2, 0)), ([0, 2, 9], [0, 0, 9]));
        let round = (0..4).try_fold(picture(4, 3), |picture, _| lens(1).through(picture)).unwrap();
        assert_eq!(round, picture(4, 3));
        assert_eq!(at(&lens(2).through(picture(4, 3)).unwrap(), 0, 0), [3, 2, 9]);
        assert_eq!(at(&lens(3).through(picture(4, 3)).unwrap(), 0, 0), [3, 0, 9]);
        assert!(lens(4).is_clear() && !lens(1).is_clear());
    }

    #[test]
    fn what_is_masked_is_black_and_nothing_else_is() {
        let half = vec![[0.5, 0.0], [2.0, -1.0], [2.0, 2.0], [0.5, 1.0]];
        let masked = Lens { turns: 0, mask: vec![half] }.through(picture(8, 4)).unwrap();
        for (x, y) in (0..4).flat_map(|y| (0..8).map(move |x| (x, y))) {
            let expected = if x < 4 { [x as u8, y as u8, 9] } else { [0; 3] };
            assert_eq!(at(&masked, x, y), expected, "at {x}, {y}");
        }
        let triangle = vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let masked = Lens { turns: 0, mask: vec![triangle] }.through(picture(8, 8)).unwrap();
        assert_eq!((at(&masked, 1, 1), at(&masked, 7, 7)), ([0; 3], [7, 7, 9]));
        let nothing = Lens { turns: 0, mask: vec![vec![], vec![[0.5, 0.5]]] }.through(picture(8, 8)).unwrap();
        assert_eq!(nothing, picture(8, 8));
    }

    #[test]
    fn a_crop_has_whole_pixels_and_at_least_one() {
        let crop = cropped(&picture(10, 10), [0.2, 0.5, 0.3, 0.5]).unwrap();
        assert_eq!((crop.width(), crop.height(), at(&crop, 0, 0)), (3, 5, [2, 5, 9]));
        let dot = cropped(&picture(10, 10), [1.0, 0.999, 1e-9, 1e-9]).unwrap();
        assert_eq!((dot.width(), dot.height(), at(&dot, 0, 0)), (1, 1, [9, 9, 9]));
        assert_eq!(cropped(&picture(7, 5), [0.0, 0.0, 1.0, 1.0]).unwrap(), picture(7, 5));
    }

    #[test]
    fn what_is_encoded_can_be_decoded() {
        let bytes = encoded(&picture(16, 8)).unwrap();
        let again = Picture::decode(&bytes).unwrap();
        assert_eq!((again.width(), again.height()), (16, 8));
    }
}
