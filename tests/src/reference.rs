//! scikit-learn's accuracies on the same splits and features: the committed ones, or those of a live run of
//! `tests/reference/trashnet.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::trashnet::{Split, TrashNet, csv};

/// Accuracies of scikit-learn, one a split.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What it was computed with.
    pub versions: String,
    /// Seeds of the splits.
    pub seeds: Vec<u64>,
    /// `RidgeClassifier`, α by 5-fold cross-validation.
    pub ridge: Vec<f64>,
    /// `LogisticRegression`, C by 5-fold cross-validation.
    pub logistic: Vec<f64>,
}

impl Reference {
    /// The committed one.
    ///
    /// # Errors
    /// When it is not what the script writes.
    pub fn committed() -> anyhow::Result<Self> {
        Self::parse(include_str!("../reference/trashnet.json")).context("reading tests/reference/trashnet.json")
    }

    /// Runs scikit-learn on these splits, with `$ACCLIMATE_PYTHON` or `python3`; `device` holds all photographs.
    /// Returns what it printed, too.
    ///
    /// # Errors
    /// When there is no Python with scikit-learn, or the script fails.
    pub fn live(trashnet: &TrashNet, splits: &[Split]) -> anyhow::Result<(Self, String)> {
        let python = std::env::var_os("ACCLIMATE_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
        let tried = Command::new(&python).args(["-c", "import sklearn"]).stderr(Stdio::null()).status();
        let tried = tried.with_context(|| format!("starting {}", python.display()))?;
        ensure!(tried.success(), "{} has no scikit-learn (ACCLIMATE_PYTHON names another)", python.display());
        let device = trashnet.device();
        trashnet.add(&device, "all.csv", trashnet.photographs());
        for split in splits {
            device.file(format!("splits/{}-train.csv", split.seed), csv(&split.train).as_bytes());
            device.file(format!("splits/{}-test.csv", split.seed), csv(&split.test).as_bytes());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/trashnet.py");
        let mut command = Command::new(python);
        command.arg(script).arg(device.data_dir().join("acclimate.db")).arg(device.path("splits"));
        // One thread each: the search has its own processes.
        command.envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")]);
        let output = command.stderr(Stdio::inherit()).output().context("starting scikit-learn")?;
        ensure!(output.status.success(), "tests/reference/trashnet.py ended with {}", output.status);
        let text = String::from_utf8(output.stdout).context("reading what scikit-learn printed")?;
        Ok((Self::parse(&text).context("reading what scikit-learn printed")?, text))
    }

    /// Writes what [`live`](Self::live) printed as the committed one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn commit(text: &str) -> anyhow::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/trashnet.json");
        // One split a line: a change can be seen.
        fs::write(&path, text.replace(" {\"seed\"", "\n{\"seed\"").replace("[{", "[\n{"))
            .with_context(|| format!("writing {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let splits = value["splits"].as_array().context("no `splits`")?;
        let column = |name: &str| -> anyhow::Result<Vec<f64>> {
            splits.iter().map(|split| split[name]["accuracy"].as_f64().context("no `accuracy`")).collect()
        };
        let seeds =
            splits.iter().map(|split| split["seed"].as_u64().context("no `seed`")).collect::<anyhow::Result<_>>()?;
        let versions = value["versions"].as_object().context("no `versions`")?;
        let versions: Vec<String> =
            versions.iter().map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?"))).collect();
        Ok(Self { versions: versions.join(", "), seeds, ridge: column("ridge")?, logistic: column("logistic")? })
    }

    /// The accuracies on the first splits of the better of the two, by mean over them.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn best(&self, splits: usize) -> &[f64] {
        let (ridge, logistic) = (&self.ridge[..splits], &self.logistic[..splits]);
        if ridge.iter().sum::<f64>() > logistic.iter().sum::<f64>() { ridge } else { logistic }
    }
}
