//! What is held after a power cut: everything from outside, on a copy of what is left.

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::disk::Tree;
use acclimate_tests::picture;
use rusqlite::{Connection, OpenFlags};

use super::state::{Expected, State, Step};

/// Where data lie on the disk, in folders that the program makes.
pub(super) const DATA: &str = "home/acclimate/data";

/// A picture that no session has seen.
const NEW: u64 = 9_000_000;

/// What is wrong, if anything is.
pub(super) fn check(left: &Tree, steps: &[Step], moment: usize) -> Result<(), String> {
    let disk = tempfile::tempdir().expect("a temporary folder");
    left.write(disk.path());
    let device = Device::on(disk.path().join(DATA));
    let found = State::of(&device)?;
    Expected::at(steps, moment).compare(&found)?;
    if !found.task {
        let made = device.run(["init", "parts", "--backbone", "builtin-picture-1"]);
        return succeeded("init", made.code, &made.stderr);
    }
    whole(&device)?;
    let said = device.run(["doctor", "--json"]);
    let store =
        said.json().as_array().and_then(|checks| checks.iter().find(|check| check["check"] == "store").cloned());
    if store.as_ref().is_none_or(|store| store["status"] != "fine") {
        return Err(format!("doctor: {store:?} {}", said.stderr));
    }
    if let Some(&generation) = found.service.first() {
        let ask = device.file("ask.png", &picture::draw(0, NEW));
        let answer = device.run(["classify".as_ref(), "parts".as_ref(), ask.as_os_str(), "--json".as_ref()]);
        succeeded("classify", answer.code, &answer.stderr)?;
        if answer.json()["generation"].as_u64() != Some(generation) {
            return Err(format!("generation {generation} is in service and does not answer: {}", answer.stdout));
        }
        let audited = device.run(["audit", "parts", "--json"]);
        succeeded("audit", audited.code, &audited.stderr)?;
        if audited.json()["reproduced"] != true {
            return Err(format!("audit: {}", audited.stdout));
        }
        serves(&device, generation)?;
    }
    // And on it goes.
    let new = device.file("new/disc/new.png", &picture::draw(0, NEW + 1));
    let folder = new.ancestors().nth(2).expect("it lies in two folders");
    let added = device.run(["add".as_ref(), "parts".as_ref(), folder.as_os_str(), "--labels-from-folders".as_ref()]);
    succeeded("add", added.code, &added.stderr)?;
    if State::of(&device)?.labels.len() != found.labels.len() + 1 {
        return Err("what was added afterwards is not there".to_owned());
    }
    Ok(())
}

fn succeeded(what: &str, code: Option<i32>, stderr: &str) -> Result<(), String> {
    if code == Some(0) { Ok(()) } else { Err(format!("{what} ended with {code:?}: {stderr}")) }
}

fn whole(device: &Device) -> Result<(), String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(device.data_dir().join("acclimate.db"), flags);
    let verdict: Result<String, _> =
        database.and_then(|database| database.query_row("PRAGMA integrity_check", [], |row| row.get(0)));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        other => Err(format!("the database is damaged: {other:?}")),
    }
}

/// A daemon takes the head up.
fn serves(device: &Device, generation: u64) -> Result<(), String> {
    let config = device.file("acclimate.toml", b"[http]\nlisten = \"127.0.0.1:0\"\n");
    let mut daemon = Daemon::start(device, &config);
    let view = daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    let ended = daemon.end();
    if view["tasks"][0]["generation"].as_u64() != Some(generation) {
        return Err(format!("a daemon serves {}, not {generation}", view["tasks"][0]["generation"]));
    }
    succeeded("run", ended.code, &ended.stderr)
}
