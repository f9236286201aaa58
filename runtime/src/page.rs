//! The page: its files, embedded. Knows nothing of HTTP.

/// The media type and content of a file of the page, by its path; with or without a leading slash, the root is
/// `index.html`.
pub fn asset(path: &str) -> Option<(&'static str, &'static [u8])> {
    let page = b"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>acclimate</title><a href=\"api/v1/status\">status</a></html>";
    matches!(path.trim_start_matches('/'), "" | "index.html").then_some(("text/html; charset=utf-8", page))
}
