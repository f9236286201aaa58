//! A Home Assistant of one's own, with its MQTT integration and nothing else, as `house.py` runs it. Knows its states and its
//! services.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::Running;
use crate::skip::skip;

/// What is waited for comes within this.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running Home Assistant.
#[derive(Debug)]
pub struct House {
    /// Held: it ends with this.
    _running: Running,
    stream: BufReader<TcpStream>,
}

/// The Python that has it; skips the calling test where there is none.
pub fn found() -> Option<PathBuf> {
    let python = std::env::var_os("ACCLIMATE_HOME_ASSISTANT").map(PathBuf::from);
    if python.is_none() {
        let why = "ACCLIMATE_HOME_ASSISTANT names no Python with it (`cargo xtask test home-assistant` makes one)";
        skip("home-assistant", why);
    }
    python
}

impl House {
    /// Starts it, on the broker of a port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(python: PathBuf, port: u16) -> Self {
        let script = crate::checkout().join("tests/home_assistant/house.py");
        let running = Running::start(Command::new(python).arg(script).arg(port.to_string()).stdin(Stdio::null()));
        running.wait_until(|| running.said().contains('\n'));
        let port: u16 = running.said().trim().parse().expect("it prints its port");
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit that is not zero");
        Self { _running: running, stream: BufReader::new(stream) }
    }

    fn ask(&mut self, asked: &Value) -> Value {
        self.stream.get_mut().write_all(format!("{asked}\n").as_bytes()).expect("it listens");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?} to {asked}"))
    }

    /// Every entity's state.
    pub fn states(&mut self) -> Value {
        self.ask(&json!({ "do": "states" }))
    }

    /// Waits until the states are so, and gives them.
    ///
    /// # Panics
    /// When they are not within a minute.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let states = self.states();
            if is(&states) {
                return states;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}; it says {states:#} and warns of {:#}", self.log());
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Calls a service for an entity.
    pub fn call(&mut self, service: &str, entity: &str, more: &Value) {
        let _nothing = self.ask(&json!({ "do": "call", "service": service, "entity": entity, "data": more }));
    }

    /// What it has warned of.
    pub fn log(&mut self) -> Value {
        self.ask(&json!({ "do": "log" }))
    }
}
