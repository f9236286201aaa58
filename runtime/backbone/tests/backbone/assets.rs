//! Where the large test files are, and what to do without them: print why a test is skipped, or fail if
//! `ACCLIMATE_REQUIRE` lists what is missing.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use acclimate_backbone::{Ends, EngineChoice, EngineOptions, Library, Manifest, Network, probe_ort};

/// The assets folder: `ACCLIMATE_ASSETS`, else beside the project.
pub(crate) fn assets() -> Option<PathBuf> {
    // Told by cargo at every start: a shared target directory may hold another checkout's test program.
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let beside = || Path::new(&here).join("../../../shared/assets");
    let path = env::var_os("ACCLIMATE_ASSETS").map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    skip("assets", &format!("no assets in {}", path.display()));
    None
}

/// Says that a test is skipped, also in the file that `ACCLIMATE_SKIPS` names, or fails where it may not be.
pub(crate) fn skip(need: &str, why: &str) {
    let required = env::var("ACCLIMATE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|word| word.trim() == need), "ACCLIMATE_REQUIRE asks for {need}, but {why}");
    println!("skipped: {why}");
    if let Some(path) = env::var_os("ACCLIMATE_SKIPS") {
        // One write, appended: test programs and threads do not tear each other's lines.
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{need}: {why}\n").as_bytes())).unwrap();
    }
}

/// One thread in the given engine.
pub(crate) fn options(engine: EngineChoice) -> EngineOptions {
    EngineOptions { engine, threads: 1, ort_library: None }
}

/// The engines of this build that can run here.
pub(crate) fn engines() -> Vec<EngineChoice> {
    let mut engines = Vec::new();
    if cfg!(feature = "ort") {
        match probe_ort(&options(EngineChoice::Ort)) {
            Ok(_) => engines.push(EngineChoice::Ort),
            Err(error) => skip("ort", &error.to_string()),
        }
    }
    if cfg!(feature = "tract") {
        engines.push(EngineChoice::Tract);
    }
    engines
}

/// A model of the assets by its name in the catalogue.
pub(crate) fn model(name: &str) -> Option<(Manifest, PathBuf)> {
    let entry = Library::new(vec![assets()?.join("models")]).find(name).unwrap();
    Some((entry.manifest, entry.file.unwrap()))
}

/// A model of `tests/models`.
pub(crate) fn small(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)).unwrap()
}

/// The input of the small models, and the tensor to compute.
pub(crate) fn small_ends(output: Option<&str>) -> Ends<'_> {
    Ends { output, input: "image", shape: &[3, 8, 8], element: acclimate_backbone::ElementType::F32 }
}

/// A small model opened in an engine.
pub(crate) fn open_small(name: &str, output: &str, engine: EngineChoice) -> Network {
    Network::open(small(name), &small_ends(Some(output)), &options(engine)).unwrap()
}

/// The messages of an error and its causes, as a log prints them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut messages = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        messages.push(error.to_string());
        cause = error.source();
    }
    messages.join(": ")
}
