//! A device of one's own: a data directory, a folder of pictures, and `acclimate` run on them, away from the configuration
//! and models of whoever runs the tests.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::picture;
use crate::program::{Finished, Running, acclimate};

/// The id of a sample with this content: the first half of its SHA-256, in hexadecimal.
pub fn sample_id(content: &[u8]) -> String {
    Sha256::digest(content)[..16].iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"))
}

/// Gone, with its data, when dropped.
#[derive(Debug)]
pub struct Device {
    root: TempDir,
    /// Where its data lie.
    data: PathBuf,
    /// The program, after what runs it where that is not the machine itself.
    program: Vec<OsString>,
}

impl Default for Device {
    fn default() -> Self {
        Self::new()
    }
}

impl Device {
    /// A device with nothing on it.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn new() -> Self {
        Self::of(vec![acclimate().into()])
    }

    /// A device with nothing on it whose `acclimate` is run so, as by an emulator.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn of(program: Vec<OsString>) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        Self { data: root.path().join("data"), root, program }
    }

    /// A device whose data directory is this one, on a disk of somebody else.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn on(data: PathBuf) -> Self {
        Self { data, ..Self::new() }
    }

    /// A device with the task `parts`, on the built-in backbone.
    pub fn with_task() -> Self {
        let device = Self::new();
        let _ = device.run(["init", "parts", "--backbone", "builtin-picture-1"]).expect(0);
        device
    }

    /// The same data directory on a device of its own; no program may be running on this one.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::of(self.program.clone());
        copy_folder(&self.data_dir(), &copy.data_dir());
        copy
    }

    /// Where its store lies.
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone()
    }

    /// Writes a file of its own, outside the data directory.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a writable temporary folder");
        fs::write(&path, bytes).expect("a writable temporary folder");
        path
    }

    /// A path of its own, outside the data directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("pictures").join(name)
    }

    /// Draws `count` pictures of each class into `name/CLASS/` and returns the folder. Other seeds are other pictures.
    pub fn draw(&self, name: &str, count: u64, seed: u64) -> PathBuf {
        for (class, class_name) in picture::CLASSES.into_iter().enumerate() {
            for number in 0..count {
                let bytes = picture::draw(class, seed * 1_000 + number);
                self.file(format!("{name}/{class_name}/{seed}-{number}.png"), &bytes);
            }
        }
        self.path(name)
    }

    /// `acclimate` with these arguments, not started; its standard input is empty.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let (program, first) = self.program.split_first().expect("a device has a program");
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ACCLIMATE_") {
                command.env_remove(name);
            }
        }
        command
            .args(first)
            .args(arguments)
            .env("ACCLIMATE_DATA_DIR", self.data_dir())
            .env("HOME", self.root.path())
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("STATE_DIRECTORY")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null());
        command
    }

    /// Runs `acclimate` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Finished {
        Running::start(&mut self.command(arguments)).wait()
    }

    /// Runs `acclimate … --json`, expects it to succeed, returns what it printed.
    ///
    /// # Panics
    /// When it fails or prints something else than one JSON document.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        let mut command = self.command(arguments);
        Running::start(command.arg("--json")).wait().expect(0).json()
    }

    /// Adds a folder with a folder for each class to the task `parts`.
    #[track_caller]
    pub fn add_folders(&self, folder: &Path) {
        let folder = folder.as_os_str();
        let _ = self.run(["add".as_ref(), "parts".as_ref(), folder, "--labels-from-folders".as_ref()]).expect(0);
    }

    /// The generations in service of the task `parts`: one, or none.
    ///
    /// # Panics
    /// When `head list` fails or prints something else than the contract says.
    #[track_caller]
    pub fn in_service(&self) -> Vec<u64> {
        let heads = self.json(["head", "list", "parts"]);
        let heads = heads.as_array().expect("head list prints an array");
        let in_service = heads.iter().filter(|head| head["in_service"] == true);
        in_service.map(|head| head["generation"].as_u64().expect("a generation is a number")).collect()
    }

    /// Digest of the statistics of the task `parts`.
    ///
    /// # Panics
    /// When `task list` fails or prints something else than the contract says.
    #[track_caller]
    pub fn digest(&self) -> String {
        let tasks = self.json(["task", "list"]);
        tasks[0]["statistics_digest"].as_str().expect("task list prints a digest").to_owned()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable temporary folder");
    for entry in from.read_dir().expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a file that can be copied");
        }
    }
}
