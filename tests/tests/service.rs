//! A daemon of the system beside ordinary users: who belongs to its group acts on its store through its socket and is told
//! so; who does not is told what to do; and the unit that starts it says what it says to systemd.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::program::acclimate;
use acclimate_tests::skip::skip;
use acclimate_tests::{checkout, picture};

/// The daemon's user and group, and an ordinary user.
const SYSTEM: u32 = 61_811;
const ALICE: u32 = 61_812;

/// `acclimate` as somebody, with this runtime directory and no data directory but their own.
fn program(user: u32, groups: &str, runtime: &Path, asks_for_its_own: bool) -> Vec<std::ffi::OsString> {
    let mut words: Vec<std::ffi::OsString> = vec!["env".into()];
    if !asks_for_its_own {
        words.extend(["-u".into(), "ACCLIMATE_DATA_DIR".into()]);
    }
    words.push(format!("RUNTIME_DIRECTORY={}", runtime.display()).into());
    let as_whom = [format!("--reuid={user}"), format!("--regid={user}"), groups.to_owned()];
    words.push("setpriv".into());
    words.extend(as_whom.into_iter().map(Into::into));
    words.push(acclimate().into());
    words
}

/// A device whose files belong to somebody.
fn device(user: u32, groups: &str, runtime: &Path, asks_for_its_own: bool) -> Device {
    let device = Device::of(program(user, groups, runtime, asks_for_its_own));
    let root = device.data_dir().parent().unwrap().to_owned();
    fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
    chown(&root, Some(user), Some(user)).unwrap();
    device
}

fn may_be_others() -> bool {
    let as_other = Command::new("setpriv")
        .args([format!("--reuid={ALICE}"), format!("--regid={ALICE}"), "--clear-groups".to_owned()])
        .arg(acclimate())
        .arg("--version")
        .output();
    let may = as_other.as_ref().is_ok_and(|output| output.status.success());
    if !may {
        skip("root", &format!("`acclimate` cannot be run as other users: {as_other:?}"));
    }
    may
}

#[test]
fn ordinary_users_act_on_the_store_of_the_systems_daemon_where_its_group_has_them() {
    if !may_be_others() {
        return;
    }
    let runtime = tempfile::tempdir().unwrap();
    fs::set_permissions(runtime.path(), Permissions::from_mode(0o755)).unwrap();
    chown(runtime.path(), Some(SYSTEM), Some(SYSTEM)).unwrap();
    let system = device(SYSTEM, "--clear-groups", runtime.path(), true);
    // As the unit has systemd make it.
    fs::create_dir(system.data_dir()).unwrap();
    fs::set_permissions(system.data_dir(), Permissions::from_mode(0o750)).unwrap();
    chown(system.data_dir(), Some(SYSTEM), Some(SYSTEM)).unwrap();
    let config = system.file("site.toml", b"[http]\nlisten = \"127.0.0.1:0\"\n[[task]]\nname = \"parts\"\n");
    let mut daemon = Daemon::start(&system, &config);
    daemon.wait_until(|view| view["tasks"][0]["extractor"].is_string());
    let socket = runtime.path().join("acclimate.sock");
    let file = fs::metadata(&socket).unwrap();
    assert_eq!((file.mode() & 0o777, file.uid(), file.gid()), (0o660, SYSTEM, SYSTEM));

    let alice = device(ALICE, &format!("--groups={SYSTEM}"), runtime.path(), false);
    let pictures = alice.draw("pictures", 12, 3);
    let through = |arguments: &[&str], codes: &[i32]| {
        let finished = alice.run(arguments);
        assert!(finished.code.is_some_and(|code| codes.contains(&code)), "{arguments:?}: {finished:?}");
        let said = format!("acting on the store of the daemon at {}", socket.display());
        assert!(finished.stderr.contains(&said), "{arguments:?}: {finished:?}");
        finished.stdout
    };
    let added = through(&["add", "parts", pictures.to_str().unwrap(), "--labels-from-folders"], &[0]);
    assert!(added.contains("24 added"), "{added}");
    assert!(through(&["adapt", "parts"], &[0]).contains("activated"));
    through(&["label", "parts", "last", picture::CLASSES[0]], &[0]);
    let status = through(&["status"], &[0]);
    assert!(status.contains("task parts") && status.contains("generation 1"), "{status}");
    assert_eq!(daemon.status()["tasks"][0]["generation"], 1);
    assert!(!alice.data_dir().parent().unwrap().join(".local").exists(), "no store of her own was made");

    let mallory = device(ALICE, "--clear-groups", runtime.path(), false);
    for arguments in [&["status"][..], &["label", "parts", "last", "disc"], &["adapt", "parts"]] {
        let refused = mallory.run(arguments).expect(1).stderr;
        let advice = format!("sudo usermod -aG {SYSTEM} $USER");
        assert!(refused.contains(&advice) && refused.contains(socket.to_str().unwrap()), "{refused}");
    }
    let _ended = daemon.end().expect(0);
    assert!(!socket.exists());
    let none = alice.run(["status"]).expect(1).stderr;
    assert!(none.contains("no daemon runs"), "{none}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let unit = fs::read_to_string(checkout().join("runtime/service/acclimate.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/acclimate run\n"));
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("acclimate.service");
    // Users and program of this machine.
    let here = unit
        .replace("/usr/bin/acclimate", acclimate().to_str().unwrap())
        .replace("User=acclimate", "User=root")
        .replace("Group=acclimate", "Group=root")
        .replace("Documentation=man:acclimate(1)\n", "");
    fs::write(&path, here).unwrap();
    let verified =
        Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(&path).output();
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return skip("systemd", &format!("`systemd-analyze` cannot be run: {error}")),
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{verified:?}");
}
