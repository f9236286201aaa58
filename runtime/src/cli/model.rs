//! `model list`, `model inspect`; the others have files of their own.

mod add;
mod compare;
mod pull;

use acclimate::record::{InspectionRecord, ModelRecord};
use acclimate_backbone::{builtin, inspect};
use anyhow::Context as _;

pub(super) use self::pull::find;
use super::manifest::name_of;
use super::{Context, Outcome, args, line};

/// Runs `acclimate model`.
pub fn run(context: &Context, command: &args::Model) -> anyhow::Result<Outcome> {
    match command {
        args::Model::Add { path, name } => add::run(context, path, name.as_deref()),
        args::Model::Compare { task, names } => compare::run(context, task, names),
        args::Model::List => list(context),
        args::Model::Pull { names, from, to } => pull::run(context, names, from.as_deref(), to.as_deref()),
        args::Model::Inspect { file, write_manifest } => {
            let bytes = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
            let name = name_of(file);
            let inspection = inspect(&bytes).with_context(|| format!("could not inspect {}", file.display()))?;
            let record = InspectionRecord::new(&inspection, inspection.propose_manifest(&name));
            if let Some(path) = write_manifest {
                std::fs::write(path, &record.manifest)
                    .with_context(|| format!("could not write the manifest to {}", path.display()))?;
            }
            context.print(&record, || record.words())?;
            Ok(Outcome::Done)
        }
    }
}

fn list(context: &Context) -> anyhow::Result<Outcome> {
    let records: Vec<ModelRecord> = context
        .library
        .list()
        .into_iter()
        .map(|entry| {
            let is_builtin = builtin::is_builtin(&entry.manifest.name);
            ModelRecord {
                name: entry.manifest.name,
                dim: entry.manifest.feature.dim,
                bytes: entry.manifest.file.bytes,
                licence: entry.manifest.licence,
                url: entry.manifest.file.url,
                available: is_builtin || entry.file.is_some(),
                file: entry.file.map(|file| file.display().to_string()),
            }
        })
        .collect();
    if context.global.json {
        line(&serde_json::to_string(&records)?)?;
        return Ok(Outcome::Done);
    }
    for r in &records {
        let place = match (&r.file, r.available) {
            (Some(file), _) => file.as_str(),
            (None, true) => "built in",
            (None, false) if r.url.is_some() => "not here: `acclimate model pull` gets it",
            (None, false) => "no file found: put it in a folder named by --models or $ACCLIMATE_MODELS",
        };
        line(&format!("{:24} {:5} features  {:>9} bytes  {}", r.name, r.dim, r.bytes, place))?;
    }
    Ok(Outcome::Done)
}
