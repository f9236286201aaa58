//! Decoding and preprocessing against Pillow's numbers (`tests/reference/make_pictures.py`), and files that must be
//! refused.
//!
//! Tolerances, in steps of 255: PNG, BMP, WebP and their resizing: 1; JPEG: 3, since libjpeg-turbo and zune-jpeg
//! round the inverse DCT and spread subsampled colour differently (3 were measured).
#![expect(clippy::unwrap_used, reason = "a failed test should panic")]

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::manifest::{Color, Crop, Decode, ElementType, ImageInput, Interpolation, Layout, Resize};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(folder().join("pictures").join(file)).unwrap()
}

fn numbers() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("pictures.json")).unwrap()).unwrap()
}

/// Largest difference of a single value, and of the mean over the picture, in steps of 255.
fn tolerance(file: &str) -> (f64, f64) {
    match file {
        _ if file.rsplit('.').next() == Some("jpg") => (3.0, 0.3),
        _ => (1.0, 0.1),
    }
}

/// Compares with what the script wrote; `step` is the size of one step of 255 in these numbers.
fn compare(what: &str, found: &[f64], expected: &Value, step: f64, (largest, mean): (f64, f64)) {
    assert_eq!(found.len() as u64, expected["length"], "{what}");
    let average = found.iter().sum::<f64>() / found.len() as f64;
    let drift = (average - expected["mean"].as_f64().unwrap()).abs() / step;
    let sampled = found.iter().step_by(expected["step"].as_u64().unwrap() as usize);
    let differences =
        sampled.zip(expected["values"].as_array().unwrap()).map(|(a, b)| (a - b.as_f64().unwrap()).abs() / step);
    let worst = differences.fold(0.0, f64::max);
    println!("{what}: worst {worst:.2}, mean {drift:.3} steps");
    // The script rounds its numbers to 4 digits.
    assert!(worst <= largest + 0.06, "{what}: a value differs by {worst} steps");
    assert!(drift <= mean, "{what}: the mean differs by {drift} steps");
}

#[test]
fn pictures_decode_as_in_pillow() {
    for (file, expected) in numbers()["pixels"].as_object().unwrap() {
        let picture = Picture::decode(&bytes(file)).unwrap();
        assert_eq!(u64::from(picture.width()), expected["width"], "{file}");
        assert_eq!(u64::from(picture.height()), expected["height"], "{file}");
        let pixels: Vec<f64> = picture.rgb().iter().copied().map(f64::from).collect();
        compare(file, &pixels, expected, 1.0, tolerance(file));
    }
}

/// The script's `SETTINGS`.
fn setting(name: &str) -> ImageInput {
    let plain = ImageInput {
        tensor: "input".to_owned(),
        layout: Layout::Nchw,
        dtype: ElementType::F32,
        color: Color::Rgb,
        range: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        size: [1, 1],
        resize: Resize::ShortestEdge,
        resize_to: 1,
        crop: Crop::Center,
        interpolation: Interpolation::Bilinear,
        antialias: true,
        pad_value: 0,
        decode: Decode::Full,
    };
    match name {
        "imagenet" => ImageInput {
            size: [56, 56],
            resize_to: 64,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            ..plain
        },
        "bicubic-nhwc" => ImageInput {
            size: [33, 48],
            resize_to: 49,
            interpolation: Interpolation::Bicubic,
            layout: Layout::Nhwc,
            range: 255.0,
            ..plain
        },
        "lanczos-bgr" => ImageInput {
            size: [40, 40],
            resize: Resize::Stretch,
            interpolation: Interpolation::Lanczos,
            color: Color::Bgr,
            range: 255.0,
            mean: [104.0, 117.0, 123.0],
            ..plain
        },
        "letterbox" => ImageInput {
            size: [64, 48],
            resize: Resize::Letterbox,
            pad_value: 114,
            mean: [0.5; 3],
            std: [0.5; 3],
            ..plain
        },
        "gray" => ImageInput {
            size: [24, 30],
            resize: Resize::Stretch,
            color: Color::Gray,
            mean: [0.4; 3],
            std: [0.3; 3],
            ..plain
        },
        "enlarged" => ImageInput {
            size: [150, 170],
            resize_to: 175,
            range: 255.0,
            interpolation: Interpolation::Bicubic,
            ..plain
        },
        other => panic!("no setting {other}"),
    }
}

#[test]
fn tensors_are_those_of_pillow_and_numpy() {
    let mut tensor = Vec::new();
    for expected in numbers()["tensors"].as_array().unwrap() {
        let (file, name) = (expected["file"].as_str().unwrap(), expected["setting"].as_str().unwrap());
        let input = setting(name);
        preprocess(&Picture::decode(&bytes(file)).unwrap(), &input, &mut tensor);
        let found: Vec<f64> = tensor.iter().copied().map(f64::from).collect();
        let step = f64::from(input.range / 255.0 / input.std.iter().copied().fold(0.0, f32::max));
        compare(&format!("{file} as {name}"), &found, expected, step, tolerance(file));
    }
}

#[test]
fn cropping_while_resizing_equals_cropping_afterwards() {
    let picture = Picture::decode(&bytes("rgb.png")).unwrap();
    for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos] {
        let (mut middle, mut whole) = (Vec::new(), Vec::new());
        let cropped = ImageInput { size: [41, 47], resize_to: 53, interpolation, range: 255.0, ..setting("imagenet") };
        let cropped = ImageInput { mean: [0.0; 3], std: [1.0; 3], layout: Layout::Nhwc, ..cropped };
        preprocess(&picture, &cropped, &mut middle);
        // 97 × 71 → 72 × 53.
        preprocess(&picture, &ImageInput { size: [53, 72], resize: Resize::Stretch, ..cropped }, &mut whole);
        let rows = whole.chunks_exact(72 * 3).skip(6).take(41);
        let expected: Vec<f32> = rows.flat_map(|row| &row[12 * 3..(12 + 47) * 3]).copied().collect();
        assert_eq!(middle, expected, "{interpolation}");
    }
}

#[test]
fn extreme_shapes_fill_the_tensor_with_finite_numbers() {
    let mut tensor = Vec::new();
    for (width, height) in [(1, 1), (1, 3000), (16_384, 1), (2, 5)] {
        let picture = Picture::from_rgb(width, height, vec![90; (width * height * 3) as usize]).unwrap();
        for name in ["imagenet", "bicubic-nhwc", "lanczos-bgr", "letterbox", "gray", "enlarged"] {
            let input = setting(name);
            preprocess(&picture, &input, &mut tensor);
            assert_eq!(tensor.len(), input.shape(1).iter().product::<usize>());
            assert!(tensor.iter().all(|value| value.is_finite()));
        }
        assert_eq!(picture.perceptual_hash(), 0);
    }
}

fn refusal(bytes: &[u8]) -> PictureError {
    Picture::decode(bytes).unwrap_err()
}

#[test]
fn files_that_were_cut_off_say_so() {
    assert!(matches!(refusal(&bytes("truncated.jpg")), PictureError::Truncated { format: "JPEG", .. }));
    assert!(matches!(refusal(&bytes("truncated.png")), PictureError::Truncated { format: "PNG", .. }));
    // The whole file decodes, and no prefix of any file does or panics.
    for file in ["orientation-6.jpg", "orientation-6.png", "rgb.bmp", "lossy.webp"] {
        let whole = bytes(file);
        Picture::decode(&whole).unwrap();
        for length in (0..whole.len() - 16).step_by(29) {
            refusal(&whole[..length]);
        }
    }
}

#[test]
fn what_is_no_picture_is_named() {
    assert_eq!(refusal(b"").to_string(), "expected a picture, found an empty file");
    let text = "expected a JPEG, PNG, WebP or BMP picture, found data that begin with \"hello, world\"";
    assert_eq!(refusal(b"hello, world!").to_string(), text);
    assert!(matches!(refusal(&[0, 1, 2]), PictureError::UnknownFormat { .. }));
    assert!(matches!(Picture::from_rgb(2, 2, vec![0; 11]), Err(PictureError::Pixels { expected: 12, found: 11, .. })));
}

#[test]
fn a_huge_picture_is_refused_from_its_header() {
    let mut png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    png.extend([20_000_u32, 20_000].iter().flat_map(|side| side.to_be_bytes()));
    png.extend([8, 2, 0, 0, 0, 0x6C, 0x12, 0xD1, 0x6E]);
    // The length and name of a first data chunk: enough for the header to be complete.
    png.extend(b"\x00\x00\x00\x08IDAT");
    let text = "the picture has 20000 × 20000 pixels and would take 1145 MiB to decode: at most 16384 pixels a side and 192 MiB, scale it down first";
    assert_eq!(refusal(&png).to_string(), text);

    // A JPEG whose frame claims 65,535 × 65,535.
    let mut jpeg = bytes("444.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xFF);
    assert!(matches!(refusal(&jpeg), PictureError::TooLarge { width: 65_535, height: 65_535, .. }));
    // Progressive at 7000 × 6000: the pixels alone would fit, the coefficients kept until the last scan do not.
    let mut jpeg = bytes("progressive.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x17, 0x70, 0x1B, 0x58]);
    assert!(matches!(refusal(&jpeg), PictureError::TooLarge { width: 7000, height: 6000, .. }));
}
