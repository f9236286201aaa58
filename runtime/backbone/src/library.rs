//! Finding a model by name: manifests of the catalogue and of folders, files by name and checksum.
//!
//! Knows nothing about graphs or engines, and never writes. Invariant: a file handed out by [`Library::find`] had the
//! manifest's SHA-256 when it was looked at.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    catalogue, checksum,
    manifest::{Manifest, ManifestError},
    resolve::ResolveError,
};

/// A backbone that the library knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its file, where there is one.
    pub file: Option<PathBuf>,
}

/// Why a name leads to no usable model.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No manifest has that name.
    #[error("no model named \"{name}\"; of the {} known, the nearest: {}", known.len(), nearest(name, known).join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// There is a manifest, but no file.
    #[error("model \"{name}\": no file {} in {}{}", wanted.join(" or "), folders(dirs), supply(url.as_deref()))]
    Missing {
        /// The model.
        name: String,
        /// File names looked for.
        wanted: Vec<String>,
        /// Where.
        dirs: Vec<PathBuf>,
        /// Where it can be fetched.
        url: Option<String>,
    },
    /// There is a file, but it is another one.
    #[error("model \"{name}\": {} has SHA-256 {found}, the manifest says {expected}: replace the file", path.display())]
    Mismatch {
        /// The model.
        name: String,
        /// The file.
        path: PathBuf,
        /// The manifest's sum.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// A manifest beside a model is wrong.
    #[error("cannot use the manifest {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// The tensors that a manifest leaves open are not found in its model.
    #[error("model \"{name}\": cannot tell which tensors of {} to use", path.display())]
    Resolve {
        /// The model.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<ResolveError>,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Three names with the most letters in common from the start.
fn nearest(name: &str, known: &[String]) -> Vec<String> {
    let shared =
        |other: &String| name.bytes().zip(other.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let mut known = known.to_vec();
    known.sort_by_key(|other| std::cmp::Reverse(shared(other)));
    known.truncate(3);
    known
}

fn folders(dirs: &[PathBuf]) -> String {
    if dirs.is_empty() {
        return "any folder, for none was given".to_owned();
    }
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn supply(url: Option<&str>) -> String {
    url.map_or_else(|| ": supply it".to_owned(), |url| format!(": fetch it from {url}"))
}

/// The models of some folders and of the catalogue.
///
/// Each folder is looked at with its sub-folders, one level deep. A manifest in a folder (`*.toml`) goes before one of
/// the catalogue with the same name; earlier folders go before later ones.
#[derive(Clone, Debug)]
pub struct Library {
    dirs: Vec<PathBuf>,
}

impl Library {
    /// A library over `dirs`; those that do not exist are skipped.
    pub fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs }
    }

    /// The folders.
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Every model known, by name. Files are matched by name and length; [`find`](Self::find) checks the sum.
    /// Manifests that cannot be used are logged and left out.
    pub fn list(&self) -> Vec<Entry> {
        let folders = self.folders();
        let mut manifests: BTreeMap<String, Manifest> =
            catalogue::manifests().into_iter().map(|manifest| (manifest.name.clone(), manifest)).collect();
        for path in manifest_paths(&folders).iter().rev() {
            match read_manifest(path) {
                Ok(manifest) => drop(manifests.insert(manifest.name.clone(), manifest)),
                // A folder may hold other TOML files: only `find`, asked for that name, insists.
                Err(error) => tracing::debug!(path = %path.display(), %error, "not a usable manifest"),
            }
        }
        let with_file = |manifest: Manifest| {
            let file = candidates(&manifest, &folders)
                .into_iter()
                .find(|path| fs::metadata(path).is_ok_and(|found| found.len() == manifest.file.bytes));
            Entry { manifest, file }
        };
        manifests.into_values().map(with_file).collect()
    }

    /// The manifest of that name, whether there is a file or not.
    ///
    /// # Errors
    /// No such name, or a wrong manifest `<name>.toml`.
    pub fn manifest(&self, name: &str) -> Result<Manifest, LibraryError> {
        self.entry(name, &self.folders()).map(|entry| entry.manifest)
    }

    /// The manifest that speaks of a file's content, if there is one; its tensors are found.
    ///
    /// # Errors
    /// The file cannot be read, or the manifest's tensors are not found in it.
    pub fn of_content(&self, file: &Path) -> Result<Option<Manifest>, LibraryError> {
        let sum = checksum::of_file(file).map_err(|source| LibraryError::Read { path: file.to_owned(), source })?;
        let entry = self.list().into_iter().find(|entry| entry.manifest.file.sha256 == sum);
        entry.map(|entry| resolve(entry.manifest, file)).transpose()
    }

    fn entry(&self, name: &str, folders: &[PathBuf]) -> Result<Entry, LibraryError> {
        let own = format!("{name}.toml");
        if let Some(path) =
            manifest_paths(folders).iter().find(|path| path.file_name().is_some_and(|file| file == own.as_str()))
        {
            read_manifest(path)?;
        }
        let entries = self.list();
        match entries.iter().find(|entry| entry.manifest.name == name) {
            Some(entry) => Ok(entry.clone()),
            None => Err(LibraryError::Unknown {
                name: name.to_owned(),
                known: entries.into_iter().map(|entry| entry.manifest.name).collect(),
            }),
        }
    }

    /// The model of that name, with a file whose checksum was verified and in which its tensors were found.
    ///
    /// # Errors
    /// No such name, a wrong manifest `<name>.toml`, no file, only files with another checksum, or the manifest's tensors
    /// are not found.
    pub fn find(&self, name: &str) -> Result<Entry, LibraryError> {
        let folders = self.folders();
        let manifest = self.entry(name, &folders)?.manifest;
        let mut mismatch = None;
        for path in candidates(&manifest, &folders) {
            let sum = checksum::of_file(&path).map_err(|source| LibraryError::Read { path: path.clone(), source })?;
            if sum == manifest.file.sha256 {
                return Ok(Entry { manifest: resolve(manifest, &path)?, file: Some(path) });
            }
            mismatch.get_or_insert((path, sum));
        }
        let name = name.to_owned();
        Err(match mismatch {
            Some((path, sum)) => LibraryError::Mismatch {
                name,
                path,
                expected: checksum::hex(&manifest.file.sha256),
                found: checksum::hex(&sum),
            },
            None => LibraryError::Missing {
                name,
                wanted: file_names(&manifest),
                dirs: self.dirs.clone(),
                url: manifest.file.url.clone(),
            },
        })
    }

    /// The folders themselves and their sub-folders, sorted below each.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for dir in &self.dirs {
            folders.push(dir.clone());
            folders.extend(entries(dir).into_iter().filter(|path| path.is_dir()));
        }
        folders
    }
}

/// The manifest with its tensors found in its file; itself where it names them.
///
/// # Errors
/// The file cannot be read, or the tensors are not found in it.
pub fn resolve(manifest: Manifest, file: &Path) -> Result<Manifest, LibraryError> {
    if !manifest.is_open() {
        return Ok(manifest);
    }
    let bytes = fs::read(file).map_err(|source| LibraryError::Read { path: file.to_owned(), source })?;
    let name = manifest.name.clone();
    manifest.resolve(&bytes).map_err(|source| LibraryError::Resolve {
        name,
        path: file.to_owned(),
        source: source.into(),
    })
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<_> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn manifest_paths(folders: &[PathBuf]) -> Vec<PathBuf> {
    let is_manifest = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml") && path.is_file();
    folders.iter().flat_map(|folder| entries(folder)).filter(is_manifest).collect()
}

fn read_manifest(path: &Path) -> Result<Manifest, LibraryError> {
    let text = fs::read_to_string(path).map_err(|source| LibraryError::Read { path: path.to_owned(), source })?;
    Manifest::parse(&text).map_err(|source| LibraryError::Manifest { path: path.to_owned(), source })
}

fn file_names(manifest: &Manifest) -> Vec<String> {
    let own = format!("{}.onnx", manifest.name);
    manifest.file.name.iter().filter(|name| **name != own).cloned().chain([own.clone()]).collect()
}

fn candidates(manifest: &Manifest, folders: &[PathBuf]) -> Vec<PathBuf> {
    let names = file_names(manifest);
    let paths = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    paths.filter(|path| path.is_file()).collect()
}
