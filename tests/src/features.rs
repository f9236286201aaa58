//! Features of the data sets as the binary makes them: `init`, `add` and `sample export` in a device of its own, kept in
//! the target directory under a name that changes with the data, the backbone and what runs it. Knows no head.
//!
//! Invariant: features are what a device would fit on, decoded 8-bit codes, in the order in which they were added.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use acclimate_trainer::{Quantisation, Samples, SamplesError};
use anyhow::{Context as _, ensure};
use ndarray::{Array2, Axis, concatenate};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::device::Device;
use crate::npz::Npz;
use crate::signals::{Signals, table};
use crate::skip::assets;

/// Changes when what is kept is laid out anew, or grouping is.
const LAYOUT: &str = "2";

/// A data set as one backbone sees it.
#[derive(Clone, Debug)]
pub struct Features {
    /// Of the data set and the backbone, as `trashnet, mobilenetv2-1.0-224`.
    pub name: String,
    /// Decoded codes, `[n, dim]`.
    pub x: Array2<f32>,
    /// The norm each feature had, `[n]`.
    pub norms: Vec<f32>,
    /// Index into `classes`, `[n]`.
    pub labels: Vec<usize>,
    /// What may not be split: near-duplicates, windows of one recording, `[n]`.
    pub groups: Vec<usize>,
    /// The first half of the content's SHA-256, in hex, `[n]`.
    pub ids: Vec<String>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Who moved, for signals; empty texts for pictures, `[n]`.
    pub domains: Vec<String>,
    /// The file each came from, as it was named when added, `[n]`.
    pub sources: Vec<String>,
    /// What the codes mean.
    pub quantisation: Quantisation,
    /// The file that `sample export` wrote: a Python peer reads it.
    pub file: PathBuf,
}

/// A file to be added.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Where it is; below the folder that is added.
    pub path: PathBuf,
    /// Its class.
    pub class: String,
    /// Its domain.
    pub domain: String,
}

impl Features {
    /// TrashNet on a backbone of the catalogue; none, and skipped, without the assets.
    ///
    /// # Panics
    /// When the binary refuses, or the assets are not what they should be.
    pub fn trashnet(backbone: &str) -> Option<Self> {
        Self::pictures("trashnet", backbone, |columns| columns[1].to_owned())
    }

    /// `imagenet-verify`, 200 photographs of as many things, all of one class.
    ///
    /// # Panics
    /// As [`Features::trashnet`].
    pub fn imagenet_verify(backbone: &str) -> Option<Self> {
        Self::pictures("imagenet-verify", backbone, |_| "other".to_owned())
    }

    /// WHARF on the built-in backbone for signals, seven activities; a domain is a person.
    ///
    /// # Panics
    /// As [`Features::trashnet`].
    pub fn wharf_imu() -> Option<Self> {
        Some(Self::signals("wharf-imu", &Signals::wharf(&assets()?)))
    }

    /// Magic wand on the built-in backbone for signals, gestures; a domain is a person.
    ///
    /// # Panics
    /// As [`Features::trashnet`].
    pub fn magic_wand() -> Option<Self> {
        Some(Self::signals("magic-wand", &Signals::wand(&assets()?)))
    }

    fn pictures(set: &str, backbone: &str, class: impl Fn(&[&str]) -> String) -> Option<Self> {
        let assets = assets()?;
        let folder = assets.join("data").join(set);
        let manifest = fs::read_to_string(folder.join("manifest.csv")).expect("the data set has a manifest");
        let file = |line: &str| {
            let columns: Vec<&str> = line.split(',').collect();
            Labelled { path: folder.join(columns[0]), class: class(&columns), domain: String::new() }
        };
        let files: Vec<Labelled> = manifest.lines().skip(1).map(file).collect();
        let models = assets.join("models").display().to_string();
        let init = ["--backbone", backbone, "--models", &models];
        Some(Self::of(set, &init, &folder, &files).unwrap_or_else(|error| panic!("features of {set}: {error:#}")))
    }

    fn signals(set: &str, signals: &Signals) -> Self {
        let device = Device::new();
        let all: Vec<_> = signals.recordings().iter().collect();
        let _ = table(&device, "all", &all);
        let folder = device.path("all");
        let file = |recording: &&crate::signals::Recording| Labelled {
            path: folder.join(&recording.class).join(format!("{}.csv", recording.name)),
            class: recording.class.clone(),
            domain: recording.person.clone(),
        };
        let files: Vec<Labelled> = all.iter().map(file).collect();
        let (length, rate) = (signals.length.to_string(), signals.rate_hz.to_string());
        let init = ["--backbone", "builtin-signal-1", "--channels", "3", "--length", &length];
        let init = [&init[..], &["--rate-hz", &rate, "--unit", "g"]].concat();
        Self::of(set, &init, &folder, &files).unwrap_or_else(|error| panic!("features of {set}: {error:#}"))
    }

    /// Features of files below a folder, kept under the set's name; `init` is what `acclimate init TASK` is told.
    ///
    /// # Errors
    /// When the binary refuses, or prints something else than the contract says.
    pub fn of(set: &str, init: &[&str], folder: &Path, files: &[Labelled]) -> anyhow::Result<Self> {
        let device = Device::new();
        let _ = device.run(["init", "data"].iter().chain(init)).expect(0);
        let task = device.json(["task", "list"])[0].take();
        let name = |file: &Labelled| -> anyhow::Result<String> {
            Ok(file.path.strip_prefix(folder).context("a file below the folder")?.display().to_string())
        };
        let names = files.iter().map(name).collect::<anyhow::Result<Vec<String>>>()?;
        let add = |files: &[Labelled]| {
            let rows = files.iter().map(|file| format!("{},{}\n", file.path.display(), file.class));
            let rows = format!("path,label\n{}", rows.collect::<String>());
            let table = device.file("labels.csv", rows.as_bytes());
            let words = ["add".as_ref(), "data".as_ref(), folder.as_os_str(), "--labels-from-csv".as_ref()];
            let _ = device.run(words.into_iter().chain([table.as_os_str()])).expect(0);
        };
        // The first alone tells what computes features here.
        add(&files[..1]);
        let first = device.json(["sample", "list", "data"]);
        let mut key = Sha256::new();
        key.update([LAYOUT, text(&task["backbone_id"])?, text(&first[0]["extractor"])?].join("\0"));
        for (file, name) in files.iter().zip(&names) {
            let bytes = fs::metadata(&file.path).with_context(|| format!("looking at {}", file.path.display()))?.len();
            key.update(["", name, &file.class, &file.domain, &bytes.to_string()].join("\0"));
        }
        let backbone = text(&task["backbone"])?;
        let key = u64::from_be_bytes(key.finalize()[..8].try_into().context("a hash of 32 bytes")?);
        let place = target().join("features").join(format!("{set}-{backbone}-{key:016x}"));
        if !place.is_dir() {
            add(files);
            let domains = names.iter().map(String::as_str).zip(files.iter().map(|file| file.domain.as_str()));
            keep(&device, &place, &domains.collect())?;
        }
        Self::read(&place, format!("{set}, {backbone}")).with_context(|| format!("reading {}", place.display()))
    }

    fn read(place: &Path, name: String) -> anyhow::Result<Self> {
        let file = place.join("samples.npz");
        let npz = Npz::parse(&fs::read(&file).context("reading samples.npz")?)?;
        let about: Value = serde_json::from_slice(&fs::read(place.join("about.json")).context("reading about.json")?)?;
        let texts = |key: &str| -> anyhow::Result<Vec<String>> {
            about[key].as_array().context("a list of texts")?.iter().map(|one| Ok(text(one)?.to_owned())).collect()
        };
        let full_scale = about["full_scale"].as_f64().context("a full scale")? as f32;
        let quantisation = Quantisation::new(full_scale, about["signed"].as_bool().context("a sign")?)?;
        Ok(Self {
            name,
            x: npz.matrix("features")?,
            norms: npz.f32s("norms")?,
            labels: npz.indices("labels")?,
            groups: npz.indices("groups")?,
            ids: npz.texts("ids")?,
            classes: npz.texts("classes")?,
            domains: texts("domains")?,
            sources: texts("sources")?,
            quantisation,
            file,
        })
    }

    /// The same with some rows only.
    pub fn pick(&self, rows: &[usize]) -> Picked {
        Picked {
            x: self.x.select(Axis(0), rows),
            norms: rows.iter().map(|&row| self.norms[row]).collect(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            groups: rows.iter().map(|&row| self.groups[row]).collect(),
        }
    }
}

/// Some rows of [`Features`].
#[derive(Clone, Debug)]
pub struct Picked {
    /// Decoded codes, `[n, dim]`.
    pub x: Array2<f32>,
    /// The norm each feature had, `[n]`.
    pub norms: Vec<f32>,
    /// Class, `[n]`.
    pub labels: Vec<usize>,
    /// Group, `[n]`.
    pub groups: Vec<usize>,
}

impl Picked {
    /// Some of the rows.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> Self {
        let of = |numbers: &[usize]| rows.iter().map(|&row| numbers[row]).collect();
        Self {
            x: self.x.select(Axis(0), rows),
            norms: rows.iter().map(|&row| self.norms[row]).collect(),
            labels: of(&self.labels),
            groups: of(&self.groups),
        }
    }

    /// With the rows of another behind its own.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            x: concatenate![Axis(0), self.x, other.x],
            norms: [&self.norms[..], &other.norms].concat(),
            labels: [&self.labels[..], &other.labels].concat(),
            groups: [&self.groups[..], &other.groups].concat(),
        }
    }

    /// As the trainer takes them.
    ///
    /// # Errors
    /// When a class has no sample.
    pub fn samples(&self, classes: usize) -> Result<Samples<'_>, SamplesError> {
        Ok(Samples::new(self.x.view(), &self.labels, &self.groups, classes)?.with_norms(&self.norms))
    }
}

/// Exports the device's task into a folder that is there whole or not at all.
fn keep(device: &Device, place: &Path, domains: &HashMap<&str, &str>) -> anyhow::Result<()> {
    let parent = place.parent().context("a place in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let scratch = tempfile::tempdir_in(parent).context("making a folder for features")?;
    let file = scratch.path().join("samples.npz");
    let _ = device.run(["sample".as_ref(), "export".as_ref(), "data".as_ref(), file.as_os_str()]).expect(0);
    let listed = device.json(["sample", "list", "data"]);
    let listed = listed.as_array().context("sample list prints an array")?;
    let sources: HashMap<&str, &str> =
        listed.iter().map(|one| Ok((text(&one["sample"])?, text(&one["source"])?))).collect::<anyhow::Result<_>>()?;
    let ids = Npz::parse(&fs::read(&file).context("reading what was exported")?)?.texts("ids")?;
    let (mut names, mut of) = (Vec::new(), Vec::new());
    for id in &ids {
        let source = sources.get(id.as_str()).context("an exported sample that is not listed")?;
        // A window's source ends with its readings: `walk/1.csv[0..96]`.
        let path = source.split_once('[').map_or(*source, |(path, _)| path);
        // The longest name that fits: where folders are named alike, a shorter one may be another file's.
        let known = domains.keys().filter(|name| path.ends_with(*name)).max_by_key(|name| name.len());
        let name = *known.with_context(|| format!("{source} was not added"))?;
        names.push(name);
        of.push(domains[name]);
    }
    let database = device.data_dir().join("acclimate.db");
    let store = rusqlite::Connection::open(database).context("opening the store")?;
    let (full_scale, signed): (f64, bool) =
        store.query_row("SELECT full_scale, signed FROM backbones", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let about = json!({ "full_scale": full_scale, "signed": signed, "sources": names, "domains": of });
    fs::write(scratch.path().join("about.json"), about.to_string()).context("writing about.json")?;
    ensure!(!ids.is_empty(), "no sample was exported");
    // Another test may have been faster; what it kept is the same.
    if fs::rename(scratch.path(), place).is_err() {
        ensure!(place.is_dir(), "could not move features to {}", place.display());
    }
    Ok(())
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

/// The target directory, from where this program lies: `<target>/<profile>/{deps,examples}/<name>`.
pub(crate) fn target() -> PathBuf {
    let here = std::env::current_exe().expect("a program has a path");
    here.ancestors().nth(3).expect("a test program lies in <target>/<profile>/deps").to_owned()
}
