//! Finding models by name.

use std::fs;

use acclimate_backbone::{Backbone, BackboneId, EngineChoice, Library, Manifest, inspect};

use crate::{
    assets::{chain, options, small},
    manifests::MINIMAL,
};

/// The sum of `tiny.onnx`, as in a manifest.
fn sum() -> String {
    inspect(&small("tiny.onnx")).unwrap().sha256
}

fn manifest() -> String {
    MINIMAL.replace(&"0".repeat(64), &sum())
}

#[test]
fn a_manifest_beside_its_model_is_found_one_folder_down() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("some-model");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("anything.toml"), manifest()).unwrap();
    fs::write(inner.join("tiny.onnx"), small("tiny.onnx")).unwrap();
    let library = Library::new(vec!["/nowhere".into(), folder.path().to_owned()]);
    let entry = library.find("tiny").unwrap();
    assert_eq!(entry.file, Some(inner.join("tiny.onnx")));
    assert!(library.list().contains(&entry));
}

#[test]
fn tensors_left_open_are_found_in_the_file_and_named_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let open = manifest().replace("tensor = \"image\"", "tensor = \"auto\"");
    let open = open.replace("tensor = \"feature\"", "tensor = \"auto\"");
    fs::write(folder.path().join("tiny.toml"), &open).unwrap();
    fs::write(folder.path().join("tiny.onnx"), small("tiny.onnx")).unwrap();
    let library = Library::new(vec![folder.path().to_owned()]);
    let found = library.find("tiny").unwrap().manifest;
    assert_eq!(library.of_content(&folder.path().join("tiny.onnx")).unwrap().as_ref(), Some(&found));
    assert_eq!((found.input.tensor(), found.feature.tensor.as_str()), ("image", "pooled"));
    // What a task keeps is the text: it says the same without the file.
    assert_eq!(BackboneId::of(&Manifest::parse(&found.text).unwrap()), BackboneId::of(&found));
    let mut backbone = Backbone::open(&found, &folder.path().join("tiny.onnx"), &options(EngineChoice::Auto)).unwrap();
    backbone.try_out().unwrap();

    fs::write(folder.path().join("tiny.toml"), open.replace("dim = 4", "dim = 9")).unwrap();
    let error = library.find("tiny").unwrap_err();
    assert!(chain(&error).contains("wants a feature of 9 numbers"), "{}", chain(&error));
}

#[test]
fn a_file_with_another_sum_is_refused_naming_both() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), MINIMAL).unwrap();
    let file = folder.path().join("tiny.onnx");
    fs::write(&file, small("tiny.onnx")).unwrap();
    let error = Library::new(vec![folder.path().to_owned()]).find("tiny").unwrap_err();
    let expected =
        format!("{} has SHA-256 {}, the manifest says {}: replace the file", file.display(), sum(), "0".repeat(64));
    assert_eq!(error.to_string(), format!("model \"tiny\": {expected}"));
    // Also where nobody asked the library.
    let error = Backbone::open(&Manifest::parse(MINIMAL).unwrap(), &file, &options(EngineChoice::Auto)).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has SHA-256 {}, the manifest of \"tiny\" says {}: replace the file or the manifest",
            file.display(),
            sum(),
            "0".repeat(64)
        )
    );
}

#[test]
fn the_right_file_is_found_behind_a_wrong_one() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    fs::write(folders[0].path().join("tiny.toml"), manifest()).unwrap();
    fs::write(folders[0].path().join("tiny.onnx"), "another model").unwrap();
    fs::write(folders[1].path().join("tiny.onnx"), small("tiny.onnx")).unwrap();
    let library = Library::new(folders.iter().map(|folder| folder.path().to_owned()).collect());
    assert_eq!(library.find("tiny").unwrap().file, Some(folders[1].path().join("tiny.onnx")));
}

#[test]
fn what_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(vec![folder.path().to_owned()]);
    assert_eq!(
        library.find("mobilnet").unwrap_err().to_string(),
        "no model named \"mobilnet\"; of the 54 known, the nearest: mobilenetv1-0.25-128, mobilenetv1-0.5-160, mobilenetv2-0.35-224"
    );
    assert_eq!(
        library.find("mcunet-5fps").unwrap_err().to_string(),
        format!(
            "model \"mcunet-5fps\": no file mcunet-5fps_fp32.onnx or mcunet-5fps.onnx in {}: supply it",
            folder.path().display()
        )
    );
    fs::write(folder.path().join("mine.toml"), "name = 3").unwrap();
    let error = library.find("mine").unwrap_err();
    assert!(
        chain(&error).contains("mine.toml: 5 mistakes in the manifest: name: expected a string"),
        "{}",
        chain(&error)
    );
}

#[test]
fn a_missing_file_is_named() {
    let manifest = Manifest::parse(MINIMAL).unwrap();
    let error = Backbone::open(&manifest, "/nowhere/tiny.onnx".as_ref(), &options(EngineChoice::Auto)).err().unwrap();
    assert_eq!(error.to_string(), "cannot read the model /nowhere/tiny.onnx");
}
