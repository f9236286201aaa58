//! What is known of a model file before anybody says more: its manifest, or what is in its graph. Knows nothing about tasks.

use std::fs;
use std::path::{Path, PathBuf};

use acclimate_backbone::{Inspection, embedded_manifest, inspect, labels_from_huggingface, manifest_from_huggingface};
use anyhow::{Context as _, bail};

use super::Context;

/// What is known of a model file.
pub enum Known {
    /// Nobody wrote a manifest: what the graph tells.
    Graph(Box<Inspection>),
    /// A manifest, not yet parsed where a person wrote it.
    Manifest {
        /// Its text.
        text: String,
        /// Where it comes from.
        from: &'static str,
        /// Class names that came with it.
        labels: Option<Vec<String>>,
    },
}

/// The manifest beside the file, the library's for its content, the one that an exported file has in itself (under this
/// name), what Hugging Face's configuration beside it says; else the graph.
pub fn known(context: &Context, file: &Path, name: &str) -> anyhow::Result<Known> {
    let manifest = |text, from| Ok(Known::Manifest { text, from, labels: None });
    if let Some(text) = read(&beside(file))? {
        return manifest(text, "beside the file");
    }
    if let Some(known) = context.library.of_content(file)? {
        return manifest(known.text, "known by its content");
    }
    let bytes = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    if let Some(own) = embedded_manifest(&bytes, name) {
        let own = own.with_context(|| format!("could not use the manifest in {}", file.display()))?;
        return manifest(own.text, "in the file");
    }
    let inspection = inspect(&bytes).with_context(|| format!("could not inspect {}", file.display()))?;
    if let Some(why) = inspection.unsupported() {
        bail!("{} cannot be a backbone in this version: {why}", file.display());
    }
    let folder = huggingface_folder(file);
    let Some(processor) = read(&folder.join("preprocessor_config.json"))? else {
        return Ok(Known::Graph(Box::new(inspection)));
    };
    let config = read(&folder.join("config.json"))?;
    let cannot = || format!("could not use the Hugging Face configuration in {}", folder.display());
    let text = manifest_from_huggingface(&processor, config.as_deref(), &inspection, name).with_context(cannot)?;
    let labels = config.as_deref().map(labels_from_huggingface).transpose().with_context(cannot)?.flatten();
    Ok(Known::Manifest { text, from: "from Hugging Face's configuration", labels })
}

/// Where Hugging Face keeps the configuration of a model: beside it, or above the folder `onnx` that it lies in.
fn huggingface_folder(file: &Path) -> &Path {
    let folder = file.parent().unwrap_or(Path::new(""));
    match folder.parent() {
        Some(above) if folder.ends_with("onnx") => above,
        _ => folder,
    }
}

/// Where the manifest of a file is looked for.
pub fn beside(file: &Path) -> PathBuf {
    file.with_extension("toml")
}

/// A text file, if there is one.
fn read(path: &Path) -> anyhow::Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Some(fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?))
}

/// A name for a model without one: of its folder or file, in the letters that a name may have.
pub fn name_of(path: &Path) -> String {
    let stem = if path.is_dir() { path.canonicalize().ok() } else { Some(path.with_extension("")) };
    let stem = stem.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = stem.unwrap_or_default().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches('.').to_owned();
    if name.is_empty() { "model".to_owned() } else { name }
}
