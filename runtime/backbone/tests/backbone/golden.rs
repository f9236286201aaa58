//! Golden pairs: whole models give the reference outputs of onnxruntime 1.31 on both engines, and both engines give the
//! same features.

use std::collections::BTreeSet;

use acclimate_backbone::{Backbone, ElementType, Ends, EngineChoice, Network, Picture, Tensor};

use crate::{assets, npz};

/// Components of two unit features differ by at most this much: the tolerance to which the engines agree. Measured on
/// the three models that both run, 12 pictures each: 5.2e-7.
const FEATURES: f32 = 2e-6;

/// Largest difference of outputs, relative to the largest output. Two engines, and the reference without graph
/// optimisation, sum in different orders.
const F32_OUTPUTS: f32 = 2e-5;
/// A detector's box sizes go through `Exp`, which widens what lies before it: 2.1e-5 measured on tract.
const BOXES: f32 = 4e-5;
/// Quantised graphs round at every layer: a sum on the edge of two codes moves by a whole code, here 1 of some 50.
const INT8_OUTPUTS: f32 = 0.1;

/// The same for probabilities in 256ths. ONNX Runtime fuses the quantised layers, the reference does not: 8 measured.
const BYTES: f32 = 12.0;

fn check(model: &str, golden: &str, tolerance: f32) {
    let Some((manifest, file)) = assets::model(model) else { return };
    let arrays = npz::read(&assets::assets().unwrap().join("golden").join(golden));
    let input = &arrays[&format!("in:{}", manifest.input.tensor())];
    let (output, expected) = arrays.iter().find_map(|(name, array)| Some((name.strip_prefix("out:")?, array))).unwrap();
    let Tensor::F32(expected) = expected else { panic!("{output} is not f32") };
    let largest = expected.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let (shape, element) = (manifest.input.shape(1), manifest.input.element());
    let ends = Ends { output: None, input: manifest.input.tensor(), shape: &shape[1..], element };
    for engine in assets::engines() {
        if model == "mobilenetv2-12-int8" && engine == EngineChoice::Tract {
            continue; // see `engines::tract_names_the_operators_that_it_lacks`
        }
        if model.ends_with("-cifar10") && engine == EngineChoice::Tract {
            continue; // tract takes no Pad whose value is a tensor of one number, only a scalar
        }
        let mut network = Network::open(std::fs::read(&file).unwrap(), &ends, &assets::options(engine)).unwrap();
        let found = network.run(input).unwrap();
        assert_eq!(found.shape(), expected.shape());
        let worst = found.iter().zip(expected).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs())) / largest;
        println!("{model}, {engine}: {worst:.1e} of the largest output");
        assert!(worst <= tolerance, "{model}, {engine}: {worst}");
    }
}

#[test]
fn mobilenetv2_gives_the_reference_outputs() {
    check("mobilenetv2-1.0-224", "mobilenetv2-1.0-224__mobilenetv2_1.0_224_fp32.npz", F32_OUTPUTS);
}

#[test]
fn mobilenetv2_int8_gives_the_reference_outputs() {
    check("mobilenetv2-12-int8", "mobilenetv2-int8-onnxzoo__mobilenetv2-12-int8.npz", INT8_OUTPUTS);
}

#[test]
fn mcunet_gives_the_reference_outputs() {
    check("mcunet-5fps", "mcunet__mcunet-5fps_fp32.npz", F32_OUTPUTS);
}

#[test]
fn squeezenet_gives_the_reference_outputs() {
    check("squeezenet1.0", "squeezenet1.0__squeezenet1.0_fp32.npz", F32_OUTPUTS);
}

#[test]
fn the_other_models_of_the_catalogue_give_the_reference_outputs() {
    for (model, golden, tolerance) in [
        ("mcunet-5fps-int8", "mcunet__mcunet-5fps_int8_qdq", INT8_OUTPUTS),
        ("mcunet-mbv2-w0.35", "mcunet__mbv2_w0.35_fp32", F32_OUTPUTS),
        ("mcunet-mbv2-w0.35-int8", "mcunet__mbv2_w0.35_int8_qdq", INT8_OUTPUTS),
        ("mcunet-proxyless-w0.3", "mcunet__proxyless-w0.3_fp32", F32_OUTPUTS),
        ("mcunet-proxyless-w0.3-int8", "mcunet__proxyless-w0.3_int8_qdq", INT8_OUTPUTS),
        ("mlperf-tiny-resnet8", "mlperf-tiny__pretrainedResnet", F32_OUTPUTS),
        ("mlperf-tiny-vww", "mlperf-tiny__vww_96_float", F32_OUTPUTS),
        ("mobilenetv1-0.25-128", "mobilenetv1__mobilenetv1_0.25_128_fp32", F32_OUTPUTS),
        ("mobilenetv1-0.5-160", "mobilenetv1__mobilenetv1_0.5_160_fp32", F32_OUTPUTS),
        ("mobilenetv2-0.35-224", "mobilenetv2-0.35-teachable__mobilenetv2_0.35_224_features_fp32", F32_OUTPUTS),
        ("resnet20-cifar10", "resnet-cifar10__resnet20_cifar10_fp32", F32_OUTPUTS),
        ("resnet56-cifar10", "resnet-cifar10__resnet56_cifar10_fp32", F32_OUTPUTS),
        ("yolox-nano", "yolox-nano__yolox_nano", BOXES),
    ] {
        check(model, &format!("{golden}.npz"), tolerance);
    }
}

/// Bytes in, channels last: the other element type and layout, on a graph of `QuantizeLinear` and `DequantizeLinear`. The
/// reference output is in codes of 1/256, and so no float: the probabilities before it are taken.
#[test]
fn a_graph_of_bytes_in_nhwc_gives_the_reference_outputs() {
    let Some(assets) = assets::assets() else { return };
    let arrays = npz::read(&assets.join("golden/mobilenetv2-1.0-224__mobilenetv2_1.0_224_uint8_qdq_nhwc.npz"));
    let path = assets.join("models/mobilenetv2-1.0-224/mobilenetv2_1.0_224_uint8_qdq_nhwc.onnx");
    let bytes = std::fs::read(path).unwrap();
    let Tensor::U8(expected) = &arrays["out:MobilenetV2/Predictions/Softmax"] else { panic!("not bytes") };
    for engine in assets::engines() {
        let open = |output| {
            let ends = Ends { output, input: "input", shape: &[224, 224, 3], element: ElementType::U8 };
            Network::open(bytes.clone(), &ends, &assets::options(engine)).unwrap()
        };
        let found = open(Some("MobilenetV2/Predictions/Softmax_prequant")).run(&arrays["in:input"]).unwrap();
        let pairs = found.iter().zip(expected);
        let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a * 256.0 - f32::from(*b)).abs()));
        println!("bytes, {engine}: {worst} of 256");
        assert!(worst <= BYTES, "{engine}: {worst} of 256");
        let error = open(None).run(&arrays["in:input"]).unwrap_err();
        assert!(error.to_string().contains("not floats"), "{engine}: {error}");
    }
}

#[test]
fn both_engines_agree_on_features() {
    let Some(assets) = assets::assets() else { return };
    if assets::engines() != [EngineChoice::Ort, EngineChoice::Tract] {
        println!("skipped: two engines are needed");
        return;
    }
    let files: BTreeSet<_> = std::fs::read_dir(assets.join("data/imagenet-verify/images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let pictures: Vec<_> =
        files.iter().filter_map(|path| Picture::decode(&std::fs::read(path).ok()?).ok()).take(12).collect();
    assert_eq!(pictures.len(), 12);
    for name in ["mobilenetv2-1.0-224", "mcunet-5fps", "squeezenet1.0"] {
        let (manifest, file) = assets::model(name).unwrap();
        let [ort, tract] = [EngineChoice::Ort, EngineChoice::Tract].map(|engine| {
            Backbone::open(&manifest, &file, &assets::options(engine)).unwrap().features(&pictures).unwrap()
        });
        let pairs = ort.iter().zip(&tract).flat_map(|(a, b)| a.as_slice().iter().zip(b.as_slice()));
        let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        println!("{name}: {worst:.1e}");
        assert!(worst <= FEATURES, "{name}: {worst}");
    }
}
