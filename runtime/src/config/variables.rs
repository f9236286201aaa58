//! `ACCLIMATE_…` variables as settings: `ACCLIMATE_HTTP_LISTEN` is `listen` of `[http]`. Reads no environment itself.

use super::document::{Document, Entry, Kind, Place, Value};

/// The name of documents that are variables.
pub(super) const DOCUMENT: &str = "environment";

/// Sections that variables can set.
pub(super) const SECTIONS: [&str; 5] = ["adapt", "backbone", "device", "http", "mqtt"];

/// The variable of a key.
pub(super) fn name(section: &str, key: &str) -> String {
    format!("ACCLIMATE_{}_{}", section.to_uppercase(), key.to_uppercase())
}

/// Each variable that names a section, as a document and what it sets; an empty one counts as absent. In order of name, so
/// that mistakes are.
pub(super) fn settings(
    first: usize,
    variables: impl IntoIterator<Item = (String, String)>,
) -> (Vec<Document>, Vec<(&'static str, Entry)>) {
    let mut named: Vec<(&'static str, String, String, String)> = variables
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| {
            let rest = name.strip_prefix("ACCLIMATE_")?.to_lowercase();
            let (section, key) = rest.split_once('_')?;
            let section = SECTIONS.into_iter().find(|known| *known == section)?;
            Some((section, key.to_owned(), name, value))
        })
        .collect();
    named.sort();
    let entry = |(index, (section, key, name, value)): (usize, &(&'static str, String, String, String))| {
        let at = |start, end| Place { document: first + index, start, end };
        let value_place = at(name.len() + 1, name.len() + 1 + value.len());
        let value = Value { place: value_place, kind: Kind::Variable(value.clone()) };
        (*section, Entry { key: key.clone(), place: at(0, name.len()), value })
    };
    let entries = named.iter().enumerate().map(entry).collect();
    let document = |(_, _, name, value): &(&str, String, String, String)| Document {
        name: DOCUMENT.to_owned(),
        text: format!("{name}={value}"),
    };
    (named.iter().map(document).collect(), entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_variables_of_a_section_are_settings() {
        let variables = [
            ("ACCLIMATE_HTTP_TOKEN_FILE", "/t"),
            ("ACCLIMATE_DATA_DIR", "/d"),
            ("ACCLIMATE_DEVICE_ID", ""),
            ("HTTP_LISTEN", "x"),
            ("ACCLIMATE_ADAPT_AFTER_LABELS", "5"),
        ];
        let (documents, entries) = settings(3, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let found: Vec<(&str, &str, usize)> =
            entries.iter().map(|(section, entry)| (*section, entry.key.as_str(), entry.place.document)).collect();
        assert_eq!(found, [("adapt", "after_labels", 3), ("http", "token_file", 4)]);
        assert_eq!(documents[1].text, "ACCLIMATE_HTTP_TOKEN_FILE=/t");
    }
}
