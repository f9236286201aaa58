//! `[[sink]]`: what is told to whom.

use std::path::PathBuf;

use schemars::JsonSchema;

use super::interval::Interval;
use super::section::Section;
use crate::daemon::notice::Event;

/// `[[sink]]`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Sink {
    /// The task whose stable answers it is told.
    pub task: String,
    /// What kind it is.
    pub kind: SinkKind,
    /// What it is told of; `["changed"]`, a changed stable answer, where absent.
    #[schemars(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub events: Vec<Event>,
    /// Of `command`: the program and its arguments; the payload is on its standard input.
    #[schemars(default)]
    pub argv: Vec<String>,
    /// Of `command` and `webhook`: the time one telling may take; `10s` where absent.
    #[schemars(default)]
    pub within: Option<Interval>,
    /// Of `webhook`: where the payload is posted.
    #[schemars(default)]
    pub url: Option<String>,
    /// Of `serial`: the source of kind `serial` whose device is told.
    #[schemars(default)]
    pub source: Option<String>,
    /// Of `gpio`: the chip; `/dev/gpiochip0` where absent.
    #[schemars(default)]
    pub chip: Option<PathBuf>,
    /// Of `gpio`: the line, by its number on the chip.
    #[schemars(default)]
    pub line: Option<u32>,
    /// Of `gpio`: the line is active while the stable answer is this class.
    #[schemars(default)]
    pub class: Option<String>,
    /// Of `gpio`: active is low.
    #[schemars(default)]
    pub active_low: bool,
}

/// Kinds of sink.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum SinkKind {
    /// A program is run.
    Command,
    /// A line of a GPIO chip is set.
    Gpio,
    /// The device of a serial source is told.
    Serial,
    /// A payload is posted.
    Webhook,
}

const KINDS: [(&str, SinkKind); 4] = [
    ("command", SinkKind::Command),
    ("gpio", SinkKind::Gpio),
    ("serial", SinkKind::Serial),
    ("webhook", SinkKind::Webhook),
];

/// Events that are about a task.
const EVENTS: [Event; 6] =
    [Event::Adapted, Event::Changed, Event::Drifted, Event::LabelWanted, Event::Problem, Event::Rejected];

/// Keys that some kinds know, with which.
const ELSEWHERE: [(&str, &str); 9] = [
    ("events", "is a key of kinds \"command\", \"serial\" and \"webhook\""),
    ("source", "is a key of kind \"serial\""),
    ("argv", "is a key of kind \"command\""),
    ("within", "is a key of kinds \"command\" and \"webhook\""),
    ("url", "is a key of kind \"webhook\""),
    ("chip", "is a key of kind \"gpio\""),
    ("line", "is a key of kind \"gpio\""),
    ("class", "is a key of kind \"gpio\""),
    ("active_low", "is a key of kind \"gpio\""),
];

pub(super) fn read(mut section: Section<'_>) -> Option<Sink> {
    let task = section.name_of("task", "the name of a task");
    let task = section.needs("task", task, "the name of the task whose answers it is told");
    let kind = section.choice("kind", &KINDS);
    let kind = section.needs("kind", kind, "\"command\", \"gpio\", \"serial\" or \"webhook\"");
    let mut sink = Sink {
        task: task.clone().unwrap_or_default(),
        kind: kind.unwrap_or(SinkKind::Command),
        events: vec![Event::Changed],
        argv: Vec::new(),
        within: None,
        url: None,
        source: None,
        chip: None,
        line: None,
        class: None,
        active_low: false,
    };
    let is = |kinds: &[SinkKind]| kind.is_none_or(|kind| kinds.contains(&kind));
    if is(&[SinkKind::Command, SinkKind::Webhook]) {
        sink.within = section.interval("within");
    }
    if is(&[SinkKind::Command, SinkKind::Serial, SinkKind::Webhook]) {
        let names: Vec<String> = EVENTS.iter().map(|event| format!("\"{}\"", event.word())).collect();
        let expected = format!("a list of some of {}", names.join(", "));
        let events = section.read("events", &expected, |value| {
            let super::document::Kind::List(list) = &value.kind else { return None };
            let event = |one| EVENTS.into_iter().find(|event| super::section::text(one) == Some(event.word()));
            list.iter().map(event).collect::<Option<Vec<Event>>>().filter(|events| !events.is_empty())
        });
        sink.events = events.unwrap_or(sink.events);
    }
    if is(&[SinkKind::Serial]) {
        sink.source = section.name_of("source", "the name of a source of kind \"serial\"");
        if kind.is_some() {
            let _ = section.needs("source", sink.source.as_ref(), "the name of the source whose device is told");
        }
    }
    if is(&[SinkKind::Command]) {
        sink.argv = super::argv(&mut section, kind.is_some());
    }
    if is(&[SinkKind::Webhook]) {
        sink.url = section.read("url", "an address with http:// or https://", |value| {
            let url = super::section::text(value)?;
            crate::source::address::is_one(url, &["http", "https"]).then(|| url.to_owned())
        });
        if kind.is_some() {
            let _ = section.needs("url", sink.url.as_ref(), "an address with http:// or https://");
        }
    }
    if is(&[SinkKind::Gpio]) {
        sink.chip = section.text("chip", "the path of a GPIO chip, such as \"/dev/gpiochip0\"").map(PathBuf::from);
        sink.line = section.whole("line", 0, 1023).map(|line| line as u32);
        sink.class = section.text("class", "the name of a class");
        sink.active_low = section.flag("active_low").unwrap_or(false);
        if kind.is_some() {
            let _ = section.needs("line", sink.line, "the number of the line on its chip");
            let _ = section.needs("class", sink.class.as_ref(), "the class that makes the line active");
        }
    }
    section.finish(if kind.is_some() { &ELSEWHERE } else { &[] });
    (task.is_some() && kind.is_some()).then_some(sink)
}
