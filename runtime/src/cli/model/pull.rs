//! `model pull`, and the same for a command that needs a model whose file is not here yet.

use std::path::Path;

use acclimate::pull::{Source, pull};
use acclimate::record::PullRecord;
use acclimate_backbone::{Entry, LibraryError, Manifest, builtin};
use anyhow::Context as _;

use super::super::{Context, Outcome, chain};

/// Runs `acclimate model pull`: each name on its own, so that one that fails keeps no other.
pub(super) fn run(
    context: &Context,
    names: &[String],
    from: Option<&Path>,
    to: Option<&Path>,
) -> anyhow::Result<Outcome> {
    let mut records = Vec::new();
    let mut outcome = Outcome::Done;
    for name in names {
        let mut record =
            PullRecord { name: name.clone(), status: "failed".to_owned(), file: None, bytes: 0, error: None };
        if let Err(error) = one(context, &mut record, from, to) {
            eprintln!("failed: {name}: {}", chain(&error));
            record.error = Some(chain(&error));
            outcome = Outcome::Partly;
        }
        records.push(record);
    }
    let fine = || records.iter().filter(|record| record.error.is_none());
    if context.global.json || fine().count() > 0 {
        context.print(&records, || fine().map(words).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(outcome)
}

fn words(record: &PullRecord) -> String {
    match record.file.as_deref() {
        Some(file) if record.status == "here" => format!("{} is here: {file}", record.name),
        Some(file) => {
            format!("{} is in {file}: use it with `acclimate init TASK --backbone {}`", record.name, record.name)
        }
        None => format!("{} is built in", record.name),
    }
}

fn one(context: &Context, record: &mut PullRecord, from: Option<&Path>, to: Option<&Path>) -> anyhow::Result<()> {
    let manifest = context.library.manifest(&record.name)?;
    if builtin::is_builtin(&record.name) {
        "here".clone_into(&mut record.status);
        return Ok(());
    }
    // Elsewhere on the search path is as good, unless a place was asked for.
    let (file, bytes) = if let (None, Ok(Entry { file: Some(file), .. })) = (to, context.library.find(&record.name)) {
        (file, 0)
    } else {
        let to = to.map_or_else(|| context.data_dir.join("models"), Path::to_owned);
        fetch(context, &manifest, from.map_or(Source::Address, Source::Folder), &to)?
    };
    let status = match (bytes, from) {
        (0, _) => "here",
        (_, None) => "pulled",
        (_, Some(_)) => "copied",
    };
    (record.status, record.bytes) = (status.to_owned(), bytes);
    record.file = Some(file.display().to_string());
    Ok(())
}

fn fetch(
    context: &Context,
    manifest: &Manifest,
    source: Source<'_>,
    to: &Path,
) -> anyhow::Result<(std::path::PathBuf, u64)> {
    let bar = context.progress_bytes(manifest.file.bytes, "getting");
    let got = pull(manifest, source, to, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    got.with_context(|| format!("could not get model `{}`", manifest.name))
}

/// The model of that name; one whose file is nowhere is downloaded to the data directory, if its manifest has an address.
pub(in super::super) fn find(context: &Context, name: &str) -> anyhow::Result<Entry> {
    match context.library.find(name) {
        Err(missing @ LibraryError::Missing { url: Some(_), .. }) => {
            let manifest = context.library.manifest(name)?;
            if !context.global.quiet {
                eprintln!("getting {name}, {} MB", manifest.file.bytes.div_ceil(1_000_000));
            }
            fetch(context, &manifest, Source::Address, &context.data_dir.join("models"))
                .with_context(|| missing.to_string())?;
            Ok(context.library.find(name)?)
        }
        found => Ok(found?),
    }
}
