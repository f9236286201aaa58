//! Names that a power cut leaves: a file or folder is only there for good when the folder that names it was synced. Knows
//! nothing of what is stored.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a folder and those above it that are missing, so that their names stay.
///
/// # Errors
/// When one cannot be made, or something else has its name.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = above(folder);
    make_folder(above)?;
    match fs::create_dir(folder) {
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_names(above)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the system refuses.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a file that its owner alone may read: all of it or, whatever happens, what was there before.
///
/// # Errors
/// When the system refuses.
pub fn write_own(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = above(path);
    // A temporary file is its owner's alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_names(folder)
}

/// The folder that a path lies in; a relative one of one part lies here.
pub fn above(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn folders_are_made_as_deep_as_asked_and_what_is_in_the_way_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(make_folder(&root.path().join("file/d")).is_err());
        assert_eq!(above(Path::new("here")), Path::new("."));
        assert_eq!(above(&deep), root.path().join("a/b"));
    }
}
