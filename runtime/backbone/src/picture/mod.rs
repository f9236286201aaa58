//! Pictures: bytes of a file → 8-bit RGB pixels → the tensor that a manifest asks for.
//!
//! Knows nothing about graphs, engines or where the bytes come from. Invariant: a [`Picture`] holds exactly
//! `width × height × 3` bytes, neither side is 0, and it stands upright (EXIF orientation applied).
//!
//! Read next: `decode.rs` (limits, formats), `preprocess.rs` (resizing as Pillow does), `thumbnail.rs` and `phash.rs`
//! (near-duplicates).

mod decode;
mod jpeg;
mod phash;
mod preprocess;
#[cfg(test)]
mod reference;
mod thumbnail;

pub use self::decode::{MAX_DECODING_BYTES, MAX_SIDE, PictureError};
pub use self::preprocess::{PREPROCESSING_VERSION, preprocess, shown};
pub use self::thumbnail::Thumbnail;

/// A decoded picture, 8-bit sRGB, rows from the top, no padding: shape `[height, width, 3]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Takes pixels as they are, shape `[height, width, 3]`.
    ///
    /// # Errors
    /// A side is 0 or the length is not `width × height × 3`.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, PictureError> {
        let expected = u64::from(width) * u64::from(height) * 3;
        if expected == 0 || rgb.len() as u64 != expected {
            return Err(PictureError::Pixels { width, height, expected, found: rgb.len() as u64 });
        }
        Ok(Self { width, height, rgb })
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, shape `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} × {})", self.width, self.height)
    }
}
