//! A running daemon as tests reach it: through its Unix socket, line by line. Knows what the socket's table says and nothing
//! of what is behind it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::device::Device;
use crate::http;
use crate::program::{Finished, Running};

/// A daemon on a device's store.
#[derive(Debug)]
pub struct Daemon {
    running: Running,
    socket: Socket,
}

/// One connection.
#[derive(Debug)]
pub struct Socket {
    stream: BufReader<UnixStream>,
}

impl Socket {
    /// Connects, if somebody answers.
    pub fn connect(device: &Device) -> Option<Self> {
        let stream = UnixStream::connect(device.data_dir().join("acclimate.sock")).ok()?;
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Says one line, and bytes after it; the answer, unless the daemon is gone.
    pub fn exchange(&mut self, asked: &Value, bytes: &[u8]) -> Option<Value> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{asked}\n").as_bytes()).ok()?;
        stream.write_all(bytes).ok()?;
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        // A line that was cut off was not said.
        line.ends_with('\n').then(|| serde_json::from_str(&line).ok()).flatten()
    }

    /// Carries out a command.
    pub fn command(&mut self, command: &Value) -> Option<Value> {
        self.exchange(&json!({ "command": { "who": "test", "command": command } }), &[])
    }

    /// Hands a sample to the task `parts`.
    pub fn add(&mut self, source: &str, label: &str, bytes: &[u8]) -> Option<Value> {
        let sample =
            json!({ "task": "parts", "source": source, "group_key": null, "label": label, "bytes": bytes.len() });
        self.exchange(&json!({ "add": { "who": "test", "sample": sample } }), bytes)
    }

    /// How everything is.
    pub fn status(&mut self) -> Option<Value> {
        self.exchange(&json!("status"), &[]).map(|mut answer| answer["view"].take())
    }
}

impl Daemon {
    /// Starts `acclimate run` on a device and waits until it answers.
    ///
    /// # Panics
    /// When it ends first.
    pub fn start(device: &Device, config: &Path) -> Self {
        let running = Running::start(device.command(["run", "--config"]).arg(config));
        running.wait_until(|| Socket::connect(device).is_some());
        let socket = Socket::connect(device).expect("it answered just now");
        Self { running, socket }
    }

    /// Where its page is, `http://…/`.
    ///
    /// # Panics
    /// When it does not say so.
    pub fn page(&self) -> String {
        let said = || {
            self.running
                .said()
                .split_once("the page is at ")
                .and_then(|(_, at)| Some(at.split_once('\n')?.0.to_owned()))
        };
        self.running.wait_until(|| said().is_some());
        said().expect("it was there just now")
    }

    /// Connects once more: the daemon closes a connection that has said nothing for ten minutes.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn connect_again(&mut self, device: &Device) {
        self.socket = Socket::connect(device).expect("the daemon answers");
    }

    /// Carries out a command; the reply.
    ///
    /// # Panics
    /// When it is refused, or the daemon is gone.
    #[track_caller]
    pub fn ask(&mut self, command: &Value) -> Value {
        let mut answer = self.socket.command(command).unwrap_or_else(|| panic!("no answer to {command}"));
        assert!(answer["error"].is_null(), "{command}: {answer}");
        answer["reply"].take()
    }

    /// Tries to carry out a command; the answer, which may be a refusal.
    ///
    /// # Panics
    /// When the daemon is gone.
    #[track_caller]
    pub fn try_ask(&mut self, command: &Value) -> Value {
        self.socket.command(command).unwrap_or_else(|| panic!("no answer to {command}"))
    }

    /// Hands a sample to the task `parts`; its id.
    ///
    /// # Panics
    /// When it is not taken.
    #[track_caller]
    pub fn add(&mut self, source: &str, label: &str, bytes: &[u8]) -> String {
        let answer = self.socket.add(source, label, bytes).expect("the daemon answers");
        answer["added"]["sample"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// How everything is.
    ///
    /// # Panics
    /// When the daemon is gone.
    #[track_caller]
    pub fn status(&mut self) -> Value {
        self.socket.status().expect("the daemon answers")
    }

    /// Waits until its status is so; gives it.
    ///
    /// # Panics
    /// When the daemon ends first, or it takes a minute.
    #[track_caller]
    pub fn wait_until(&mut self, so: impl Fn(&Value) -> bool) -> Value {
        let socket = std::cell::RefCell::new(&mut self.socket);
        let seen = std::cell::RefCell::new(Value::Null);
        self.running.wait_until(|| {
            let Some(view) = socket.borrow_mut().status() else { return false };
            let found = so(&view);
            *seen.borrow_mut() = view;
            found
        });
        seen.into_inner()
    }

    /// Holds a class that a source shows until so many frames are taken in; what was learnt.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn teach(&mut self, source: &str, class: &str, frames: u64) -> Value {
        let hold = |hold| json!({ "do": "teach", "task": "parts", "source": source, "class": class, "hold": hold });
        self.ask(&hold("begin"));
        self.wait_until(|view| view["tasks"][0]["teaching"]["frames"].as_u64() >= Some(frames));
        self.ask(&hold("end"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Where its page and its API listen.
    ///
    /// # Panics
    /// When it does not say so.
    pub fn address(&self) -> SocketAddr {
        let page = self.page();
        let address = page.trim_start_matches("http://").trim_end_matches('/');
        address.parse().unwrap_or_else(|error| panic!("{error} in {page}"))
    }

    /// What is at a path of its page: status and body.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn get(&self, path: &str) -> (u16, String) {
        let address = self.address();
        let (status, answer) = http::ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n"), "");
        let (_head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (status, body.to_owned())
    }

    /// Sends it a signal, e.g. `TERM`.
    ///
    /// # Panics
    /// When there is no `kill`.
    pub fn signal(&self, signal: &str) {
        let id = self.running.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("there is `kill`");
        assert!(sent.success());
    }

    /// Tells it to end, and waits until it has.
    pub fn end(self) -> Finished {
        self.signal("TERM");
        self.running.wait()
    }

    /// Kills it at a moment after its start.
    pub fn kill_after(self, moment: Duration) -> (Finished, bool) {
        self.running.kill_after(moment)
    }
}
