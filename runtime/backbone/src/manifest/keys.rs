//! The keys of one table of a manifest, taken one by one, each by its rule.
//!
//! Knows TOML values and nothing about what the keys mean. Invariant: a key that nobody took is a mistake.

use std::fmt;

use toml::{Table, Value};

use super::{Mistake, image::MAX_SIDE};

/// The keys of one table that nobody has taken yet.
pub(super) struct Keys<'m> {
    prefix: String,
    pub(super) table: Table,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'m> Keys<'m> {
    pub(super) fn new(table: Table, mistakes: &'m mut Vec<Mistake>) -> Self {
        Self { prefix: String::new(), table, mistakes }
    }
}

#[expect(clippy::option_option, reason = "the outer none is a mistake already told, the inner one an absent key")]
impl Keys<'_> {
    pub(super) fn mistake(&mut self, key: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.mistakes.push(Mistake {
            key: format!("{}{key}", self.prefix),
            expected: expected.into(),
            found: found.into(),
        });
    }

    pub(super) fn rule(&mut self, holds: bool, key: &str, expected: &str, found: impl fmt::Display) -> bool {
        if !holds {
            self.mistake(key, expected, found.to_string());
        }
        holds
    }

    pub(super) fn take(&mut self, key: &str, expected: &str) -> Option<Value> {
        let value = self.table.remove(key);
        if value.is_none() {
            self.mistake(key, expected, "nothing");
        }
        value
    }

    pub(super) fn wrong_type<T>(&mut self, key: &str, expected: &str, value: &Value) -> Option<T> {
        self.mistake(key, expected, describe(value));
        None
    }

    pub(super) fn required<T>(&mut self, key: &str, read: impl FnOnce(&mut Keys<'_>) -> Option<T>) -> Option<T> {
        let value = self.take(key, "a table")?;
        self.section(key, value, read)
    }

    /// `Some(None)`: absent.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Keys<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(value) = self.table.remove(key) else { return Some(None) };
        self.section(key, value, read).map(Some)
    }

    fn section<T>(&mut self, key: &str, value: Value, read: impl FnOnce(&mut Keys<'_>) -> Option<T>) -> Option<T> {
        let Value::Table(table) = value else { return self.wrong_type(key, "a table", &value) };
        let mut keys = Keys { prefix: format!("{}{key}.", self.prefix), table, mistakes: self.mistakes };
        let section = read(&mut keys);
        keys.finish();
        section
    }

    pub(super) fn string(&mut self, key: &str) -> Option<String> {
        match self.take(key, "a string")? {
            Value::String(text) if !text.is_empty() => Some(text),
            value => self.wrong_type(key, "a string that is not empty", &value),
        }
    }

    /// `Some(None)`: absent.
    pub(super) fn optional_string(&mut self, key: &str) -> Option<Option<String>> {
        if self.table.contains_key(key) { self.string(key).map(Some) } else { Some(None) }
    }

    pub(super) fn integer(&mut self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = match (*range.start(), *range.end()) {
            (i64::MIN, _) => "an integer".to_owned(),
            (low, i64::MAX) => format!("an integer of at least {low}"),
            (low, high) => format!("an integer from {low} to {high}"),
        };
        match self.take(key, &expected)? {
            Value::Integer(value) if range.contains(&value) => Some(value),
            value => self.wrong_type(key, &expected, &value),
        }
    }

    pub(super) fn float(&mut self, key: &str, expected: &str, fits: impl Fn(f32) -> bool) -> Option<f32> {
        let value = self.take(key, expected)?;
        match number(&value) {
            Some(number) if fits(number) => Some(number),
            _ => self.wrong_type(key, expected, &value),
        }
    }

    /// `Some(None)`: absent.
    pub(super) fn optional_float(
        &mut self,
        key: &str,
        expected: &str,
        fits: impl Fn(f32) -> bool,
    ) -> Option<Option<f32>> {
        if self.table.contains_key(key) { self.float(key, expected, fits).map(Some) } else { Some(None) }
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> Option<bool> {
        match self.table.remove(key) {
            None => Some(default),
            Some(Value::Boolean(value)) => Some(value),
            Some(value) => self.wrong_type(key, "true or false", &value),
        }
    }

    pub(super) fn word<T>(
        &mut self,
        key: &str,
        default: Option<T>,
        words: &[&str],
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let expected = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" or ");
        if default.is_some() && !self.table.contains_key(key) {
            return default;
        }
        let value = self.take(key, &expected)?;
        match value.as_str().and_then(parse) {
            Some(word) => Some(word),
            None => self.wrong_type(key, &expected, &value),
        }
    }

    pub(super) fn channels(
        &mut self,
        key: &str,
        channels: usize,
        default: f32,
        fits: impl Fn(f32) -> bool,
        what: &str,
    ) -> Option<[f32; 3]> {
        let Some(value) = self.table.remove(key) else { return Some([default; 3]) };
        let numbers = value
            .as_array()
            .filter(|array| array.len() == channels)
            .and_then(|array| array.iter().map(number).collect::<Option<Vec<_>>>());
        match numbers.as_deref() {
            Some(&[gray]) if fits(gray) => Some([gray; 3]),
            Some(&[first, second, third]) if [first, second, third].into_iter().all(fits) => {
                Some([first, second, third])
            }
            _ => self.wrong_type(key, &format!("an array of {channels} {what}, one per channel"), &value),
        }
    }

    /// One number for all channels, or an array with one for each. Where their count is itself a mistake, only the
    /// numbers are judged.
    pub(super) fn per_channel(
        &mut self,
        key: &str,
        channels: Option<usize>,
        default: f32,
        fits: impl Fn(f32) -> bool,
        what: &str,
    ) -> Option<Vec<f32>> {
        let Some(value) = self.table.remove(key) else { return Some(vec![default; channels.unwrap_or(1)]) };
        let numbers = match &value {
            Value::Array(array) => array.iter().map(number).collect::<Option<Vec<_>>>(),
            scalar => number(scalar).map(|number| vec![number; channels.unwrap_or(1)]),
        };
        let count = channels.map_or_else(|| "with one per channel".to_owned(), |channels| format!("of {channels}"));
        match numbers {
            Some(numbers) if channels.is_none_or(|c| c == numbers.len()) && numbers.iter().all(|&n| fits(n)) => {
                Some(numbers)
            }
            _ => self.wrong_type(key, &format!("one number or an array {count}, {what}"), &value),
        }
    }

    pub(super) fn size(&mut self) -> Option<[u32; 2]> {
        let expected = format!("[height, width], each an integer from 1 to {MAX_SIDE}");
        let value = self.take("size", &expected)?;
        let side =
            |value: &Value| value.as_integer().filter(|side| (1..=MAX_SIDE).contains(side)).map(|side| side as u32);
        match value.as_array().map(Vec::as_slice) {
            Some([height, width]) if side(height).is_some() && side(width).is_some() => {
                Some([side(height)?, side(width)?])
            }
            _ => self.wrong_type("size", &expected, &value),
        }
    }

    pub(super) fn finish(mut self) {
        for key in std::mem::take(&mut self.table).keys() {
            self.mistake(key, "no such key", "it");
        }
    }
}

fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Float(value) => Some(*value as f32),
        Value::Integer(value) => Some(*value as f32),
        _ => None,
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn describe(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { format!("{}…", text.chars().take(80).collect::<String>()) } else { text }
}
