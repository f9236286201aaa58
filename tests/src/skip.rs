//! Skipping with a reason. Invariant: what `ACCLIMATE_REQUIRE` names is never skipped, the test fails instead.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// Notes that a test cannot run because `what` is missing: on stderr, and in the file that `ACCLIMATE_SKIPS` names, which
/// `cargo xtask test` lists at its end.
///
/// # Panics
/// When `ACCLIMATE_REQUIRE` names `what`, or the skip cannot be noted.
pub fn skip(what: &str, why: &str) {
    let required = env::var("ACCLIMATE_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|word| word.trim() == what), "{what} is required (ACCLIMATE_REQUIRE): {why}");
    eprintln!("skipped: {what}: {why}");
    if let Some(path) = env::var_os("ACCLIMATE_SKIPS") {
        // One write, appended: test programs and threads do not tear each other's lines.
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{what}: {why}\n").as_bytes()))
            .expect("ACCLIMATE_SKIPS is writable");
    }
}

/// The folder of models and data that are not in the repository; skips the calling test where there is none.
pub fn assets() -> Option<PathBuf> {
    let beside = || crate::checkout().join("../shared/assets");
    let folder = env::var_os("ACCLIMATE_ASSETS").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skip("assets", &format!("{} is not there (set ACCLIMATE_ASSETS)", folder.display()));
    None
}

/// Whether tests run at their full count: `cargo xtask soak`.
pub fn soak() -> bool {
    env::var_os("ACCLIMATE_SOAK").is_some()
}
