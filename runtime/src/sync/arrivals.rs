//! Parts of signed heads on the disk, until they are whole. Knows neither transport nor verdicts: what is asked for is kept, read,
//! and removed. Nothing here needs a sync: a part that did not survive a power cut is not the part that was signed, and is
//! asked for again.
//!
//! | file in the data directory | what |
//! |---|---|
//! | `arriving/SHA256/manifest` | the manifest's bytes |
//! | `arriving/SHA256/NUMBER` | a part |

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::assembler::SLOTS;
use super::keyring::Trusted;
use super::manifest::{self, Manifest};
use super::refusal::Refusal;
use crate::durable;
use crate::store::Digest;

const MANIFEST: &str = "manifest";

/// Where parts are kept.
#[derive(Clone, Debug)]
pub struct Arrivals {
    folder: PathBuf,
}

/// Parts could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {step} {}", path.display())]
pub struct ArrivalError {
    step: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArrivalError {
    move |source| ArrivalError { step, path: path.into(), source }
}

impl Arrivals {
    /// Of this data directory.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("arriving") }
    }

    fn folder_of(&self, of: &Digest) -> PathBuf {
        self.folder.join(of.to_string())
    }

    /// Makes room for the parts that a manifest announces.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, of: &Digest, manifest: &[u8]) -> Result<(), ArrivalError> {
        let folder = self.folder_of(of);
        durable::make_folder(&folder).map_err(failed("make", &folder))?;
        write(&folder.join(MANIFEST), manifest)
    }

    /// Keeps a part.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, of: &Digest, part: usize, bytes: &[u8]) -> Result<(), ArrivalError> {
        write(&self.folder_of(of).join(part.to_string()), bytes)
    }

    /// All parts together.
    ///
    /// # Errors
    /// When one cannot be read; the whole is not what was signed.
    pub fn whole(&self, manifest: &Manifest) -> Result<Result<Vec<u8>, Refusal>, ArrivalError> {
        let folder = self.folder_of(&manifest.sha256);
        let mut bytes = Vec::with_capacity(manifest.bytes as usize);
        for part in 0..manifest.parts.len() {
            let path = folder.join(part.to_string());
            let file = fs::File::open(&path).map_err(failed("read", &path))?;
            file.take(manifest.size_of(part)).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        }
        let found = Digest::of(&bytes);
        if found != manifest.sha256 {
            let (expected, found) = (manifest.sha256.to_string(), found.to_string());
            return Ok(Err(Refusal::NotWhole { what: "the SHA-256 of its parts", expected, found }));
        }
        Ok(Ok(bytes))
    }

    /// Forgets a head's parts, if there are any.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn drop(&self, of: &Digest) -> Result<(), ArrivalError> {
        remove(&self.folder_of(of))
    }

    /// What was on its way when the program last ended: manifests that are signed by who is trusted now, with the parts that are
    /// whole. Everything else is removed.
    ///
    /// # Errors
    /// When the folder cannot be read, or something cannot be removed.
    pub fn load(&self, trusted: &[Trusted]) -> Result<Vec<(Manifest, Vec<usize>)>, ArrivalError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("list", &self.folder))?,
        };
        let mut loaded = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("list", &self.folder))?.path();
            let manifest = bounded(&path.join(MANIFEST), manifest::MOST_BYTES as u64)
                .and_then(|bytes| Manifest::open(&bytes, trusted).ok())
                .filter(|manifest| self.folder_of(&manifest.sha256) == path);
            match manifest {
                Some(manifest) if loaded.len() < SLOTS => {
                    let whole = |part: &usize| {
                        let bytes = bounded(&path.join(part.to_string()), manifest.size_of(*part));
                        bytes.is_some_and(|bytes| manifest.is(*part, &bytes))
                    };
                    let kept = (0..manifest.parts.len()).filter(whole).collect();
                    loaded.push((manifest, kept));
                }
                _ => remove(&path)?,
            }
        }
        Ok(loaded)
    }
}

/// A file's bytes, if it can be read and is not larger.
fn bounded(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ArrivalError> {
    fs::write(path, bytes).map_err(failed("write", path))
}

fn remove(path: &Path) -> Result<(), ArrivalError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}
