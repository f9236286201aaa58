//! The configuration: which device this is, which backbone runs on what, how heads are fitted, and what the daemon senses,
//! learns and tells. One TOML file, `conf.d/*.toml` beside it, `ACCLIMATE_…` variables, in this order; what comes later wins,
//! and what is a list grows.
//!
//! Checked whole: every mistake is listed with file, line, key and what was expected, before anything starts. The types of a
//! section stand beside the function that reads it (`general`, `source`, `task`, `sink`); read `section` to see how.

mod check;
mod document;
mod general;
mod interval;
mod mistake;
mod mqtt;
mod paths;
mod section;
mod sink;
mod source;
mod task;
mod variables;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use sha2::{Digest as _, Sha256};

use self::document::{Document, Entry, Kind, Place, Value};
use self::section::{Reading, Section};

pub use self::general::{Adapt, Backbone, Device, EngineName, Http, LISTEN};
pub use self::interval::{Interval, NoInterval};
pub use self::mistake::Mistake;
pub use self::mqtt::{Broker, FLEET, KEEP_ALIVE, MAX_PACKET, Mqtt, OUTBOX_MIB, PREFIX, Predictions, Profile};
pub use self::paths::Surroundings;
pub use self::section::Setting;
pub use self::sink::{Sink, SinkKind};
pub use self::source::{After, Format, Source, SourceKind, Trigger};
pub use self::task::{Keep, Look, Task};

/// A file to start from: every key with its default, commented out.
pub const DEFAULT: &str = include_str!("config/default.toml");

/// No file of configuration is larger.
const LARGEST_FILE: u64 = 1 << 20;

/// The configuration.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields, title = "acclimate.toml")]
pub struct Config {
    /// How new heads are fitted.
    pub adapt: Adapt,
    /// Which device this is.
    pub device: Device,
    /// Which backbone new tasks get, and what runs it.
    pub backbone: Backbone,
    /// The page and its API.
    pub http: Http,
    /// The broker that the device is driven from.
    pub mqtt: Mqtt,
    /// What is told to whom.
    pub sink: Vec<Sink>,
    /// What is sensed.
    pub source: Vec<Source>,
    /// What is learnt.
    pub task: Vec<Task>,
}

/// Where configuration is taken from.
#[derive(Clone, Debug, Default)]
pub struct From {
    /// The file that was named; it must be there.
    pub named: Option<PathBuf>,
    /// The file that is read when none was named, if it is there.
    pub default: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
}

/// A configuration, and what it was made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// Every setting with where it comes from.
    pub settings: Vec<Setting>,
}

/// Why a configuration is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("could not read the configuration {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is wrong.
    #[error("the configuration has {}\n\n{report}", if mistakes.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) })]
    Wrong {
        /// All that is wrong, in the order of files and lines.
        mistakes: Vec<Mistake>,
        /// The same, for people: with the lines.
        report: String,
    },
}

impl From {
    /// What this process is to read; `named` by its command line.
    pub fn of_process(named: Option<&Path>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self {
            named: named.map(Path::to_owned),
            default: Some(Surroundings::of_process().file()),
            variables: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
        }
    }

    /// The file that counts, whether or not it is there.
    pub fn file(&self) -> Option<&Path> {
        self.named.as_deref().or(self.default.as_deref())
    }
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// When a file cannot be read, or something in it is wrong.
    pub fn load(from: &From) -> Result<Loaded, ConfigError> {
        let mut files = Vec::new();
        let mut documents = Vec::new();
        if let Some(file) = from.file() {
            let parts = parts(&file.parent().unwrap_or(Path::new("")).join("conf.d"))?;
            for path in std::iter::once(file.to_owned()).chain(parts) {
                match read(&path) {
                    Ok(text) => documents.push(Document { name: path.display().to_string(), text }),
                    // Only the file that was named must be there.
                    Err(error)
                        if error.kind() == std::io::ErrorKind::NotFound && from.named.as_ref() != Some(&path) =>
                    {
                        continue;
                    }
                    Err(source) => return Err(ConfigError::Read { path, source }),
                }
                files.push(path);
            }
        }
        let (config, settings) = make(documents, from.variables.clone())?;
        Ok(Loaded { config, files, settings })
    }

    /// Checks the text of one file.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let document = Document { name: "acclimate.toml".to_owned(), text: text.to_owned() };
        Ok(make(vec![document], Vec::new())?.0)
    }

    /// The JSON Schema of the file, for editors.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Config)
    }

    /// The device's name: the configuration's, else made of the host's name and the machine's id.
    pub fn device_id(&self) -> String {
        self.device.id.clone().unwrap_or_else(host_id)
    }
}

/// The host's name with four digits that tell cloned cards apart, if the machine has an id.
fn host_id() -> String {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    id_of(&rustix::system::uname().nodename().to_string_lossy(), machine.trim())
}

fn id_of(host: &str, machine: &str) -> String {
    let host: String =
        host.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(59).collect();
    let host = if host.is_empty() { "device".to_owned() } else { host };
    if machine.is_empty() {
        return host;
    }
    // The id itself is confidential: machine-id(5).
    let digest = Sha256::digest(format!("acclimate {machine}"));
    format!("{host}-{:02x}{:02x}", digest[0], digest[1])
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(std::io::Error::other(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    Ok(text)
}

/// The TOML files of a folder in order of name; none where there is no folder.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: folder.to_owned(), source };
    let list = match folder.read_dir() {
        Ok(list) => list,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut parts = Vec::new();
    for entry in list {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !hidden {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

/// Everything that is written about one section, from all documents in order.
#[derive(Default)]
struct Written {
    single: Vec<(&'static str, Entry)>,
    /// Elements of lists of tables, with the place of each.
    lists: Vec<(&'static str, Place, Vec<Entry>)>,
    /// The place of a section's last mention.
    places: Vec<(&'static str, Place)>,
}

const LISTS: [&str; 3] = ["sink", "source", "task"];
const LATER: [&str; 2] = ["fleet", "log"];

fn make(documents: Vec<Document>, variables: Vec<(String, String)>) -> Result<(Config, Vec<Setting>), ConfigError> {
    let mut reading = Reading { documents, ..Reading::default() };
    let mut written = Written::default();
    for index in 0..reading.documents.len() {
        let (entries, errors) = document::parse(index, &reading.documents[index].text);
        let broken = !errors.is_empty();
        for error in errors {
            reading.wrong(
                error.place,
                String::new(),
                format!("this is not TOML: {}", error.message),
                "not understood".to_owned(),
            );
        }
        // What a broken file means is a guess: its other mistakes would be guesses, too.
        if !broken {
            for entry in entries {
                sort(&mut reading, &mut written, entry);
            }
        }
    }
    let (variable_documents, entries) = variables::settings(reading.documents.len(), variables);
    reading.documents.extend(variable_documents);
    written.single.extend(entries);

    let config = sections(&mut reading, &written);
    if reading.mistakes.is_empty() {
        return Ok((config, reading.settings));
    }
    let Reading { documents, mut mistakes, .. } = reading;
    mistakes.sort_by_key(Mistake::order);
    let report = mistake::report(&documents, &mistakes);
    Err(ConfigError::Wrong { mistakes, report })
}

/// Puts a section of a document where it belongs.
fn sort(reading: &mut Reading, written: &mut Written, entry: Entry) {
    let Entry { key, place, value } = entry;
    if let Some(section) = variables::SECTIONS.into_iter().find(|known| *known == key) {
        let Kind::Table(entries) = value.kind else {
            reading.wrong(
                value.place,
                key.clone(),
                format!("`{key}` is {}", value.words()),
                format!("expected a section: [{key}]"),
            );
            return;
        };
        written.places.push((section, place));
        written.single.extend(entries.into_iter().map(|entry| (section, entry)));
    } else if let Some(section) = LISTS.into_iter().find(|known| *known == key) {
        let wrong = |reading: &mut Reading, value: &Value| {
            let message = format!("`{key}` is {}", value.words());
            reading.wrong(value.place, key.clone(), message, format!("expected a list of sections: [[{key}]]"));
        };
        let Kind::List(list) = value.kind else { return wrong(reading, &value) };
        for element in list {
            match element.kind {
                Kind::Table(entries) => written.lists.push((section, element.place, entries)),
                _ => wrong(reading, &element),
            }
        }
    } else if LATER.contains(&key.as_str()) {
        let message = format!("[{key}] is not in this version");
        reading.wrong(place, key, message, "take this section out".to_owned());
    } else {
        let known: Vec<&str> = variables::SECTIONS.into_iter().chain(LISTS).collect();
        let near = mistake::nearest(&key, known.iter().copied());
        let shown: Vec<String> = known
            .iter()
            .map(|name| if LISTS.contains(name) { format!("[[{name}]]") } else { format!("[{name}]") })
            .collect();
        let message = format!("unknown section `{key}`");
        let mistake = reading.wrong(place, key, message, format!("known here: {}", shown.join(", ")));
        mistake.help = near.map(|near| format!("did you mean `{near}`?"));
    }
}

fn sections(reading: &mut Reading, written: &Written) -> Config {
    let single = |name: &str| -> (Option<Place>, Vec<&Entry>) {
        let place = written.places.iter().rev().find(|(section, _)| *section == name).map(|(_, place)| *place);
        (place, written.single.iter().filter(|(section, _)| *section == name).map(|(_, entry)| entry).collect())
    };
    let mut config = Config::default();
    let (place, entries) = single("device");
    config.device = general::device(Section::new(reading, "[device]", "device".to_owned(), place, entries));
    let (place, entries) = single("backbone");
    config.backbone = general::backbone(Section::new(reading, "[backbone]", "backbone".to_owned(), place, entries));
    let (place, entries) = single("adapt");
    config.adapt = general::adapt(Section::new(reading, "[adapt]", "adapt".to_owned(), place, entries));
    let (place, entries) = single("http");
    config.http = general::http(Section::new(reading, "[http]", "http".to_owned(), place, entries));
    let (place, entries) = single("mqtt");
    config.mqtt = mqtt::read(Section::new(reading, "[mqtt]", "mqtt".to_owned(), place, entries));

    let mut found = check::Found::default();
    let mut counts = [0; LISTS.len()];
    for (name, place, entries) in &written.lists {
        let count = &mut counts[LISTS.iter().position(|list| list == name).unwrap_or(0)];
        let title = format!("[[{name}]]");
        let path = format!("{name}.{count}");
        *count += 1;
        let at = |key: &str| entries.iter().find(|entry| entry.key == key).map_or(*place, |entry| entry.value.place);
        let (named, device, of) = (at("name"), at("device"), at("source"));
        let section = Section::new(reading, &title, path, Some(*place), entries.iter().collect());
        match *name {
            "source" => found.sources.extend(source::read(section).map(|source| (named, device, source))),
            "task" => found.tasks.extend(task::read(section).map(|(task, places)| (named, places, task))),
            _ => found.sinks.extend(sink::read(section).map(|sink| (of, sink))),
        }
    }
    // Where a source was not understood, that it is missing is no second mistake.
    let sources_whole = found.sources.len() == counts[1];
    check::across(reading, &found, sources_whole, config.mqtt.url.is_some());
    config.source = found.sources.into_iter().map(|(_, _, source)| source).collect();
    config.sink = found.sinks.into_iter().map(|(_, sink)| sink).collect();
    config.task = found.tasks.into_iter().map(|(_, _, task)| task).collect();
    config
}

/// `argv`: a program and its arguments.
fn argv(section: &mut Section<'_>, needed: bool) -> Vec<String> {
    let expected = "a program and its arguments: [\"/usr/bin/program\", \"argument\"]";
    let argv = section.read("argv", expected, |value| {
        let Kind::List(list) = &value.kind else { return None };
        let argv: Option<Vec<String>> = list.iter().map(|one| section::text(one).map(str::to_owned)).collect();
        argv.filter(|argv| {
            argv.first().is_some_and(|program| !program.is_empty()) && argv.iter().all(|one| !one.contains('\0'))
        })
    });
    if needed {
        let _ = section.needs("argv", argv.as_ref(), "a program and its arguments");
    }
    argv.unwrap_or_default()
}

#[cfg(test)]
mod tests;
