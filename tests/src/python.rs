//! A Python with the packages that a test compares with, found or skipped. Knows no test.

use std::path::PathBuf;
use std::process::Command;

use crate::program::{Finished, Running};
use crate::skip::skip;

/// A Python that imports this package: `$ACCLIMATE_PYTHON`, else `python3`; skips the calling test where there is none.
pub fn python(package: &str) -> Option<PathBuf> {
    let python = std::env::var_os("ACCLIMATE_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let asked = Command::new(&python).args(["-c", &format!("import {package}")]).output();
    if asked.is_ok_and(|asked| asked.status.success()) {
        return Some(python);
    }
    // The name that people install it by.
    let name = if package == "sklearn" { "scikit-learn" } else { package };
    skip(package, &format!("{} has no {name} (set ACCLIMATE_PYTHON)", python.display()));
    None
}

/// Runs a script to its end.
pub fn run(python: &PathBuf, script: &str, arguments: &[&str]) -> Finished {
    Running::start(Command::new(python).args(["-c", script]).args(arguments)).wait()
}
