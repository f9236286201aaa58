//! Who may depend on whom, read from the manifests themselves, so that it needs no compiler and no network.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;

/// Each crate's folder and the workspace crates it may know. `wire ← bridge ← runtime → trainer`.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("trainer", &[]),
    ("firmware-bridge/wire", &[]),
    ("firmware-bridge", &["acclimate-wire"]),
    ("firmware-bridge/firmware", &["acclimate-wire"]),
    ("firmware-bridge/fuzz", &["acclimate-bridge", "acclimate-wire"]),
    ("runtime/backbone", &["acclimate-trainer"]),
    ("runtime", &["acclimate-backbone", "acclimate-bridge", "acclimate-trainer"]),
    ("tests", &["acclimate", "acclimate-backbone", "acclimate-bridge", "acclimate-trainer", "acclimate-wire"]),
    ("xtask", &[]),
];

/// Built apart from the workspace, with versions of their own.
const OUTSIDE: &[&str] = &["firmware-bridge/firmware", "firmware-bridge/fuzz"];

/// Dependencies with one owner.
const OWNED: &[(&str, &[&str])] = &[
    ("ort", &["runtime/backbone"]),
    ("tract-onnx", &["runtime/backbone"]),
    ("prost", &["runtime/backbone"]),
    ("faer", &["trainer"]),
    ("rusqlite", &["runtime", "tests"]),
    ("clap", &["runtime"]),
    ("ureq", &["runtime", "tests"]),
    ("rumqttc", &["runtime", "tests"]),
    ("rustls", &["runtime"]),
    ("coset", &["runtime"]),
    ("ring", &["runtime"]),
    ("nix", &["runtime"]),
    ("serialport", &["runtime"]),
    ("tokio", &["runtime"]),
];

/// Versions stand once; every member named in `members` has its row above.
pub(super) fn workspace(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join("Cargo.toml")).context("reading the workspace's Cargo.toml")?;
    let members = text.lines().find(|line| line.starts_with("members = ")).unwrap_or_default();
    let named: BTreeSet<&str> = members.split('"').skip(1).step_by(2).collect();
    let unknown = named.iter().filter(|member| MAY_KNOW.iter().all(|(folder, _)| folder != *member));
    Ok(unknown.map(|member| format!("Cargo.toml: `{member}`: say in xtask's MAY_KNOW whom it may know")).collect())
}

pub(super) fn check(folder: &str, text: &str) -> Vec<String> {
    let path = format!("{folder}/Cargo.toml");
    let Some((_, may_know)) = MAY_KNOW.iter().find(|(known, _)| *known == folder) else {
        return vec![format!("{path}: an unknown crate: add it to the workspace and to xtask's MAY_KNOW")];
    };
    let in_workspace = !OUTSIDE.contains(&folder);
    let mut broken = Vec::new();
    for (line, name, value) in dependencies(text) {
        if name.starts_with("acclimate") && !may_know.contains(&name) {
            broken.push(format!(
                "{path}:{line}: `{name}`: dependencies point wire ← bridge ← runtime → trainer; convert in `runtime`"
            ));
        }
        if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| *owned == name)
            && !owners.contains(&folder)
        {
            broken.push(format!("{path}:{line}: `{name}`: belongs to {owners:?}; call it through its owner"));
        }
        if in_workspace && !value.contains("workspace = true") && !value.ends_with(".workspace") {
            broken.push(format!("{path}:{line}: `{name}`: versions stand once, in the workspace's Cargo.toml"));
        }
    }
    if in_workspace && !text.contains("[lints]\nworkspace = true") {
        broken.push(format!("{path}: no `[lints] workspace = true`: add it"));
    }
    broken
}

/// `(line, name, value)` of every dependency, of whatever kind; `name.workspace = true` has the value `.workspace`.
fn dependencies(text: &str) -> Vec<(usize, &str, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && let Some((key, value)) = line.split_once('=') {
            let (name, rest) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
            let value = if rest == "workspace" { ".workspace" } else { value };
            found.push((index + 1, name, value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn breaks(folder: &str, dependency: &str, part: &str) {
        let broken = check(folder, &format!("[dependencies]\n{dependency}\n{LINTS}"));
        assert!(broken.len() == 1 && broken[0].contains(part), "{broken:?}");
    }

    #[test]
    fn each_rule_about_manifests_can_fail() {
        breaks("trainer", "acclimate-wire.workspace = true", "`acclimate-wire`");
        breaks("runtime", "acclimate-tests = { workspace = true }", "`acclimate-tests`");
        breaks("runtime", "ort = { workspace = true, optional = true }", "`ort`");
        breaks("xtask", "zip = \"9\"", "versions stand once");
        breaks("xtask/more", "", "unknown crate");
        assert!(check("trainer", "[dependencies]")[0].contains("lints"));
    }

    #[test]
    fn what_is_allowed_passes() {
        let text = format!(
            "[dependencies]\nort = {{ workspace = true, optional = true }}\nsha2.workspace = true # why\n{LINTS}"
        );
        assert_eq!(check("runtime/backbone", &text), Vec::<String>::new());
    }
}
