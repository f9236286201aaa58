//! From a [`Picture`] to the numbers of an input tensor, equal to Pillow + torchvision + numpy.
//!
//! Knows nothing about engines. Invariant: `out` holds exactly one picture in the manifest's layout, every number
//! finite.
//!
//! Order of work: grey first if asked (Pillow's `convert("L")`), resize in 8 bits with the middle cut out in the same
//! pass (the coefficients are those of resize-then-crop; pixels outside the middle are never computed), then
//! `(value · range / 255 − mean) / std` by table. Rounding: the longer edge of `shortest-edge` is truncated and the
//! crop's offset rounds halves to even (torchvision's `Resize`, `CenterCrop`); `letterbox` is `ImageOps.pad`.
//!
//! Against Pillow: `tests/reference` holds its numbers; single values differ by one step of 255. Pillow resamples rows
//! first and rounds to 8 bits before the columns. The resizer is faster the other way round, which is taken for
//! `bilinear`; the other filters overshoot at edges and are clipped in between, so the order shows and is Pillow's.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Picture;
use crate::manifest::{Color, ImageInput, Interpolation, Layout, Resize};

/// Version of the rules above; part of a backbone's id, since other rules make other features.
pub const PREPROCESSING_VERSION: u32 = 1;

/// Writes one picture as the input tensor's numbers, `[channels, height, width]` or `[height, width, channels]`.
///
/// The numbers are f32 whatever the tensor's element type: the engine casts.
pub fn preprocess(picture: &Picture, input: &ImageInput, out: &mut Vec<f32>) {
    let gray;
    let (source, channels) = if input.color == Color::Gray {
        gray = luminance(picture.rgb());
        (gray.as_slice(), 1)
    } else {
        (picture.rgb(), 3)
    };
    let [height, width] = input.size;
    let (horizontal, vertical) = place(picture.width(), picture.height(), input);
    let resized = resize(source, channels, picture, horizontal, vertical, input);
    let (inner_width, inner_height) = (horizontal.length, vertical.length);
    let canvas = if (inner_width, inner_height) == (width, height) {
        resized
    } else {
        let stride = width as usize * channels;
        let mut canvas = vec![input.pad_value; stride * height as usize];
        let left = horizontal.target as usize * channels;
        let rows = canvas.chunks_exact_mut(stride).skip(vertical.target as usize);
        for (to, from) in rows.zip(resized.chunks_exact(inner_width as usize * channels)) {
            to[left..left + from.len()].copy_from_slice(from);
        }
        canvas
    };
    write(&canvas, channels, input, out);
}

/// The part of a picture that the input tensor shows, `[x, y, width, height]` in fractions of the picture. What is cut away
/// is outside of it; where the tensor is padded it reaches beyond the picture.
pub fn shown(width: u32, height: u32, input: &ImageInput) -> [f64; 4] {
    let (horizontal, vertical) = place(width.max(1), height.max(1), input);
    let [to_height, to_width] = input.size;
    let span = |axis: Axis, size: u32, side: u32| {
        let pixel = axis.span / f64::from(axis.length);
        let side = f64::from(side.max(1));
        ((axis.from - f64::from(axis.target) * pixel) / side, f64::from(size) * pixel / side)
    };
    let ((x, w), (y, h)) = (span(horizontal, to_width, width), span(vertical, to_height, height));
    [x, y, w, h]
}

/// One axis: `length` pixels of the tensor from `target` on show the source's interval `[from, from + span)`.
#[derive(Clone, Copy)]
struct Axis {
    target: u32,
    length: u32,
    from: f64,
    span: f64,
}

impl Axis {
    /// The source's `source` pixels become `resized`, of which the middle `size` are kept, or padded to `size`.
    fn new(source: u32, resized: u32, size: u32) -> Self {
        let source = f64::from(source);
        if resized <= size {
            return Self { target: half(size - resized), length: resized, from: 0.0, span: source };
        }
        let scale = source / f64::from(resized);
        let from = f64::from(half(resized - size)) * scale;
        // Not past the edge, by a rounding error, or the resizer refuses.
        Self { target: 0, length: size, from, span: (f64::from(size) * scale).min(source - from) }
    }
}

/// Half, .5 rounded to even as Python's `round` does.
fn half(difference: u32) -> u32 {
    (f64::from(difference) / 2.0).round_ties_even() as u32
}

fn place(width: u32, height: u32, input: &ImageInput) -> (Axis, Axis) {
    let [to_height, to_width] = input.size;
    let (w, h) = (u64::from(width), u64::from(height));
    let (resized_width, resized_height) = match input.resize {
        Resize::Stretch => (to_width, to_height),
        Resize::ShortestEdge => {
            // A line of pixels would grow past any integer: the crop shows one colour of it either way.
            let longer =
                |long: u64, short: u64| (u64::from(input.resize_to) * long / short).min(u32::MAX.into()) as u32;
            if w < h { (input.resize_to, longer(h, w)) } else { (longer(w, h), input.resize_to) }
        }
        Resize::Letterbox => {
            let scaled = |side: u32, by: u32, to: u32| {
                (f64::from(side) / f64::from(by) * f64::from(to)).round_ties_even() as u32
            };
            match (w * u64::from(to_height)).cmp(&(h * u64::from(to_width))) {
                std::cmp::Ordering::Greater => (to_width, scaled(height, width, to_width).max(1)),
                std::cmp::Ordering::Less => (scaled(width, height, to_height).max(1), to_height),
                std::cmp::Ordering::Equal => (to_width, to_height),
            }
        }
    };
    (Axis::new(width, resized_width, to_width), Axis::new(height, resized_height, to_height))
}

fn resize(
    source: &[u8],
    channels: usize,
    picture: &Picture,
    horizontal: Axis,
    vertical: Axis,
    input: &ImageInput,
) -> Vec<u8> {
    let filter = match input.interpolation {
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Lanczos => FilterType::Lanczos3,
    };
    let algorithm = if input.antialias { ResizeAlg::Convolution(filter) } else { ResizeAlg::Interpolation(filter) };
    let options = ResizeOptions::new().resize_alg(algorithm);
    let (from, to) = ((picture.width(), picture.height()), (horizontal.length, vertical.length));
    if input.interpolation == Interpolation::Bilinear {
        let options = options.crop(horizontal.from, vertical.from, horizontal.span, vertical.span);
        return resample(source, channels, from, to, &options);
    }
    let rows = options.crop(horizontal.from, 0.0, horizontal.span, from.1.into());
    let narrow = resample(source, channels, from, (to.0, from.1), &rows);
    let columns = options.crop(0.0, vertical.from, to.0.into(), vertical.span);
    resample(&narrow, channels, (to.0, from.1), to, &columns)
}

/// Resamples `channels` interleaved bytes a pixel from one size to another, each as (width, height).
pub(super) fn resample(
    source: &[u8],
    channels: usize,
    from: (u32, u32),
    to: (u32, u32),
    options: &ResizeOptions,
) -> Vec<u8> {
    let pixel = if channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let mut target = Image::new(to.0, to.1, pixel);
    let source = ImageRef::new(from.0, from.1, source, pixel).expect("a picture holds width × height × channels bytes");
    Resizer::new().resize(&source, &mut target, options).expect("the interval lies inside the picture");
    target.into_vec()
}

/// Pillow's `convert("L")`: ITU-R 601 in 16-bit fixed point, rounded.
pub(super) fn luminance(rgb: &[u8]) -> Vec<u8> {
    rgb.as_chunks::<3>()
        .0
        .iter()
        .map(|&[r, g, b]| ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8)
        .collect()
}

fn write(pixels: &[u8], channels: usize, input: &ImageInput, out: &mut Vec<f32>) {
    let tables: Vec<[f32; 256]> = (0..channels).map(|channel| table(input, channel)).collect();
    // The tensor's channel c shows the picture's channel `from(c)`; mean and std are in the tensor's order.
    let from = |channel: usize| if input.color == Color::Bgr { 2 - channel } else { channel };
    out.clear();
    out.reserve(pixels.len());
    match (input.layout, tables.as_slice()) {
        (_, [table]) => out.extend(pixels.iter().map(|&value| table[usize::from(value)])),
        (Layout::Nchw, tables) => {
            for (channel, table) in tables.iter().enumerate() {
                let from = from(channel);
                out.extend(pixels.as_chunks::<3>().0.iter().map(|pixel| table[usize::from(pixel[from])]));
            }
        }
        (Layout::Nhwc, tables) => {
            let order = [from(0), from(1), from(2)];
            for pixel in pixels.as_chunks::<3>().0 {
                out.extend(tables.iter().zip(order).map(|(table, from)| table[usize::from(pixel[from])]));
            }
        }
    }
}

fn table(input: &ImageInput, channel: usize) -> [f32; 256] {
    let (range, mean, std) = (f64::from(input.range), f64::from(input.mean[channel]), f64::from(input.std[channel]));
    std::array::from_fn(|value| ((value as f64 * range / 255.0 - mean) / std) as f32)
}
