//! A small grey copy of a picture: what near-duplicates are found by when the picture itself is gone.
//!
//! Knows nothing about groups or what counts as alike. Invariant: rows from the top, whatever the picture's shape was, so
//! that copies of one picture lie over one another.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions};

use super::Picture;
use super::preprocess::{luminance, resample};

/// Luminance, reduced to [`Thumbnail::SIDE`] each way by a bilinear filter as wide as what it reduces.
#[derive(Clone, PartialEq, Eq)]
pub struct Thumbnail(Box<[u8; Self::PIXELS]>);

impl Thumbnail {
    /// Pixels each way.
    pub const SIDE: usize = 32;
    /// Bytes of one.
    pub const PIXELS: usize = Self::SIDE * Self::SIDE;

    /// From the pixels as they are kept; none unless there are [`Thumbnail::PIXELS`].
    pub fn from_pixels(pixels: &[u8]) -> Option<Self> {
        Some(Self(Box::new(pixels.try_into().ok()?)))
    }

    /// The pixels, `[SIDE, SIDE]`.
    pub fn pixels(&self) -> &[u8; Self::PIXELS] {
        &self.0
    }
}

impl Picture {
    /// The picture, small and grey.
    pub fn thumbnail(&self) -> Thumbnail {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let side = Thumbnail::SIDE as u32;
        let small = luminance(&resample(&self.rgb, 3, (self.width, self.height), (side, side), &options));
        Thumbnail::from_pixels(&small).expect("it was reduced to as many pixels")
    }
}

impl std::fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thumbnail({0} × {0})", Self::SIDE)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn any_shape_becomes_a_square_and_comes_back_from_its_bytes() {
        let rgb = (0..100 * 7 * 3).map(|i| (i / 21) as u8).collect();
        let thumbnail = Picture::from_rgb(7, 100, rgb).unwrap().thumbnail();
        let pixels = thumbnail.pixels();
        assert!(pixels[0] < pixels[Thumbnail::PIXELS - 1] && pixels[0] == pixels[1], "rows from the top");
        assert_eq!(Thumbnail::from_pixels(pixels).as_ref(), Some(&thumbnail));
        assert_eq!(Thumbnail::from_pixels(&pixels[1..]), None);
    }
}
