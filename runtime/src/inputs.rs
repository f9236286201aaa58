//! From paths on the command line to a list of files, with labels and groups. Reads folders and tables of labels, never a
//! picture or a recording; knows nothing about tasks.
//!
//! Order is that of the file system's names, so that an import gives the same store on every machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use acclimate_backbone::Input;

/// Endings of files that are taken for pictures.
const PICTURES: &[&str] = &["bmp", "jpeg", "jpg", "png", "webp"];

/// Endings of a folder's files that are taken for samples; a file named on the command line is always tried.
fn endings(input: &Input) -> &'static [&'static str] {
    match input {
        Input::Image(_) => PICTURES,
        Input::Signal(_) => &["csv", "npy", "tsv", "txt"],
    }
}

/// What people call the files of a task: `pictures` or `recordings`.
pub fn files_word(input: &Input) -> &'static str {
    match input {
        Input::Image(_) => "pictures",
        Input::Signal(_) => "recordings",
    }
}

/// One file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// Its class, where one was given.
    pub label: Option<String>,
    /// Its group, where one was given.
    pub group: Option<String>,
}

impl Item {
    /// Its name for people and records: the path as it was given.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Where labels come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// The folder that a file lies in.
    Folders,
    /// There are none.
    None,
    /// All are of one class.
    One(String),
}

/// Why a list of files could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The CSV file cannot be read or parsed.
    #[error("could not read labels from {}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        #[source]
        source: csv::Error,
    },
    /// The CSV file lacks a column.
    #[error("{} has no column `{column}`: its first line must name the columns `path` and `label` (found: {found})", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
        /// The columns that it has.
        found: String,
    },
    /// A row of the CSV file says nothing.
    #[error("{} line {line}: `path` and `label` must not be empty", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to read, in order.
    pub items: Vec<Item>,
    /// Paths that could not be looked at, with the reason.
    pub failed: Vec<(PathBuf, String)>,
    /// Files below a folder that are not named like samples of the task.
    pub ignored: usize,
}

/// Lists the files under paths that a backbone with this input can read. A folder counts with everything below; links are
/// followed, each folder visited once.
pub fn find(paths: &[PathBuf], labels: &Labels, input: &Input) -> Found {
    let mut walk = Walk { found: Found::default(), visited: HashSet::new(), labels, endings: endings(input) };
    for path in paths {
        if path.as_os_str() == "-" {
            walk.take(path);
            continue;
        }
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk.folder(path),
            Ok(_) => walk.take(path),
            Err(error) => walk.found.failed.push((path.clone(), error.to_string())),
        }
    }
    walk.found
}

/// Lists the pictures below a folder.
pub fn pictures(folder: &Path) -> Found {
    let mut walk = Walk { found: Found::default(), visited: HashSet::new(), labels: &Labels::None, endings: PICTURES };
    walk.folder(folder);
    walk.found
}

/// Whether a file is named like a picture.
pub fn is_named_like_a_picture(path: &Path) -> bool {
    ends_with(path, PICTURES)
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(std::ffi::OsStr::to_str).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

struct Walk<'a> {
    found: Found,
    /// Canonical names of folders seen: a link back to a parent ends here.
    visited: HashSet<PathBuf>,
    labels: &'a Labels,
    endings: &'static [&'static str],
}

impl Walk<'_> {
    fn take(&mut self, path: &Path) {
        let label = match self.labels {
            Labels::Folders => folder_name(path),
            Labels::None => None,
            Labels::One(class) => Some(class.clone()),
        };
        self.found.items.push(Item { path: path.into(), label, group: None });
    }

    fn folder(&mut self, start: &Path) {
        // A stack of our own: depth is bounded by the disk, not by the thread's stack.
        let mut stack = vec![start.to_path_buf()];
        while let Some(path) = stack.pop() {
            let listed = path.canonicalize().and_then(|canonical| {
                if self.visited.insert(canonical) {
                    std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect()
                } else {
                    Ok(Vec::new())
                }
            });
            let mut entries: Vec<PathBuf> = listed.unwrap_or_else(|error| {
                self.found.failed.push((path, error.to_string()));
                Vec::new()
            });
            entries.sort();
            let mut folders = Vec::new();
            for entry in entries {
                match std::fs::metadata(&entry) {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry),
                    Ok(metadata) if metadata.is_file() && self.named_like_a_sample(&entry) => self.take(&entry),
                    Ok(_) => self.found.ignored += 1,
                    Err(error) => self.found.failed.push((entry, error.to_string())),
                }
            }
            stack.extend(folders.into_iter().rev());
        }
    }

    fn named_like_a_sample(&self, path: &Path) -> bool {
        ends_with(path, self.endings)
    }
}

/// Name of the folder that a file lies in.
pub fn folder_name(path: &Path) -> Option<String> {
    let parent = path.parent()?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let name = parent
        .file_name()
        .map(std::ffi::OsStr::to_os_string)
        .or_else(|| parent.canonicalize().ok().and_then(|p| p.file_name().map(std::ffi::OsStr::to_os_string)))?;
    Some(name.to_string_lossy().into_owned())
}

/// Reads path, label and, where there is one, group from a CSV file with a header. A relative path is looked for beside
/// the CSV file first, then below each of `bases`.
///
/// # Errors
/// When the file cannot be parsed, lacks a column, or has a row without path or label.
pub fn from_csv(file: &Path, bases: &[PathBuf]) -> Result<Vec<Item>, InputsError> {
    let wrap = |source| InputsError::Csv { path: file.into(), source };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(wrap)?;
    let header = reader.headers().map_err(wrap)?.clone();
    let column = |names: [&'static str; 2]| header.iter().position(|h| names.iter().any(|n| h.eq_ignore_ascii_case(n)));
    let need = |names: [&'static str; 2]| {
        column(names).ok_or_else(|| InputsError::Column {
            path: file.into(),
            column: names[0],
            found: header.iter().collect::<Vec<_>>().join(", "),
        })
    };
    let (path_column, label_column) = (need(["path", "file"])?, need(["label", "class"])?);
    let group_column = column(["group", "session"]);
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut items = Vec::new();
    for row in reader.records() {
        let row = row.map_err(wrap)?;
        let (path, label) = (&row[path_column], &row[label_column]);
        if path.is_empty() || label.is_empty() {
            let line = row.position().map_or(0, csv::Position::line);
            return Err(InputsError::Row { path: file.into(), line });
        }
        let places = std::iter::once(beside).chain(bases.iter().map(PathBuf::as_path)).map(|base| base.join(path));
        items.push(Item {
            path: places.clone().find(|p| p.exists()).unwrap_or_else(|| beside.join(path)),
            label: Some(label.to_owned()),
            group: group_column.map(|column| row[column].to_owned()).filter(|group| !group.is_empty()),
        });
    }
    Ok(items)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use acclimate_backbone::{Manifest, builtin};

    use super::*;

    fn images() -> Input {
        Manifest::parse(builtin::MANIFEST).unwrap().input
    }

    #[test]
    fn a_loop_of_links_ends_and_every_file_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let ok = folder.path().join("ok");
        std::fs::create_dir(&ok).unwrap();
        std::fs::write(ok.join("b.JPG"), "").unwrap();
        std::fs::write(ok.join("a.png"), "").unwrap();
        std::fs::write(ok.join("notes.txt"), "").unwrap();
        std::os::unix::fs::symlink(folder.path(), ok.join("back")).unwrap();
        std::os::unix::fs::symlink("nowhere", ok.join("c.png")).unwrap();
        let found = find(&[folder.path().into()], &Labels::Folders, &images());
        let names: Vec<_> = found.items.iter().map(|i| i.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.png", "b.JPG"]);
        assert!(found.items.iter().all(|i| i.label.as_deref() == Some("ok")));
        assert_eq!((found.ignored, found.failed.len()), (1, 1), "{found:?}");
    }

    #[test]
    fn a_named_file_is_tried_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.dat");
        std::fs::write(&path, "").unwrap();
        assert_eq!(find(&[path], &Labels::One("x".into()), &images()).items.len(), 1);
    }

    #[test]
    fn csv_gives_labels_and_groups_and_says_which_column_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels.csv");
        std::fs::write(&file, "path,label,group\na.png, ok ,g1\nb.png,bad,\n").unwrap();
        let pictures = folder.path().join("pictures");
        std::fs::create_dir(&pictures).unwrap();
        std::fs::write(pictures.join("a.png"), "").unwrap();
        let items = from_csv(&file, std::slice::from_ref(&pictures)).unwrap();
        let first = Item { path: pictures.join("a.png"), label: Some("ok".into()), group: Some("g1".into()) };
        assert_eq!((&items[0], &items[1].group), (&first, &None));
        std::fs::write(&file, "picture,label\na.png,ok\n").unwrap();
        let message = from_csv(&file, &[]).unwrap_err().to_string();
        assert!(message.contains("`path`") && message.contains("picture, label"), "{message}");
    }
}
