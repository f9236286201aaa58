//! Getting the file of a model that has a manifest: from its address, or from a folder.
//!
//! Knows manifests and files, nothing of tasks or engines. Invariant: under its final name lies only a file whose SHA-256
//! is the manifest's; what is not whole yet has the ending `.part`.

mod download;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use acclimate_backbone::{Manifest, checksum};

use crate::durable;

pub use download::DownloadError;

/// Why the file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// It is not in the folder that was named.
    #[error("no file {} in {}", wanted.join(" or "), dir.display())]
    Absent {
        /// Names looked for.
        wanted: Vec<String>,
        /// Where.
        dir: PathBuf,
    },
    /// Downloading failed.
    #[error("could not download {url}")]
    Download {
        /// From where.
        url: String,
        /// Why.
        #[source]
        source: Box<DownloadError>,
    },
    /// The file came whole, and it is another one.
    #[error("{from} has SHA-256 {found}, the manifest of `{name}` says {expected}: it was not kept")]
    Mismatch {
        /// The model.
        name: String,
        /// Where it came from.
        from: String,
        /// The manifest's sum.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// The disk is too small.
    #[error("{} has {free} bytes free and the model needs {needed} more: make room, or name another folder with --to", dir.display())]
    NoSpace {
        /// Where to.
        dir: PathBuf,
        /// What is needed.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The manifest has no address.
    #[error("the manifest of `{name}` names no address: get {} and name its folder with --from", wanted.join(" or "))]
    NoUrl {
        /// The model.
        name: String,
        /// Names of its file.
        wanted: Vec<String>,
    },
    /// Another file has the name.
    #[error("{} is another file (SHA-256 {found}, the manifest of `{name}` says {expected}): move it away first", path.display())]
    Occupied {
        /// The model.
        name: String,
        /// The file.
        path: PathBuf,
        /// The manifest's sum.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// A file could not be read or written.
    #[error("could not {what} {}", path.display())]
    Store {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn store(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PullError {
    let path = path.to_owned();
    move |source| PullError::Store { what, path, source }
}

/// Where a model's file comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The manifest's address.
    Address,
    /// A folder.
    Folder(&'a Path),
}

/// Brings a model's file into the folder `to`, under the name that its manifest gives it. Gives the path and how many
/// bytes had to be moved: none where the file was there. `progress` is told how many bytes there are.
///
/// # Errors
/// There is no source, no room, no way, or the file is another one.
pub fn pull(
    manifest: &Manifest,
    source: Source<'_>,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(PathBuf, u64), PullError> {
    let place = to.join(manifest.file.name.clone().unwrap_or_else(|| format!("{}.onnx", manifest.name)));
    let hex = |sum: &[u8; 32]| checksum::hex(sum);
    if place.is_file() {
        let sum = checksum::of_file(&place).map_err(store("read", &place))?;
        if sum == manifest.file.sha256 {
            return Ok((place, 0));
        }
        let (expected, found) = (hex(&manifest.file.sha256), hex(&sum));
        return Err(PullError::Occupied { name: manifest.name.clone(), path: place, expected, found });
    }
    durable::make_folder(to).map_err(store("make the folder", to))?;
    let mut part = place.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let from = match source {
        Source::Address => {
            let url = manifest.file.url.as_deref();
            let url = url.ok_or_else(|| PullError::NoUrl { name: manifest.name.clone(), wanted: names(manifest) })?;
            room(to, &part, manifest.file.bytes)?;
            let done = download::download(url, &part, manifest.file.bytes, progress);
            done.map_err(|source| failed(url, to, &part, manifest.file.bytes, source))?;
            url.to_owned()
        }
        Source::Folder(dir) => {
            let found = find(manifest, dir)?;
            room(to, &part, manifest.file.bytes)?;
            let copied = fs::copy(&found, &part);
            if copied.is_err() {
                // A copy is cheap to make again; half of one only takes space.
                let _ = fs::remove_file(&part);
            }
            progress(copied.map_err(store("copy here", &found))?);
            found.display().to_string()
        }
    };
    let sum = checksum::of_file(&part).map_err(store("read", &part))?;
    if sum != manifest.file.sha256 {
        download::remove(&part);
        let (expected, found) = (hex(&manifest.file.sha256), hex(&sum));
        return Err(PullError::Mismatch { name: manifest.name.clone(), from, expected, found });
    }
    settle(&part, &place)?;
    download::remove(&part);
    Ok((place, manifest.file.bytes))
}

/// Makes a whole file durable and gives it its name.
fn settle(part: &Path, place: &Path) -> Result<(), PullError> {
    File::open(part).and_then(|file| file.sync_all()).map_err(store("write out", part))?;
    fs::rename(part, place).map_err(store("rename", part))?;
    let dir = durable::above(place);
    durable::sync_names(dir).map_err(store("write out", dir))
}

/// Says before the first byte that there is no room for the last.
fn room(dir: &Path, part: &Path, bytes: u64) -> Result<(), PullError> {
    let needed = bytes.saturating_sub(fs::metadata(part).map_or(0, |part| part.len()));
    match free(dir) {
        Some(free) if free < needed => Err(PullError::NoSpace { dir: dir.to_owned(), needed, free }),
        _ => Ok(()),
    }
}

fn free(dir: &Path) -> Option<u64> {
    rustix::fs::statvfs(dir).ok().map(|disk| disk.f_bavail * disk.f_frsize)
}

/// A failed download. On a disk that is full, what was loaded goes: others need the space more.
fn failed(url: &str, dir: &Path, part: &Path, bytes: u64, source: DownloadError) -> PullError {
    if let DownloadError::Write(error) = &source
        && error.kind() == io::ErrorKind::StorageFull
    {
        download::remove(part);
        return PullError::NoSpace { dir: dir.to_owned(), needed: bytes, free: free(dir).unwrap_or(0) };
    }
    PullError::Download { url: url.to_owned(), source: source.into() }
}

/// Names that a model's file may have.
fn names(manifest: &Manifest) -> Vec<String> {
    let of_url = manifest.file.url.as_deref().and_then(|url| url.rsplit('/').next()).map(str::to_owned);
    let mut names: Vec<String> =
        manifest.file.name.iter().cloned().chain([format!("{}.onnx", manifest.name)]).collect();
    names.extend(of_url.filter(|name| !name.is_empty() && !names.contains(name)));
    names
}

/// The model's file in a folder or one folder below; the one whose sum is right, if there are several of its name.
fn find(manifest: &Manifest, dir: &Path) -> Result<PathBuf, PullError> {
    let below = fs::read_dir(dir).map_err(store("look into", dir))?;
    let mut folders: Vec<PathBuf> = below.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.insert(0, dir.to_owned());
    let wanted = names(manifest);
    let all = folders.iter().flat_map(|folder| wanted.iter().map(move |name| folder.join(name)));
    let found: Vec<PathBuf> = all.filter(|path| path.is_file()).collect();
    let right = found.iter().find(|path| checksum::of_file(path).is_ok_and(|sum| sum == manifest.file.sha256));
    right.or(found.first()).cloned().ok_or_else(|| PullError::Absent { wanted, dir: dir.to_owned() })
}
