//! `docs/check-us.md` as a reader would follow it: its commands and its Python, run as they stand.

use std::process::Command;

use acclimate_tests::checkout;
use acclimate_tests::device::Device;
use acclimate_tests::program::{Running, acclimate};
use acclimate_tests::python::{python, run};

/// The blocks of a language, one after the other.
fn blocks(page: &str, language: &str) -> String {
    let fence = format!("```{language}\n");
    let blocks: Vec<&str> = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "the page has no {language}");
    blocks.concat()
}

/// Runs the page on the task `parts` of a device, whose Python prints what it found.
fn follow(device: &Device, python: &std::path::Path) -> String {
    let page = std::fs::read_to_string(checkout().join("docs/check-us.md")).unwrap();
    let folder = device.path("check");
    std::fs::create_dir_all(&folder).unwrap();
    let start = "set -e\ncd \"$1\"\nPROGRAM=$2\nacclimate() { \"$PROGRAM\" \"$@\"; }\n";
    let shell = format!("{start}{}", blocks(&page, "sh"));
    let mut command = Command::new("sh");
    command.args(["-c", &shell, "sh"]).arg(&folder).arg(acclimate());
    let _ = Running::start(command.env("TASK", "parts").env("ACCLIMATE_DATA_DIR", device.data_dir())).wait().expect(0);
    let script = format!("import os, sys\nos.chdir(sys.argv[1])\n{}", blocks(&page, "python"));
    run(&python.to_path_buf(), &script, &[folder.to_str().unwrap()]).expect(0).stdout
}

#[test]
fn scikit_learn_comes_to_the_same_head_and_the_same_scores() {
    let Some(python) = python("sklearn") else { return };
    // Once with groups of one folder, once with one class five times as large as the other.
    for lopsided in [false, true] {
        let device = Device::new();
        let _ = device.run(["init", "parts", "--backbone", "builtin-picture-1", "--group-by", "folder"]).expect(0);
        for seed in 1..=6 {
            let folder = device.draw(&format!("shelf-{seed}"), if lopsided { 5 } else { 3 }, seed);
            if lopsided && seed > 2 {
                std::fs::remove_dir_all(folder.join(acclimate_tests::picture::CLASSES[0])).unwrap();
            }
            device.add_folders(&folder);
        }
        let _ = device.run(["adapt", "parts", "--head", "ridge"]).expect(0);
        let said = follow(&device, &python);
        println!("{said}");
        assert!(said.contains("accuracy, each group left out"), "{said}");
    }
}
