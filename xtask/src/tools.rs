//! The programs that checks and packages need: what is installed if its version fits, else installed into the target
//! directory; Debian's own through apt.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use crate::workspace::{Workspace, run};

/// A cargo subcommand and the version whose answers the configuration was written for.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
pub(crate) const AUDIT: Tool = Tool { name: "cargo-audit", version: "0.22.2" };

/// Versions of cargo-zigbuild and of the Zig that it calls, both from `PyPI`.
const ZIGBUILD: [&str; 2] = ["cargo-zigbuild==0.24.0", "ziglang==0.17.0"];

/// The folder with `cargo-zigbuild`, which links for other machines and older C libraries.
pub(crate) fn zigbuild(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let venv = workspace.target.join("tools/zigbuild");
    let bin = venv.join("bin");
    if !bin.join("cargo-zigbuild").is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).context("making a Python environment")?;
        run(Command::new(bin.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(ZIGBUILD)
            .env("PIP_NO_INPUT", "1"))
        .context("installing cargo-zigbuild (needs python3 with venv, and PyPI)")?;
    }
    Ok(bin)
}

/// Installs Debian packages unless a file of theirs is there: `(file, package)`.
pub(crate) fn debian(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(missing);
    run(apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
        .with_context(|| format!("installing {packages}: as root, `apt-get install {packages}`"))
}

impl Tool {
    /// The program's path, after installing it if need be.
    pub(crate) fn get(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let root = workspace.target.join("tools");
        let ours = root.join("bin").join(self.name);
        for candidate in [PathBuf::from(self.name), ours.clone()] {
            if self.fits(&candidate) {
                return Ok(candidate);
            }
        }
        let (version, build) = (self.version, root.join("build"));
        // The dev profile: these tools run for a second, and compiling them optimised takes minutes more.
        run(workspace
            .cargo(["install", "--quiet", "--locked", "--profile", "dev", "--version", version, "--force", self.name])
            .arg("--root")
            .arg(&root)
            .env("CARGO_TARGET_DIR", build)
            .env("CARGO_PROFILE_DEV_DEBUG", "false"))
        .with_context(|| format!("installing {} {version}", self.name))?;
        Ok(ours)
    }

    fn fits(&self, program: &PathBuf) -> bool {
        let subcommand = self.name.trim_start_matches("cargo-");
        let output = Command::new(program).args([subcommand, "--version"]).stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == self.version)
        })
    }
}
