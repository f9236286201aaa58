//! `sense`: the running daemon takes a picture from a source, and says what is in it.

use std::fmt::Write as _;

use acclimate::daemon::command::Command;

use super::{Context, Outcome, status, who};

/// Runs `acclimate sense`.
pub fn run(context: &Context, source: &str) -> anyhow::Result<Outcome> {
    let mut daemon = status::daemon(context)?;
    let reply = daemon.ask(Command::Sense { source: source.to_owned() }, &who())?;
    context.print(&reply, || {
        let word = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
        let mut words = format!("{} gave a picture at {}", word("source"), word("taken"));
        for said in reply["said"].as_array().into_iter().flatten() {
            let state = serde_json::from_value(said["state"].clone()).ok();
            let state = state.map_or_else(|| "no head yet".to_owned(), |state| status::state_words(&state));
            let _ = write!(words, "\ntask {}: {state}", said["task"].as_str().unwrap_or_default());
        }
        words
    })?;
    Ok(Outcome::Done)
}
