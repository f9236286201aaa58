//! A device that learnt from photographs at one site and is taken to another, through the command line. Knows no head and no
//! table.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::features::Features;
use crate::trashnet::{Photograph, TrashNet, csv};

/// What `adjust` did, on photographs of the other site that no command has seen.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// Accuracy of what `adapt` put in service at home.
    pub before: f64,
    /// Accuracy after `adjust`.
    pub after: f64,
    /// Whether the verdict was `activated`.
    pub adjusted: bool,
    /// Share of the photographs answered `unknown`, before and after.
    pub unknown: [f64; 2],
    /// Accuracy once a few were labelled there and `adapt` ran again.
    pub labelled: f64,
    /// Whether those labels took the adjustment back.
    pub taken_back: bool,
}

/// Rows of the features.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// To learn from at home.
    pub home: &'a [usize],
    /// To be adjusted to at the other site.
    pub unlabelled: &'a [usize],
    /// To be labelled there afterwards.
    pub labelled: &'a [usize],
    /// To be tested on there.
    pub test: &'a [usize],
}

/// Learns at home, is adjusted to the site whose photographs lie in `folder`, and is tested there before, after, and once a few
/// are labelled.
///
/// # Errors
/// When a command prints something else than the contract says.
///
/// # Panics
/// When a command fails.
#[track_caller]
pub fn visit(
    trashnet: &TrashNet,
    backbone: &str,
    features: &Features,
    folder: &Path,
    rows: Rows<'_>,
) -> anyhow::Result<Visit> {
    let at = |folder: &Path, rows: &[usize]| -> Vec<Photograph> {
        let photograph = |&row: &usize| Photograph {
            path: folder.join(&features.sources[row]),
            class: features.classes[features.labels[row]].clone(),
        };
        rows.iter().map(photograph).collect()
    };
    let device = trashnet.device_on(backbone);
    let here = folder.to_str().context("a path of text")?;
    let table = |name: &str, rows: &[usize]| device.file(name, csv(&at(folder, rows)).as_bytes());
    trashnet.add(&device, "home.csv", &at(trashnet.folder(), rows.home));
    let _ = device.run(["adapt", "waste"]).expect(0);
    let test = table("test.csv", rows.test);
    let tested = || -> anyhow::Result<(f64, f64)> {
        let words = ["evaluate".as_ref(), "waste".as_ref(), folder.as_os_str(), "--labels-from-csv".as_ref()];
        let said = device.json(words.into_iter().chain([test.as_os_str()]));
        let accuracy = said["evaluation"]["accuracy"].as_f64().context("no accuracy")?;
        let paths: Vec<PathBuf> = at(folder, rows.test).into_iter().map(|photograph| photograph.path).collect();
        let words = ["--json", "classify", "waste"].map(PathBuf::from);
        let answers = device.run(words.into_iter().chain(paths)).expect(0).stdout;
        let answers: Vec<Value> = answers.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let unknown = answers.iter().filter(|answer| answer["unknown"] == true).count();
        Ok((accuracy, unknown as f64 / answers.len() as f64))
    };
    let (before, unknown_before) = tested()?;
    let words = ["--json", "adjust", "waste"].map(PathBuf::from);
    let paths = at(folder, rows.unlabelled).into_iter().map(|photograph| photograph.path);
    let said = device.run(words.into_iter().chain(paths));
    let said: Value = serde_json::from_str(&said.stdout).with_context(|| format!("adjust says {}", said.stderr))?;
    let adjusted = said["verdict"] == "activated";
    let (after, unknown_after) = tested()?;
    let few = table("few.csv", rows.labelled);
    let few = few.to_str().context("a path of text")?;
    let _ = device.run(["add", "waste", here, "--labels-from-csv", few]).expect(0);
    let said = device.run(["--json", "adapt", "waste"]);
    let said: Value = serde_json::from_str(&said.stdout).with_context(|| format!("adapt says {}", said.stderr))?;
    let (last, _) = tested()?;
    Ok(Visit {
        before,
        after,
        adjusted,
        unknown: [unknown_before, unknown_after],
        labelled: last,
        taken_back: said["taken_back"].is_u64(),
    })
}
