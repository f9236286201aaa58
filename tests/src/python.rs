//! A Python with the packages that a test or a report compares with. Knows neither.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::program::{Finished, Running};
use crate::skip::skip;

/// A Python that imports this package: `$ACCLIMATE_PYTHON`, else `python3`; skips the calling test where there is none.
pub fn python(package: &str) -> Option<PathBuf> {
    with(package).map_err(|why| skip(package, &format!("{why:#}"))).ok()
}

/// The same for a program that is no test.
///
/// # Errors
/// When there is none.
pub fn with(package: &str) -> anyhow::Result<PathBuf> {
    let python = std::env::var_os("ACCLIMATE_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let asked = Command::new(&python).args(["-c", &format!("import {package}")]).output();
    // The name that people install it by.
    let name = if package == "sklearn" { "scikit-learn" } else { package };
    let found = asked.is_ok_and(|asked| asked.status.success());
    ensure!(found, "{} has no {name} (set ACCLIMATE_PYTHON)", python.display());
    Ok(python)
}

/// Runs `SCRIPT INPUT.json`, a script of this repository, on one thread and takes the JSON document that it prints; what it says on
/// stderr is passed on.
///
/// # Errors
/// When it fails, or prints something else.
pub fn peer(python: &Path, script: &str, input: &Value) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let file = folder.path().join("input.json");
    fs::write(&file, input.to_string()).with_context(|| format!("writing {}", file.display()))?;
    let path = crate::checkout().join(script);
    let mut command = Command::new(python);
    command.arg(path).arg(&file).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.envs(["OMP", "OPENBLAS", "MKL"].map(|library| (format!("{library}_NUM_THREADS"), "1")));
    let output = output.output().with_context(|| format!("starting {}", python.display()))?;
    ensure!(output.status.success(), "{script} ended with {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("reading what {script} printed"))
}

/// Runs a script to its end.
pub fn run(python: &PathBuf, script: &str, arguments: &[&str]) -> Finished {
    Running::start(Command::new(python).args(["-c", script]).args(arguments)).wait()
}
