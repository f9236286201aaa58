//! Where data lies: the store, who may read and write there, the room, and how quickly a commit reaches the disk.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use acclimate::store::{Access, StoreError, Tasks};

use super::Found;
use crate::cli::causes;

/// Free space below which an import may not fit.
const LOW_SPACE: u64 = 200 << 20;

/// Commits a second below which adding samples one by one is felt.
const SLOW_COMMIT_MS: f64 = 100.0;

/// Opens the store to read, if there is one; never makes one.
pub(super) fn store(dir: &Path) -> Found {
    match Tasks::open(dir, &Access::Read).and_then(|tasks| tasks.list()) {
        Ok(tasks) => Found::Fine(format!("{} tasks in {}", tasks.len(), dir.display())),
        Err(StoreError::NoStore { .. }) => {
            Found::Fine(format!("none yet; the first `acclimate init` makes it in {}", dir.display()))
        }
        Err(error) => Found::Broken(
            causes(&error),
            "check the owner of the data directory, or restore acclimate.db from a backup".into(),
        ),
    }
}

/// Whether this user may write there, and others may not.
pub(super) fn permissions(dir: &Path) -> Found {
    let there = existing(dir);
    let words = |what: &str| format!("{what} {}", there.display());
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        return Found::Broken(
            words("this user may not write to"),
            "run as the user it belongs to, change its owner, or choose another --data-dir".into(),
        );
    }
    match std::fs::metadata(dir) {
        Ok(found) if found.mode() & 0o002 != 0 => Found::Poor(
            words("everybody may write to"),
            format!("samples and heads could be exchanged: chmod o-w {}", dir.display()),
        ),
        Ok(_) => Found::Fine(words("this user may write to")),
        Err(_) => Found::Fine(words("it can be made in")),
    }
}

pub(super) fn disk(dir: &Path) -> Found {
    let there = existing(dir);
    match rustix::fs::statvfs(there) {
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            let words = format!("{} MiB free at {}", free >> 20, there.display());
            if free < LOW_SPACE {
                return Found::Poor(words, "free some space, or choose another --data-dir".into());
            }
            Found::Fine(words)
        }
        Err(error) => Found::Poor(format!("cannot tell the free space: {error}"), "check --data-dir".into()),
    }
}

/// Writes and syncs a file that is gone afterwards: 4 MiB at once, then 4 KiB ten times as a commit does.
pub(super) fn writing(dir: &Path) -> Found {
    let there = existing(dir);
    let tried = || -> std::io::Result<(f64, f64)> {
        let mut file = tempfile::tempfile_in(there)?;
        let start = Instant::now();
        file.write_all(&vec![0x5a; 4 << 20])?;
        file.sync_all()?;
        let rate = 4.0 / start.elapsed().as_secs_f64();
        let mut times = Vec::new();
        for _ in 0..10 {
            let start = Instant::now();
            file.write_all(&[0xa5; 4096])?;
            file.sync_data()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok((rate, times[5]))
    };
    match tried() {
        Ok((rate, commit)) => {
            let words = format!("{rate:.0} MiB/s, {commit:.1} ms a commit");
            if commit > SLOW_COMMIT_MS {
                let advice = "a slow card: add samples in one run rather than one by one, or use a better card";
                return Found::Poor(words, advice.into());
            }
            Found::Fine(words)
        }
        Err(error) => Found::Broken(
            format!("cannot write to {}: {error}", there.display()),
            "check the disk and who owns the data directory".into(),
        ),
    }
}

/// The data directory, or what it would be made in.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_everybody_may_write_to_is_told() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        assert!(matches!(permissions(&dir), Found::Fine(_)), "it is not there yet");
        std::fs::create_dir(&dir).unwrap();
        assert!(matches!(permissions(&dir), Found::Fine(_)));
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(permissions(&dir), Found::Poor(..)));
        assert!(matches!(writing(&dir), Found::Fine(_) | Found::Poor(..)));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "nothing is left");
    }
}
