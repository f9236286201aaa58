//! Which serial ports this machine has: what they are, by which name they last, and whether they can be opened. Reads
//! `/sys` and `/dev`; opens nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use schemars::JsonSchema;
use serde::Serialize;

use super::holders::holders;

/// One port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// The path to configure: that which lasts, where there is one.
    pub device: String,
    /// What the kernel calls it now: another number after another plug.
    pub port: String,
    /// Who made it and what it is, as it says itself.
    pub name: Option<String>,
    /// USB vendor and product, four hexadecimal digits each: `2341:0043`.
    pub usb: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// Processes that have it open, as far as this user may know.
    pub held_by: Vec<String>,
    /// Why it cannot be opened, and what to do.
    pub problem: Option<String>,
}

/// Every port of this machine.
pub fn list() -> Vec<Found> {
    list_of(Path::new("/dev"), Path::new("/sys/class/tty"), Path::new("/proc"))
}

/// Ports below a `/dev` that a `/sys/class/tty` says are devices, and who holds them by a `/proc`.
fn list_of(dev: &Path, sys: &Path, proc: &Path) -> Vec<Found> {
    let links = by_id(&dev.join("serial/by-id"));
    let names = fs::read_dir(sys).into_iter().flatten().flatten();
    let mut names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // `ttyACM10` after `ttyACM9`.
    names.sort_by_key(|name| {
        let letters = name.trim_end_matches(|one: char| one.is_ascii_digit());
        (letters.to_owned(), name[letters.len()..].parse().unwrap_or(0_u32))
    });
    let port = |name: String| {
        let (path, device) = (dev.join(&name), sys.join(&name).join("device"));
        if !device.exists() || !path.exists() || is_empty_socket(sys, &name) {
            return None;
        }
        let lasting = fs::canonicalize(&path).ok().and_then(|path| {
            links.iter().find(|(target, _)| *target == path).map(|(_, link)| link.display().to_string())
        });
        let usb = fs::canonicalize(&device).ok().and_then(|device| usb_device(&device));
        let usb_says = |file: &str| usb.as_ref().and_then(|usb| said(&usb.join(file)));
        let words: Vec<String> = [usb_says("manufacturer"), usb_says("product")].into_iter().flatten().collect();
        let held_by = holders(proc, &path);
        let closed = access(&path, Access::READ_OK | Access::WRITE_OK).is_err();
        Some(Found {
            device: lasting.unwrap_or_else(|| path.display().to_string()),
            port: path.display().to_string(),
            name: (!words.is_empty()).then(|| words.join(" ")),
            usb: usb_says("idVendor").zip(usb_says("idProduct")).map(|(vendor, product)| format!("{vendor}:{product}")),
            serial_number: usb_says("serial"),
            problem: closed
                .then(|| "this user may not open it: sudo usermod -aG dialout $USER, then log in again".to_owned()),
            held_by,
        })
    };
    names.into_iter().filter_map(port).collect()
}

/// The ports that udev gives a lasting name, with that name.
fn by_id(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let links = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut links: Vec<_> = links.filter_map(|link| Some((fs::canonicalize(&link).ok()?, link))).collect();
    links.sort();
    links
}

/// The kernel keeps four `ttyS` whether or not there is hardware behind: then its type is 0.
fn is_empty_socket(sys: &Path, name: &str) -> bool {
    name.starts_with("ttyS") && said(&sys.join(name).join("type")).is_none_or(|kind| kind == "0")
}

/// The USB device that a port's device is a part of.
fn usb_device(device: &Path) -> Option<PathBuf> {
    device.ancestors().take(6).find(|path| path.join("idVendor").exists()).map(Path::to_owned)
}

/// What a file of `/sys` says, without what would disturb a line of text.
fn said(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text: String = text.trim().chars().filter(|one| !one.is_control()).take(100).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::symlink;

    use super::*;

    fn file(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn ports_are_told_with_their_lasting_names_and_what_they_are() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for port in ["ttyACM10", "ttyACM2", "ttyS0", "ttyS1", "tty1"] {
            file(at("dev").join(port), "");
            fs::create_dir_all(at("sys").join(port)).unwrap();
        }
        for (port, number) in [("ttyACM2", 1), ("ttyACM10", 2)] {
            let usb = at("usb").join(number.to_string());
            fs::create_dir_all(usb.join("1-1:1.0")).unwrap();
            file(usb.join("idVendor"), "2341\n");
            file(usb.join("idProduct"), "0043\n");
            file(usb.join("manufacturer"), "Arduino (www.arduino.cc)\n");
            file(usb.join("serial"), "85\u{7}431\n");
            symlink(usb.join("1-1:1.0"), at("sys").join(port).join("device")).unwrap();
        }
        for (port, kind) in [("ttyS0", "4"), ("ttyS1", "0")] {
            fs::create_dir_all(at("sys").join(port).join("device")).unwrap();
            file(at("sys").join(port).join("type"), kind);
        }
        fs::create_dir_all(at("dev/serial/by-id")).unwrap();
        symlink("../../ttyACM2", at("dev/serial/by-id/usb-Arduino-if00")).unwrap();

        let found = list_of(&at("dev"), &at("sys"), &at("proc"));
        let devices: Vec<_> = found.iter().map(|found| found.device.rsplit('/').next().unwrap()).collect();
        assert_eq!(devices, ["usb-Arduino-if00", "ttyACM10", "ttyS0"]);
        let arduino = &found[0];
        assert_eq!(arduino.usb.as_deref(), Some("2341:0043"));
        assert_eq!(arduino.name.as_deref(), Some("Arduino (www.arduino.cc)"));
        assert_eq!(arduino.serial_number.as_deref(), Some("85431"));
        assert!(arduino.port.ends_with("dev/ttyACM2") && arduino.problem.is_none() && arduino.held_by.is_empty());
        assert_eq!((&found[2].usb, &found[2].name), (&None, &None));
        assert!(list_of(&at("no"), &at("where"), &at("proc")).is_empty());
    }
}
