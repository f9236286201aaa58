//! The backbone's id: what two devices must have in common for their features to mean the same.
//!
//! Knows manifests, not files or engines. Invariant: equal ids, equal features (to the engines' tolerance); the bytes
//! behind an id never change for the same manifest, which a golden test holds.

use std::fmt;

use ciborium::Value;

use crate::{
    checksum,
    manifest::{ImageInput, Input, Manifest, Resize, SignalInput},
    picture::PREPROCESSING_VERSION,
    signal,
};

/// SHA-256 over a canonical CBOR (RFC 8949, 4.2.1) of file digest, feature tensor, pooling, preprocessing and
/// quantisation. `Display` is lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackboneId(pub [u8; 32]);

impl fmt::Display for BackboneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&checksum::hex(&self.0))
    }
}

impl fmt::Debug for BackboneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackboneId({self})")
    }
}

impl BackboneId {
    /// The id of the backbone that a manifest describes. Names, licence, addresses and the classifier do not count.
    pub fn of(manifest: &Manifest) -> Self {
        Self(checksum::of(&canonical(manifest)))
    }
}

/// The bytes that the id is the sum of.
fn canonical(manifest: &Manifest) -> Vec<u8> {
    // No `..`: whoever adds a key decides here whether it changes features.
    let Manifest { name: _, licence: _, file, input, feature, classifier: _, text: _ } = manifest;
    let input = match input {
        Input::Image(image) => of_image(image),
        Input::Signal(signal) => of_signal(signal),
    };
    let quantisation = vec![
        ("bits", 8.into()),
        ("full_scale", float(feature.quantisation.full_scale)),
        ("signed", feature.quantisation.signed.into()),
    ];
    let whole = map(vec![
        ("feature", text(&feature.tensor)),
        ("file", Value::Bytes(file.sha256.to_vec())),
        ("input", map(input)),
        ("pool", text(feature.pool.word())),
        ("quantisation", map(quantisation)),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&whole, &mut bytes).expect("a bug: memory takes whatever is written");
    bytes
}

/// What makes a picture's tensor. Written before there was another kind, so the kind itself does not stand in it.
fn of_image(input: &ImageInput) -> Vec<(&str, Value)> {
    let mut preprocessing = vec![
        ("antialias", Value::from(input.antialias)),
        ("color", text(input.color.word())),
        ("crop", text(input.crop.word())),
        ("decode", text(input.decode.word())),
        ("dtype", text(input.dtype.word())),
        ("interpolation", text(input.interpolation.word())),
        ("layout", text(input.layout.word())),
        ("mean", input.mean.map(float).to_vec().into()),
        ("range", float(input.range)),
        ("resize", text(input.resize.word())),
        ("size", input.size.map(Value::from).to_vec().into()),
        ("std", input.std.map(float).to_vec().into()),
        ("tensor", text(&input.tensor)),
        ("version", PREPROCESSING_VERSION.into()),
    ];
    // Keys without effect must not tell two equal pipelines apart.
    match input.resize {
        Resize::Letterbox => preprocessing.push(("pad_value", input.pad_value.into())),
        Resize::ShortestEdge => preprocessing.push(("resize_to", input.resize_to.into())),
        Resize::Stretch => {}
    }
    preprocessing
}

/// What makes a window's tensor.
fn of_signal(input: &SignalInput) -> Vec<(&str, Value)> {
    // Rate and unit are what people say of the numbers; the numbers are the same whatever is said.
    let SignalInput { tensor, layout, channels, length, mean, std, rate_hz: _, unit: _ } = input;
    let floats = |numbers: &[f32]| Value::from(numbers.iter().copied().map(float).collect::<Vec<_>>());
    vec![
        ("channels", (*channels as u64).into()),
        ("kind", text("signal")),
        ("layout", text(layout.word())),
        ("length", (*length as u64).into()),
        ("mean", floats(mean)),
        ("std", floats(std)),
        ("tensor", text(tensor)),
        ("version", signal::PREPROCESSING_VERSION.into()),
    ]
}

fn text(text: &str) -> Value {
    text.into()
}

fn float(number: f32) -> Value {
    f64::from(number).into()
}

/// A map in canonical order: short keys first, then bytewise, which is the order of their encodings.
fn map(mut pairs: Vec<(&str, Value)>) -> Value {
    pairs.sort_by_key(|(key, _)| (key.len(), *key));
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}
