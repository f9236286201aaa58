//! Reads the keys of one section, notes every mistake, and remembers where each setting came from. Knows no section.

use super::document::{Document, Entry, Kind, Place, Value};
use super::interval::Interval;
use super::mistake::{Mistake, nearest};
use crate::name::is_name;

/// What reading leaves behind besides values.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) documents: Vec<Document>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) settings: Vec<Setting>,
}

/// One setting as it holds, and where it comes from.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Setting {
    /// The key with its section: `http.listen`, `source.yard.every`.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
    /// Where it comes from: `default`, a file with its line, the name of a variable, or `store`.
    pub from: String,
}

impl Reading {
    pub(super) fn wrong(&mut self, place: Place, key: String, message: String, expected: String) -> &mut Mistake {
        let index = self.mistakes.len();
        self.mistakes.push(Mistake::new(&self.documents, place, key, message, expected));
        &mut self.mistakes[index]
    }

    /// Where a setting stands, for people.
    pub(super) fn origin(&self, place: Place) -> String {
        let Some(document) = self.documents.get(place.document) else { return String::new() };
        if document.name == super::variables::DOCUMENT {
            return document.text.split('=').next().unwrap_or_default().to_owned();
        }
        format!("{}:{}", document.name, document.line_and_column(place.start).0)
    }
}

/// One section, or one element of a list of them.
pub(super) struct Section<'a> {
    reading: &'a mut Reading,
    entries: Vec<&'a Entry>,
    /// `[http]`, `[[source]]`: how the section is called in a sentence.
    title: &'a str,
    /// `http`, `source.yard`: where its keys are.
    path: String,
    /// The section itself, for what is missing in it.
    place: Option<Place>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        reading: &'a mut Reading,
        title: &'a str,
        path: String,
        place: Option<Place>,
        entries: Vec<&'a Entry>,
    ) -> Self {
        Self { reading, entries, title, path, place, known: Vec::new() }
    }

    /// The value of a key; of several documents the last one counts.
    fn find(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        let value = self.entries.iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)?;
        let setting = Setting {
            key: format!("{}.{key}", self.path),
            value: shown(value),
            from: self.reading.origin(value.place),
        };
        self.reading.settings.push(setting);
        Some(value)
    }

    /// What `convert` makes of a key; what it refuses is a mistake that says what was expected.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.find(key)?;
        let converted = convert(value);
        if converted.is_none() {
            self.wrong_value(key, value, expected);
        }
        converted
    }

    fn wrong_value(&mut self, key: &str, value: &Value, expected: &str) {
        let message = format!("wrong value of `{key}` in {}: {}", self.title, value.words());
        self.reading.wrong(value.place, format!("{}.{key}", self.path), message, format!("expected {expected}"));
    }

    /// What holds where a key is absent, for `config show`.
    pub(super) fn default(&mut self, key: &'static str, value: impl Into<serde_json::Value>) {
        if !self.entries.iter().any(|entry| entry.key == key) {
            let key = format!("{}.{key}", self.path);
            self.reading.settings.push(Setting { key, value: value.into(), from: "default".to_owned() });
        }
    }

    pub(super) fn text(&mut self, key: &'static str, expected: &str) -> Option<String> {
        self.read(key, expected, |value| text(value).filter(|text| !text.is_empty()).map(str::to_owned))
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |value| match &value.kind {
            Kind::Flag(flag) => Some(*flag),
            Kind::Variable(text) => text.parse().ok(),
            _ => None,
        })
    }

    pub(super) fn whole(&mut self, key: &'static str, from: u64, to: u64) -> Option<u64> {
        let expected = format!("a whole number from {from} to {to}");
        self.read(key, &expected, |value| {
            let number = match &value.kind {
                Kind::Integer(number) => u64::try_from(*number).ok(),
                Kind::Variable(text) => text.parse().ok(),
                _ => None,
            };
            number.filter(|number| (from..=to).contains(number))
        })
    }

    pub(super) fn interval(&mut self, key: &'static str) -> Option<Interval> {
        let expected = "a time: a number and ms, s, min or h, such as \"500ms\"";
        self.read(key, expected, |value| text(value)?.parse().ok())
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.find(key)?;
        let word = text(value);
        let chosen = word.and_then(|word| choices.iter().find(|(name, _)| *name == word));
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong_value(key, value, &format!("one of {}", quoted(&names)));
            let help = word.and_then(|word| nearest(word, names)).map(|name| format!("did you mean \"{name}\"?"));
            if let Some(mistake) = self.reading.mistakes.last_mut() {
                mistake.help = help;
            }
        }
        chosen.map(|(_, choice)| *choice)
    }

    pub(super) fn texts(&mut self, key: &'static str, expected: &str) -> Option<Vec<String>> {
        self.read(key, expected, |value| match &value.kind {
            Kind::List(list) => list.iter().map(|one| text(one).map(str::to_owned)).collect(),
            Kind::Variable(text) => Some(text.split(',').map(|one| one.trim().to_owned()).collect()),
            _ => None,
        })
    }

    /// A name, `[a-z0-9-]{1,64}`.
    pub(super) fn name_of(&mut self, key: &'static str, expected: &str) -> Option<String> {
        self.read(key, expected, |value| text(value).filter(|name| is_name(name)).map(str::to_owned))
    }

    /// A name, `[a-z0-9-]{1,64}`, which also names the section from now on.
    pub(super) fn name(&mut self, key: &'static str) -> Option<String> {
        let name = self.name_of(key, "a name: 1 to 64 of a-z, 0-9 and -")?;
        let section = self.path.split('.').next().unwrap_or_default().to_owned();
        let path = format!("{section}.{name}");
        for setting in &mut self.reading.settings {
            if let Some(key) = setting.key.strip_prefix(&self.path).filter(|key| key.starts_with('.')) {
                setting.key = format!("{path}{key}");
            }
        }
        self.path = path;
        Some(name)
    }

    /// The elements of a list of tables that a key holds.
    pub(super) fn tables(&mut self, key: &'static str, expected: &str) -> Vec<(Place, &'a [Entry])> {
        let tables = self.read(key, expected, |value| {
            let Kind::List(list) = &value.kind else { return None };
            let table = |one: &'a Value| match &one.kind {
                Kind::Table(entries) => Some((one.place, entries.as_slice())),
                _ => None,
            };
            list.iter().map(table).collect::<Option<Vec<_>>>()
        });
        tables.unwrap_or_default()
    }

    /// A section inside this one.
    pub(super) fn inner<'b>(
        &'b mut self,
        title: &'b str,
        path: &str,
        place: Place,
        entries: &'b [Entry],
    ) -> Section<'b> {
        Section::new(self.reading, title, format!("{}.{path}", self.path), Some(place), entries.iter().collect())
    }

    /// Notes a key that must be there and is not.
    pub(super) fn needs<T>(&mut self, key: &'static str, value: Option<T>, expected: &str) -> Option<T> {
        let written = self.entries.iter().any(|entry| entry.key == key);
        if let (None, false, Some(place)) = (&value, written, self.place) {
            let message = format!("{} has no `{key}`", self.title);
            self.reading.wrong(place, format!("{}.{key}", self.path), message, format!("expected {key}: {expected}"));
        }
        value
    }

    /// Notes that the value of a key does not fit the rest.
    pub(super) fn refuse(&mut self, key: &str, message: String, expected: &str) {
        let written = self.entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.value.place);
        if let Some(place) = written.or(self.place) {
            self.reading.wrong(place, format!("{}.{key}", self.path), message, format!("expected {expected}"));
        }
    }

    /// The text that a key has, whether or not it is right.
    pub(super) fn written(&self, key: &str) -> Option<&'a str> {
        self.entries.iter().rev().find(|entry| entry.key == key).and_then(|entry| text(&entry.value))
    }

    /// Whether a key is there, whatever its value.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Where a key's value stands.
    pub(super) fn place(&self, key: &str) -> Option<Place> {
        self.entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.value.place).or(self.place)
    }

    /// Ends the section: keys that nobody asked for are mistakes. `elsewhere` says of keys that are known, but not here, why.
    pub(super) fn finish(self, elsewhere: &[(&str, &str)]) {
        for entry in &self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            let key = format!("{}.{}", self.path, entry.key);
            let variable = matches!(entry.value.kind, Kind::Variable(_));
            if let Some((_, why)) = elsewhere.iter().find(|(key, _)| *key == entry.key) {
                self.reading.wrong(
                    entry.place,
                    key,
                    format!("`{}` in {} {why}", entry.key, self.title),
                    known(&self.known),
                );
                continue;
            }
            let near = nearest(&entry.key, self.known.iter().copied());
            let message = format!("unknown key `{}` in {}", entry.key, self.title);
            let mistake = self.reading.wrong(entry.place, key, message, known(&self.known));
            mistake.help = near.map(|near| {
                let variable_name = || super::variables::name(&self.path, near);
                format!("did you mean `{}`?", if variable { variable_name() } else { near.to_owned() })
            });
        }
    }
}

/// Text, also that of a variable.
pub(super) fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        Kind::Text(text) | Kind::Variable(text) => Some(text),
        _ => None,
    }
}

/// Any finite number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value.kind {
        Kind::Float(number) => Some(number).filter(|number| number.is_finite()),
        Kind::Integer(number) => Some(number as f64),
        _ => None,
    }
}

/// A value without passwords in its addresses.
fn shown(value: &Value) -> serde_json::Value {
    let mut json = value.json();
    if let Some(text) = json.as_str() {
        json = crate::source::address::redacted(text).into();
    }
    json
}

fn known(keys: &[&str]) -> String {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    format!("known here: {}", keys.join(", "))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
