//! Names of classes in a model's metadata, in the forms that exporters write.
//!
//! Knows the forms, nothing of what the names mean. Invariant: it gives as many names as there are classes, or none.

use std::collections::BTreeMap;

use crate::onnx::pb::StringStringEntryProto;

/// Our own key, whose value is a JSON array.
pub(crate) const KEY: &str = "acclimate.classes";

/// Keys under which others write them, by how sure they are.
pub(crate) const OTHER_KEYS: [&str; 5] = ["classes", "class_names", "labels", "names", "id2label"];

/// The names of `classes` classes.
pub(crate) fn class_names(metadata: &[StringStringEntryProto], classes: usize) -> Option<Vec<String>> {
    let value = |key: &str| metadata.iter().find(|entry| entry.key() == key).map(StringStringEntryProto::value);
    std::iter::once(KEY).chain(OTHER_KEYS).filter_map(value).filter_map(parse).find(|names| names.len() == classes)
}

/// A JSON array, a JSON object or Python dictionary from number to name, or lines.
fn parse(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    if let Ok(names) = serde_json::from_str::<Vec<String>>(text) {
        return Some(names);
    }
    if let Ok(names) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        return numbered(names.into_iter().map(|(key, name)| Some((key.parse().ok()?, name))).collect::<Option<_>>()?);
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        return numbered(python_entries(inner)?);
    }
    if text.starts_with(['[', '{']) {
        return None;
    }
    let lines = |separator| text.split(separator).map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    let names = if text.contains('\n') { lines('\n') } else { lines(',') };
    (names.len() > 1 && names.iter().all(|name| !name.is_empty())).then_some(names)
}

/// Names in the order of their numbers, which are 0, 1, 2, ….
pub(crate) fn numbered(names: BTreeMap<usize, String>) -> Option<Vec<String>> {
    names.keys().copied().eq(0..names.len()).then(|| names.into_values().collect())
}

/// `0: 'person', 1: "bull's eye"`
fn python_entries(mut text: &str) -> Option<BTreeMap<usize, String>> {
    let mut entries = BTreeMap::new();
    while !text.trim().is_empty() {
        let (key, rest) = text.split_once(':')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let mut name = String::new();
        let mut characters = rest.char_indices().skip(1);
        let end = loop {
            match characters.next()? {
                (_, '\\') => name.push(characters.next()?.1),
                (at, end) if end == quote => break at,
                (_, letter) => name.push(letter),
            }
        };
        entries.insert(key.trim().trim_matches(['\'', '"']).parse().ok()?, name);
        text = rest[end + 1..].trim_start();
        text = text.strip_prefix(',').unwrap_or(text);
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str, value: &str, classes: usize) -> Option<Vec<String>> {
        class_names(&[StringStringEntryProto { key: Some(key.to_owned()), value: Some(value.to_owned()) }], classes)
    }

    #[test]
    fn every_form_is_read() {
        let expected = Some(vec!["ok".to_owned(), "bull's eye".to_owned()]);
        for (key, value) in [
            (KEY, r#"["ok","bull's eye"]"#),
            ("classes", r#"["ok", "bull's eye"]"#),
            ("id2label", r#"{"1": "bull's eye", "0": "ok"}"#),
            ("names", r#"{0: 'ok', 1: "bull's eye"}"#),
            ("names", r"{0: 'ok', 1: 'bull\'s eye'}"),
            ("labels", "ok\nbull's eye\n"),
            ("labels", "ok, bull's eye"),
        ] {
            assert_eq!(named(key, value, 2), expected, "{key} = {value}");
        }
    }

    #[test]
    fn names_that_are_not_one_per_class_are_none() {
        assert_eq!(named("names", r#"["ok"]"#, 2), None);
        assert_eq!(named("names", r#"{"0": "ok", "2": "crack"}"#, 2), None);
        assert_eq!(named("names", "{0: 'ok', 1: 'crack", 2), None);
        assert_eq!(named("other", r#"["ok", "crack"]"#, 2), None);
    }
}
