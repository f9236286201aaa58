//! Inspecting models: the manifests of the catalogue could have been made this way.

use std::fs;

use acclimate_backbone::{Manifest, Pool, inspect};

use crate::assets::{model, small};

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
