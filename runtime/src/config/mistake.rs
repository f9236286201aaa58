//! What is wrong in a configuration, where, and how it is shown. Knows no key.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::document::{Document, Place};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file, or `environment`.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// The key with its section: `http.listen`, `source.yard.every`.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: String,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip)]
    place: (usize, usize, usize),
}

impl Mistake {
    pub(super) fn new(documents: &[Document], place: Place, key: String, message: String, expected: String) -> Self {
        let (file, (line, column)) = documents
            .get(place.document)
            .map_or((String::new(), (1, 1)), |document| (document.name.clone(), document.line_and_column(place.start)));
        let place = (place.document, place.start, place.end);
        Self { file, line, column, key, message, expected, help: None, place }
    }

    /// Order of the documents, then of their text.
    pub(super) fn order(&self) -> (usize, usize) {
        (self.place.0, self.place.1)
    }
}

/// Every mistake with the line it stands in.
pub(super) fn report(documents: &[Document], mistakes: &[Mistake]) -> String {
    let renderer = Renderer::plain();
    let mut report = String::new();
    for mistake in mistakes {
        let Some(document) = documents.get(mistake.place.0) else { continue };
        // A span never leaves its text, nor cuts a character.
        let clamp = |at: usize| (0..=at.min(document.text.len())).rev().find(|&at| document.text.is_char_boundary(at));
        let start = clamp(mistake.place.1).unwrap_or(0);
        let end = clamp(mistake.place.2).unwrap_or(start).max(start);
        // Of a table, its first line is enough.
        let end = document.text[start..end].find('\n').map_or(end, |newline| start + newline);
        let snippet = Snippet::source(document.text.as_str())
            .path(document.name.as_str())
            .annotation(AnnotationKind::Primary.span(start..end).label(mistake.expected.as_str()));
        let mut group = Level::ERROR.primary_title(mistake.message.as_str()).element(snippet);
        if let Some(help) = &mistake.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        report.push_str(&renderer.render(&[group]));
        report.push_str("\n\n");
    }
    report.truncate(report.trim_end().len());
    report
}

/// The known word that a mistyped one is nearest to, if it is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_only_where_it_is_near() {
        let known = ["name", "engine"];
        assert_eq!(nearest("engin", known), Some("engine"));
        assert_eq!(nearest("Engine", known), Some("engine"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_place_outside_its_text_does_no_harm() {
        let documents = [Document { name: "a.toml".to_owned(), text: "schön".to_owned() }];
        for (start, end) in [(4, 4), (0, 99), (50, 60), (5, 2)] {
            let place = Place { document: 0, start, end };
            let mistake = Mistake::new(&documents, place, "k".into(), "wrong".into(), "right".into());
            assert!(report(&documents, &[mistake]).contains("wrong"));
        }
    }
}
