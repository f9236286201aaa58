//! JPEG files: what the header promises, and the pixels.
//!
//! Knows nothing about other formats. Invariant: memory is reckoned from the header before anything is allocated, and
//! a file that was cut off is an error, although the decoder itself would fill the rest with grey.

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Picture;
use super::decode::{Cost, PictureError, upright};

/// What stands before the first scan.
struct Header {
    width: u32,
    height: u32,
    /// Bytes of coefficients that the decoder keeps: none when it can finish each row of blocks at once.
    coefficient_bytes: u64,
    /// Where the first scan's header begins: every thumbnail lies before it.
    scan: usize,
}

/// Walks the segments up to the first scan (ITU-T T.81, annex B). `None` if there is no frame or no scan.
fn read_header(bytes: &[u8]) -> Option<Header> {
    let mut frame: Option<(bool, &[u8])> = None;
    let mut at = 2; // behind the start-of-image marker
    loop {
        // Cameras write fill bytes, and some write garbage, between segments.
        at += bytes.get(at..)?.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
        let marker = bytes[at + 1];
        if matches!(marker, 0x01 | 0xD0..=0xD9) {
            at += 2; // markers without a segment
            continue;
        }
        let length = usize::from(u16::from_be_bytes(bytes.get(at + 2..at + 4)?.try_into().ok()?));
        let segment = bytes.get(at + 4..at + 2 + length)?;
        match marker {
            0xDA => {
                let (progressive, frame) = frame?;
                let in_scan = *segment.first()?;
                return Header::new(frame, progressive || in_scan < *frame.get(5)?, at);
            }
            // DHT, JPG and DAC lie among the frame markers.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                frame = Some((matches!(marker, 0xC2 | 0xC6 | 0xCA | 0xCE), segment));
            }
            _ => {}
        }
        at += 2 + length;
    }
}

impl Header {
    /// Reads a frame: precision, height, width, number of components, then three bytes each.
    fn new(frame: &[u8], buffered: bool, scan: usize) -> Option<Self> {
        let &[_, h1, h0, w1, w0, count, ref components @ ..] = frame else { return None };
        let (width, height) = (u32::from(u16::from_be_bytes([w1, w0])), u32::from(u16::from_be_bytes([h1, h0])));
        let factors: Vec<(u64, u64)> = components
            .chunks_exact(3)
            .take(count.into())
            .map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)))
            .collect();
        let (h_max, v_max) = (factors.iter().map(|f| f.0).max()?.max(1), factors.iter().map(|f| f.1).max()?.max(1));
        let blocks = u64::from(width).div_ceil(8 * h_max) * u64::from(height).div_ceil(8 * v_max);
        let coefficients = 64 * blocks * factors.iter().map(|f| f.0 * f.1).sum::<u64>();
        Some(Self { width, height, coefficient_bytes: if buffered { 2 * coefficients } else { 0 }, scan })
    }
}

/// Decodes a JPEG in full.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    let Some(header) = read_header(bytes) else {
        return Err(PictureError::Truncated { format: "JPEG", expected: "a picture behind the header" });
    };
    let options = DecoderOptions::default()
        .set_strict_mode(false) // like libjpeg: odd bytes of a camera are no reason to lose its picture
        .set_max_width(header.width as usize)
        .set_max_height(header.height as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| PictureError::broken("JPEG", error))?;
    let orientation =
        decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif)).unwrap_or(Orientation::NoTransforms);
    let cost = Cost {
        width: header.width,
        height: header.height,
        orientation,
        decoder: header.coefficient_bytes,
        converted: false,
    };
    let pixels = cost.check(3)?;
    // Told before the work: the decoder would accept the file.
    if !bytes[header.scan..].windows(2).rev().any(|pair| pair == [0xFF, 0xD9]) {
        return Err(PictureError::Truncated { format: "JPEG", expected: "an end-of-image marker" });
    }
    let mut rgb = vec![0; pixels];
    decoder.decode_into(&mut rgb).map_err(|error| PictureError::broken("JPEG", error))?;
    upright(header.width, header.height, rgb, orientation)
}
