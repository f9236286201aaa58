//! Inspecting models: the manifests of the catalogue could have been made this way.

use std::fs;
use std::path::Path;

use acclimate_backbone::{Backbone, EngineChoice, Inspection, Manifest, Picture, Pool, inspect};

use crate::assets::{assets, chain, engines, model, options, small};
use crate::torchvision::{adapted, better_than_chance};

#[test]
fn a_small_model_is_told_whole() {
    let inspection = inspect(&small("tiny.onnx")).unwrap();
    assert_eq!((inspection.bytes, inspection.ir_version), (1191, 8));
    assert_eq!(inspection.producer, "make.py");
    assert_eq!(inspection.opsets, [(String::new(), 13), ("com.example".to_owned(), 1)]);
    assert_eq!(inspection.inputs.len(), 1);
    assert_eq!(inspection.inputs[0].shape, ["N", "3", "8", "8"]);
    assert_eq!(inspection.outputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>(), ["logits", "magic"]);
    assert_eq!(inspection.parameters, 4 * 3 * 9 + 4 + 5 * 4 + 5 + 7);
    assert_eq!(inspection.operators.get("com.example:Conjure"), Some(&1));
    let features: Vec<_> =
        inspection.features.iter().map(|found| (found.tensor.as_str(), found.pool, found.dim)).collect();
    assert_eq!(features, [("pooled", Pool::None, 4), ("map", Pool::SpatialMean, 4), ("feature", Pool::Flatten, 4)]);
    if cfg!(feature = "tract") {
        assert_eq!(inspection.lacking_in_tract, Some(vec!["Conjure".to_owned()]));
    }
    let manifest = Manifest::parse(&inspection.propose_manifest("tiny")).unwrap();
    assert_eq!((manifest.input.image().unwrap().size, manifest.input.tensor()), ([8, 8], "image"));
}

#[test]
fn inputs_that_are_initializers_are_no_inputs() {
    assert_eq!(inspect(&small("old.onnx")).unwrap().inputs.len(), 1);
}

#[test]
fn the_features_of_the_catalogue_are_found() {
    for name in ["mobilenetv2-1.0-224", "mobilenetv2-12-int8", "mcunet-5fps", "squeezenet1.0"] {
        let Some((manifest, file)) = model(name) else { return };
        let inspection = inspect(&fs::read(file).unwrap()).unwrap();
        let first = &inspection.features[0];
        let expected = (manifest.feature.tensor.as_str(), manifest.feature.pool, manifest.feature.dim);
        assert_eq!((first.tensor.as_str(), first.pool, first.dim), expected, "{name}");
        let proposed = Manifest::parse(&inspection.propose_manifest(name)).unwrap();
        assert_eq!(proposed.file.sha256, manifest.file.sha256);
        assert_eq!(proposed.input.shape(1), manifest.input.shape(1));
        assert_eq!(proposed.feature.tensor, manifest.feature.tensor);
        if cfg!(feature = "tract") {
            let lacking = inspection.lacking_in_tract.unwrap();
            assert_eq!(lacking.contains(&"QLinearAdd".to_owned()), name == "mobilenetv2-12-int8", "{lacking:?}");
        }
    }
}

/// A model of the assets: what is proposed (kind of input, pool, length, classes of the classifier), or a word of why nothing is.
type Expected = (&'static str, Result<(&'static str, Pool, usize, Option<usize>), &'static str>);

const ASSETS: [Expected; 32] = [
    ("aidreams260k/aidreams260k_llama_fp32", Err("numbers of words")),
    ("mcunet/mbv2_w0.35_fp32", Ok(("image", Pool::None, 112, Some(1000)))),
    ("mcunet/mbv2_w0.35_int8_qdq", Ok(("image", Pool::None, 112, Some(1000)))),
    ("mcunet/mcunet-5fps_fp32", Ok(("image", Pool::None, 160, Some(1000)))),
    ("mcunet/mcunet-5fps_int8_qdq", Ok(("image", Pool::None, 160, Some(1000)))),
    ("mcunet/proxyless-w0.3_fp32", Ok(("image", Pool::None, 96, Some(1000)))),
    ("mcunet/proxyless-w0.3_int8_qdq", Ok(("image", Pool::None, 96, Some(1000)))),
    ("minilm-l6-v2-int8/minilm-int8", Err("takes 3 inputs")),
    ("mlperf-tiny/kws_ref_model_float32", Ok(("signal", Pool::None, 64, Some(12)))),
    ("mlperf-tiny/pretrainedResnet", Ok(("image", Pool::None, 64, Some(10)))),
    ("mlperf-tiny/vww_96_float", Ok(("image", Pool::None, 256, Some(2)))),
    ("mlperf-tiny/vww_96_int8_qdq", Ok(("image", Pool::None, 256, Some(2)))),
    ("mobilenetv1/mobilenetv1_0.25_128_fp32", Ok(("image", Pool::None, 256, Some(1001)))),
    ("mobilenetv1/mobilenetv1_0.5_160_fp32", Ok(("image", Pool::None, 512, Some(1001)))),
    ("mobilenetv2-0.35-224/mobilenetv2_0.35_224_features_fp32", Ok(("image", Pool::None, 1280, None))),
    ("mobilenetv2-1.0-224/mobilenetv2_1.0_224_fp32", Ok(("image", Pool::None, 1280, Some(1001)))),
    ("mobilenetv2-1.0-224/mobilenetv2_1.0_224_uint8_qdq_nhwc", Ok(("image", Pool::None, 1280, Some(1001)))),
    ("mobilenetv2-12-int8/mobilenetv2-12-int8", Ok(("image", Pool::SpatialMean, 1280, Some(1000)))),
    ("openwakeword/embedding_model", Ok(("signal", Pool::None, 96, None))),
    ("openwakeword/melspectrogram", Err("neither a picture")),
    ("resnet-cifar10/resnet20_cifar10_fp32", Ok(("image", Pool::None, 64, Some(10)))),
    ("resnet-cifar10/resnet56_cifar10_fp32", Ok(("image", Pool::None, 64, Some(10)))),
    ("silero-vad/silero_vad", Err("takes 2 inputs")),
    ("squeezenet1.0/squeezenet1.0_fp32", Ok(("image", Pool::SpatialMean, 512, Some(1000)))),
    ("textgenrnn/textgenrnn_char_lstm_fp32", Err("numbers of words")),
    ("tweet-minibert/tweet_minibert_fp32", Err("takes 3 inputs")),
    ("tweet-minibert/tweet_minibert_int8", Err("takes 3 inputs")),
    ("wharf-cnn1d/wharf-cnn1d_fp32", Ok(("signal", Pool::Flatten, 64, Some(7)))),
    ("yamnet/yamnet_waveform_fp32", Err("neither a picture")),
    ("yamnet/yamnet_waveform_int8w", Err("neither a picture")),
    ("yolov8n-int8/yolov8n_int8", Ok(("image", Pool::SpatialMean, 256, None))),
    ("yolox-nano/yolox_nano", Ok(("image", Pool::SpatialMean, 256, None))),
];

/// Why an engine cannot run what is proposed; where nothing is, which operators it lacks.
fn trouble(name: &str, bytes: &[u8], inspection: &Inspection, engine: EngineChoice) -> Option<String> {
    if inspection.unsupported().is_some() {
        let lacking = inspection.lacking_in_tract.clone().unwrap_or_default();
        return (engine == EngineChoice::Tract && !lacking.is_empty()).then(|| format!("lacks {}", lacking.join(", ")));
    }
    let manifest = Manifest::parse(&inspection.propose_manifest(name)).unwrap();
    let opened = Backbone::from_bytes(&manifest, bytes.to_vec(), &options(engine));
    opened.and_then(|mut backbone| backbone.try_out()).err().map(|error| chain(&error))
}

/// Models that do not tell cardboard from glass by their proposal, and why.
const HOPELESS: [(&str, &str); 3] = [
    ("mlperf-tiny/vww_96_float", "it knows persons: 0.58 with the catalogue's manifest as well"),
    ("mlperf-tiny/vww_96_int8_qdq", "the same in 8 bits"),
    (
        "yolox-nano/yolox_nano",
        "it takes 0..255 and BGR, which the file does not tell: 1.00 with the catalogue's manifest",
    ),
];

/// Cardboard and glass by turns.
fn photographs(assets: &Path, n: usize) -> Vec<Picture> {
    let photograph = |i: usize| {
        let class = ["cardboard", "glass"][i % 2];
        let mut files: Vec<_> = fs::read_dir(assets.join("data/trashnet/images").join(class)).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().path());
        Picture::decode(&fs::read(files[i / 2].as_ref().unwrap().path()).unwrap()).unwrap()
    };
    (0..n).map(photograph).collect()
}

#[test]
fn every_model_of_the_assets_is_proposed_the_right_tensor_or_told_why_none() {
    let Some(folder) = assets() else { return };
    let photographs = photographs(&folder, 48);
    let folder = folder.join("models");
    let engines = engines();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/README.md")).unwrap();
    let mut wrong = Vec::new();
    for (file, expected) in ASSETS {
        let bytes = fs::read(folder.join(format!("{file}.onnx"))).unwrap();
        let name = file.rsplit('/').next().unwrap();
        let inspection = inspect(&bytes).unwrap();
        let text = inspection.propose_manifest(name);
        let found = if let Some(why) = inspection.unsupported() {
            assert_eq!(text, format!("# This version has no manifest for such a model: {why}.\n"));
            Err(why)
        } else {
            let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
            let classes = inspection.classifier.as_ref().map(|layer| layer.classes);
            Ok((manifest.input.kind(), manifest.feature.pool, manifest.feature.dim, classes))
        };
        println!(
            "{file}: {found:?} {:?} {:?}",
            inspection.features.first().map(|first| &first.tensor),
            inspection.classifier
        );
        let as_expected = match (&found, expected) {
            (Ok(found), Ok(expected)) => *found == expected,
            (Err(why), Err(word)) => why.contains(word),
            _ => false,
        };
        if !as_expected {
            wrong.push(format!("{file}: {found:?}, expected {expected:?}"));
        }
        if engines.contains(&EngineChoice::Ort)
            && let Some(trouble) = trouble(name, &bytes, &inspection, EngineChoice::Ort)
        {
            wrong.push(format!("{file} on ort: {trouble}"));
        }
        if engines.contains(&EngineChoice::Ort) && found.as_ref().is_ok_and(|(kind, ..)| *kind == "image") {
            let manifest = Manifest::parse(&text).unwrap();
            let mut backbone = Backbone::from_bytes(&manifest, bytes.clone(), &options(EngineChoice::Ort)).unwrap();
            let accuracy = adapted(&mut backbone, &photographs);
            println!("{file}: {accuracy:.2} on photographs left out");
            let hopeless = HOPELESS.iter().any(|(known, _)| *known == file);
            if !hopeless && accuracy <= better_than_chance(photographs.len()) {
                wrong.push(format!("{file}: {accuracy} right after adaptation"));
            }
        }
        if engines.contains(&EngineChoice::Tract) {
            let trouble = trouble(name, &bytes, &inspection, EngineChoice::Tract);
            println!("{file} on tract: {trouble:?}");
            let told = readme.lines().any(|line| line.starts_with(&format!("| `{name}.onnx` |")));
            if trouble.is_some() != told {
                wrong.push(format!("{file} on tract: {trouble:?}, in models/README.md: {told}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
