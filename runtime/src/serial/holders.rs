//! Which processes have a device open, as far as this user may know. Knows nothing of ports.

use std::fs;
use std::path::Path;

/// Processes that are looked at, at most.
const MOST: usize = 10_000;

/// `1234 (screen)`, of each process below a `/proc` that has the device open.
pub(super) fn holders(proc: &Path, device: &Path) -> Vec<String> {
    let Ok(device) = fs::canonicalize(device) else { return Vec::new() };
    let processes = fs::read_dir(proc).into_iter().flatten().flatten().map(|entry| entry.path());
    let numbered = processes.filter(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let holds = |process: &Path| {
        let mut files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|target| target == device))
    };
    let mut found: Vec<(u64, String)> = numbered
        .take(MOST)
        .filter(|process| holds(process))
        .map(|process| {
            let id = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            (id.parse().unwrap_or_default(), format!("{id} ({})", name.trim()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn whoever_has_the_device_open_is_named() {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("ttyACM0");
        fs::write(&device, "").unwrap();
        let process = |id: &str, name: &str, target: &Path| {
            let fd = root.path().join("proc").join(id).join("fd");
            fs::create_dir_all(&fd).unwrap();
            fs::write(fd.join("../comm"), format!("{name}\n")).unwrap();
            std::os::unix::fs::symlink(target, fd.join("3")).unwrap();
        };
        process("200", "screen", &device);
        process("9", "acclimate", &device);
        process("10", "other", root.path());
        fs::create_dir(root.path().join("proc/self")).unwrap();
        let link = root.path().join("by-id");
        std::os::unix::fs::symlink(&device, &link).unwrap();
        assert_eq!(holders(&root.path().join("proc"), &link), ["9 (acclimate)", "200 (screen)"]);
        assert!(holders(&root.path().join("proc"), &root.path().join("gone")).is_empty());
    }
}
