//! The program for 64-bit ARM, emulated (qemu-user), beside the one of this machine: the same pictures give the same heads
//! and predictions. `cargo xtask test` builds it and says where it and ONNX Runtime's library are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use acclimate_tests::device::Device;
use acclimate_tests::program::Running;
use acclimate_tests::skip::{assets, skip};
use acclimate_tests::trashnet::{Photograph, TrashNet, csv, onnx_runtime};
use serde_json::Value;
use tempfile::TempDir;

/// Photographs of each class: to learn from, to be classified. An emulated picture takes half a second.
const TRAIN: usize = 6;
const TEST: usize = 2;

/// Features agree to 3e-6; a code that is rounded the other way moves a head by no more than this.
const SAME: f64 = 2e-3;

#[test]
fn both_engines_predict_on_arm_as_they_do_here() {
    let (Some(arm), Some(library)) = (env::var_os("ACCLIMATE_AARCH64"), env::var_os("ACCLIMATE_AARCH64_ORT")) else {
        return skip("aarch64", "no program for 64-bit ARM was built: `cargo xtask test aarch64 tests`");
    };
    let Some(assets) = assets() else { return };
    if let Err(why) = onnx_runtime() {
        return skip("ort", &why);
    }
    let board = board();
    let emulator = ["qemu-aarch64".into(), "-L".into(), board.path().into(), arm];
    let split = TrashNet::read(&assets).split(1);
    let (train, test) = (few(&split.train, TRAIN), few(&split.test, TEST));
    for (engine, backbone) in [("tract", "mcunet-5fps"), ("ort", "mcunet-5fps"), ("tract", "builtin-picture-1")] {
        let learn = |device: &Device, library| learn(device, library, &assets, [engine, backbone], &train, &test);
        let here = learn(&Device::new(), None);
        let there = learn(&Device::of(emulator.to_vec()), Some(&library));
        assert_eq!((here.len(), there.len()), (6 * TEST, 6 * TEST));
        let mut worst = 0.0_f64;
        for (a, b) in here.iter().zip(&there) {
            assert_eq!((&a["input"], &a["class"], &a["unknown"]), (&b["input"], &b["class"], &b["unknown"]));
            for (class, p) in a["scores"].as_object().unwrap() {
                worst = worst.max((p.as_f64().unwrap() - b["scores"][class].as_f64().unwrap()).abs());
            }
        }
        eprintln!("{engine}, {backbone}: scores differ by at most {worst:.1e}");
        assert!(worst <= SAME, "{engine}, {backbone}: {worst}");
    }
}

/// What the emulated program finds at `/` before it finds this machine's: the C and C++ libraries, and the processors of a
/// Raspberry Pi 4. ONNX Runtime reads those when it is loaded, and crashes where it finds none of its kind.
fn board() -> TempDir {
    const PROCESSOR: &str = "Features\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
        CPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n";
    let board = tempfile::tempdir().unwrap();
    symlink("/usr/aarch64-linux-gnu/lib", board.path().join("lib")).unwrap();
    let write = |path: &str, text: &str| {
        let path = board.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let processors: Vec<String> = (0..4).map(|number| format!("processor\t: {number}\n{PROCESSOR}")).collect();
    write("proc/cpuinfo", &processors.concat());
    write("sys/devices/system/cpu/possible", "0-3\n");
    write("sys/devices/system/cpu/present", "0-3\n");
    board
}

/// The first few photographs of each class.
fn few(photographs: &[Photograph], each: usize) -> Vec<Photograph> {
    let mut classes: Vec<&str> = photographs.iter().map(|photograph| photograph.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    let of = |class| photographs.iter().filter(move |photograph| photograph.class == class).take(each).cloned();
    classes.into_iter().flat_map(of).collect()
}

/// `init`, `add`, `adapt`, `classify`.
fn learn(
    device: &Device,
    library: Option<&OsString>,
    assets: &Path,
    [engine, backbone]: [&str; 2],
    train: &[Photograph],
    test: &[Photograph],
) -> Vec<Value> {
    let run = |arguments: &[&str]| {
        let mut command = device.command(arguments);
        command.args(["--engine", engine, "--threads", "1", "--json", "--models"]).arg(assets.join("models"));
        if let Some(library) = library {
            command.env("ORT_DYLIB_PATH", library);
        }
        Running::start(&mut command).wait().expect(0)
    };
    let _ = run(&["init", "waste", "--backbone", backbone]);
    let labels = device.file("train.csv", csv(train).as_bytes());
    let _ = run(&["add", "waste", text(&assets.join("data/trashnet")), "--labels-from-csv", text(&labels)]);
    assert_eq!(run(&["adapt", "waste"]).json()["verdict"], "activated");
    let pictures = test.iter().map(|photograph| text(&photograph.path));
    run(&["classify", "waste"].into_iter().chain(pictures).collect::<Vec<_>>()).json_lines()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of this checkout is text")
}
