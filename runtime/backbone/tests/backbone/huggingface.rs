//! Hugging Face's configurations as manifests: one test for each way in which their processors differ.

use acclimate_backbone::{
    Color, Crop, FeatureCandidate, HuggingFaceError, ImageInput, Inspection, Interpolation, Manifest, Pool, Port,
    Resize, labels_from_huggingface, manifest_from_huggingface,
};

use crate::assets::chain;

/// A model with this input.
fn model(shape: [&str; 4]) -> Inspection {
    let port = |name: &str, shape: &[&str]| Port {
        name: name.to_owned(),
        element: "FLOAT".to_owned(),
        shape: shape.iter().map(|&axis| axis.to_owned()).collect(),
    };
    Inspection {
        bytes: 1,
        sha256: "0".repeat(64),
        ir_version: 8,
        producer: "pytorch".to_owned(),
        opsets: Vec::new(),
        inputs: vec![port("pixel_values", &shape)],
        outputs: vec![port("logits", &["batch_size", "1000"])],
        parameters: 1,
        operators: std::collections::BTreeMap::new(),
        features: vec![FeatureCandidate {
            tensor: "/vit/Gather_output_0".to_owned(),
            pool: Pool::Flatten,
            dim: 768,
            signed: true,
            because: "the input of the last Gemm".to_owned(),
        }],
        classifier: None,
        lacking_in_tract: None,
    }
}

/// As Optimum exports: every axis has a name.
const ANY: [&str; 4] = ["batch_size", "num_channels", "height", "width"];

fn text(preprocessor: &str) -> String {
    manifest_from_huggingface(preprocessor, None, &model(ANY), "vit")
        .unwrap_or_else(|error| panic!("{}", chain(&error)))
}

fn image(preprocessor: &str) -> ImageInput {
    let text = text(preprocessor);
    let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((manifest.feature.tensor.as_str(), manifest.feature.dim), ("/vit/Gather_output_0", 768));
    manifest.input.image().unwrap().clone()
}

/// What matters of an input: size, the way there, the filter.
fn way(input: &ImageInput) -> ([u32; 2], Resize, u32, Interpolation) {
    (input.size, input.resize, input.resize_to, input.interpolation)
}

fn close(found: [f32; 3], expected: [f32; 3]) -> bool {
    found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3)
}

const VIT: &str = r#"{
  "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
  "image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 2,
  "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}
}"#;

#[test]
fn vit_stretches() {
    let input = image(VIT);
    assert_eq!(way(&input), ([224, 224], Resize::Stretch, 224, Interpolation::Bilinear));
    assert_eq!((input.range, input.color, input.crop), (1.0, Color::Rgb, Crop::None));
    assert!(close(input.mean, [0.5; 3]) && close(input.std, [0.5; 3]) && input.antialias);
    // The older form, with a number for a size and no word on rescaling.
    let older = r#"{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}"#;
    assert_eq!(image(older), input);
}

#[test]
fn mobilenet_keeps_the_aspect_and_crops() {
    let input = image(
        r#"{"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_normalize": true, "do_rescale": true,
        "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "MobileNetV2ImageProcessor",
        "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}}"#,
    );
    assert_eq!(way(&input), ([224, 224], Resize::ShortestEdge, 256, Interpolation::Bilinear));
    assert_eq!(input.crop, Crop::Center);
}

#[test]
fn convnext_crops_a_share_and_stretches_when_large() {
    let convnext = |size: u32, share: &str| {
        format!(
            r#"{{"crop_pct": {share}, "do_normalize": true, "do_rescale": true, "do_resize": true, "image_processor_type": "ConvNextImageProcessor",
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": {{"shortest_edge": {size}}}}}"#
        )
    };
    let input = image(&convnext(224, "0.875"));
    assert_eq!(way(&input), ([224, 224], Resize::ShortestEdge, 256, Interpolation::Bicubic));
    assert!(close(input.mean, [0.485, 0.456, 0.406]) && close(input.std, [0.229, 0.224, 0.225]));
    assert_eq!(way(&image(&convnext(288, "0.95"))).2, 303, "288 / 0.95, rounded down as the original does");
    assert_eq!(way(&image(&convnext(384, "0.875"))).1, Resize::Stretch);
}

#[test]
fn efficientnet_takes_the_nearest_pixel_and_that_is_said() {
    let preprocessor = r#"{"crop_size": {"height": 289, "width": 289}, "do_center_crop": false, "do_normalize": true,
        "do_rescale": true, "do_resize": true, "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "EfficientNetImageProcessor",
        "image_std": [0.47853944, 0.4732864, 0.47434163], "include_top": true, "resample": 0,
        "rescale_factor": 0.00392156862745098, "rescale_offset": false, "size": {"height": 224, "width": 224}}"#;
    let input = image(preprocessor);
    assert_eq!(way(&input), ([224, 224], Resize::Stretch, 224, Interpolation::Bilinear));
    assert!(!input.antialias);
    assert!(text(preprocessor).contains("# the original takes the nearest pixel"));
}

#[test]
fn filters_have_pillows_numbers() {
    let with = |number: &str| VIT.replace("\"resample\": 2", &format!("\"resample\": {number}"));
    for (number, filter) in
        [("1", Interpolation::Lanczos), ("2", Interpolation::Bilinear), ("3", Interpolation::Bicubic)]
    {
        assert_eq!(image(&with(number)).interpolation, filter);
        assert!(!text(&with(number)).contains("the original"));
    }
    assert!(text(&with("5")).contains("# the original's filter"));
    let refused = manifest_from_huggingface(&with("9"), None, &model(ANY), "vit").unwrap_err();
    assert_eq!(refused.to_string(), "preprocessor_config.json: \"resample\" is 9, expected 0 to 5, a filter of Pillow");
}

/// What a pixel becomes.
fn fed(input: &ImageInput, pixel: f32) -> f32 {
    (pixel / 255.0 * input.range - input.mean[0]) / input.std[0]
}

#[test]
fn every_way_of_scaling_feeds_the_same_numbers() {
    let with = |scale: &str, normalise: &str| {
        image(&format!(
            r#"{{"size": {{"height": 224, "width": 224}}, {scale}, {normalise}, "image_mean": [0.4, 0.4, 0.4], "image_std": [0.2, 0.2, 0.2]}}"#
        ))
    };
    let (yes, no) = (r#""do_normalize": true"#, r#""do_normalize": false"#);
    for (scale, normalise, black, white) in [
        (r#""do_rescale": true"#, yes, -2.0, 3.0),
        (r#""do_rescale": true"#, no, 0.0, 1.0),
        (r#""do_rescale": false"#, no, 0.0, 255.0),
        (r#""do_rescale": false"#, yes, -2.0, 1273.0),
        (r#""rescale_factor": 0.00784313725490196, "rescale_offset": true"#, no, -1.0, 1.0),
        (r#""rescale_factor": 0.00784313725490196, "rescale_offset": true"#, yes, -7.0, 3.0),
        (r#""rescale_factor": 0.00784313725490196"#, no, 0.0, 2.0),
    ] {
        let input = with(scale, normalise);
        for (pixel, expected) in [(0.0, black), (255.0, white)] {
            let found = fed(&input, pixel);
            assert!(
                (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "{scale}, {normalise}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn a_model_of_apples_gets_blue_first() {
    let input = image(
        r#"{"crop_size": {"height": 256, "width": 256}, "do_center_crop": true, "do_flip_channel_order": true, "do_rescale": true,
        "do_resize": true, "image_processor_type": "MobileViTImageProcessor", "resample": 2,
        "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 288}}"#,
    );
    assert_eq!(
        (input.color, way(&input)),
        (Color::Bgr, ([256, 256], Resize::ShortestEdge, 288, Interpolation::Bilinear))
    );
    assert!(close(input.mean, [0.0; 3]) && close(input.std, [1.0; 3]));
}

#[test]
fn what_a_manifest_cannot_say_is_said_in_a_comment() {
    let beit = VIT.replace("224, \"width\": 224", "256, \"width\": 256").replace(
        "\"resample\"",
        "\"do_center_crop\": true, \"crop_size\": {\"height\": 224, \"width\": 224}, \"resample\"",
    );
    assert_eq!(way(&image(&beit)).1, Resize::ShortestEdge);
    assert!(text(&beit).contains("# the original stretches before the crop"));
    let whole = VIT.replace(r#"{"height": 224, "width": 224}"#, r#"{"shortest_edge": 224}"#);
    assert!(text(&whole).contains("# the original keeps all of an oblong picture"));
    let as_it_is = VIT.replace("\"do_resize\": true", "\"do_resize\": false");
    assert!(text(&as_it_is).contains("# the original takes pictures of this size only"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |preprocessor: &str, shape| {
        chain(&manifest_from_huggingface(preprocessor, None, &model(shape), "vit").unwrap_err())
    };
    assert_eq!(
        refused(VIT, ["N", "3", "384", "384"]),
        "preprocessor_config.json makes pictures of [224, 224], the model takes [Some(384), Some(384)] (height, width): they \
         belong to different models"
    );
    assert_eq!(refused("[]", ANY), "preprocessor_config.json is no JSON object");
    assert!(refused("{", ANY).starts_with("preprocessor_config.json is no JSON object: EOF"));
    let sound = r#"{"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000}"#;
    assert!(refused(sound, ANY).contains("Wav2Vec2FeatureExtractor, which prepares no pictures"));
    let lacking = VIT.replace("\"image_std\"", "\"std\"");
    assert!(refused(&lacking, ANY).contains("\"image_std\" is absent, expected three numbers"));
    assert!(refused(&VIT.replace("224, \"width\"", "\"big\", \"width\""), ANY).contains("\"size\" is"));
    assert!(refused(VIT, ["N", "7", "224", "224"]).starts_with("the model takes no pictures"));
    assert!(matches!(labels_from_huggingface("7"), Err(HuggingFaceError::Json { .. })));
}

#[test]
fn labels_come_in_the_order_of_their_numbers() {
    let config = r#"{"architectures": ["ViTForImageClassification"], "id2label": {"10": "k", "0": "tench", "1": "goldfish", "2": "c",
        "3": "d", "4": "e", "5": "f", "6": "g", "7": "h", "8": "i", "9": "j"}, "model_type": "vit"}"#;
    let labels = labels_from_huggingface(config).unwrap().unwrap();
    assert_eq!((labels.len(), labels[0].as_str(), labels[10].as_str()), (11, "tench", "k"));
    assert_eq!(labels_from_huggingface(r#"{"model_type": "vit"}"#).unwrap(), None);
    assert_eq!(labels_from_huggingface(r#"{"id2label": {"0": "a", "2": "c"}}"#).unwrap(), None, "1 is missing");
    let manifest = manifest_from_huggingface(VIT, Some(config), &model(ANY), "vit").unwrap();
    assert!(manifest.starts_with("# From a Hugging Face folder: vit\n"), "{manifest}");
}
