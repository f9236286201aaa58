//! The other end of the Unix socket: a command line that acts on a daemon's store. Knows nothing of what is printed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::command::Command;
use super::socket::{self, Asked, NewSample};
use super::view::View;
use crate::record::{AddRecord, InstallRecord};

/// Where a daemon of the system has its socket.
const OF_THE_SYSTEM: &str = "/run/acclimate";

/// A running daemon.
pub struct Daemon {
    stream: BufReader<UnixStream>,
    /// Its socket.
    pub path: PathBuf,
}

/// Why a running daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There may be one, and this user may not speak with it.
    #[error("this user may not open {}, where a daemon answers: {}", path.display(), who_may(group.as_deref()))]
    Forbidden {
        /// Its socket.
        path: PathBuf,
        /// The group that may, where it can be told.
        group: Option<String>,
    },
    /// It said no.
    #[error("{message}")]
    Refused {
        /// What kind of no.
        code: String,
        /// In words.
        message: String,
    },
    /// It went away.
    #[error("could not speak with the daemon at {}", path.display())]
    Gone {
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It said something else.
    #[error("could not understand the daemon at {}: it is of another version", path.display())]
    Strange {
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

fn who_may(group: Option<&str>) -> String {
    match group {
        Some(group) => {
            format!("members of the group `{group}` may (sudo usermod -aG {group} $USER, then log in again)")
        }
        None => "ask who runs it for its group".to_owned(),
    }
}

/// The name of a file's group, if both can be seen.
fn group_of(path: &Path) -> Option<String> {
    let id = std::fs::metadata(path).ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    // name:password:id:members
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    Some(name.unwrap_or(id))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answered {
    Added(AddRecord),
    Error { code: String, message: String },
    Input(String),
    Reply(Value),
    View(Box<View>),
}

impl Daemon {
    /// The daemon that holds the store of a data directory, if one answers; and where the directory was not asked for and has
    /// no store, that of the system, in `runtime_dir` if that is another place than usual.
    ///
    /// # Errors
    /// When this user may not open its socket: what was asked for would be done to another store, or to none.
    pub fn of(data_dir: &Path, asked_for: bool, runtime_dir: Option<&Path>) -> Result<Option<Self>, ClientError> {
        match Self::at(socket::path(data_dir)) {
            Ok(Some(own)) => Ok(Some(own)),
            own if asked_for || data_dir.join("acclimate.db").exists() => own,
            own => match Self::at(socket::path(runtime_dir.unwrap_or(Path::new(OF_THE_SYSTEM)))) {
                Ok(None) => own,
                of_the_system => of_the_system,
            },
        }
    }

    fn at(path: PathBuf) -> Result<Option<Self>, ClientError> {
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Self { stream: BufReader::new(stream), path })),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let group = group_of(&path);
                Err(ClientError::Forbidden { path, group })
            }
            // Nobody is there, or nobody answers any more.
            Err(_) => Ok(None),
        }
    }

    /// Carries out a command; gives the reply as JSON.
    ///
    /// # Errors
    /// When it is not carried out.
    pub fn ask(&mut self, command: Command, who: &str) -> Result<Value, ClientError> {
        match self.exchange(&Asked::Command { who: who.to_owned(), command }, &[])? {
            Answered::Reply(reply) => Ok(reply),
            other => Err(self.strange(other)),
        }
    }

    /// A part of a reply, as a record.
    ///
    /// # Errors
    /// When it is not there, or is another one.
    pub fn part<T: DeserializeOwned>(&self, mut reply: Value, part: &str) -> Result<T, ClientError> {
        let strange = |source| ClientError::Strange { path: self.path.clone(), source };
        serde_json::from_value(reply[part].take()).map_err(strange)
    }

    /// Hands a sample in.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn add(&mut self, sample: NewSample, payload: &[u8], who: &str) -> Result<AddRecord, ClientError> {
        match self.exchange(&Asked::Add { who: who.to_owned(), sample }, payload)? {
            Answered::Added(added) => Ok(added),
            other => Err(self.strange(other)),
        }
    }

    /// Hands in a head that another device has signed.
    ///
    /// # Errors
    /// When there is no verdict on it.
    pub fn install(&mut self, task: &str, signed: &[u8], who: &str) -> Result<InstallRecord, ClientError> {
        let asked = Asked::Install { who: who.to_owned(), task: task.to_owned(), bytes: signed.len() as u64 };
        match self.exchange(&asked, signed)? {
            Answered::Reply(reply) => self.part(reply, "installed"),
            other => Err(self.strange(other)),
        }
    }

    /// The manifest of the backbone of a task.
    ///
    /// # Errors
    /// When there is no such task.
    pub fn manifest_of(&mut self, task: &str) -> Result<String, ClientError> {
        match self.exchange(&Asked::InputOf(task.to_owned()), &[])? {
            Answered::Input(manifest) => Ok(manifest),
            other => Err(self.strange(other)),
        }
    }

    /// How everything is.
    ///
    /// # Errors
    /// When the daemon went away.
    pub fn status(&mut self) -> Result<View, ClientError> {
        match self.exchange(&Asked::Status, &[])? {
            Answered::View(view) => Ok(*view),
            other => Err(self.strange(other)),
        }
    }

    fn exchange(&mut self, asked: &Asked, payload: &[u8]) -> Result<Answered, ClientError> {
        let gone = |source| ClientError::Gone { path: self.path.clone(), source };
        let strange = |source| ClientError::Strange { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(asked).map_err(strange)?;
        line.push(b'\n');
        let stream = self.stream.get_mut();
        stream.write_all(&line).and_then(|()| stream.write_all(payload)).map_err(gone)?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).map_err(gone)? == 0 {
            return Err(gone(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_str(&answer).map_err(strange)
    }

    fn strange(&self, answered: Answered) -> ClientError {
        match answered {
            Answered::Error { code, message } => ClientError::Refused { code, message },
            _ => ClientError::Strange {
                path: self.path.clone(),
                source: serde::de::Error::custom("an answer to another question"),
            },
        }
    }
}
