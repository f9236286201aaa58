//! A program that is run for each notice, with the notice on its standard input. One at a time, in order; who takes too long
//! is ended with everything that it started.

use std::time::Duration;

use crate::child::Child;
use crate::config;

/// The time that telling may take, unless the configuration says otherwise.
pub(super) const WITHIN: Duration = Duration::from_secs(10);

/// A sink of kind `command`.
pub(super) struct Command {
    argv: Vec<String>,
    within: Duration,
    task: String,
}

impl Command {
    pub(super) fn new(config: &config::Sink) -> Self {
        let within = config.within.map_or(WITHIN, |within| within.0);
        Self { argv: config.argv.clone(), within, task: config.task.clone() }
    }

    pub(super) fn tell(&self, payload: &str) -> Result<(), String> {
        let line = format!("{payload}\n");
        Child::tell(&self.argv, line.as_bytes(), self.within)
            .map_err(|reason| format!("a command of task `{}` was not told: {reason}", self.task))
    }
}
