//! `cargo xtask test`: the checks, in order, cheap ones first. Each is a row of [`STEPS`].

use std::{
    fs,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::{
    dist, home_assistant, onnxruntime,
    session::{Outcome, Session},
    tidy, tools,
    workspace::{PRODUCT, Workspace, have_target, run},
};

type Run = fn(&Workspace, &mut Session) -> anyhow::Result<Outcome>;

const STEPS: &[(&str, &str, Run)] = &[
    ("fmt", "cargo fmt --check", fmt),
    ("tidy", "the invariants of ARCHITECTURE.md", tidy),
    ("clippy", "the workspace, then each engine alone and none", clippy),
    ("docs", "rustdoc without warnings", docs),
    ("thumb", "the wire crate and the example firmware for microcontrollers", thumb),
    ("deny", "licences, bans and sources of every dependency", deny),
    ("audit", "advisories against Cargo.lock", audit),
    ("build", "everything that the tests run", build),
    ("ort", "the ONNX Runtime library", ort),
    ("python", "scikit-learn and onnxruntime, which some tests compare with", python),
    ("chromium", "Debian's Chromium and its driver, for the page", chromium),
    ("mosquitto", "Debian's Mosquitto and its programs, for MQTT", mosquitto),
    ("home-assistant", "Home Assistant, which is to find a device by MQTT", home_assistant),
    ("qemu", "the example firmware, and Debian's QEMU to run it", qemu),
    ("aarch64", "the binary for 64-bit ARM, to be run under qemu-user", aarch64),
    ("tests", "cargo test, the whole workspace", tests),
];

pub(crate) fn test(workspace: &Workspace, names: &[String]) -> anyhow::Result<ExitCode> {
    for name in names {
        let known = || STEPS.iter().map(|step| step.0).collect::<Vec<_>>().join(", ");
        ensure!(STEPS.iter().any(|step| step.0 == name), "there is no step `{name}`; there are: {}", known());
    }
    let mut session = Session::new(&std::env::var("ACCLIMATE_REQUIRE").unwrap_or_default());
    for (name, about, step) in STEPS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            session.step(name, about, |session| step(workspace, session));
        }
    }
    Ok(session.finish())
}

fn fmt(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    run(&mut workspace.cargo(["fmt", "--all", "--check"]))?;
    for outside in ["firmware-bridge/firmware", "firmware-bridge/fuzz"] {
        run(workspace.cargo(["fmt", "--check"]).current_dir(workspace.root.join(outside)))?;
    }
    Ok(Outcome::Done)
}

fn tidy(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    let broken = tidy::check(&workspace.root)?;
    for line in &broken {
        eprintln!("{line}");
    }
    ensure!(broken.is_empty(), "{} broken", broken.len());
    Ok(Outcome::Done)
}

fn clippy(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    let engines = ["-p", "acclimate", "-p", "acclimate-backbone", "--no-default-features"];
    let runs: [&[&str]; 4] = [&["--workspace"], &["--features", "ort"], &["--features", "tract"], &[]];
    for (index, features) in runs.into_iter().enumerate() {
        let mut command = workspace.cargo(["clippy", "--all-targets"]);
        if index > 0 {
            command.args(engines);
        }
        run(command.args(features).args(["--", "-D", "warnings"]))?;
    }
    Ok(Outcome::Done)
}

fn docs(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    run(workspace.cargo(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-Dwarnings"))?;
    Ok(Outcome::Done)
}

fn thumb(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    for target in ["thumbv6m-none-eabi", "thumbv7m-none-eabi"] {
        if let Err(why) = have_target(target) {
            return Ok(Outcome::Skipped { what: "thumb".into(), why: format!("{why:#}") });
        }
        run(&mut workspace.cargo(["check", "--package", "acclimate-wire", "--target", target]))?;
    }
    firmware(workspace)?;
    Ok(Outcome::Done)
}

/// Builds the example firmware, which stands outside the workspace.
pub(crate) fn firmware(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = workspace.root.join("firmware-bridge/firmware");
    have_target("thumbv7m-none-eabi")?;
    run(workspace.cargo(["build", "--release", "--target", "thumbv7m-none-eabi"]).current_dir(folder))
}

fn deny(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    let program = match tools::DENY.get(workspace) {
        Ok(program) => program,
        Err(why) => return Ok(Outcome::Skipped { what: "deny".into(), why: format!("{why:#}") }),
    };
    run(Command::new(program)
        .args(["--log-level", "error", "check", "licenses", "bans", "sources"])
        .current_dir(&workspace.root))?;
    Ok(Outcome::Done)
}

fn audit(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    let skipped = |why| Ok(Outcome::Skipped { what: "audit".into(), why });
    let program = match tools::AUDIT.get(workspace) {
        Ok(program) => program,
        Err(why) => return skipped(format!("{why:#}")),
    };
    let mut command = Command::new(program);
    command.args(["audit", "--quiet"]).current_dir(&workspace.root);
    let copy = workspace.root.join("../shared/advisory-db");
    if copy.is_dir() {
        command.arg("--db").arg(&copy).arg("--no-fetch");
    }
    let output = command.stdin(Stdio::null()).output().context("starting cargo-audit")?;
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{}{said}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(Outcome::Done);
    }
    // No network is not an advisory.
    if said.contains("couldn't fetch advisory database") {
        return skipped(
            "the advisory database could not be fetched, and there is no copy in ../shared/advisory-db".into(),
        );
    }
    bail!("cargo audit ended with {}", output.status);
}

fn build(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    run(workspace.cargo(["build", "--bins", "--tests", "--examples"]).args(PRODUCT))?;
    Ok(Outcome::Done)
}

#[expect(clippy::unnecessary_wraps, reason = "a row of STEPS")]
fn ort(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    match onnxruntime::fetch(workspace) {
        Ok(library) => {
            eprintln!("{}", library.display());
            Ok(Outcome::Done)
        }
        Err(why) => Ok(Outcome::Skipped { what: "ort".into(), why: format!("{why:#}") }),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a row of STEPS")]
fn python(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    match tools::python(workspace) {
        Ok(python) => {
            eprintln!("{}", python.display());
            Ok(Outcome::Done)
        }
        Err(why) => Ok(Outcome::Skipped { what: "python".into(), why: format!("{why:#}") }),
    }
}

/// What drives the page.
const BROWSER: [(&str, &str); 2] = [("/usr/bin/chromium", "chromium"), ("/usr/bin/chromedriver", "chromium-driver")];

#[expect(clippy::unnecessary_wraps, reason = "a row of STEPS")]
fn chromium(_: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    match tools::debian(&BROWSER) {
        Ok(()) => Ok(Outcome::Done),
        Err(why) => Ok(Outcome::Skipped { what: "chromium".into(), why: format!("{why:#}") }),
    }
}

/// A broker, what speaks to it, and what makes certificates.
const BROKER: [(&str, &str); 3] = [
    ("/usr/sbin/mosquitto", "mosquitto"),
    ("/usr/bin/mosquitto_pub", "mosquitto-clients"),
    ("/usr/bin/openssl", "openssl"),
];

#[expect(clippy::unnecessary_wraps, reason = "a row of STEPS")]
fn mosquitto(_: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    match tools::debian_without_services(&BROKER) {
        Ok(()) => Ok(Outcome::Done),
        Err(why) => Ok(Outcome::Skipped { what: "mosquitto".into(), why: format!("{why:#}") }),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a row of STEPS")]
fn home_assistant(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    match home_assistant::python(workspace) {
        Ok(python) => {
            eprintln!("{}", python.display());
            Ok(Outcome::Done)
        }
        Err(why) => Ok(Outcome::Skipped { what: "home-assistant".into(), why: format!("{why:#}") }),
    }
}

/// What plays the board that the example firmware is for.
const BOARD: [(&str, &str); 1] = [("/usr/bin/qemu-system-arm", "qemu-system-arm")];

fn qemu(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    if let Err(why) = tools::debian(&BOARD).and_then(|()| have_target("thumbv7m-none-eabi")) {
        return Ok(Outcome::Skipped { what: "qemu".into(), why: format!("{why:#}") });
    }
    firmware(workspace)?;
    Ok(Outcome::Done)
}

/// Tells the tests where the example firmware is, if it was built.
fn announce_firmware(workspace: &Workspace, command: &mut Command) {
    let image = workspace.target.join("thumbv7m-none-eabi/release/acclimate-firmware");
    if image.is_file() {
        command.env("ACCLIMATE_FIRMWARE", image);
    }
}

/// The target that the tests run under emulation.
const AARCH64: &str = "aarch64-unknown-linux-gnu";

/// What runs programs of that target, with the C and C++ libraries that ONNX Runtime needs there.
const EMULATION: [(&str, &str); 3] = [
    ("/usr/bin/qemu-aarch64", "qemu-user"),
    ("/usr/aarch64-linux-gnu/lib/libc.so.6", "libc6-arm64-cross"),
    ("/usr/aarch64-linux-gnu/lib/libstdc++.so.6", "libstdc++6-arm64-cross"),
];

fn aarch64(workspace: &Workspace, _: &mut Session) -> anyhow::Result<Outcome> {
    let made = tools::debian(&EMULATION)
        .and_then(|()| onnxruntime::fetch_for(workspace, "aarch64"))
        .and_then(|_| tools::zigbuild(workspace));
    if let Err(why) = made {
        return Ok(Outcome::Skipped { what: "aarch64".into(), why: format!("{why:#}") });
    }
    // From here on a failure is one of ours.
    dist::make(workspace, AARCH64)?;
    Ok(Outcome::Done)
}

/// Tells the tests where the program for 64-bit ARM is, if it was built.
fn announce_aarch64(workspace: &Workspace, command: &mut Command) {
    let binary = workspace.target.join("dist").join(format!("acclimate-{AARCH64}"));
    if let (true, Ok(library)) = (binary.is_file(), onnxruntime::fetch_for(workspace, "aarch64")) {
        command.env("ACCLIMATE_AARCH64", binary).env("ACCLIMATE_AARCH64_ORT", library);
    }
}

/// Tests append `what: why` to the file that `ACCLIMATE_SKIPS` names when they cannot run.
fn tests(workspace: &Workspace, session: &mut Session) -> anyhow::Result<Outcome> {
    let skips = workspace.target.join("skips.txt");
    fs::write(&skips, "").with_context(|| format!("emptying {}", skips.display()))?;
    let mut command = workspace.cargo(["test", "--no-fail-fast"]);
    command.args(PRODUCT).env("ACCLIMATE_SKIPS", &skips).env("ACCLIMATE_ASSETS", workspace.assets());
    command.env("ACCLIMATE_BIN", workspace.target.join("debug/acclimate"));
    onnxruntime::announce(workspace, &mut command);
    announce_aarch64(workspace, &mut command);
    announce_firmware(workspace, &mut command);
    tools::announce(tools::python(workspace), &mut command);
    tools::announce_fuzzer(workspace, &mut command);
    match home_assistant::python(workspace) {
        Ok(python) => {
            command.env("ACCLIMATE_HOME_ASSISTANT", python);
        }
        Err(error) => eprintln!("skipped: home-assistant: {error:#}"),
    }
    let result = run(&mut command).and_then(|()| run(&mut workspace.cargo(["test", "--quiet", "--package", "xtask"])));
    let skipped = fs::read_to_string(&skips).with_context(|| format!("reading {}", skips.display()))?;
    for line in skipped.lines() {
        let (what, why) = line.split_once(": ").unwrap_or((line, "no reason given"));
        session.skip(what, why);
    }
    result.map(|()| Outcome::Done)
}
