//! Where things are, and how cargo is called. Knows no check by name.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Everything but xtask itself: its zip reader switches on features of crates below tract, which would be compiled a
/// second time for it. Any smaller selection does the same.
pub(crate) const PRODUCT: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// The checkout and its target directory, both absolute.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Told by cargo at every start: a target directory that several checkouts share may hold another one's xtask.
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&xtask).parent().context("xtask lies in the workspace")?.to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Cargo takes it relative to where it was called; the commands below run in the root.
            Some(dir) => std::path::absolute(dir).context("making CARGO_TARGET_DIR absolute")?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Test data that is not in the repository.
    pub(crate) fn assets(&self) -> PathBuf {
        env::var_os("ACCLIMATE_ASSETS").map_or_else(|| self.root.join("../shared/assets"), PathBuf::from)
    }

    /// Cargo in the workspace's root, with the same target directory.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        // What cargo says of xtask: build scripts that look at it would run again, here and at the next build.
        let of_xtask =
            |name: &OsString| name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR";
        for (name, _) in env::vars_os().filter(|(name, _)| of_xtask(name)) {
            command.env_remove(name);
        }
        command
    }
}

/// Runs to the end; anything but success is an error that names the command.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Makes sure that a target's core library is installed.
pub(crate) fn have_target(target: &str) -> anyhow::Result<()> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("starting rustc")?;
    let sysroot = String::from_utf8(sysroot.stdout).context("reading rustc's sysroot")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", target])).context("installing it with rustup")
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
