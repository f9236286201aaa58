//! The invariants of ARCHITECTURE.md that neither the compiler nor clippy checks: tables of what may stand where, and one
//! sentence per broken rule that says what to do. Reads files, runs nothing.

mod code;
mod manifest;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

const MAX_LINES: usize = 600;

/// Words that may not stand in code (comments, strings and longer names do not count).
struct Ban {
    /// The paths it holds for start with this, …
    under: &'static [&'static str],
    /// … except for these, each a decision that was taken.
    except: &'static [&'static str],
    words: &'static [&'static str],
    /// Whether `mod tests` at the foot of a file may use them.
    tests_may: bool,
    advice: &'static str,
}

const EVERYWHERE: &[&str] = &[""];

const BANS: &[Ban] = &[
    Ban {
        under: &["trainer/src/"],
        except: &[],
        words: &["std::time", "std::fs", "std::net", "std::io", "std::env", "Instant", "SystemTime", "tokio"],
        tests_may: false,
        advice: "the trainer is pure numbers: take times, files and generators as arguments from `runtime`",
    },
    Ban {
        under: &["firmware-bridge/wire/src/"],
        except: &[],
        words: &["std::", "alloc::", "extern crate"],
        tests_may: true,
        advice: "wire runs on a microcontroller: core only, buffers of a fixed size",
    },
    Ban {
        under: &["firmware-bridge/src/"],
        except: &[],
        // A `Duration` is a number; the clocks are these two.
        words: &["std::io", "std::fs", "std::net", "Instant", "SystemTime", "tokio"],
        tests_may: true,
        advice: "the bridge decides and does no I/O: take bytes and times as arguments, return what to do",
    },
    Ban {
        under: EVERYWHERE,
        except: &[
            "runtime/src/daemon/askers.rs", // the channels of the handle
            "runtime/src/daemon/handle.rs",
            "runtime/src/daemon/shell.rs", // the channels of the handle
            "runtime/src/daemon/signals.rs",
            "runtime/src/door/assets.rs",
            "runtime/src/door/attention.rs",
            "runtime/src/door/board.rs",
            "runtime/src/door/cameras.rs",
            "runtime/src/door/commands.rs",
            "runtime/src/door/events.rs",
            "runtime/src/door/frames.rs",
            "runtime/src/door/inside.rs",
            "runtime/src/door/routes.rs",
            "runtime/src/door/server.rs",
            "runtime/src/door/session.rs",
            "runtime/src/door/shown.rs",
            "runtime/src/door/tests.rs", // the channels of the handle
        ],
        words: &["async", ".await", "tokio"],
        tests_may: false,
        advice: "deciding is synchronous: only doors to the network wait; add such a file here, and the reason to ARCHITECTURE.md",
    },
    Ban {
        under: EVERYWHERE,
        except: &["firmware-bridge/firmware/src/uart.rs", "runtime/src/memory.rs"],
        words: &["unsafe"],
        tests_may: false,
        advice: "find a safe crate for it; an exception is one module, listed here, with JUSTIFICATION and SAFETY",
    },
    Ban {
        under: EVERYWHERE,
        except: &[],
        words: &["thread::sleep", "#[ignore", "#[should_panic", "todo!", "unimplemented!"],
        tests_may: false,
        advice: "wait for an event, skip with a reason, assert on a value, or finish it",
    },
];

const VAGUE: &[&str] = &["utils", "util", "common", "helper", "helpers", "misc"];

/// Every broken rule, as `path:line: what is wrong: what to do`.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    list(root, root, &mut files)?;
    files.sort();
    let mut broken = manifest::workspace(root)?;
    for path in files {
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("reading {}", path.display()))?;
        let name = path.to_string_lossy();
        if name.ends_with(".rs") {
            broken.extend(source(&name, &text));
        } else if let Some(folder) = name.strip_suffix("/Cargo.toml") {
            broken.extend(manifest::check(folder, &text));
        }
    }
    Ok(broken)
}

/// Rust files and manifests, relative to the root. Folders with their own target directory or a leading dot are not ours.
fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in folder.read_dir().with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        // A link is not followed: it could lead in a circle or out of the checkout.
        let kind = entry.file_type()?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            list(root, &path, files)?;
        } else if kind.is_file() && (name.ends_with(".rs") || name == "Cargo.toml") {
            files.push(path.strip_prefix(root).context("a path below the root")?.to_owned());
        }
    }
    Ok(())
}

fn source(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if !text.starts_with("//!") {
        broken.push(format!(
            "{path}:1: no `//!`: open with what the file is, what it knows nothing about, its invariant"
        ));
    }
    let lines = text.lines().count();
    let generated = text.lines().next().is_some_and(|first| first.contains("GENERATED"));
    if lines > MAX_LINES && !generated {
        broken.push(format!("{path}: {lines} lines, at most {MAX_LINES}: make two files of its two nouns"));
    }
    if path.split(['/', '.']).any(|part| VAGUE.contains(&part)) {
        broken.push(format!("{path}: a name that says nothing: put each item with its owner"));
    }
    let code = code::only(text);
    let tests_start = code.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX);
    for ban in BANS {
        let holds = ban.under.iter().any(|prefix| path.starts_with(prefix));
        if !holds || ban.except.contains(&path) {
            continue;
        }
        for (index, line) in code.lines().enumerate() {
            if ban.tests_may && index >= tests_start {
                break;
            }
            for word in ban.words.iter().filter(|word| code::has(line, word)) {
                broken.push(format!("{path}:{}: `{word}`: {}", index + 1, ban.advice));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(path: &str, text: &str, part: &str) {
        let broken = source(path, &format!("//! A file.\n{text}"));
        assert!(broken.len() == 1 && broken[0].contains(part), "{broken:?}");
    }

    #[test]
    fn each_rule_about_source_can_fail() {
        breaks("trainer/src/fit.rs", "use std::time::Duration;", "`std::time`");
        breaks("firmware-bridge/wire/src/lib.rs", "use std::vec::Vec;\n", "`std::`");
        breaks("firmware-bridge/src/link.rs", "fn now() -> Instant;", "`Instant`");
        breaks("runtime/src/main.rs", "async fn main() {}", "`async`");
        breaks("runtime/src/main.rs", "let x = unsafe { y };", "`unsafe`");
        breaks("tests/tests/main.rs", "#[ignore = \"slow\"]", "`#[ignore`");
        breaks("tests/tests/main.rs", "thread::sleep(second);", "`thread::sleep`");
        breaks("runtime/src/utils.rs", "", "says nothing");
        breaks("runtime/src/store.rs", &"\n".repeat(MAX_LINES), "601 lines");
        assert!(source("a.rs", "fn main() {}")[0].contains("no `//!`"));
    }

    #[test]
    fn words_in_comments_strings_and_longer_names_are_free() {
        let text = "//! Never unsafe.\n#![deny(unsafe_code)] // no async\nconst X: &str = \"todo!()\"; /* tokio */ fn asynchronous() {}";
        assert_eq!(source("runtime/src/lib.rs", text), Vec::<String>::new());
        let wire = "//! Frames.\n#![no_std]\n#[cfg(test)]\nmod tests { use std::vec::Vec; }";
        assert_eq!(source("firmware-bridge/wire/src/lib.rs", wire), Vec::<String>::new());
    }

    #[test]
    fn this_checkout_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        assert_eq!(check(root).expect("readable"), Vec::<String>::new());
    }
}
