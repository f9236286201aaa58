//! A file system of one's own that is small enough to be filled. Knows nothing of what is written on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skip::skip;

/// Mounted; gone, with what is on it, when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many KiB; skips the calling test where that takes more rights than it has.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn mount(at: &Path, kib: u64) -> Option<Self> {
        fs::create_dir_all(at).expect("a writable temporary folder");
        let size = format!("size={kib}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|mount| mount.status.success()) {
            return Some(Self(at.to_owned()));
        }
        skip("small-disk", &format!("a file system of {kib} KiB cannot be mounted without root"));
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still runs on it is no reason to keep its name.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
