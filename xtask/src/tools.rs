//! The cargo subcommands that the checks need: what is installed if its version fits, else installed into the target
//! directory.

use std::{
    path::PathBuf,
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
