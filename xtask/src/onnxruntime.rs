//! Gets the ONNX Runtime library from its Python wheel. Knows nothing of Python but `pip download`. Invariant: a library
//! lies at its place only if the wheel it came from had the pinned SHA-256.

use std::{
    env,
    fmt::Write,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use crate::workspace::{Workspace, run};

const VERSION: &str = "1.31.1";
/// A library is some 30 MB; a wheel that unpacks to more than this is not the one we know.
const MAX_LIBRARY_BYTES: u64 = 200_000_000;

/// The wheel of an architecture: the platform as pip and as the file's name say it, and its sum.
fn wheel(architecture: &str) -> anyhow::Result<(&'static str, &'static str)> {
    match (env::consts::OS, architecture) {
        ("linux", "x86_64") => {
            Ok(("manylinux_2_28_x86_64", "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f"))
        }
        ("linux", "aarch64") => {
            Ok(("manylinux_2_28_aarch64", "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3"))
        }
        (os, arch) => bail!("no onnxruntime {VERSION} wheel is pinned for {os} on {arch}"),
    }
}

fn place(workspace: &Workspace, architecture: &str) -> PathBuf {
    workspace.target.join(format!("onnxruntime/{VERSION}-{architecture}/libonnxruntime.so"))
}

/// The library, if `ORT_DYLIB_PATH` names one or it was fetched before.
fn present(workspace: &Workspace) -> Option<PathBuf> {
    let named = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(place(workspace, env::consts::ARCH)).filter(|path| path.is_file()))
}

/// Tells a program where the library is, if it is here.
pub(crate) fn announce(workspace: &Workspace, command: &mut Command) {
    if let Some(library) = present(workspace) {
        command.env("ORT_DYLIB_PATH", library);
    }
}

/// The library's path, after downloading it if need be.
pub(crate) fn fetch(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    match present(workspace) {
        Some(library) => Ok(library),
        None => fetch_for(workspace, env::consts::ARCH),
    }
}

/// The path of the library for another architecture, after downloading it if need be.
pub(crate) fn fetch_for(workspace: &Workspace, architecture: &str) -> anyhow::Result<PathBuf> {
    let library = place(workspace, architecture);
    if library.is_file() {
        return Ok(library);
    }
    let (platform, sha256) = wheel(architecture)?;
    let folder = library.parent().context("the library lies in a folder")?;
    // One folder per process: two fetches at once do not meet, and the rename at the end is atomic.
    let scratch = folder.join(format!("fetching-{}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("creating {}", scratch.display()))?;
    let result = download(&scratch, platform).and_then(|wheel| {
        let unpacked = unpack(&wheel, sha256, &scratch)?;
        fs::rename(&unpacked, &library).with_context(|| format!("moving the library to {}", library.display()))
    });
    fs::remove_dir_all(&scratch).with_context(|| format!("removing {}", scratch.display()))?;
    result.map(|()| library)
}

fn download(scratch: &Path, platform: &str) -> anyhow::Result<PathBuf> {
    let package = format!("onnxruntime=={VERSION}");
    // The library is the same in the wheel of every Python; 3.11's sum is the pinned one.
    run(Command::new("python3")
        .args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", "311", "--platform", platform, "--dest"])
        .arg(scratch)
        .arg(package)
        .env("PIP_NO_INPUT", "1"))
    .context("downloading the onnxruntime wheel (needs python3 with pip, and PyPI)")?;
    for entry in scratch.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", scratch.display());
}

/// Checks the wheel and takes the one library out of it. Paths inside the archive are compared, never followed.
fn unpack(wheel: &Path, sha256: &str, scratch: &Path) -> anyhow::Result<PathBuf> {
    let mut file = File::open(wheel).with_context(|| format!("opening {}", wheel.display()))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut block).with_context(|| format!("reading {}", wheel.display()))?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
    }
    let mut found = String::new();
    for byte in hasher.finalize() {
        write!(found, "{byte:02x}")?;
    }
    ensure!(found == sha256, "{} has SHA-256 {found}, expected {sha256}; it was not used", wheel.display());

    let mut archive = zip::ZipArchive::new(file).context("reading the wheel as a zip file")?;
    let inside = format!("onnxruntime/capi/libonnxruntime.so.{VERSION}");
    let member = archive.by_name(&inside).with_context(|| format!("finding {inside} in the wheel"))?;
    let unpacked = scratch.join("libonnxruntime.so");
    let mut out = File::create(&unpacked).with_context(|| format!("creating {}", unpacked.display()))?;
    let written = io::copy(&mut member.take(MAX_LIBRARY_BYTES), &mut out).context("unpacking the library")?;
    ensure!(written < MAX_LIBRARY_BYTES, "{inside} is larger than {MAX_LIBRARY_BYTES} bytes");
    out.sync_all().context("writing the library out")?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_with_another_sum_is_refused_before_it_is_opened() {
        let scratch = env::temp_dir().join(format!("xtask-wheel-{}", std::process::id()));
        fs::create_dir_all(&scratch).expect("a temporary folder");
        let wheel = scratch.join("a.whl");
        fs::write(&wheel, b"not the wheel").expect("a small file");
        let refusal = unpack(&wheel, &"0".repeat(64), &scratch).expect_err("the sum differs");
        assert!(refusal.to_string().contains("expected 0000"), "{refusal}");
        assert!(!scratch.join("libonnxruntime.so").exists());
        fs::remove_dir_all(&scratch).expect("removing the temporary folder");
    }
}
