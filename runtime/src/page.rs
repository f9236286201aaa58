//! The page on which a person teaches the device: its files, embedded. They speak the API and nothing else; no build step
//! makes them, and nothing is fetched from elsewhere. Knows nothing of HTTP.
//!
//! Read `page/page.js` first. Invariants, held by the tests below: every address in them is relative, nothing stands inline
//! that the policy `default-src 'self'` would refuse, and together they stay below 150 KB.

/// The name of a file, what it is, and what it holds.
type Asset = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, include_bytes!(concat!("page/", $name)))),*]
    };
}

const ASSETS: &[Asset] = assets! {
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": PICTURE,
    "adder.js": SCRIPT,
    "advice.js": SCRIPT,
    "api.js": SCRIPT,
    "charts.js": SCRIPT,
    "dom.js": SCRIPT,
    "gallery.js": SCRIPT,
    "history.js": SCRIPT,
    "hold.js": SCRIPT,
    "honest.js": SCRIPT,
    "live.js": SCRIPT,
    "look_now.js": SCRIPT,
    "names.js": SCRIPT,
    "page.js": SCRIPT,
    "queue.js": SCRIPT,
    "region.js": SCRIPT,
    "sources.js": SCRIPT,
    "start.js": SCRIPT,
    "stream.js": SCRIPT,
    "teach.js": SCRIPT,
    "words.js": SCRIPT,
};

/// The media type and content of a file of the page, by its path; with or without a leading slash, the root is
/// `index.html`.
pub fn asset(path: &str) -> Option<(&'static str, &'static [u8])> {
    let name = match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    ASSETS.iter().find(|(known, ..)| *known == name).map(|(_, kind, content)| (*kind, *content))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn text(name: &str) -> &'static str {
        std::str::from_utf8(asset(name).unwrap().1).unwrap()
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page");
        let there: BTreeSet<String> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(there, ASSETS.iter().map(|(name, ..)| (*name).to_owned()).collect());
        assert_eq!(asset("/"), asset("index.html"));
        for path in ["../page.rs", "/etc/passwd", "words", "index.html/"] {
            assert_eq!(asset(path), None, "{path}");
        }
    }

    #[test]
    fn all_of_it_is_below_150_kilobytes() {
        let bytes: usize = ASSETS.iter().map(|(.., content)| content.len()).sum();
        assert!(bytes < 150_000, "{bytes}");
    }

    #[test]
    fn every_module_that_is_imported_and_every_file_that_is_linked_is_there() {
        for (name, ..) in ASSETS.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            for import in text(name).lines().filter_map(|line| line.split(" from \"").nth(1)) {
                let module = import.trim_end_matches("\";");
                assert!(module.starts_with("./") && asset(&module[2..]).is_some(), "{name}: {module}");
            }
        }
        let page = text("index.html");
        let mut linked = 0;
        for part in ["href=\"", "src=\""] {
            for link in page.split(part).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(link.starts_with('#') || asset(link).is_some(), "{link}");
                linked += 1;
            }
        }
        assert!(linked >= 4, "{linked}");
    }

    /// A policy of `default-src 'self'` refuses inline scripts, styles and handlers, and whatever is elsewhere; markup from
    /// text would run what a person typed as the name of a class.
    #[test]
    fn nothing_is_inline_absolute_elsewhere_or_made_from_markup() {
        let forbidden = [
            "style=",
            "<style",
            "onclick=\"",
            "onload=\"",
            "javascript:",
            "http://",
            "https://",
            "\"/api",
            "\"//",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "blob:",
            "data:",
        ];
        for (name, ..) in ASSETS {
            // The namespace of SVG is a name, not an address.
            let text = text(name).replace("http://www.w3.org/2000/svg", "");
            for word in forbidden {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
        assert!(!text("index.html").contains("<script>"));
    }
}
