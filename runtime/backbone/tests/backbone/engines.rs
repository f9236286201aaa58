//! Choosing engines, and what they say when they cannot.

use acclimate_backbone::{Backbone, EngineChoice, Network};

use crate::assets::{chain, engines, model, options, small, small_ends};

#[test]
fn tract_names_the_operators_that_it_lacks_and_the_engine_that_may_have_them() {
    if !cfg!(feature = "tract") {
        return;
    }
    let error =
        Network::open(small("tiny.onnx"), &small_ends(Some("magic")), &options(EngineChoice::Tract)).err().unwrap();
    assert_eq!(
        chain(&error),
        "no engine runs the model: engine \"tract\" has no operator Conjure: engine \"ort\" may run this model"
    );
    let Some((manifest, file)) = model("mobilenetv2-12-int8") else { return };
    let error = Backbone::open(&manifest, &file, &options(EngineChoice::Tract)).err().unwrap();
    assert_eq!(
        chain(&error),
        "cannot open backbone \"mobilenetv2-12-int8\": no engine runs the model: engine \"tract\" has no operator QLinearAdd: \
         engine \"ort\" may run this model"
    );
}

#[test]
fn onnx_runtime_names_an_operator_that_it_lacks() {
    if engines().contains(&EngineChoice::Ort) {
        let error =
            Network::open(small("tiny.onnx"), &small_ends(Some("magic")), &options(EngineChoice::Ort)).err().unwrap();
        let text = chain(&error);
        assert!(text.starts_with("no engine runs the model: engine \"ort\" cannot load the graph: "), "{text}");
        assert!(text.contains("Conjure"), "{text}");
    }
}

#[test]
fn an_engine_that_is_not_built_in_says_which_feature_is_missing() {
    for (engine, feature, built) in
        [(EngineChoice::Ort, "ort", cfg!(feature = "ort")), (EngineChoice::Tract, "tract", cfg!(feature = "tract"))]
    {
        if !built {
            let error = Network::open(small("tiny.onnx"), &small_ends(Some("logits")), &options(engine)).err().unwrap();
            assert!(chain(&error).contains(&format!("build with the feature `{feature}`")), "{}", chain(&error));
        }
    }
}

#[test]
fn what_really_runs_is_told() {
    for engine in engines() {
        let network = Network::open(small("tiny.onnx"), &small_ends(Some("logits")), &options(engine)).unwrap();
        let extractor = network.extractor();
        assert_eq!((extractor.engine.as_str(), extractor.provider.as_str()), (engine.word(), "cpu"));
        assert!(extractor.version.split('.').count() >= 2, "{extractor}");
        assert_eq!(network.fallback_reason(), None);
    }
}

#[test]
fn the_version_told_of_tract_is_the_one_built_in() {
    if !cfg!(feature = "tract") {
        return;
    }
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let network =
        Network::open(small("tiny.onnx"), &small_ends(Some("logits")), &options(EngineChoice::Tract)).unwrap();
    assert!(lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{}\"", network.extractor().version)));
}

#[test]
fn an_unknown_engine_is_told_the_known_ones() {
    let error = "cuda".parse::<EngineChoice>().unwrap_err();
    assert_eq!(error.to_string(), "unknown engine \"cuda\": expected auto, ort or tract");
    assert_eq!("ort".parse(), Ok(EngineChoice::Ort));
}
