//! `model add`: takes a user's model in, with the manifest that there is for it, or one that says what is guessed.

use std::fs;
use std::path::{Path, PathBuf};

use acclimate::models_folder::{Content, put};
use acclimate::place::absolute;
use acclimate::record::AddedModelRecord;
use acclimate::store::Model;
use acclimate_backbone::{Manifest, resolve};
use anyhow::{Context as _, bail};

use super::super::manifest::{Known, beside, known, name_of};
use super::super::{Context, Outcome};

/// Runs `acclimate model add`.
pub(super) fn run(context: &Context, path: &Path, name: Option<&str>) -> anyhow::Result<Outcome> {
    let file = if path.is_dir() { in_folder(path)? } else { path.to_owned() };
    let named = name.map_or_else(|| name_of(path), str::to_owned);
    let (text, from, labels) = match known(context, &file, &named)? {
        Known::Manifest { text, from, labels } => (text, from, labels),
        Known::Graph(inspection) => (inspection.propose_manifest(&named), "proposed from the graph", None),
    };
    let (text, labels) = match labels {
        Some(labels) => (text + "[classifier]\nlabels = \"labels.txt\"\n", Some(labels.join("\n") + "\n")),
        None => (text, None),
    };
    let text = match name {
        Some(name) => renamed(&text, name)?,
        None => text,
    };
    let manifest = Manifest::parse(&text).with_context(|| {
        format!("could not use the manifest ({from}): put a correct one at {}", beside(&file).display())
    })?;
    let manifest = resolve(manifest, &file)?;
    let mut record = AddedModelRecord {
        name: manifest.name.clone(),
        status: "added".to_owned(),
        manifest: from.to_owned(),
        guesses: guesses(&manifest.text),
        tensor: manifest.feature.tensor.clone(),
        pool: manifest.feature.pool.word().to_owned(),
        dim: manifest.feature.dim,
        folder: None,
    };
    match context.library.manifest(&manifest.name) {
        Ok(known) if known.file.sha256 != manifest.file.sha256 => {
            bail!("there is another model named `{}`: give this one another name with --name", manifest.name)
        }
        _ => {}
    }
    if context.library.find(&manifest.name).is_ok() {
        "here".clone_into(&mut record.status);
    } else {
        // One that does not run here is not taken in.
        let _ = context.opener().open(&manifest, &Model::File(absolute(&file)))?;
        let mut files = vec![(format!("{}.onnx", manifest.name), Content::Copy(&file))];
        let beside = manifest.classifier.as_ref().and_then(|classifier| classifier.labels.clone());
        let beside = beside.map(|name| (file.with_file_name(&name), name)).filter(|(path, _)| path.is_file());
        match (&beside, &labels) {
            (Some((path, name)), _) => files.push((name.clone(), Content::Copy(path))),
            (None, Some(labels)) => files.push(("labels.txt".to_owned(), Content::Text(labels))),
            (None, None) => {}
        }
        // Last: a folder without a manifest is no model.
        files.push((format!("{}.toml", manifest.name), Content::Text(&manifest.text)));
        let folder = put(&context.data_dir.join("models"), &manifest.name, &files)
            .with_context(|| format!("could not take model `{}` in", manifest.name))?;
        record.folder = Some(folder.display().to_string());
    }
    context.print(&record, || words(&record))?;
    Ok(Outcome::Done)
}

fn words(record: &AddedModelRecord) -> String {
    let mut lines = vec![format!(
        "{}: feature {} ({} numbers, pool {}), manifest {}",
        record.name, record.tensor, record.dim, record.pool, record.manifest
    )];
    lines.extend(record.guesses.iter().map(|guess| format!("guessed: {guess}")));
    lines.push(match &record.folder {
        Some(folder) => format!("added to {folder}"),
        None => "it was here already".to_owned(),
    });
    if !record.guesses.is_empty() {
        lines.push("check what is guessed: a wrong mean or size costs accuracy and nothing tells you".to_owned());
    }
    lines.push(format!("next: acclimate init TASK --backbone {}", record.name));
    lines.join("\n")
}

/// The model of a folder: where Hugging Face keeps it, else the only one there is.
fn in_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    for place in ["onnx/model.onnx", "model.onnx"] {
        if folder.join(place).is_file() {
            return Ok(folder.join(place));
        }
    }
    let entries = fs::read_dir(folder).with_context(|| format!("could not look into {}", folder.display()))?;
    let mut models: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    models.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    models.sort();
    match models.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no onnx/model.onnx, model.onnx or other ONNX file in {}", folder.display()),
        several => bail!("{} ONNX files in {}: name one", several.len(), folder.display()),
    }
}

/// The manifest under another name. Only the line is changed, so that the comments stay.
fn renamed(text: &str, name: &str) -> anyhow::Result<String> {
    let is_name = |line: &&str| line.split_once('=').is_some_and(|(key, _)| key.trim() == "name");
    let line = text.lines().find(is_name).context("the manifest has no name")?;
    Ok(text.replacen(line, &format!("name = {}", toml::Value::from(name)), 1))
}

/// The comments of a manifest that say that something is a guess, with what they stand beside.
fn guesses(text: &str) -> Vec<String> {
    let guessed = |line: &&str| line.split_once('#').is_some_and(|(_, comment)| comment.contains("guess"));
    text.lines().filter(guessed).map(|line| line.trim().trim_start_matches("# ").to_owned()).collect()
}
