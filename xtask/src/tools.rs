//! The programs that checks and packages need: what is installed if its version fits, else installed into the target
//! directory; Debian's own through apt.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
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

/// cargo-zigbuild and the Zig that it calls.
const ZIGBUILD: &[&str] = &["cargo-zigbuild==0.24.0", "ziglang==0.17.0"];

/// What our numbers are compared with.
const PEERS: &[&str] =
    &["numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.31.1", "pillow==13.0.0", "scikit-learn==1.9.1"];

/// What the recipes of `report rivals` are written in. The wheel of torch brings CUDA along: 3 GB to fetch, 5 GB on the disk.
const RIVALS: &[&str] = &["numpy==2.4.6", "onnxruntime==1.31.1", "pillow==13.0.0", "torch==2.15.0"];

/// What is let loose on the description of the API.
const FUZZER: &[&str] = &["schemathesis==4.32.5"];

/// The folder with `cargo-zigbuild`, which links for other machines and older C libraries.
pub(crate) fn zigbuild(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    environment(workspace, "zigbuild", ZIGBUILD)
}

/// A Python with scikit-learn and onnxruntime.
pub(crate) fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    python_with(workspace, "python", PEERS)
}

/// A Python with torch and onnxruntime.
pub(crate) fn python_of_rivals(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    python_with(workspace, "rivals", RIVALS)
}

/// Tells a program where the API's fuzzer is: the one that `ACCLIMATE_SCHEMATHESIS` names, else one of an environment made here;
/// says so where there is none.
pub(crate) fn announce_fuzzer(workspace: &Workspace, command: &mut Command) {
    const NAME: &str = "ACCLIMATE_SCHEMATHESIS";
    if env::var_os(NAME).is_some_and(|path| !path.is_empty()) {
        return;
    }
    match environment(workspace, "fuzzer", FUZZER) {
        Ok(bin) => {
            command.env(NAME, bin.join("schemathesis"));
        }
        Err(error) => eprintln!("skipped: schemathesis: {error:#}"),
    }
}

/// The Python that `ACCLIMATE_PYTHON` names, else one of an environment made here.
fn python_with(workspace: &Workspace, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    match env::var_os("ACCLIMATE_PYTHON").filter(|path| !path.is_empty()) {
        Some(named) => Ok(named.into()),
        None => Ok(environment(workspace, name, packages)?.join("python")),
    }
}

/// Tells a program which Python to compare with; says so where there is none.
pub(crate) fn announce(python: anyhow::Result<PathBuf>, command: &mut Command) {
    match python {
        Ok(python) => {
            command.env("ACCLIMATE_PYTHON", python);
        }
        Err(error) => eprintln!("skipped: python: {error:#}"),
    }
}

/// A Python environment with these packages; its folder of programs.
fn environment(workspace: &Workspace, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let place = workspace.target.join("tools").join(name);
    let (bin, whole) = (place.join("bin"), place.join("packages.txt"));
    let wanted = packages.join("\n");
    // Written last: an environment that was left half made is made again.
    if fs::read_to_string(&whole).is_ok_and(|found| found == wanted) {
        return Ok(bin);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place)).context("making a Python environment")?;
    run(Command::new(bin.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"])
        .args(packages)
        .env("PIP_NO_INPUT", "1"))
    .with_context(|| format!("installing {} (needs python3 with venv, and PyPI)", packages.join(", ")))?;
    fs::write(&whole, wanted).with_context(|| format!("writing {}", whole.display()))?;
    Ok(bin)
}

/// Installs Debian packages unless a file of theirs is there: `(file, package)`.
pub(crate) fn debian(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        run(apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
    };
    let install = [&["install", "--yes", "--quiet", "--no-install-recommends"], missing.as_slice()].concat();
    // A fresh machine has no lists of packages yet, or old ones.
    apt(&install).or_else(|_| apt(&["update", "--quiet"]).and_then(|()| apt(&install))).with_context(|| {
        let packages = missing.join(" ");
        format!("installing {packages}: as root, `apt-get install {packages}`")
    })
}

/// The same, for packages that would start a service: tests start their own, and a machine's services are its owner's.
pub(crate) fn debian_without_services(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    // What Debian asks whether a service may be started; 101 is no.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    if policy.exists() || wanted.iter().all(|(file, _)| Path::new(file).exists()) {
        return debian(wanted);
    }
    let made = fs::write(policy, "#!/bin/sh\nexit 101\n")
        .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)));
    let installed =
        made.context("keeping the packages from starting services (needs root)").and_then(|()| debian(wanted));
    // Where it could not be made, there is none.
    let _ = fs::remove_file(policy);
    installed
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
