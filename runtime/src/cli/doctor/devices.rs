//! Cameras and serial ports: which there are, and whether this user may open them. Opens none.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Found;

/// Cameras below a `/dev`, with their names from a `/sys/class/video4linux`.
pub(super) fn cameras(dev: &Path, names: &Path) -> Found {
    let name = |path: &PathBuf| {
        let number = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = fs::read_to_string(names.join(&number).join("name")).unwrap_or_default();
        format!("{} {}", path.display(), name.trim()).trim_end().to_owned()
    };
    found(&starting(dev, &["video"]), name, "video")
}

/// Serial ports below a `/dev`: by their lasting names where there are such.
pub(super) fn serial_ports(dev: &Path) -> Found {
    let mut ports = starting(&dev.join("serial/by-id"), &[""]);
    if ports.is_empty() {
        ports = starting(dev, &["ttyACM", "ttyUSB", "ttyAMA", "serial0"]);
    }
    found(&ports, |path| path.display().to_string(), "dialout")
}

fn starting(dir: &Path, prefixes: &[&str]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        prefixes.iter().any(|prefix| name.starts_with(prefix)) && !path.is_dir()
    });
    paths.sort();
    paths
}

fn found(paths: &[PathBuf], name: impl Fn(&PathBuf) -> String, group: &str) -> Found {
    let closed = paths.iter().any(|path| access(path, Access::READ_OK | Access::WRITE_OK).is_err());
    let words =
        if paths.is_empty() { "none".to_owned() } else { paths.iter().map(name).collect::<Vec<_>>().join(", ") };
    if closed {
        let advice = format!("not all may be opened by this user: sudo usermod -aG {group} $USER, then log in again");
        return Found::Poor(words, advice);
    }
    Found::Fine(words)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn devices_are_named_and_lasting_names_go_before_numbers() {
        let root = tempfile::tempdir().unwrap();
        let (dev, names) = (root.path().join("dev"), root.path().join("names"));
        let file = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let words = |found: Found| match found {
            Found::Fine(words) | Found::Poor(words, _) | Found::Broken(words, _) => words,
        };
        fs::create_dir_all(&dev).unwrap();
        assert_eq!(words(cameras(&dev, &names)), "none");
        file(dev.join("video0"), "");
        file(names.join("video0/name"), "A Camera\n");
        file(dev.join("ttyACM0"), "");
        file(dev.join("ttyS0"), "");
        assert_eq!(words(cameras(&dev, &names)), format!("{} A Camera", dev.join("video0").display()));
        assert_eq!(words(serial_ports(&dev)), dev.join("ttyACM0").display().to_string());
        file(dev.join("serial/by-id/usb-Arduino"), "");
        assert!(words(serial_ports(&dev)).ends_with("by-id/usb-Arduino"));
    }
}
