//! Pictures as they go to a broker: JPEG, made smaller until they fit. Pure.

use acclimate_backbone::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};

use crate::causes;
use crate::daemon::inference;
use crate::loading::sample_media;
use crate::source::{Content, Frame};

const QUALITY: u8 = 80;
/// A picture is not made smaller than this for looking at, pixels.
const SMALLEST: u32 = 64;

/// What it is.
pub(super) const JPEG: &str = "image/jpeg";

/// The picture, or a region of it, in so many bytes: as it is if it fits, else smaller.
pub(super) fn fitting(frame: &Frame, crop: Option<[f64; 4]>, most: usize) -> Result<Vec<u8>, String> {
    if let (Content::File(bytes), None) = (&frame.content, crop)
        && bytes.len() <= most
        && sample_media(bytes) == JPEG
    {
        return Ok(bytes.clone());
    }
    if let Content::Window(_) = &frame.content {
        return Err(format!("source `{}` gives readings and no pictures", frame.source));
    }
    let picture = inference::picture(&frame.content).map_err(|error| causes(&error))?;
    let region = crop.map(|crop| inference::cropped(&picture, crop)).transpose().map_err(|error| causes(&error))?;
    let picture: Picture = region.unwrap_or(picture);
    let image = RgbImage::from_raw(picture.width(), picture.height(), picture.rgb().to_vec());
    let mut image = image.ok_or_else(|| "the picture has fewer pixels than it should".to_owned())?;
    loop {
        let mut bytes = Vec::new();
        let (width, height) = image.dimensions();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .encode(image.as_raw(), width, height, ExtendedColorType::Rgb8)
            .map_err(|error| causes(&error))?;
        if bytes.len() <= most {
            return Ok(bytes);
        }
        if width.min(height) / 2 < SMALLEST {
            return Err(format!("the picture has {} bytes where {most} fit: `max_packet` in [mqtt]", bytes.len()));
        }
        image = resize(&image, width / 2, height / 2, FilterType::Triangle);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_picture_is_made_smaller_until_it_fits() {
        let pixels: Vec<u8> = (0..512 * 512 * 3_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let frame = Frame {
            source: "yard".into(),
            taken: jiff::Timestamp::UNIX_EPOCH,
            content: Content::Rgb { width: 512, height: 512, pixels },
        };
        let bytes = fitting(&frame, None, 100_000).unwrap();
        let small = Picture::decode(&bytes).unwrap();
        assert!(bytes.len() <= 100_000 && small.width() < 512, "{}", bytes.len());
        let region = Picture::decode(&fitting(&frame, Some([0.0, 0.0, 0.5, 0.25]), 1 << 20).unwrap()).unwrap();
        assert_eq!((region.width(), region.height()), (256, 128));
        let frame = Frame { content: Content::File(bytes.clone()), ..frame };
        assert_eq!(fitting(&frame, None, 100_000).unwrap(), bytes, "what fits is left as it is");
        assert!(fitting(&frame, None, 10).unwrap_err().contains("`max_packet`"));
    }
}
