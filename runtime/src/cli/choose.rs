//! Which model a command means, by name or by file, and the classifier that came in it. Knows nothing about samples.

use std::path::Path;

use acclimate::head_file::{Fixed, HeadFile, Provenance};
use acclimate::place::absolute;
use acclimate::store::{Model, NewBackbone};
use acclimate_backbone::builtin::SignalShape;
use acclimate_backbone::{Backbone, Manifest, builtin, resolve, shipped};
use acclimate_trainer::{Decision, Form, Head, Kind};
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;

use super::manifest::{Known, beside, known, name_of};
use super::{Context, model};

/// A model with its manifest.
pub struct Chosen {
    /// What to make of its file.
    pub manifest: Manifest,
    /// The file.
    pub model: Model,
    /// Class names that came with the manifest.
    labels: Option<Vec<String>>,
}

/// The model in this file, else the backbone with this name, else the configuration's, else the built-in one.
/// `shape` is that of a signal's windows.
pub fn choose(
    context: &Context,
    name: Option<&str>,
    file: Option<&Path>,
    shape: Option<SignalShape>,
) -> anyhow::Result<Chosen> {
    if let Some(file) = file {
        let (manifest, labels) = manifest_of(context, file)?;
        return Ok(Chosen { manifest, model: Model::File(absolute(file)), labels });
    }
    let name = name.or(context.config.backbone.name.as_deref()).unwrap_or(builtin::NAME);
    match (name, shape) {
        (builtin::SIGNAL_NAME, Some(shape)) => {
            return Ok(Chosen { manifest: shape.manifest()?, model: Model::Builtin, labels: None });
        }
        (builtin::SIGNAL_NAME, None) => bail!(
            "{} takes windows of any shape: say which with --channels (numbers in one reading) and --length (readings in \
             one window)",
            builtin::SIGNAL_NAME
        ),
        (name, Some(_)) => bail!(
            "--channels and --length are for --backbone {}: the shape of what {name} takes stands in its manifest",
            builtin::SIGNAL_NAME
        ),
        (_, None) => {}
    }
    if name == builtin::NAME {
        return Ok(Chosen { manifest: Manifest::parse(builtin::MANIFEST)?, model: Model::Builtin, labels: None });
    }
    let entry = model::find(context, name)?;
    let file = entry.file.context("a bug: the library found a model without its file")?;
    Ok(Chosen { manifest: entry.manifest, model: Model::File(absolute(&file)), labels: None })
}

/// The manifest that is known for a file, with its class names, else a guess, which is said.
fn manifest_of(context: &Context, file: &Path) -> anyhow::Result<(Manifest, Option<Vec<String>>)> {
    let (name, beside) = (name_of(file), beside(file));
    let inspection = match known(context, file, &name)? {
        Known::Manifest { text, from, labels } => {
            let manifest = Manifest::parse(&text)
                .with_context(|| format!("could not use the manifest of {} ({from})", file.display()))?;
            return Ok((resolve(manifest, file)?, labels));
        }
        Known::Graph(inspection) => inspection,
    };
    let advice = || {
        format!(
            "no manifest for {}: there is no {} beside it, none in it, and the catalogue does not know its content; \
             `acclimate model inspect {} --write-manifest {}` writes one to start from",
            file.display(),
            beside.display(),
            file.display(),
            beside.display()
        )
    };
    let manifest = Manifest::parse(&inspection.propose_manifest(&name)).with_context(advice)?;
    tracing::warn!(
        "{}. Until then this is guessed: feature tensor \"{}\", {} components; how pictures are resized, cropped and \
         normalised (the file does not say what the model was trained on)",
        advice(),
        manifest.feature.tensor,
        manifest.feature.dim
    );
    Ok((manifest, None))
}

impl Chosen {
    /// As a task keeps it.
    pub fn record(&self, backbone: &Backbone) -> NewBackbone {
        NewBackbone {
            name: self.manifest.name.clone(),
            id: backbone.id().0,
            manifest: self.manifest.text.clone(),
            model: self.model.clone(),
            dim: backbone.dim(),
            quantisation: backbone.quantisation(),
        }
    }

    /// The classifier that came in the model, as a head: these names, else the manifest's, else the file's own, else
    /// numbers.
    pub fn shipped(&self, context: &Context, task: &str, id: [u8; 32], names: &[String]) -> anyhow::Result<HeadFile> {
        let (bytes, folder) = match &self.model {
            Model::Builtin => (builtin::model(&self.manifest).to_vec(), None),
            Model::File(file) => {
                let bytes = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
                (bytes, file.parent())
            }
        };
        let own = shipped(&bytes, &self.manifest)
            .with_context(|| format!("could not keep the classifier of `{}`", self.manifest.name))?;
        let count = own.bias.len();
        let labels = self.manifest.classifier.as_ref().and_then(|classifier| classifier.labels.as_ref());
        let classes = match (names, labels, self.labels.clone().or(own.classes)) {
            ([_, ..], ..) => names.to_vec(),
            ([], Some(file), _) => lines(&folder.unwrap_or(Path::new("")).join(file))?,
            ([], None, Some(classes)) => classes,
            ([], None, None) => (0..count).map(|class| format!("class-{class}")).collect(),
        };
        ensure!(
            classes.len() == count,
            "the classifier of `{}` has {count} outputs, but {} names were given for them",
            self.manifest.name,
            classes.len()
        );
        Ok(HeadFile {
            task: task.to_owned(),
            backbone_id: id,
            classes: distinct(classes),
            head: Head {
                kind: Kind::Shipped,
                form: Form::linear(own.weights, own.bias),
                temperature: 1.0,
                lambda: None,
                novelty: None,
                conformal: None,
            },
            decision: Decision::default(),
            provenance: Provenance {
                adjusted: None,
                counts: vec![0; count],
                device: context.config.device_id(),
                evaluation: None,
                extractor: format!("in the file of {}", self.manifest.name),
                fixed: Fixed::default(),
                nuisance: None,
                parent: None,
                statistics: None,
                time: Timestamp::now(),
                unproved: true,
            },
        })
    }
}

/// What `--classes` says: names, or the lines of a file where its one value names one.
pub fn class_names(values: &[String]) -> anyhow::Result<Vec<String>> {
    match values {
        [file] if Path::new(file).is_file() => lines(Path::new(file)),
        names => Ok(names.to_vec()),
    }
}

fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("could not read class names from {}", file.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Names that stand for two classes (ImageNet has two cranes) are told apart by the class's number.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let number = |(class, name): (usize, String)| {
        if seen.insert(name.clone()) { name } else { format!("{name} (class {class})") }
    };
    names.into_iter().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_of_one_name_are_told_apart() {
        let names = ["crane", "bird", "crane"].map(str::to_owned).to_vec();
        assert_eq!(distinct(names), ["crane", "bird", "crane (class 2)"]);
    }
}
