//! Backbone and head as one file: it gives the head's probabilities, and opens as a backbone with that head.

use acclimate_backbone::{
    Backbone, EngineChoice, Likeness, Manifest, Merge, Pool, Tensor, embedded_manifest, inspect, merge, shipped,
};
use ndarray::{Array1, Array2, ArrayD, Axis};

use crate::{
    assets::{assets, chain, engines, options, small},
    shipped::{FORMS, SMALL_INPUT, manifest_for, open_case, raw_features, run, small_input},
};

/// How far the merged file's probabilities may be from those computed here.
const TOLERANCE: f32 = 1e-5;

const TEMPERATURE: f64 = 0.7;

struct Head {
    weights: Array2<f32>,
    bias: Array1<f32>,
    classes: Vec<String>,
}

impl Head {
    /// Some head for features of a length, with scores of a few.
    fn new(dim: usize, unit: bool) -> Self {
        let mut number = 0.0_f32;
        let mut next = || {
            number += 1.3;
            number.sin()
        };
        let scale = if unit { 3.0 } else { 1.0 / (dim as f32).sqrt() };
        Self {
            weights: Array2::from_shape_simple_fn((3, dim), || next() * scale),
            bias: Array1::from_shape_simple_fn(3, &mut next),
            classes: ["ok", "bull's eye", "d\u{e9}faut \"2\""].map(str::to_owned).to_vec(),
        }
    }

    fn merge(&self, unit: bool) -> Merge<'_> {
        Merge {
            weights: self.weights.view(),
            likeness: None,
            bias: self.bias.view(),
            temperature: TEMPERATURE,
            unit,
            classes: &self.classes,
            metadata: vec![("acclimate.task".to_owned(), "press".to_owned())],
        }
    }

    fn probabilities(&self, features: &Array2<f32>, unit: bool) -> Array2<f32> {
        let mut features = features.clone();
        for mut row in features.outer_iter_mut().filter(|_| unit) {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        softmax(&((features.dot(&self.weights.t()) + &self.bias) / TEMPERATURE as f32))
    }
}

fn softmax(logits: &Array2<f32>) -> Array2<f32> {
    let mut rows = logits.clone();
    for mut row in rows.outer_iter_mut() {
        let largest = row.fold(f32::MIN, |a, &b| a.max(b));
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    rows
}

fn assert_close(found: &ArrayD<f32>, expected: &Array2<f32>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let largest = found.iter().zip(expected).fold(0.0_f32, |largest, (a, b)| largest.max((a - b).abs()));
    println!("{what}: {largest:e}");
    assert!(largest <= TOLERANCE, "{what}: {largest}");
}

/// Merges, runs, opens what was merged as a backbone, and merges its own classifier once more.
fn holds(bytes: &[u8], manifest: &Manifest, input: &Tensor, engine: EngineChoice, what: &str) {
    let features = raw_features(bytes, manifest, input, engine);
    for unit in [true, false] {
        let head = Head::new(manifest.feature.dim, unit);
        let what = format!("{what}, unit {unit}, {engine}");
        let expected = head.probabilities(&features, unit);
        let merged =
            merge(bytes, manifest, &head.merge(unit)).unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
        assert_close(&run(&merged, manifest, None, input, engine), &expected, &what);

        let opened = embedded_manifest(&merged, "exported").unwrap().unwrap();
        assert_eq!((opened.name.as_str(), &opened.input), ("exported", &manifest.input), "{what}");
        assert_eq!((opened.feature.dim, opened.feature.pool), (manifest.feature.dim, Pool::None), "{what}");
        assert_eq!(opened.feature.quantisation, manifest.feature.quantisation, "{what}");
        Backbone::from_bytes(&opened, merged.clone(), &options(engine)).unwrap();
        let own = shipped(&merged, &opened).unwrap();
        assert_eq!(own.classes.as_ref(), Some(&head.classes), "{what}");
        let again = Manifest { classifier: None, ..opened.clone() };
        assert_eq!(shipped(&merged, &again).unwrap(), own, "found as well as named: {what}");
        let normalised = raw_features(&merged, &opened, input, engine);
        let answered = softmax(&(normalised.dot(&own.weights.t()) + &own.bias));
        assert_close(&answered.into_dyn(), &expected, &format!("{what}, brought back"));

        let kept = Merge {
            weights: own.weights.view(),
            likeness: None,
            bias: own.bias.view(),
            temperature: 1.0,
            unit: false,
            classes: &head.classes,
            metadata: Vec::new(),
        };
        let twice = merge(&merged, &opened, &kept).unwrap();
        assert_close(&run(&twice, manifest, None, input, engine), &expected, &format!("{what}, merged twice"));
        if unit {
            let unit_again = merge(&merged, &opened, &Merge { unit, ..kept }).unwrap();
            assert_close(
                &run(&unit_again, manifest, None, input, engine),
                &expected,
                &format!("{what}, normalised twice"),
            );
        }
    }
}

#[test]
fn a_kernel_head_answers_alike_and_is_no_classifier_to_keep() {
    let bytes = small("classifiers/cls.onnx");
    let manifest = manifest_for(&bytes, SMALL_INPUT, "tokens", Pool::LastToken, 4);
    let support = Array2::from_shape_fn((9, 4), |(k, j)| ((k * 5 + j * 3) % 7) as f32 / 7.0 - 0.4);
    let head =
        Head { weights: Array2::from_shape_fn((3, 9), |(c, k)| ((c + 2 * k) % 5) as f32 - 2.0), ..Head::new(4, true) };
    let gamma = 2.5;
    for engine in engines() {
        let mut features = raw_features(&bytes, &manifest, &small_input(), engine);
        for mut row in features.outer_iter_mut() {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        let likeness = Array2::from_shape_fn((features.nrows(), 9), |(i, k)| {
            let difference = &features.row(i) - &support.row(k);
            (-gamma as f32 * difference.dot(&difference)).exp()
        });
        let expected = softmax(&((likeness.dot(&head.weights.t()) + &head.bias) / TEMPERATURE as f32));
        let likeness = Some(Likeness { support: support.view(), gamma });
        let merged = merge(&bytes, &manifest, &Merge { likeness, ..head.merge(true) }).unwrap();
        assert_close(&run(&merged, &manifest, None, &small_input(), engine), &expected, &format!("kernel, {engine}"));
        let opened = embedded_manifest(&merged, "exported").unwrap().unwrap();
        let error = shipped(&merged, &opened).unwrap_err();
        assert!(chain(&error).contains("classifier"), "{}", chain(&error));
    }
}

#[test]
fn every_pooling_is_written_into_the_file() {
    for engine in engines() {
        for (name, tensor, pool, dim) in FORMS {
            let bytes = small(&format!("classifiers/{name}.onnx"));
            holds(&bytes, &manifest_for(&bytes, SMALL_INPUT, tensor, pool, dim), &small_input(), engine, name);
        }
        let bytes = small("classifiers/cls.onnx");
        let last = manifest_for(&bytes, SMALL_INPUT, "tokens", Pool::LastToken, 4);
        holds(&bytes, &last, &small_input(), engine, "last-token");
    }
}

#[test]
fn a_map_with_channels_last_is_averaged_over_its_places() {
    // Any picture with channels last is a map of its own: the graph adds one.
    let bytes = small("classifiers/channels-last.onnx");
    let input = "tensor = \"image\"\nlayout = \"nhwc\"\nrange = 1\nsize = [8, 6]\nresize = \"stretch\"";
    let manifest = manifest_for(&bytes, input, "map", Pool::SpatialMean, 3);
    let mut number = 0.0_f32;
    let picture = Tensor::F32(ArrayD::from_shape_simple_fn(vec![2, 8, 6, 3], || {
        number += 0.73;
        number.sin()
    }));
    for engine in engines() {
        let head = Head::new(3, true);
        let map = run(&bytes, &manifest, Some("map"), &picture, engine);
        let mean = map.mean_axis(Axis(2)).unwrap().mean_axis(Axis(1)).unwrap().into_dimensionality().unwrap();
        let merged = merge(&bytes, &manifest, &head.merge(true)).unwrap();
        let found = run(&merged, &manifest, None, &picture, engine);
        assert_close(&found, &head.probabilities(&mean, true), "channels last");
        assert!(shipped(&bytes, &manifest).is_ok());
    }
}

#[test]
fn real_backbones_in_floats_and_in_integers_give_the_heads_probabilities() {
    let Some(folder) = assets() else { return };
    for engine in engines() {
        for index in 0..7 {
            let (bytes, manifest, input) = open_case(&folder, index);
            if engine == EngineChoice::Tract && index == 6 {
                continue; // lacks QLinearAdd
            }
            holds(&bytes, &manifest, &input, engine, &manifest.feature.tensor);
        }
    }
}

#[test]
fn the_file_says_what_it_is() {
    let bytes = small("tiny.onnx");
    let manifest = manifest_for(&bytes, SMALL_INPUT, "map", Pool::SpatialMean, 4);
    let head = Head::new(4, true);
    let merged = merge(&bytes, &manifest, &head.merge(true)).unwrap();
    let told = inspect(&merged).unwrap();
    assert!(told.producer.starts_with("acclimate "), "{}", told.producer);
    assert_eq!(told.inputs[0].shape, ["N", "3", "8", "8"], "any batch");
    assert_eq!(
        (told.outputs[0].name.as_str(), &told.outputs[0].shape[..]),
        ("probabilities", &["N", "3"].map(str::to_owned)[..])
    );
    assert!(!told.operators.contains_key("com.example:Conjure"), "what lies behind the feature is gone");
    for key in ["acclimate.classes", "acclimate.temperature", "acclimate.manifest", "acclimate.task"] {
        let times = merged.windows(key.len()).filter(|window| *window == key.as_bytes()).count();
        assert_eq!(times, 1, "{key}");
    }
    assert!(embedded_manifest(&bytes, "tiny").is_none());
}

#[test]
fn a_head_that_does_not_fit_is_refused() {
    let bytes = small("tiny.onnx");
    let manifest = manifest_for(&bytes, SMALL_INPUT, "map", Pool::SpatialMean, 4);
    let refusal = |head: &Merge<'_>| merge(&bytes, &manifest, head).unwrap_err().to_string();
    let other = Head::new(5, true);
    assert_eq!(
        refusal(&other.merge(true)),
        "the head has features of 5 numbers, expected 4 numbers: it belongs to another backbone"
    );
    let head = Head::new(4, true);
    let fitting = head.merge(true);
    assert!(refusal(&Merge { temperature: 0.0, ..fitting.clone() }).contains("temperature"));
    assert!(refusal(&Merge { classes: &head.classes[..2], ..fitting.clone() }).contains("names of 2 classes"));
    let bias = head.bias.slice(ndarray::s![..2]);
    assert!(refusal(&Merge { bias, ..fitting }).contains("a bias of 2 numbers"));
}
