//! The classifier that came with a model: its numbers on the raw feature are the model's own scores.

use std::{fs, path::Path};

use acclimate_backbone::{Ends, EngineChoice, Manifest, Network, Pool, Shipped, Tensor, checksum, shipped};
use ndarray::{Array2, ArrayD, Axis};

use crate::{
    assets::{assets, chain, engines, model, options, small},
    npz,
};

/// A manifest for some bytes: 8x8 pictures, channels first.
pub(crate) fn manifest_for(bytes: &[u8], input: &str, tensor: &str, pool: Pool, dim: usize) -> Manifest {
    let sum = checksum::hex(&checksum::of(bytes));
    let text = format!(
        "name = \"test\"\nlicence = \"MIT\"\n[file]\nsha256 = \"{sum}\"\nbytes = {}\n[input]\nkind = \"image\"\n{input}\n\
         [feature]\ntensor = \"{tensor}\"\npool = \"{pool}\"\ndim = {dim}\n",
        bytes.len()
    );
    Manifest::parse(&text).unwrap()
}

pub(crate) const SMALL_INPUT: &str = "tensor = \"image\"\nlayout = \"nchw\"\nrange = 1\nsize = [8, 8]";

/// One of `models/classifiers` with the feature that its classifier takes.
pub(crate) const FORMS: [(&str, &str, Pool, usize); 11] = [
    ("gemm", "feature", Pool::None, 4),
    ("matmul", "pooled", Pool::None, 4),
    ("conv", "map", Pool::SpatialMean, 4),
    ("conv-then-pool", "map", Pool::SpatialMean, 4),
    ("conv-area", "map", Pool::Flatten, 256),
    ("half", "feature", Pool::None, 4),
    ("qdq", "dq", Pool::None, 4),
    ("qgemm", "feature", Pool::None, 4),
    ("qlinearconv", "map", Pool::SpatialMean, 4),
    ("cls", "tokens", Pool::Cls, 4),
    ("token-mean", "tokens", Pool::TokenMean, 4),
];

/// What a tensor of a model is for an input.
pub(crate) fn run(
    bytes: &[u8],
    manifest: &Manifest,
    output: Option<&str>,
    input: &Tensor,
    engine: EngineChoice,
) -> ArrayD<f32> {
    let input_shape = manifest.input.shape(1);
    let ends =
        Ends { output, input: manifest.input.tensor(), shape: &input_shape[1..], element: manifest.input.element() };
    Network::open(bytes.to_vec(), &ends, &options(engine)).unwrap().run(input).unwrap()
}

/// The raw feature `[n, dim]`: an engine's tensor, pooled here.
pub(crate) fn raw_features(bytes: &[u8], manifest: &Manifest, input: &Tensor, engine: EngineChoice) -> Array2<f32> {
    let tensor = run(bytes, manifest, Some(&manifest.feature.tensor), input, engine);
    let n = tensor.len_of(Axis(0));
    let pooled = match manifest.feature.pool {
        Pool::None | Pool::Flatten => tensor,
        Pool::SpatialMean => tensor.mean_axis(Axis(3)).unwrap().mean_axis(Axis(2)).unwrap(),
        Pool::TokenMean => tensor.mean_axis(Axis(1)).unwrap(),
        Pool::Cls => tensor.index_axis(Axis(1), 0).to_owned(),
        Pool::LastToken => tensor.index_axis(Axis(1), tensor.len_of(Axis(1)) - 1).to_owned(),
    };
    let numbers = pooled.iter().copied().collect();
    Array2::from_shape_vec((n, manifest.feature.dim), numbers).unwrap()
}

pub(crate) fn scores(shipped: &Shipped, features: &Array2<f32>) -> Array2<f32> {
    features.dot(&shipped.weights.t()) + &shipped.bias
}

pub(crate) fn small_input() -> Tensor {
    let mut number = 0.0_f32;
    Tensor::F32(ArrayD::from_shape_simple_fn(vec![3, 3, 8, 8], || {
        number += 0.37;
        number.sin()
    }))
}

fn largest_difference(a: &Array2<f32>, b: &ArrayD<f32>) -> f32 {
    assert_eq!(a.len(), b.len(), "{:?} {:?}", a.shape(), b.shape());
    a.iter().zip(b).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

#[test]
fn every_form_of_classifier_gives_its_own_scores() {
    for engine in engines() {
        for (name, tensor, pool, dim) in FORMS.into_iter().chain([("qlinearmatmul", "feature", Pool::None, 4)]) {
            if engine == EngineChoice::Tract && name.starts_with('q') {
                continue; // lacks QGemm and QLinearAdd, and rounds the rest its own way
            }
            let bytes = small(&format!("classifiers/{name}.onnx"));
            let manifest = manifest_for(&bytes, SMALL_INPUT, tensor, pool, dim);
            let shipped = shipped(&bytes, &manifest).unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
            assert_eq!((shipped.weights.dim(), shipped.bias.len(), &shipped.classes), ((5, dim), 5, &None), "{name}");
            let found = scores(&shipped, &raw_features(&bytes, &manifest, &small_input(), engine));
            let own =
                run(&bytes, &manifest, Some(if name == "matmul" { "z" } else { "scores" }), &small_input(), engine);
            // Half the steps of what is rounded between: 0.02 of each of the feature's four numbers, 0.07 of the scores, once
            // or twice.
            let tolerance = match name {
                "qgemm" => 0.01 * 4.0 * 2.0,
                "qlinearconv" | "qlinearmatmul" => 0.01 * 4.0 * 2.0 + 0.07,
                "conv-area" => 1e-4, // scores of tens
                _ => 2e-5,
            };
            let difference = largest_difference(&found, &own);
            assert!(difference <= tolerance, "{name} on {engine}: {difference}");
        }
    }
}

/// A model of the assets, its feature, its own scores, and how far those may be.
struct Case {
    file: &'static str,
    golden: &'static str,
    input: &'static str,
    feature: (&'static str, Pool, usize),
    scores: Option<&'static str>,
    classes: usize,
    tolerance: f32,
}

const NCHW_128: &str = "tensor = \"input\"\nlayout = \"nchw\"\nrange = 1\nsize = [128, 128]";
const NHWC_U8: &str = "tensor = \"input\"\nlayout = \"nhwc\"\ndtype = \"u8\"\nrange = 255\nsize = [224, 224]";
const QDQ_LAYER: &str = "MobilenetV2/Logits/Conv2d_1c_1x1/BiasAdd;MobilenetV2/Logits/Conv2d_1c_1x1/Conv2D;\
                         MobilenetV2/Logits/Conv2d_1c_1x1/biases1_prequant";
const QDQ_FEATURE: &str = "MobilenetV2/Logits/Conv2d_1c_1x1/BiasAdd;MobilenetV2/Logits/Conv2d_1c_1x1/Conv2D;\
                           MobilenetV2/Logits/Conv2d_1c_1x1/biases1_prequant__821_DequantizeLinear__973:0";

fn cases() -> [Case; 7] {
    let mcunet_qdq = |feature, tolerance| Case {
        file: "mcunet/mcunet-5fps_int8_qdq.onnx",
        golden: "mcunet__mcunet-5fps_int8_qdq.npz",
        input: NCHW_128,
        feature: (feature, Pool::None, 160),
        scores: None,
        classes: 1000,
        tolerance,
    };
    let mobilenet_qdq = |feature, scores, tolerance| Case {
        file: "mobilenetv2-1.0-224/mobilenetv2_1.0_224_uint8_qdq_nhwc.onnx",
        golden: "mobilenetv2-1.0-224__mobilenetv2_1.0_224_uint8_qdq_nhwc.npz",
        input: NHWC_U8,
        feature: (feature, Pool::None, 1280),
        scores: Some(scores),
        classes: 1001,
        tolerance,
    };
    [
        Case {
            file: "mobilenetv2-1.0-224/mobilenetv2_1.0_224_fp32.onnx",
            golden: "mobilenetv2-1.0-224__mobilenetv2_1.0_224_fp32.npz",
            input: "tensor = \"input\"\nlayout = \"nchw\"\nrange = 1\nsize = [224, 224]",
            feature: ("MobilenetV2/Logits/AvgPool_prequant", Pool::None, 1280),
            scores: None,
            classes: 1001,
            tolerance: 1e-4,
        },
        Case {
            file: "mcunet/mcunet-5fps_fp32.onnx",
            golden: "mcunet__mcunet-5fps_fp32.npz",
            input: NCHW_128,
            feature: ("gap", Pool::None, 160),
            scores: None,
            classes: 1000,
            tolerance: 1e-4,
        },
        // The classifier takes the rounded pool: exact behind the rounding, a rounding off before it.
        mcunet_qdq("gap_dq", 1e-4),
        mcunet_qdq("gap", 0.25),
        mobilenet_qdq(QDQ_FEATURE, QDQ_LAYER, 1e-3),
        mobilenet_qdq("MobilenetV2/Logits/AvgPool_prequant", "MobilenetV2/Logits/Squeeze1_dequant", 0.25),
        Case {
            file: "mobilenetv2-12-int8/mobilenetv2-12-int8.onnx",
            golden: "mobilenetv2-int8-onnxzoo__mobilenetv2-12-int8.npz",
            input: "tensor = \"input\"\nlayout = \"nchw\"\nrange = 1\nsize = [224, 224]",
            feature: ("627", Pool::SpatialMean, 1280),
            scores: None,
            classes: 1000,
            tolerance: 0.4,
        },
    ]
}

/// A model of the cases with its manifest and golden input.
pub(crate) fn open_case(assets: &Path, index: usize) -> (Vec<u8>, Manifest, Tensor) {
    let case = &cases()[index];
    let bytes = fs::read(assets.join("models").join(case.file)).unwrap();
    let (tensor, pool, dim) = case.feature;
    let manifest = manifest_for(&bytes, case.input, tensor, pool, dim);
    let mut arrays = npz::read(&assets.join("golden").join(case.golden));
    let input = arrays.remove("in:input").unwrap();
    (bytes, manifest, input)
}

#[test]
fn real_models_give_their_own_scores_in_floats_and_in_integers() {
    let Some(folder) = assets() else { return };
    if !engines().contains(&EngineChoice::Ort) {
        return;
    }
    for (index, case) in cases().iter().enumerate() {
        let (bytes, manifest, input) = open_case(&folder, index);
        let shipped = shipped(&bytes, &manifest).unwrap_or_else(|error| panic!("{}: {}", case.file, chain(&error)));
        assert_eq!(shipped.weights.dim(), (case.classes, case.feature.2));
        let found = scores(&shipped, &raw_features(&bytes, &manifest, &input, EngineChoice::Ort));
        let own = run(&bytes, &manifest, case.scores, &input, EngineChoice::Ort);
        let difference = largest_difference(&found, &own);
        println!("{} from {}: {difference}", case.file, case.feature.0);
        assert!(difference <= case.tolerance, "{} from {}: {difference}", case.file, case.feature.0);
        for (found, own) in found.outer_iter().zip(own.outer_iter()) {
            let best = |scores: Vec<f32>| (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            assert_eq!(best(found.to_vec()), best(own.iter().copied().collect()), "{}", case.file);
        }
    }
}

fn refusal(name: &str, tensor: &str, pool: Pool, dim: usize) -> String {
    let bytes = small(name);
    chain(&shipped(&bytes, &manifest_for(&bytes, SMALL_INPUT, tensor, pool, dim)).unwrap_err())
}

#[test]
fn a_classifier_that_is_none_is_refused_with_the_node_in_the_way() {
    assert_eq!(
        refusal("classifiers/relu-then-pool.onnx", "map", Pool::SpatialMean, 4),
        "the classifier \"y\" cannot be kept: Relu \"the relu\" stands between the feature \"map\" and the output \
         \"scores\", so the answers are no linear function of the feature; choose the tensor that the last layer takes, or \
         adapt without it"
    );
    assert!(refusal("classifiers/gemm.onnx", "conv", Pool::SpatialMean, 4).contains("Relu \"map\" stands between"));
    assert!(
        refusal("classifiers/conv-area.onnx", "map", Pool::SpatialMean, 4).contains("takes \"map\", not the feature")
    );
    assert_eq!(
        refusal("classifiers/gemm.onnx", "map", Pool::Flatten, 256),
        "the classifier \"scores\" takes 4 numbers, the manifest's feature has 256"
    );
    assert!(refusal("captured.onnx", "pooled", Pool::None, 4).starts_with("no classifier was found behind \"pooled\""));
    let Some((manifest, file)) = model("squeezenet1.0") else { return };
    let refused = chain(&shipped(&fs::read(file).unwrap(), &manifest).unwrap_err());
    assert!(refused.contains("Relu \"conv10_relu\" stands between the feature \"fire9/concat\""), "{refused}");
}

#[test]
fn a_manifest_may_name_the_classifier() {
    let bytes = small("classifiers/relu-then-pool.onnx");
    let manifest = manifest_for(&bytes, SMALL_INPUT, "map", Pool::SpatialMean, 4);
    let named = |classifier: &str| {
        shipped(&bytes, &Manifest::parse(&format!("{}[classifier]\n{classifier}", manifest.text)).unwrap())
    };
    let both = named("weight = \"w\"\nbias = \"b\"").unwrap();
    assert_eq!(both, named("weight = \"w\"").unwrap(), "the node's own bias");
    assert_eq!(both.weights.dim(), (5, 4));
    assert_eq!(
        named("weight = \"v\"").unwrap_err().to_string(),
        "[classifier] names \"v\" as weight, and the model has no such constant of [classes, 4] numbers"
    );
    assert_eq!(
        named("weight = \"w\"\nbias = \"conv.weight\"").unwrap_err().to_string(),
        "[classifier] names \"conv.weight\" as bias, and the model has no such constant of 5 numbers"
    );
}
