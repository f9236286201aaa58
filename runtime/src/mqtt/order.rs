//! Commands as they come over MQTT: what is asked, under which name, and where the answer goes. Pure; what is wrong is said
//! with what was expected.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::message::{CBOR, Received};
use super::reply::Reply;
use crate::cbor;
use crate::config::Interval;
use crate::daemon::command::{Command, CommandError};
use crate::daemon::view::View;
use crate::store;

/// A command, pictures apart, has so many bytes at most.
const LARGEST: usize = 64 << 10;
/// A picture is decoded: so many bytes at most.
const LARGEST_PICTURE: usize = 16 << 20;
/// Longest name of a transaction, bytes.
const LONGEST_NAME: usize = 200;
/// Commands for many are spread over so long at most.
const LONGEST_SPREAD: Duration = Duration::from_hours(24);

/// Verbs, and what their payload looks like.
const VERBS: [(&str, &str); 11] = [
    ("activate", r#"{"task":"gate","generation":3}"#),
    ("adapt", r#"{"task":"gate"}, and "trust_labels":true where the new labels are right"#),
    ("classify", r#"{"task":"gate"}, or a picture (content type image/jpeg) with the user property `task`"#),
    ("forget", r#"{"task":"gate","samples":["1f2e3d"]}"#),
    ("health", "{}"),
    ("label", r#"{"task":"gate","sample":"last","label":"open"}"#),
    ("picture", r#"{"source":"yard"}"#),
    ("publish", r#"{"task":"gate"}"#),
    ("rollback", r#"{"task":"gate"}"#),
    ("set", r#"{"task":"gate","adaptation":false}, or "threshold":0.6, or both"#),
    ("teach", r#"{"task":"gate","class":"open","hold":"begin"}, later "hold":"end""#),
];

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Command(Command),
    /// How the device is.
    Health,
    /// The newest picture of a source; of the only one where none is named.
    Picture(Option<String>),
    /// The head in service of a task, signed, for other devices.
    Publish(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) what: What,
    /// A command is carried out once under a key.
    pub(super) key: Option<String>,
    pub(super) reply: Reply,
    /// So long it waits, so that not all of a fleet begin at once.
    pub(super) wait: Duration,
}

/// Understands a command. Whoever is not understood is told so.
pub(super) fn read(
    verb: &str,
    received: &Received,
    reply: Reply,
    view: &View,
) -> Result<Order, Box<(Reply, CommandError)>> {
    let mut reply = reply;
    let parsed = parse(verb, received, &mut reply, view);
    match parsed {
        Ok((what, spread)) => {
            let name = reply.transaction.as_ref().map(name_of);
            // Of any length, remembered at no great one.
            let name =
                name.or_else(|| received.correlation.as_deref().map(|data| format!("={}", store::Digest::of(data))));
            let key = name.map(|name| format!("{verb} {name}"));
            let wait = waits(&view.device, received, spread);
            Ok(Order { what, key, reply, wait })
        }
        Err(error) => Err(Box::new((reply, error))),
    }
}

type Parsed = Result<(What, Duration), CommandError>;

fn parse(verb: &str, received: &Received, reply: &mut Reply, view: &View) -> Parsed {
    let name = property(received, "transaction").map(|name| Value::from(name.to_owned()));
    let is_long = name.as_ref().is_some_and(|name| name_of(name).len() > LONGEST_NAME);
    // One that is no name is not said again either.
    reply.transaction = name.filter(|_| !is_long);
    let Some((_, expected)) = VERBS.iter().find(|(known, _)| *known == verb) else {
        let names: Vec<&str> = VERBS.iter().map(|(name, _)| *name).collect();
        let shown: String = verb.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(invalid(format!("there is no command `{shown}`; there are: {}", names.join(", "))));
    };
    let wrong = |why: String| invalid(format!("the payload of `{verb}` is of no use: {why}; expected {expected}"));
    if is_long {
        return Err(wrong(format!("the user property `transaction` is no name of {LONGEST_NAME} bytes at most")));
    }
    let is_picture = received.media.as_deref().is_some_and(|media| media.starts_with("image/"))
        || received.payload.starts_with(&[0xff, 0xd8, 0xff]);
    if is_picture {
        return picture(verb, received, view, &wrong);
    }
    if received.payload.len() > LARGEST {
        let found = received.payload.len();
        return Err(wrong(format!("it has {found} bytes, of {LARGEST} at most")));
    }
    let mut document = document(received).map_err(wrong)?;
    if let Some(transaction) = document.remove("transaction") {
        let fits = matches!(transaction, Value::Number(_) | Value::String(_));
        if !fits || name_of(&transaction).len() > LONGEST_NAME {
            return Err(wrong(format!("`transaction` is no name of {LONGEST_NAME} bytes at most")));
        }
        reply.transaction = Some(transaction);
    }
    let spread = match document.remove("spread") {
        None => Duration::ZERO,
        Some(spread) => {
            let time = spread.as_str().and_then(|text| text.parse::<Interval>().ok()).map(|time| time.0);
            time.filter(|time| *time <= LONGEST_SPREAD)
                .ok_or_else(|| wrong("`spread` is no time up to 24h, such as \"10min\"".to_owned()))?
        }
    };
    let what = match verb {
        "health" => {
            nothing_else(&document, &[]).map_err(wrong)?;
            What::Health
        }
        "picture" => {
            nothing_else(&document, &["source"]).map_err(wrong)?;
            match document.get("source") {
                None => What::Picture(None),
                Some(Value::String(source)) => What::Picture(Some(source.clone())),
                Some(_) => return Err(wrong("`source` is no text".to_owned())),
            }
        }
        "publish" => {
            nothing_else(&document, &["task"]).map_err(wrong)?;
            match document.get("task") {
                None => What::Publish(only_task(view).ok_or_else(|| wrong("`task` is missing".to_owned()))?),
                Some(Value::String(task)) if view.tasks.iter().any(|known| known.name == *task) => {
                    What::Publish(task.clone())
                }
                Some(task) => return Err(wrong(format!("there is no task {task}"))),
            }
        }
        _ => What::Command(command(verb, document, view).map_err(wrong)?),
    };
    Ok((what, spread))
}

fn picture(verb: &str, received: &Received, view: &View, wrong: &dyn Fn(String) -> CommandError) -> Parsed {
    if verb != "classify" {
        return Err(wrong("it is a picture".to_owned()));
    }
    if received.payload.len() > LARGEST_PICTURE {
        let found = received.payload.len();
        return Err(wrong(format!("the picture has {found} bytes, of {LARGEST_PICTURE} at most")));
    }
    let task = property(received, "task").map(str::to_owned).or_else(|| only_task(view));
    let task = task.ok_or_else(|| wrong("there is no user property `task`".to_owned()))?;
    Ok((What::Command(Command::ClassifyPicture { task, picture: received.payload.clone() }), Duration::ZERO))
}

/// The payload as a JSON object; an empty one is an empty object.
fn document(received: &Received) -> Result<Map<String, Value>, String> {
    if received.payload.is_empty() {
        return Ok(Map::new());
    }
    let value = if received.media.as_deref() == Some(CBOR) {
        let value = cbor::read(&received.payload).map_err(|error| crate::causes(&error))?;
        value.deserialized::<Value>().map_err(|error| format!("it is CBOR, and not what JSON could say: {error}"))?
    } else {
        serde_json::from_slice(&received.payload).map_err(|error| format!("it is not JSON ({error})"))?
    };
    match value {
        Value::Object(document) => Ok(document),
        _ => Err("it is no object".to_owned()),
    }
}

/// The daemon's own command: the verb, and what stands in the payload.
fn command(verb: &str, mut document: Map<String, Value>, view: &View) -> Result<Command, String> {
    if let Some(sample) = document.remove("sample") {
        if document.contains_key("samples") {
            return Err("it has `sample` and `samples`".to_owned());
        }
        document.insert("samples".to_owned(), Value::Array(vec![sample]));
    }
    if verb == "label" && !document.contains_key("samples") {
        return Err("`sample` is missing".to_owned());
    }
    if verb == "label" && !document.contains_key("label") {
        return Err("`label` is missing (null takes it back)".to_owned());
    }
    if let (false, Some(task)) = (document.contains_key("task"), only_task(view)) {
        document.insert("task".to_owned(), task.into());
    }
    document.insert("do".to_owned(), verb.into());
    let command = serde_json::from_value(Value::Object(document)).map_err(|error| error.to_string())?;
    // Who is far away means what is seen now, not what was kept of it at some time.
    Ok(match command {
        Command::Label { task, samples, label: Some(label) } if samples == ["last"] => {
            Command::LabelSeen { task, label }
        }
        other => other,
    })
}

fn nothing_else(document: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match document.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown field `{key}`")),
        None => Ok(()),
    }
}

/// The task that is meant where there is only one.
fn only_task(view: &View) -> Option<String> {
    match view.tasks.as_slice() {
        [task] => Some(task.name.clone()),
        _ => None,
    }
}

fn property<'a>(received: &'a Received, name: &str) -> Option<&'a str> {
    received.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn name_of(transaction: &Value) -> String {
    transaction.as_str().map_or_else(|| transaction.to_string(), |text| format!("\"{text}"))
}

fn invalid(words: String) -> CommandError {
    CommandError::Invalid(words)
}

/// A share of the time that differs from device to device and from command to command.
fn waits(device: &str, received: &Received, spread: Duration) -> Duration {
    if spread.is_zero() {
        return Duration::ZERO;
    }
    let mut digest = Sha256::new();
    digest.update(device);
    digest.update([0]);
    digest.update(&received.payload);
    let digest = digest.finalize();
    let share = digest.iter().take(4).fold(0_u32, |share, byte| share << 8 | u32::from(*byte));
    spread.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
