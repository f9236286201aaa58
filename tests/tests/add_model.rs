//! Taking a user's model in: what is decided is told, what is taken in can be used by its name, what cannot run is not.

use std::fs;

use acclimate_tests::device::Device;
use serde_json::json;

/// A model with a classifier behind its feature, whose manifest nobody has written.
fn stranger(device: &Device) -> String {
    let model = fs::read(acclimate_tests::checkout().join("runtime/backbone/tests/models/tiny.onnx")).unwrap();
    device.file("bring/My model.onnx", &model).to_str().unwrap().to_owned()
}

#[test]
fn a_model_without_a_manifest_gets_one_that_says_what_is_guessed() {
    let device = Device::new();
    let file = stranger(&device);
    let added = device.json(["model", "add", &file]);
    assert_eq!((added["name"].as_str(), added["status"].as_str()), (Some("My-model"), Some("added")));
    assert!(!added["guesses"].as_array().unwrap().is_empty(), "{added}");
    let task = device.json(["init", "parts", "--backbone", "My-model"]);
    assert_eq!(task["dim"], 4);
    assert_eq!(device.json(["model", "add", &file])["status"], "here");
    // The user's file may go now.
    fs::remove_file(&file).unwrap();
    let _ = device.run(["init", "others", "--backbone", "My-model"]).expect(0);
}

#[test]
fn a_manifest_beside_the_file_is_used_and_its_labels_come_along() {
    let device = Device::new();
    let file = stranger(&device);
    let manifest = device.path("proposed.toml");
    let _ = device.run(["model", "inspect", &file, "--write-manifest", manifest.to_str().unwrap()]).expect(0);
    let text = fs::read_to_string(&manifest).unwrap();
    let line = text.lines().next().unwrap();
    let text =
        text.replace(line, "name = \"mine\"") + "[classifier]\nweight = \"gemm.weight\"\nlabels = \"names.txt\"\n";
    device.file("bring/My model.toml", text.as_bytes());
    device.file("bring/names.txt", b"a\nb\nc\nd\ne\n");
    let added = device.json(["model", "add", &file]);
    assert_eq!((added["name"].as_str(), added["manifest"].as_str()), (Some("mine"), Some("beside the file")));
    let mut kept: Vec<_> =
        fs::read_dir(device.data_dir().join("models/mine")).unwrap().flatten().map(|e| e.file_name()).collect();
    kept.sort();
    assert_eq!(kept, ["mine.onnx", "mine.toml", "names.txt"]);
    let other = device.json(["model", "add", &file, "--name", "also-mine"]);
    assert_eq!(other["name"], "also-mine");
    let _ = device.run(["init", "parts", "--backbone", "also-mine"]).expect(0);
}

/// A model as Hugging Face keeps it.
fn hugging_face(device: &Device) -> std::path::PathBuf {
    let model = fs::read(acclimate_tests::checkout().join("runtime/backbone/tests/models/tiny.onnx")).unwrap();
    device.file("My Hub/onnx/model.onnx", &model);
    device.file(
        "My Hub/preprocessor_config.json",
        br#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2, 0.2, 0.2], "do_resize": true, "do_rescale": true, "rescale_factor": 0.00392156862745098,
            "do_normalize": true, "resample": 2}"#,
    );
    device.file(
        "My Hub/config.json",
        br#"{"model_type": "vit", "id2label": {"1": "dog", "0": "cat", "2": "a b", "3": "d", "4": "e"}}"#,
    );
    device.path("My Hub")
}

#[test]
fn a_hugging_face_folder_tells_how_pictures_are_prepared_and_what_classes_are_called() {
    let device = Device::new();
    let folder = hugging_face(&device);
    let added = device.json(["model", "add", folder.to_str().unwrap()]);
    assert_eq!(added["name"], "My-Hub");
    assert!(added["manifest"].as_str().unwrap().contains("Hugging Face"), "{added}");
    let kept = device.data_dir().join("models/My-Hub");
    assert_eq!(fs::read_to_string(kept.join("labels.txt")).unwrap(), "cat\ndog\na b\nd\ne\n");
    assert!(fs::read_to_string(kept.join("My-Hub.toml")).unwrap().contains("[0.5, 0.4, 0.3]"));
    let _ = device.run(["init", "parts", "--backbone", "My-Hub", "--keep-head"]).expect(0);
    assert_eq!(device.json(["head", "show", "parts"])["classes"], json!(["cat", "dog", "a b", "d", "e"]));
}

#[test]
fn a_hugging_face_configuration_beside_a_file_is_used_without_taking_the_model_in() {
    let device = Device::new();
    let _ = hugging_face(&device);
    let file = device.path("My Hub/onnx/model.onnx");
    let made = device.run(["init", "parts", "--model", file.to_str().unwrap(), "--keep-head"]).expect(0);
    assert!(!made.stderr.contains("guessed"), "{}", made.stderr);
    assert_eq!(device.json(["head", "show", "parts"])["classes"], json!(["cat", "dog", "a b", "d", "e"]));
}

#[test]
fn what_does_not_run_or_is_no_model_is_not_taken_in() {
    let device = Device::new();
    let nothing = device.file("bring/nothing.onnx", b"no model");
    let refused = device.run(["model", "add", nothing.to_str().unwrap()]).expect(1);
    assert!(refused.stderr.contains("could not inspect"), "{}", refused.stderr);
    let empty = device.path("bring");
    fs::remove_file(nothing).unwrap();
    let refused = device.run(["model", "add", empty.to_str().unwrap()]).expect(1);
    assert!(refused.stderr.contains("ONNX file"), "{}", refused.stderr);
    // A manifest that names a tensor which is not there.
    let file = stranger(&device);
    let manifest = device.path("bring/My model.toml");
    let _ = device.run(["model", "inspect", &file, "--write-manifest", manifest.to_str().unwrap()]).expect(0);
    let text = fs::read_to_string(&manifest).unwrap().replace("\"pooled\"", "\"nowhere\"");
    fs::write(&manifest, text).unwrap();
    let refused = device.run(["model", "add", &file]).expect(1);
    assert!(refused.stderr.contains("nowhere"), "{}", refused.stderr);
    assert!(!device.data_dir().join("models").exists(), "nothing is left");
}
