//! `auto` without a usable ONNX Runtime: tract, with the reason.
//!
//! The library is chosen once per process and by environment, so each case is this test binary run again.

use std::{env, fs, path::Path, process::Command};

use acclimate_backbone::{EngineChoice, Network};

use crate::assets::{options, skip, small, small_ends};

/// Set in the processes that the cases start.
const CHILD: &str = "ACCLIMATE_TEST_CHILD";

/// Run by the cases; run with all other tests it holds too: `auto` opens the model one way or the other.
#[test]
fn auto_opens_a_model_whatever_library_there_is() {
    if !cfg!(any(feature = "ort", feature = "tract")) {
        return;
    }
    let opened = Network::open(small("tiny.onnx"), &small_ends(Some("logits")), &options(EngineChoice::Auto));
    let network = match opened {
        Ok(network) => network,
        // Without tract there is nothing to fall back to.
        Err(error) if !cfg!(feature = "tract") && env::var_os(CHILD).is_none() => {
            return skip("ort", &error.to_string());
        }
        Err(error) => panic!("{error}"),
    };
    println!("opened in {}: {}", network.extractor().engine, network.fallback_reason().unwrap_or("as preferred"));
}

/// What `auto` says of a library.
fn auto_with(library: &Path) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "fallback::auto_opens_a_model_whatever_library_there_is", "--nocapture"])
        .env("ORT_DYLIB_PATH", library)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().find_map(|line| Some(line.split_once("opened in ")?.1.to_owned())).unwrap()
}

#[test]
fn a_library_that_cannot_serve_leads_to_tract_and_is_named() {
    if !cfg!(all(feature = "ort", feature = "tract")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libonnxruntime.so");
    let told = auto_with(&path);
    assert_eq!(told, format!("tract: {} is no usable ONNX Runtime library: there is no such file", path.display()));

    fs::write(&path, "not a library\n").unwrap();
    let told = auto_with(&path);
    assert!(told.starts_with(&format!("tract: {} is no usable ONNX Runtime library: ", path.display())), "{told}");

    for (source, reason) in [
        ("int unrelated(void) { return 1; }", "it does not export `OrtGetApiBase`"),
        (&fake("1.12.1"), "it is version 1.12, and 1.17 or later is needed"),
        (&fake("1.20.0"), "it has no API of the version it names, so it is not the library it claims to be"),
    ] {
        if !compile(source, &path) {
            return println!("skipped: no C compiler for the other cases");
        }
        assert_eq!(auto_with(&path), format!("tract: {} is no usable ONNX Runtime library: {reason}", path.display()));
    }
}

/// A library that claims a version and offers no API.
fn fake(version: &str) -> String {
    format!(
        "static const void *api(unsigned v) {{ return 0; }}\n\
         static const char *version(void) {{ return \"{version}\"; }}\n\
         static struct {{ const void *(*api)(unsigned); const char *(*version)(void); }} base = {{ api, version }};\n\
         void *OrtGetApiBase(void) {{ return &base; }}\n"
    )
}

fn compile(source: &str, library: &Path) -> bool {
    let file = library.with_extension("c");
    fs::write(&file, source).unwrap();
    // A new file: the loader remembers the one that it mapped.
    let _ = fs::remove_file(library);
    Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(library)
        .arg(&file)
        .status()
        .is_ok_and(|status| status.success())
}
