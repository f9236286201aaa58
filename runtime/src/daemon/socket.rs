//! The Unix socket: how the command line reaches a running daemon. One JSON object a line each way; `add` is followed by the
//! bytes of its sample.
//!
//! | asked | answered |
//! |---|---|
//! | `{"who":W,"command":C}` | `{"reply":R}` |
//! | `{"who":W,"add":{"task","source","group_key","label","bytes":N}}` and N bytes | `{"added":{"sample","status","from"}}` |
//! | `{"install":{"who":W,"task":T,"bytes":N}}` and N bytes | `{"reply":R}`, of a signed head |
//! | `{"status":true}` | `{"view":V}` |
//! | `{"input_of":T}` | `{"input":{"manifest":M}}` |
//!
//! or `{"error":{"code","message"}}`. Who may open the socket's file may ask for anything: its mode says who, which is the
//! daemon's user and group. It lies in the data directory; a service of the system has it in its runtime directory as well,
//! where users who may not look into the data directory find it.
//!
//! Invariant: lines, samples and connections are bounded.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{Command, CommandError, Reply};
use super::core::Offer;
use super::handle::Handle;
use super::shell::{Offers, Running};
use super::view::View;
use crate::causes;
use crate::record::AddRecord;
use crate::store::Added;
use crate::sync;

/// The socket's name in the data directory.
const FILE: &str = "acclimate.sock";
/// Longest line, bytes.
const LINE: u64 = 1 << 20;
/// Largest sample, bytes: that of a file that is read.
const SAMPLE: u64 = 64 << 20;
/// Connections at a time.
const CONNECTIONS: usize = 16;
/// A connection that says nothing for so long is closed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Where the socket of a directory is.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// One line from the command line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Asked {
    /// A sample follows.
    Add { who: String, sample: NewSample },
    /// A command.
    Command { who: String, command: Command },
    /// What the task's backbone takes.
    InputOf(String),
    /// A signed head follows.
    Install { who: String, task: String, bytes: u64 },
    /// How everything is.
    Status,
}

/// A sample that is handed in, without its bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NewSample {
    /// The task.
    pub task: String,
    /// Where it comes from.
    pub source: String,
    /// Folder or column for `--group-by`.
    pub group_key: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// Bytes that follow.
    pub bytes: u64,
}

/// One line to the command line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answered {
    Added(AddRecord),
    Error {
        code: &'static str,
        message: String,
    },
    /// The manifest of the task's backbone.
    Input(String),
    Reply(Box<Reply>),
    View(Box<View>),
}

/// The socket while it is open; its file goes with it.
pub struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Another daemon may have made it anew, or somebody removed it: nothing is lost either way.
        let _gone = fs::remove_file(&self.path);
    }
}

/// Opens a socket of a running daemon in a directory.
///
/// # Errors
/// When the system refuses: the path is too long, or not ours to write.
pub fn open(running: &Running, dir: &Path) -> io::Result<Socket> {
    let path = path(dir);
    // Whoever left it there has ended: the store's lock is ours.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o660))?;
    let (handle, offers, open) = (running.handle().clone(), running.offers().clone(), Arc::new(AtomicUsize::new(0)));
    thread::Builder::new().name("socket".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = Connection { handle: handle.clone(), offers: offers.clone() };
            if open.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS {
                open.fetch_sub(1, Ordering::SeqCst);
                let error = CommandError::Unavailable("too many connections: try again".to_owned());
                let _gone_meanwhile = say(&stream, &Answered::error(&error));
                continue;
            }
            let count = Arc::clone(&open);
            let served = thread::Builder::new().name("socket".to_owned()).spawn(move || {
                if let Err(error) = connection.serve(&stream) {
                    tracing::debug!("a connection of the socket ended: {error}");
                }
                count.fetch_sub(1, Ordering::SeqCst);
            });
            if served.is_err() {
                open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    })?;
    Ok(Socket { path })
}

struct Connection {
    handle: Handle,
    offers: Offers,
}

impl Connection {
    fn serve(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            let taken = reader.by_ref().take(LINE).read_line(&mut line)?;
            if taken == 0 {
                return Ok(());
            }
            let asked: Asked = match serde_json::from_str(&line) {
                Ok(asked) => asked,
                Err(error) => {
                    let message = format!("could not understand the request: {error}");
                    return say(stream, &Answered::error(&CommandError::Invalid(message)));
                }
            };
            let answered = match asked {
                Asked::Add { who, sample } => {
                    if sample.bytes > SAMPLE {
                        let message = format!("a sample has at most {} MiB", SAMPLE >> 20);
                        return say(stream, &Answered::error(&CommandError::Invalid(message)));
                    }
                    let mut payload = Vec::new();
                    if reader.by_ref().take(sample.bytes).read_to_end(&mut payload)? as u64 != sample.bytes {
                        return Ok(());
                    }
                    self.add(who, sample, payload)
                }
                Asked::Command { who, command } => {
                    let reply = self.handle.ask_and_wait(command, &who);
                    reply.map_or_else(|error| Answered::error(&error), |reply| Answered::Reply(Box::new(reply)))
                }
                Asked::InputOf(task) => {
                    let task = self.handle.read(|tasks| tasks.task(&task));
                    let wrong = |error| Answered::error(&CommandError::NotFound(causes(&error)));
                    task.map_or_else(wrong, |task| Answered::Input(task.manifest))
                }
                Asked::Install { who, task, bytes } => {
                    if bytes > sync::MAX_BYTES as u64 {
                        let message = format!("a signed head has at most {} MiB", sync::MAX_BYTES >> 20);
                        return say(stream, &Answered::error(&CommandError::Invalid(message)));
                    }
                    let mut signed = Vec::new();
                    if reader.by_ref().take(bytes).read_to_end(&mut signed)? as u64 != bytes {
                        return Ok(());
                    }
                    let command = Command::Install { task, signed: signed.into() };
                    let reply = self.handle.ask_and_wait(command, &who);
                    reply.map_or_else(|error| Answered::error(&error), |reply| Answered::Reply(Box::new(reply)))
                }
                Asked::Status => Answered::View(Box::new(View::clone(&self.handle.view.borrow()))),
            };
            say(stream, &answered)?;
        }
    }

    fn add(&self, who: String, sample: NewSample, payload: Vec<u8>) -> Answered {
        let NewSample { task, source, group_key, label, bytes: _ } = sample;
        let name = source.clone();
        let offered = self.offers.offer(Offer { task, payload, source, group_key, label }, who);
        let ending = || CommandError::Unavailable("the daemon is ending".to_owned());
        let added: Result<Added, CommandError> = offered.blocking_recv().unwrap_or_else(|_| Err(ending()));
        added.map_or_else(|error| Answered::error(&error), |added| Answered::Added(AddRecord::new(name, &added)))
    }
}

impl Answered {
    fn error(error: &CommandError) -> Self {
        Self::Error { code: error.code(), message: error.to_string() }
    }
}

fn say(mut stream: &UnixStream, answered: &Answered) -> io::Result<()> {
    let mut line = serde_json::to_vec(answered)?;
    line.push(b'\n');
    stream.write_all(&line)
}
