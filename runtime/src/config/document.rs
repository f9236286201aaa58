//! One document of configuration, a TOML file or an environment variable, as a tree of values that know where they stand.
//! Knows no key.

use toml::de::{DeTable, DeValue};

/// A text that settings were read from.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// A path, or `environment`.
    pub(super) name: String,
    /// What it says; of a variable, `NAME=value`.
    pub(super) text: String,
}

/// Bytes of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) document: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Date(String),
    Flag(bool),
    Float(f64),
    Integer(i64),
    List(Vec<Value>),
    Table(Vec<Entry>),
    Text(String),
    /// Of an environment variable, whose type is what its reader expects.
    Variable(String),
}

/// A key with its value. Entries of a table stand in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Something that is not TOML.
pub(super) struct Syntax {
    pub(super) place: Place,
    pub(super) message: String,
}

/// Reads a TOML text as far as it can be understood, and says where it cannot.
pub(super) fn parse(document: usize, text: &str) -> (Vec<Entry>, Vec<Syntax>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let errors = errors.into_iter().map(|error| {
        let span = error.span().unwrap_or(0..0);
        Syntax { place: Place { document, start: span.start, end: span.end }, message: error.message().to_owned() }
    });
    (entries(document, table.get_ref()), errors.collect())
}

fn entries(document: usize, table: &DeTable<'_>) -> Vec<Entry> {
    let at = |span: std::ops::Range<usize>| Place { document, start: span.start, end: span.end };
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            place: at(key.span()),
            value: Value { place: at(value.span()), kind: kind(document, value.get_ref()) },
        })
        .collect();
    entries.sort_by_key(|entry| entry.place.start);
    entries
}

fn kind(document: usize, value: &DeValue<'_>) -> Kind {
    match value {
        DeValue::String(text) => Kind::Text(text.to_string()),
        // What does not fit is no integer that any key takes.
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Kind::Float(f64::INFINITY), Kind::Integer),
        DeValue::Float(float) => Kind::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        DeValue::Datetime(date) => Kind::Date(date.to_string()),
        DeValue::Array(list) => {
            let value = |value: &toml::Spanned<DeValue<'_>>| Value {
                place: Place { document, start: value.span().start, end: value.span().end },
                kind: kind(document, value.get_ref()),
            };
            Kind::List(list.iter().map(value).collect())
        }
        DeValue::Table(table) => Kind::Table(entries(document, table)),
    }
}

impl Value {
    /// What it is, for a sentence that says what was found.
    pub(super) fn words(&self) -> String {
        match &self.kind {
            Kind::Date(date) => format!("the date {date}"),
            Kind::Flag(flag) => format!("{flag}"),
            Kind::Float(float) => format!("the number {float}"),
            Kind::Integer(integer) => format!("the number {integer}"),
            Kind::List(list) => format!("a list of {}", list.len()),
            Kind::Table(_) => "a table".to_owned(),
            Kind::Text(text) | Kind::Variable(text) => format!("\"{}\"", text.escape_debug()),
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        match &self.kind {
            Kind::Flag(flag) => (*flag).into(),
            Kind::Float(float) => (*float).into(),
            Kind::Integer(integer) => (*integer).into(),
            Kind::List(list) => list.iter().map(Self::json).collect(),
            Kind::Table(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Kind::Date(text) | Kind::Text(text) | Kind::Variable(text) => text.as_str().into(),
        }
    }
}

impl Document {
    /// Line and column of a byte, counted from 1.
    pub(super) fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
