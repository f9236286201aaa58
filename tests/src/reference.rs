//! scikit-learn's classifiers on the same features and draws: the committed results, or those of a live run of
//! `tests/reference/heads.py`. Knows none of our heads.
//!
//! Invariant: a result is only given for the very rows, classes and groups that it was computed on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::draws::Draw;
use crate::features::Features;
use crate::python;

/// Its classifiers as the results name them: `LogisticRegression`, `RidgeClassifier`, `SVC` with the RBF kernel, each tuned
/// by cross-validation, and `KNeighborsClassifier` of 5.
pub const COLUMNS: [&str; 4] = ["logistic", "ridge", "svc_rbf", "neighbours"];

/// Results by draw.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What they were computed with.
    pub versions: String,
    rows: BTreeMap<String, Value>,
}

impl Reference {
    /// The committed results for a data set.
    ///
    /// # Errors
    /// When there are none, or they are not what [`Reference::commit`] writes.
    pub fn committed(features: &Features) -> anyhow::Result<Self> {
        let path = place(features);
        let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let value: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
        let rows = value["draws"].as_object().context("no `draws`")?.clone();
        Ok(Self {
            versions: value["versions"].as_str().context("no `versions`")?.to_owned(),
            rows: rows.into_iter().collect(),
        })
    }

    /// Runs scikit-learn on these draws, with `$ACCLIMATE_PYTHON` or `python3`.
    ///
    /// # Errors
    /// When there is no Python with scikit-learn, or the script fails.
    pub fn live(features: &Features, draws: &[&Draw]) -> anyhow::Result<Self> {
        let python = python::with("sklearn")?;
        let asked: Vec<Value> = draws.iter().map(|draw| json!({ "train": draw.train, "test": draw.test })).collect();
        let input = json!({ "features": features.file, "draws": asked });
        let output = python::peer(&python, "tests/reference/heads.py", &input)?;
        let versions = output["versions"].as_object().context("no `versions`")?;
        let versions: Vec<String> =
            versions.iter().map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?"))).collect();
        let rows = output["rows"].as_array().context("no `rows`")?;
        ensure!(rows.len() == draws.len(), "{} results for {} draws", rows.len(), draws.len());
        let rows = draws.iter().zip(rows).map(|(draw, row)| (key(features, draw), row.clone())).collect();
        Ok(Self { versions: versions.join(", "), rows })
    }

    /// Adds these results to the committed ones, which they replace where both have them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn commit(&self, features: &Features) -> anyhow::Result<()> {
        let path = place(features);
        let mut rows = Self::committed(features).map_or_else(|_| BTreeMap::new(), |committed| committed.rows);
        rows.extend(self.rows.clone());
        // One draw a line: a change can be seen.
        let mut text = format!("{{\"versions\": {},\n\"draws\": {{\n", json!(self.versions));
        let count = rows.len();
        for (index, (key, row)) in rows.iter().enumerate() {
            let _ = writeln!(text, "{}: {row}{}", json!(key), if index + 1 < count { "," } else { "" });
        }
        text.push_str("}}\n");
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// What one classifier reached on a draw: `accuracy`, for some `log_loss` and `ece`, and what was chosen.
    ///
    /// # Errors
    /// When it was not computed for this draw.
    pub fn of(&self, features: &Features, draw: &Draw, column: &str) -> anyhow::Result<&Map<String, Value>> {
        let row = self.rows.get(&key(features, draw)).with_context(|| {
            format!("no results of scikit-learn for seed {} of {}: run with --live", draw.seed, features.name)
        })?;
        row[column].as_object().with_context(|| format!("no results of `{column}`"))
    }

    /// The accuracy of a classifier on a draw.
    ///
    /// # Errors
    /// As [`Reference::of`].
    pub fn accuracy(&self, features: &Features, draw: &Draw, column: &str) -> anyhow::Result<f64> {
        self.of(features, draw, column)?["accuracy"].as_f64().context("an accuracy")
    }

    /// The classifier with the highest mean accuracy over some draws, and its accuracies.
    ///
    /// # Errors
    /// As [`Reference::of`].
    pub fn best(&self, features: &Features, draws: &[Draw]) -> anyhow::Result<(&'static str, Vec<f64>)> {
        let column = |name: &'static str| -> anyhow::Result<(&'static str, Vec<f64>)> {
            Ok((name, draws.iter().map(|draw| self.accuracy(features, draw, name)).collect::<anyhow::Result<_>>()?))
        };
        let columns = COLUMNS.into_iter().map(column).collect::<anyhow::Result<Vec<_>>>()?;
        let sum = |(_, accuracies): &(&str, Vec<f64>)| accuracies.iter().sum::<f64>();
        columns.into_iter().max_by(|a, b| sum(a).total_cmp(&sum(b))).context("scikit-learn has classifiers")
    }
}

fn place(features: &Features) -> PathBuf {
    crate::checkout().join("tests/reference/heads").join(format!("{}.json", features.name.replace(", ", "-")))
}

/// The draw's size and seed, for the reader, and a digest of everything but the features themselves: those of another
/// engine differ in the last code.
fn key(features: &Features, draw: &Draw) -> String {
    let mut digest = Sha256::new();
    for rows in [&draw.train, &draw.test] {
        digest.update((rows.len() as u64).to_le_bytes());
        for &row in rows {
            digest.update(
                [row, features.labels[row], features.groups[row]].map(|x| x as u64).map(u64::to_le_bytes).concat(),
            );
        }
    }
    let digest = digest.finalize();
    format!(
        "{:05}-{:03}-{:02x}{:02x}{:02x}{:02x}",
        draw.train.len(),
        draw.seed,
        digest[0],
        digest[1],
        digest[2],
        digest[3]
    )
}
