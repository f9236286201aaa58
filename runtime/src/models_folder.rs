//! The folder of models in the data directory: what is added gets a folder of its own there, whole or not at all.
//!
//! Knows files, nothing of what is in them. Invariant: a folder under its final name holds everything that was put in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::durable;

/// What goes into a model's folder.
#[derive(Debug)]
pub enum Content<'a> {
    /// A copy of a file.
    Copy(&'a Path),
    /// A text.
    Text(&'a str),
}

/// Makes the folder `models/name` with these files, which must not be there yet. Gives its path.
///
/// # Errors
/// When a file cannot be read or written, or there is such a folder already; then nothing is left of it.
pub fn put(models: &Path, name: &str, files: &[(String, Content<'_>)]) -> io::Result<PathBuf> {
    durable::make_folder(models)?;
    // Of this process: two that add the same model do not meet before the rename.
    let scratch = models.join(format!(".{name}.{}", std::process::id()));
    let place = models.join(name);
    let settle = || {
        // A rename would replace an empty folder.
        if place.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", place.display())));
        }
        fs::rename(&scratch, &place)
    };
    let done = fill(&scratch, files).and_then(|()| settle());
    if done.is_err() {
        let _ = fs::remove_dir_all(&scratch);
    }
    done?;
    durable::sync_names(models)?;
    Ok(place)
}

fn fill(scratch: &Path, files: &[(String, Content<'_>)]) -> io::Result<()> {
    fs::create_dir(scratch)?;
    for (name, content) in files {
        let path = scratch.join(name);
        match content {
            Content::Copy(from) => drop(fs::copy(from, &path)?),
            Content::Text(text) => fs::write(&path, text)?,
        }
        File::open(&path)?.sync_all()?;
    }
    File::open(scratch)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let data = tempfile::tempdir().unwrap();
        let models = data.path().join("models");
        let file = data.path().join("a.onnx");
        fs::write(&file, "model").unwrap();
        let files = || vec![("a.onnx".to_owned(), Content::Copy(&file)), ("a.toml".to_owned(), Content::Text("x"))];
        let gone =
            [("a.toml".to_owned(), Content::Text("x")), ("a.onnx".to_owned(), Content::Copy("/nowhere".as_ref()))];
        put(&models, "a", &gone).unwrap_err();
        assert_eq!(fs::read_dir(&models).unwrap().count(), 0, "nothing is left of one that failed");
        let folder = put(&models, "a", &files()).unwrap();
        assert_eq!(fs::read_to_string(folder.join("a.onnx")).unwrap(), "model");
        let error = put(&models, "a", &files()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(&models).unwrap().count(), 1);
    }
}
