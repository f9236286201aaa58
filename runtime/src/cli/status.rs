//! `status`: what the running daemon sees, says and lacks.

use std::fmt::Write as _;

use acclimate::daemon::client::Daemon;
use acclimate::daemon::notice::State;
use acclimate::daemon::view::{SourceView, TaskView, View};
use anyhow::Context as _;

use super::{Context, Outcome};

/// Runs `acclimate status`.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    let mut daemon = daemon(context)?;
    let view = daemon.status()?;
    context.print(&view, || words(&view))?;
    Ok(Outcome::Done)
}

/// The daemon that runs; what to do where there is none.
pub fn daemon(context: &Context) -> anyhow::Result<Daemon> {
    context.daemon()?.with_context(|| {
        format!("no daemon runs on the store in {}: start one with `acclimate run`", context.data_dir.display())
    })
}

fn words(view: &View) -> String {
    let mut words = format!("{}  acclimate {}, since {}", view.device, view.version, view.started);
    for why in &view.degraded {
        let _ = write!(words, "\ndegraded: {why}");
    }
    for source in &view.sources {
        let SourceView { name, kind, health, frames, size, on_request, line, .. } = source;
        let asked = if *on_request { ", when it is asked" } else { "" };
        let size = match (line, size) {
            (Some(line), _) => {
                line.gives.as_ref().map_or_else(String::new, |gives| format!(" of {gives}, {} lost", line.lost))
            }
            (None, size) => size.map_or_else(String::new, |[width, height]| format!(", {width} × {height}")),
        };
        let _ = write!(words, "\nsource {name}  {kind}, {health}, {frames} frames{size}{asked}");
    }
    for task in &view.tasks {
        let _ = write!(words, "\n{}", task_words(task));
    }
    if view.tasks.is_empty() {
        words += "\nno tasks yet: make one with `acclimate init`, or on the page";
    }
    words
}

fn task_words(task: &TaskView) -> String {
    let head =
        task.generation.map_or_else(|| "no head yet".to_owned(), |generation| format!("generation {generation}"));
    let accuracy = task.accuracy.map_or_else(String::new, |[at, low, high]| {
        format!(", {:.1} % right ({:.1} to {:.1})", 100.0 * at, 100.0 * low, 100.0 * high)
    });
    let from = task.from.as_ref().map_or_else(String::new, |device| format!(" from {device}"));
    let unproved = if task.unproved { ", unproved" } else { "" };
    let mut words = format!("task {}  {}, {head}{from}{accuracy}{unproved}", task.name, task.backbone);
    for look in &task.looks {
        let said = look.stable.as_ref().or(look.now.as_ref()).map_or_else(|| "nothing yet".to_owned(), state_words);
        let _ = write!(words, "\n  {}: {said}", look.look.source);
    }
    let classes: Vec<String> = task.classes.iter().map(|class| format!("{} {}", class.name, class.samples)).collect();
    let classes = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
    let _ = write!(words, "\n  classes: {classes}; {} wait for a label", task.unlabelled);
    if task.drifted {
        words += "\n  what it sees is no longer what it learnt: label five of the newest";
    }
    for next in &task.next {
        let _ = write!(words, "\n  next: {next}");
    }
    words
}

/// An answer in one line.
pub fn state_words(state: &State) -> String {
    let unknown = if state.unknown { ", unlike everything learnt" } else { "" };
    format!("{}, {:.1} %{unknown}, since {}", state.class, 100.0 * state.confidence, state.since)
}
