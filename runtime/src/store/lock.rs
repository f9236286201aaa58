//! The lock that makes one process at a time the writer. Knows nothing about what is written.
//!
//! An advisory lock (`flock`) on the file `lock`: the kernel gives it back when its holder ends, however it ends. The
//! text inside says who holds it, for the message to the second; it is not what locks.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::StoreError;
use super::record::Holder;

/// Longest text worth reading from a lock file.
const HOLDER_BYTES: u64 = 1024;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of this directory, or says at once who has it.
    pub(super) fn take(dir: &Path, command: &str) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Busy { dir: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path)(source)),
        }
        let text = format!("{}\n{}\n", std::process::id(), command.replace('\n', " "));
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock, as far as the file says; the holder may be about to write it.
fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES).read_to_string(&mut text);
    let mut lines = text.lines();
    match (read, lines.next().and_then(|line| line.parse().ok()), lines.next()) {
        (Ok(_), Some(pid), Some(command)) => Holder { pid, command: command.to_owned() },
        _ => Holder { pid: 0, command: String::new() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_when_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path(), "acclimate add with a long command line").unwrap();
        let message = Lock::take(dir.path(), "acclimate run").unwrap_err().to_string();
        let expected = format!("is held by `acclimate add with a long command line` (pid {})", std::process::id());
        assert!(message.contains(&expected), "{message}");
        drop(first);
        let _second = Lock::take(dir.path(), "x").unwrap();
        let third = Lock::take(dir.path(), "y").unwrap_err();
        assert!(third.to_string().contains("`x` (pid"), "a shorter text replaces the longer one: {third}");
    }

    #[test]
    fn a_lock_file_with_nonsense_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let _held = Lock::take(dir.path(), "x").unwrap();
        std::fs::write(dir.path().join("lock"), [0xff, 0xfe]).unwrap();
        let message = Lock::take(dir.path(), "y").unwrap_err().to_string();
        assert!(message.contains("held by another process"), "{message}");
    }
}
