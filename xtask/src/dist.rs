//! `cargo xtask dist`: the binary for a target, linked against an old glibc, and its Debian package. Knows what goes into
//! a package and nothing of what the program does. Invariant: what lies in the `dist` folder was built from this checkout
//! and needs no newer glibc than [`GLIBC`].

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

use crate::{
    tools,
    workspace::{Workspace, have_target, run},
};

/// The oldest C library that is served: Debian 10. Raspberry Pi OS 11 and `JetPack` 5 have 2.31.
const GLIBC: (u32, u32) = (2, 28);

/// Bytes of a stripped binary, at most (the design's budget for one with both engines).
const MAX_BINARY_BYTES: u64 = 40_000_000;

/// A target that is shipped, and Debian's word for its architecture.
const TARGETS: [(&str, &str); 3] = [
    ("aarch64-unknown-linux-gnu", "arm64"),
    ("armv7-unknown-linux-gnueabihf", "armhf"),
    ("x86_64-unknown-linux-gnu", "amd64"),
];

/// Makes the service's user; starts nothing, for there is no configuration yet.
const POSTINST: &str = "#!/bin/sh
set -e
[ \"$1\" = configure ] || exit 0
if command -v systemd-sysusers >/dev/null; then systemd-sysusers acclimate.conf; fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
";

/// What `dist` made.
pub(crate) struct Dist {
    pub(crate) binary: PathBuf,
    pub(crate) package: Option<PathBuf>,
}

/// Builds and packs; prints what came out.
pub(crate) fn dist(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let target = match arguments {
        [] => host.as_str(),
        [flag, target] if flag == "--target" => target,
        _ => bail!("usage: cargo xtask dist [--target TRIPLE]"),
    };
    let Dist { binary, package } = make(workspace, target)?;
    println!("{}", binary.display());
    match package {
        Some(package) => println!("{}", package.display()),
        None => eprintln!("no package was made: dpkg-deb is not on this machine"),
    }
    Ok(())
}

/// Builds the binary of a target and packs it.
pub(crate) fn make(workspace: &Workspace, target: &str) -> anyhow::Result<Dist> {
    let Some((_, architecture)) = TARGETS.iter().find(|(known, _)| *known == target) else {
        let known: Vec<_> = TARGETS.iter().map(|(target, _)| *target).collect();
        bail!("`{target}` is not a target that is shipped; there are: {}", known.join(", "));
    };
    let binary = build(workspace, target)?;
    let folder = workspace.target.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let place = folder.join(format!("acclimate-{target}"));
    fs::copy(&binary, &place).with_context(|| format!("copying {} to {}", binary.display(), place.display()))?;

    let bytes = fs::read(&place).with_context(|| format!("reading {}", place.display()))?;
    let needed = glibc(&bytes).context("finding the versions of the C library that the binary needs")?;
    eprintln!("{target}: {:.1} MB, glibc {}.{} or later", bytes.len() as f64 / 1e6, needed.0, needed.1);
    ensure!(
        needed <= GLIBC,
        "the binary needs glibc {needed:?}, more than the {GLIBC:?} that targets are sure to have"
    );
    ensure!(
        (bytes.len() as u64) < MAX_BINARY_BYTES,
        "the binary is larger than the {MAX_BINARY_BYTES} bytes it may have"
    );
    let package = pack(workspace, &place, architecture, &folder)?;
    Ok(Dist { binary: place, package })
}

/// Zig brings a linker and the headers and symbols of every glibc, so that no sysroot is needed.
fn build(workspace: &Workspace, target: &str) -> anyhow::Result<PathBuf> {
    have_target(target)?;
    let (major, minor) = GLIBC;
    let zigbuild = tools::zigbuild(workspace)?;
    let mut command = Command::new(zigbuild.join("cargo-zigbuild"));
    command.args(["zigbuild", "--release", "--package", "acclimate", "--target", &format!("{target}.{major}.{minor}")]);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([zigbuild].into_iter().chain(env::split_paths(&path))).context("extending PATH")?;
    run(command.env("PATH", path).env("CARGO_TARGET_DIR", &workspace.target).current_dir(&workspace.root))?;
    Ok(workspace.target.join(target).join("release/acclimate"))
}

/// The newest version of glibc among those that a binary names.
fn glibc(binary: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let starts = binary.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let version = |(at, _): (usize, &[u8])| {
        let rest = &binary[at + NAME.len()..];
        let rest = &rest[..rest.iter().take(16).position(|&byte| byte == 0)?];
        let (major, minor) = std::str::from_utf8(rest).ok()?.split_once('.')?;
        let minor = minor.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    starts.filter_map(version).max()
}

/// The Debian package: binary, service, manual page, completions, licence. None where `dpkg-deb` is not to be had.
fn pack(workspace: &Workspace, binary: &Path, architecture: &str, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return Ok(None);
    }
    let version = env!("CARGO_PKG_VERSION");
    let tree = folder.join(format!("acclimate-{architecture}"));
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
    }
    let put = |path: &str, bytes: &[u8]| -> anyhow::Result<PathBuf> {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    };
    let installed = put("usr/bin/acclimate", &fs::read(binary)?)?;
    run(Command::new("chmod").arg("755").arg(installed))?;
    let manual = put("usr/share/man/man1/acclimate.1", &says(workspace, &["man"])?)?;
    run(Command::new("gzip").args(["-9n", "-f"]).arg(manual))?;
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/acclimate"),
        ("fish", "usr/share/fish/vendor_completions.d/acclimate.fish"),
        ("zsh", "usr/share/zsh/vendor-completions/_acclimate"),
    ] {
        put(path, &says(workspace, &["completions", shell])?)?;
    }
    for (name, path) in [
        ("acclimate.service", "usr/lib/systemd/system/acclimate.service"),
        ("sysusers.conf", "usr/lib/sysusers.d/acclimate.conf"),
    ] {
        let file = workspace.root.join("runtime/service").join(name);
        put(path, &fs::read(&file).with_context(|| format!("reading {}", file.display()))?)?;
    }
    let installed = put("DEBIAN/postinst", POSTINST.as_bytes())?;
    run(Command::new("chmod").arg("755").arg(installed))?;
    let licences = ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| fs::read(workspace.root.join(name)));
    let [mit, apache] = licences;
    put("usr/share/doc/acclimate/copyright", &[mit?, b"\n".to_vec(), apache?].concat())?;
    put("usr/share/doc/acclimate/README.md", &fs::read(workspace.root.join("README.md"))?)?;
    let (major, minor) = GLIBC;
    let control = format!(
        "Package: acclimate\nVersion: {version}\nArchitecture: {architecture}\nSection: science\nPriority: optional\n\
         Maintainer: The acclimate developers <noreply@acclimate.invalid>\nDepends: libc6 (>= {major}.{minor})\n\
         Installed-Size: {}\nDescription: a deployed device that learns its own site\n \
         Adapts the classifier head of a frozen ONNX backbone on the device, from a\n handful of labelled samples, and \
         puts it in service only when it is proved.\n",
        size(&tree)?.div_ceil(1024)
    );
    put("DEBIAN/control", control.as_bytes())?;
    let package = folder.join(format!("acclimate_{version}_{architecture}.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&tree).arg(&package))?;
    fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
    Ok(Some(package))
}

/// What the program prints. A build without engines says the same; it lies apart, so that it does not take the place of
/// the one that the tests run, and is not optimised, so that it takes a minute.
fn says(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = workspace
        .cargo(["run", "--quiet", "--package", "acclimate", "--no-default-features"])
        .args([
            "--config",
            "profile.dev.opt-level=0",
            "--config",
            "profile.dev.package.'*'.opt-level=0",
            "--target-dir",
        ])
        .arg(workspace.target.join("dist/manual"))
        .arg("--")
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "`acclimate {}` ended with {}", arguments.join(" "), output.status);
    Ok(output.stdout)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in folder.read_dir().with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.metadata()?;
        sum += if kind.is_dir() { size(&entry.path())? } else { kind.len() };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts_and_not_the_longest_word() {
        let binary = b"\0GLIBC_2.17\0x\0GLIBC_2.9\0GLIBC_2.4.1\0GLIBC_PRIVATE\0GLIBC_2.28";
        assert_eq!(glibc(binary), Some((2, 17)), "a name that does not end is none");
        assert_eq!(glibc(b"static"), None);
    }
}
