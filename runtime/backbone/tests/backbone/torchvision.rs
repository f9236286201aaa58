//! Inspecting torchvision's classifiers, exported by torch: the right tensor is proposed, loads and gives features.
//!
//! The graphs of `models/torchvision` have no weights; they are filled here, from a seed, the way such layers are initialised.

use acclimate_backbone::{
    Backbone, Ends, EngineChoice, Inspection, Manifest, Network, Picture, Pool, Tensor, checksum, inspect, shipped,
};
use acclimate_trainer::{FitOptions, Kind, Samples, fit};
use ndarray::{Array2, ArrayD};

use crate::{
    assets::{chain, engines, options, small},
    shipped::{raw_features, run, scores},
};

/// A graph, and the pool, length and number of classes that inspection must find.
pub(crate) const NETS: [(&str, Pool, usize, usize); 16] = [
    ("convnext", Pool::Flatten, 32, 1000),
    ("densenet", Pool::None, 32, 1000),
    ("efficientnet-b0", Pool::None, 1280, 1000),
    ("efficientnet-b0-dynamo", Pool::None, 1280, 1000),
    ("googlenet", Pool::None, 1024, 1000),
    ("inception-v3", Pool::None, 2048, 1000),
    ("mobilenet-v2", Pool::None, 1280, 1000),
    ("mobilenet-v3-small", Pool::Flatten, 1024, 1000),
    ("mobilenet-v3-small-dynamo", Pool::Flatten, 1024, 1000),
    ("resnet18", Pool::None, 512, 1000),
    ("resnet18-dynamo", Pool::None, 512, 1000),
    ("shufflenet-v2-dynamo", Pool::None, 1024, 1000),
    ("squeezenet1.1", Pool::SpatialMean, 512, 1000),
    ("vgg11", Pool::Flatten, 48, 10),
    ("vit", Pool::Flatten, 48, 1000),
    ("vit-dynamo", Pool::Flatten, 48, 1000),
];

/// A net's bytes with weights.
pub(crate) fn filled(name: &str) -> Vec<u8> {
    let bytes = small(&format!("torchvision/{name}.onnx"));
    let mut seed = Seed(1);
    // Graph of the model, initializers of the graph.
    rewrite(&bytes, 7, &mut |graph| rewrite(graph, 5, &mut |tensor| fill(tensor, &mut seed)))
}

struct Seed(u64);

impl Seed {
    /// Uniform in -1..1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn put_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Whether a field is one number, not contents with a length.
fn is_number(key: u64) -> bool {
    matches!(key & 7, 0)
}

/// The fields of a message: number, and varint or contents.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (value, length) = match key & 7 {
            0 => (varint(&mut bytes), 0),
            2 => (0, varint(&mut bytes) as usize),
            kind => panic!("wire type {kind}"),
        };
        let (contents, rest) = bytes.split_at(length);
        bytes = rest;
        fields.push((key, value, contents));
    }
    fields
}

/// A message with every length-delimited field of a number changed.
fn rewrite(bytes: &[u8], number: u64, change: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value, contents) in fields(bytes) {
        put_varint(key, &mut out);
        if is_number(key) {
            put_varint(value, &mut out);
            continue;
        }
        let contents = if key >> 3 == number { change(contents) } else { contents.to_vec() };
        put_varint(contents.len() as u64, &mut out);
        out.extend(contents);
    }
    out
}

/// A float tensor without data gets some: He's initialisation for layers, 0.5 to 1 for scales, variances and biases.
fn fill(tensor: &[u8], seed: &mut Seed) -> Vec<u8> {
    let (mut dims, mut float, mut has_data) = (Vec::new(), false, false);
    for (key, value, mut contents) in fields(tensor) {
        match key >> 3 {
            1 if is_number(key) => dims.push(value as usize),
            1 => {
                while !contents.is_empty() {
                    dims.push(varint(&mut contents) as usize);
                }
            }
            2 => float = value == 1,
            4..=7 | 9 => has_data = true,
            _ => {}
        }
    }
    let mut out = tensor.to_vec();
    if has_data || !float {
        return out;
    }
    let fan_in = match dims.len() {
        4 => dims[1..].iter().product(),
        _ => dims.iter().copied().max().unwrap_or(1),
    };
    let scale = (6.0 / fan_in as f32).sqrt();
    let data: Vec<u8> = (0..dims.iter().product::<usize>())
        .map(|_| if dims.len() == 1 { 0.75 + 0.25 * seed.next() } else { scale * seed.next() })
        .flat_map(f32::to_le_bytes)
        .collect();
    out.push(9 << 3 | 2);
    put_varint(data.len() as u64, &mut out);
    out.extend(data);
    out
}

/// Stripes of some width and colour.
fn picture(width: u32, color: [u8; 3]) -> Picture {
    let mut bmp = Vec::new();
    let (side, row) = (80_u32, 240_u32);
    let size = 54 + row * side;
    bmp.extend(b"BM");
    for number in [size, 0, 54, 40, side, side, 1 | 24 << 16, 0, row * side, 2835, 2835, 0, 0] {
        bmp.extend(number.to_le_bytes());
    }
    for y in 0..side {
        for x in 0..side {
            let lit = ((x + y / 2) / width).is_multiple_of(2);
            bmp.extend(color.map(|part| if lit { part } else { 255 - part / 2 }));
        }
    }
    Picture::decode(&bmp).unwrap()
}

/// The share of right answers on pictures left out, of a head that learns two classes by turns from a backbone's features.
pub(crate) fn adapted(backbone: &mut Backbone, pictures: &[Picture]) -> f64 {
    let n = pictures.len();
    let (labels, groups): (Vec<_>, Vec<_>) = (0..n).map(|i| (i % 2, i)).unzip();
    let features = backbone.features(pictures).unwrap();
    let rows = Array2::from_shape_fn((n, backbone.dim()), |(i, j)| features[i].as_slice()[j]);
    let samples = Samples::new(rows.view(), &labels, &groups, 2).unwrap();
    let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
    fit(&samples, &options).unwrap()[0].accuracy
}

/// The least share that guessing two classes reaches once in a hundred times.
pub(crate) fn better_than_chance(n: usize) -> f64 {
    0.5 + 2.33 * (0.25 / n as f64).sqrt()
}

/// Fine bluish stripes and broad reddish ones by turns.
fn stripes(n: u32) -> Vec<Picture> {
    let mut seed = Seed(5);
    let mut part = |from: f32| (from + 40.0 * (1.0 + seed.next())) as u8;
    let mut draw = |i: u32| match i % 2 {
        0 => picture(3 + i / 8, [part(0.0), part(40.0), part(170.0)]),
        _ => picture(12 + i / 8, [part(170.0), part(40.0), part(0.0)]),
    };
    (0..n).map(&mut draw).collect()
}

pub(crate) fn proposed(bytes: &[u8], name: &str) -> (Inspection, Manifest) {
    let inspection = inspect(bytes).unwrap();
    let text = inspection.propose_manifest(name);
    let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    (inspection, manifest)
}

#[test]
fn the_tensor_before_the_classifier_is_proposed_for_every_family() {
    for (name, pool, dim, classes) in NETS {
        let bytes = filled(name);
        let (inspection, manifest) = proposed(&bytes, name);
        let first = &inspection.features[0];
        assert_eq!((first.pool, first.dim), (pool, dim), "{name}: {first:?}");
        let classifier = inspection.classifier.as_ref().unwrap();
        assert_eq!((classifier.classes, classifier.dim), (classes, dim), "{name}");
        assert_eq!(classifier.refused.is_some(), name == "squeezenet1.1", "{name}: {:?}", classifier.refused);
        assert_eq!(manifest.file.sha256, checksum::of(&bytes));
        assert_eq!(inspection.unsupported(), None);
    }
}

#[test]
fn every_proposal_loads_adapts_and_has_the_models_own_classifier_behind_it() {
    if !engines().contains(&EngineChoice::Ort) {
        return;
    }
    let stripes = stripes(16);
    let pictures = [picture(2, [20, 200, 90]), picture(9, [20, 200, 90]), picture(2, [250, 10, 10])];
    for (name, ..) in NETS {
        let bytes = filled(name);
        let (inspection, manifest) = proposed(&bytes, name);
        let mut backbone = Backbone::from_bytes(&manifest, bytes.clone(), &options(EngineChoice::Ort)).unwrap();
        let features = backbone.features(&pictures).unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(features[a] != features[b], "{name}: pictures {a} and {b} look the same");
        }
        let accuracy = adapted(&mut backbone, &stripes);
        println!("{name}: {accuracy:.2} on pictures left out");
        assert!(accuracy > better_than_chance(stripes.len()), "{name}: {accuracy}");
        if !inspection.features[0].signed {
            assert!(features.iter().all(|f| f.as_slice().iter().all(|&number| number >= 0.0)), "{name}");
        }
        if name == "squeezenet1.1" {
            assert!(shipped(&bytes, &manifest).unwrap_err().to_string().contains("Relu"));
            continue;
        }
        let mut number = 0.0_f32;
        let input = Tensor::F32(ArrayD::from_shape_simple_fn(manifest.input.shape(2), || {
            number += 0.7;
            number.sin()
        }));
        let own = run(&bytes, &manifest, None, &input, EngineChoice::Ort);
        let shipped = shipped(&bytes, &manifest).unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        let found = scores(&shipped, &raw_features(&bytes, &manifest, &input, EngineChoice::Ort));
        let largest = own.iter().fold(0.0_f32, |largest, score| largest.max(score.abs()));
        let apart = found.iter().zip(&own).fold(0.0_f32, |apart, (a, b)| apart.max((a - b).abs()));
        assert!(apart <= 1e-4 * largest, "{name}: {apart} of {largest}");
    }
}

/// Why an engine cannot run a model that inspection proposes a manifest for; none: it can.
pub(crate) fn trouble(bytes: &[u8], manifest: &Manifest, engine: EngineChoice) -> Option<String> {
    let shape = manifest.input.shape(1);
    let ends = Ends {
        output: Some(&manifest.feature.tensor),
        input: manifest.input.tensor(),
        shape: &shape[1..],
        element: manifest.input.element(),
    };
    let opened = Network::open(bytes.to_vec(), &ends, &options(engine));
    opened.map(drop).err().map(|error| chain(&error))
}

#[test]
fn what_tract_cannot_run_of_these_is_known() {
    if !engines().contains(&EngineChoice::Tract) {
        return;
    }
    let mut found = Vec::new();
    for (name, ..) in NETS {
        let bytes = filled(name);
        let (_, manifest) = proposed(&bytes, name);
        if let Some(trouble) = trouble(&bytes, &manifest, EngineChoice::Tract) {
            println!("{name}: {trouble}");
            found.push(name);
        }
    }
    assert_eq!(found, [""; 0]);
}
