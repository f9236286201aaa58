//! From a file's bytes to a [`Picture`], within limits.
//!
//! Knows nothing about tensors. Invariant: the format is told by content, never by name; the memory that decoding will
//! take is reckoned from the header and checked before it is allocated.
//!
//! As Pillow's `convert("RGB")` does: alpha is dropped (not blended), palettes and grey become RGB, 16 bits become 8; of
//! an animation, the first frame. Unlike Pillow, the EXIF orientation is applied. Colour profiles are ignored by both.

use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::{Picture, jpeg};

/// Longest side of a picture in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// Most memory that decoding one picture may take, in bytes: 8192 × 8192 RGB pixels, or fewer where the file is
/// progressive, has 16 bits a channel, or must be turned.
pub const MAX_DECODING_BYTES: u64 = 192 << 20;

/// Why there is no picture. It is the file's fault, except for [`PictureError::Pixels`].
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The decoder gave up.
    #[error("cannot decode the {format} data: they are damaged or of a kind that is not supported")]
    Broken {
        /// Format by content.
        format: &'static str,
        /// What the decoder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No bytes.
    #[error("expected a picture, found an empty file")]
    Empty,
    /// Pixels that do not fit their size: a mistake of the caller.
    #[error("{width} × {height} pixels of RGB are {expected} bytes and at least one, found {found}")]
    Pixels {
        /// Stated width.
        width: u32,
        /// Stated height.
        height: u32,
        /// `width × height × 3`.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// Refused from its header.
    #[error(
        "the picture has {width} × {height} pixels and would take {} MiB to decode: at most {MAX_SIDE} pixels a side and {} MiB, scale it down first",
        .bytes.div_ceil(1 << 20), MAX_DECODING_BYTES >> 20
    )]
    TooLarge {
        /// Width in the header.
        width: u32,
        /// Height in the header.
        height: u32,
        /// Memory that decoding would take.
        bytes: u64,
    },
    /// The data end too early.
    #[error("the {format} file is cut off: its data end before {expected}; copy it again")]
    Truncated {
        /// Format by content.
        format: &'static str,
        /// What should have followed.
        expected: &'static str,
    },
    /// Something else than a picture, whatever its name.
    #[error("expected a JPEG, PNG, WebP or BMP picture, found data that begin with {found}")]
    UnknownFormat {
        /// The first bytes, as text where they are text.
        found: String,
    },
}

impl PictureError {
    pub(super) fn broken(format: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken { format, source: source.into() }
    }
}

impl Picture {
    /// Decodes a JPEG, PNG, WebP or BMP file.
    ///
    /// # Errors
    /// Anything else, larger than the limits, damaged or cut off.
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        match image::guess_format(bytes) {
            _ if bytes.is_empty() => Err(PictureError::Empty),
            Ok(ImageFormat::Jpeg) => jpeg::decode(bytes),
            Ok(ImageFormat::Png) => decode(bytes, ImageFormat::Png, "PNG"),
            Ok(ImageFormat::WebP) => decode(bytes, ImageFormat::WebP, "WebP"),
            Ok(ImageFormat::Bmp) => decode(bytes, ImageFormat::Bmp, "BMP"),
            _ => Err(PictureError::UnknownFormat { found: start(bytes) }),
        }
    }
}

fn start(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(12)];
    match std::str::from_utf8(start) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => format!("{text:?}"),
        _ => start.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}

/// What decoding takes, from the header.
pub(super) struct Cost {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    /// Bytes that the decoder holds beside its output.
    pub(super) decoder: u64,
    /// Whether the output must be converted to RGB.
    pub(super) converted: bool,
}

impl Cost {
    /// Checks sides and memory; `pixel` is the bytes that the decoder writes for each. Returns the output's length.
    pub(super) fn check(&self, pixel: u64) -> Result<usize, PictureError> {
        let &Self { width, height, orientation, decoder, converted } = self;
        let pixels = u64::from(width) * u64::from(height);
        // The largest of three moments: decoding, converting, turning. Half turns and flips happen in place.
        let quarter_turn = matches!(
            orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        let converting = if converted { pixels * (pixel + 3) } else { 0 };
        let turning = if quarter_turn { pixels * 6 } else { 0 };
        let bytes = (pixels * pixel + decoder).max(converting).max(turning);
        if pixels == 0 || width.max(height) > MAX_SIDE || bytes > MAX_DECODING_BYTES {
            return Err(PictureError::TooLarge { width, height, bytes });
        }
        Ok((pixels * pixel) as usize)
    }
}

/// PNG, WebP and BMP.
fn decode(bytes: &[u8], format: ImageFormat, name: &'static str) -> Result<Picture, PictureError> {
    let failed = |error| match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            PictureError::Truncated { format: name, expected: "its header says" }
        }
        error => PictureError::broken(name, error),
    };
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODING_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // WebP is decoded to planes first, at most 4 bytes a pixel; the others write straight to the output.
    let planes = if format == ImageFormat::WebP { u64::from(width) * u64::from(height) * 4 } else { 0 };
    let cost = Cost { width, height, orientation, decoder: planes, converted: color != image::ColorType::Rgb8 };
    cost.check(color.bytes_per_pixel().into())?;
    // `from_decoder` asks no limits: the cost was checked above.
    let rgb = DynamicImage::from_decoder(decoder).map_err(failed)?.into_rgb8();
    upright(width, height, rgb.into_raw(), orientation)
}

/// Turns the pixels upright.
pub(super) fn upright(
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    orientation: Orientation,
) -> Result<Picture, PictureError> {
    if orientation == Orientation::NoTransforms {
        return Picture::from_rgb(width, height, rgb);
    }
    let (expected, found) = (u64::from(width) * u64::from(height) * 3, rgb.len() as u64);
    let image =
        RgbImage::from_raw(width, height, rgb).ok_or(PictureError::Pixels { width, height, expected, found })?;
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Picture::from_rgb(image.width(), image.height(), image.into_rgb8().into_raw())
}
