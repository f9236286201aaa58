//! The engines and the models: run, not asked.

use acclimate_backbone::{Backbone, EngineChoice, EngineOptions, LibraryError, Picture, builtin, probe_ort};
use anyhow::Context as _;

use super::Found;
use crate::cli::{Context, causes, chain};

/// Runs the built-in backbone on one picture: an engine that loads but cannot run does not work.
pub(super) fn engine(context: &Context, engine: EngineChoice) -> Found {
    let options = EngineOptions { engine, ..context.engine_options() };
    let tried = || -> anyhow::Result<String> {
        let mut backbone = Backbone::builtin(&options)?;
        let picture = Picture::from_rgb(64, 64, (0..64 * 64 * 3).map(|i| (i % 251) as u8).collect())?;
        let start = std::time::Instant::now();
        backbone.features(&[picture]).context("it loads, but a picture does not get through")?;
        let time = start.elapsed().as_secs_f64() * 1e3;
        let library = match probe_ort(&options) {
            Ok((_, library)) if engine == EngineChoice::Ort => format!(", from {}", library.display()),
            _ => String::new(),
        };
        Ok(format!("{}{library}; one picture in {time:.1} ms", backbone.extractor()))
    };
    match (tried(), engine) {
        (Ok(words), _) => Found::Fine(words),
        (Err(error), EngineChoice::Ort) => Found::Poor(
            chain(&error),
            "tract is used instead; for speed, `pip install onnxruntime` or set ORT_DYLIB_PATH to libonnxruntime.so"
                .into(),
        ),
        (Err(error), _) => {
            Found::Broken(chain(&error), "this is a bug unless the program was built without tract".into())
        }
    }
}

/// Which models have their file here; with `checksums`, whether it is the right one.
pub(super) fn models(context: &Context, checksums: bool) -> Found {
    let mut others = context.library.list();
    others.retain(|entry| !builtin::is_builtin(&entry.manifest.name));
    let present: Vec<&str> =
        others.iter().filter(|entry| entry.file.is_some()).map(|entry| entry.manifest.name.as_str()).collect();
    let listed = if present.is_empty() { String::new() } else { format!(": {}", present.join(", ")) };
    let words = format!("the built-in ones and {} of {} others{listed}", present.len(), others.len());
    if !checksums {
        return Found::Fine(words);
    }
    let wrong: Vec<String> = present
        .iter()
        .filter_map(|name| match context.library.find(name) {
            Err(error @ (LibraryError::Mismatch { .. } | LibraryError::Read { .. })) => Some(causes(&error)),
            _ => None,
        })
        .collect();
    if wrong.is_empty() {
        return Found::Fine(format!("{words}; checksums are right"));
    }
    Found::Broken(wrong.join("; "), "remove the file and get it again with `acclimate model pull`".into())
}
