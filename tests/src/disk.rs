//! A disk that remembers every change and every sync, so that what a power cut leaves on it can be told, again and again, for
//! any moment: a file system in the memory of this process, mounted through FUSE.
//!
//! `tree` is what is on a disk, `cut` what is left of it, `protocol` what the kernel says, `serve` who answers. Knows nothing of
//! what is stored.
//!
//! It promises what POSIX does and no more: bytes are there after a power cut if their file was synced since, names if their
//! folder was. ext4 keeps more than that, so what is safe here is safe there too.

mod cut;
mod protocol;
mod serve;
mod tree;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

pub use cut::Syncs;
use serve::Served;
use tree::Change;
pub use tree::Tree;

/// A mounted disk; gone when dropped.
#[derive(Debug)]
pub struct Disk {
    place: TempDir,
    served: Arc<Mutex<Served>>,
}

/// Everything that happened on a disk, in order.
#[derive(Debug)]
pub struct Record {
    changes: Vec<Change>,
}

impl Disk {
    /// Mounts an empty disk.
    ///
    /// # Errors
    /// Why this machine cannot.
    ///
    /// # Panics
    /// When there is no place for temporary files.
    pub fn mount() -> Result<Self, String> {
        let place = tempfile::tempdir().expect("a temporary folder");
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let device = device.map_err(|error| format!("opening /dev/fuse: {error}"))?;
        let owner = place.path().metadata().expect("a folder made just now");
        // The kernel takes the open device from the program that mounts: its standard input.
        let options = format!("fd=0,rootmode=40000,user_id={},group_id={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o", &options, "acclimate-test"])
            .arg(place.path())
            .stdin(device.try_clone().expect("a file can be opened twice"))
            .output()
            .map_err(|error| format!("starting mount: {error}"))?;
        if !mounted.status.success() {
            return Err(format!("mounting a file system: {}", String::from_utf8_lossy(&mounted.stderr).trim()));
        }
        let served = Arc::new(Mutex::new(Served::new(owner.uid(), owner.gid())));
        let ours = Arc::clone(&served);
        thread::spawn(move || serve(&device, &ours));
        Ok(Self { place, served })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// How many changes and syncs there were until now. What was said by now was said after them.
    pub fn moment(&self) -> usize {
        lock(&self.served).changes.len()
    }

    /// Everything that happened; the disk is gone.
    pub fn record(self) -> Record {
        Record { changes: std::mem::take(&mut lock(&self.served).changes) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Who still has a file open keeps it until then.
        let _ = Command::new("umount").arg("-l").arg(self.place.path()).status();
    }
}

impl Record {
    /// How many changes and syncs there were.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many bytes were written, files synced and folders synced.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.changes.iter().fold((0, 0, 0), |(bytes, files, folders), change| match change {
            Change::Write { bytes: written, .. } => (bytes + written.len(), files, folders),
            Change::Sync { .. } => (bytes, files + 1, folders),
            Change::SyncFolder { .. } => (bytes, files, folders + 1),
            _ => (bytes, files, folders),
        })
    }

    /// What is on the disk after a power cut at a moment.
    pub fn cut(&self, moment: usize, syncs: Syncs, random: &mut ChaCha8Rng) -> Tree {
        cut::cut(&self.changes[..moment], syncs, random)
    }
}

fn lock(served: &Mutex<Served>) -> MutexGuard<'_, Served> {
    served.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the kernel until the disk is unmounted.
fn serve(mut device: &File, served: &Mutex<Served>) {
    let mut buffer = vec![0; protocol::LARGEST];
    loop {
        let length = match device.read(&mut buffer) {
            Ok(length) => length,
            // Taken back before it was read.
            Err(error) if matches!(error.raw_os_error(), Some(protocol::ENOENT | protocol::EINTR)) => continue,
            Err(_unmounted) => return,
        };
        let answer = lock(served).handle(&buffer[..length]);
        if let Some(answer) = answer {
            // Who asked may be gone meanwhile.
            let _ = device.write_all(&answer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use std::fs;

    use rand::SeedableRng as _;

    use super::*;
    use crate::skip::skip;

    /// Replaces a file as programs should, or without the last step; how often a cut after it leaves the old one.
    fn old_ones(folder_is_synced: bool) -> Option<usize> {
        let disk = Disk::mount().map_err(|why| skip("fuse", &why)).ok()?;
        let (head, beside) = (disk.path().join("head"), disk.path().join("head.new"));
        let mut moment = 0;
        for text in ["old", "new"] {
            let mut file = File::create(&beside).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.sync_all().unwrap();
            fs::rename(&beside, &head).unwrap();
            if folder_is_synced || text == "old" {
                File::open(disk.path()).unwrap().sync_all().unwrap();
            }
            moment = disk.moment();
        }
        assert_eq!(fs::read_to_string(&head).unwrap(), "new");
        let record = disk.record();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let left = (0..100).map(|_| {
            let place = tempfile::tempdir().unwrap();
            record.cut(moment, Syncs::Kept, &mut random).write(place.path());
            fs::read_to_string(place.path().join("head")).unwrap()
        });
        Some(left.filter(|text| text == "old").count())
    }

    #[test]
    fn a_renamed_file_is_the_new_one_only_when_its_folder_was_synced() {
        let Some(synced) = old_ones(true) else { return };
        assert_eq!(synced, 0);
        let not_synced = old_ones(false).unwrap();
        assert!((20..=95).contains(&not_synced), "{not_synced} of 100 cuts leave the old file");
    }

    #[test]
    fn it_is_a_file_system() {
        let Ok(disk) = Disk::mount().map_err(|why| skip("fuse", &why)) else { return };
        let (a, b) = (disk.path().join("a"), disk.path().join("a/b"));
        fs::create_dir_all(&b).unwrap();
        let file = b.join("file");
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        fs::write(&file, &large).unwrap();
        assert_eq!(fs::read(&file).unwrap(), large);
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"end").unwrap();
        OpenOptions::new().write(true).open(&file).unwrap().set_len(2_999_999).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().len(), 2_999_999);
        fs::rename(&file, a.join("moved")).unwrap();
        let names = |folder: &Path| {
            let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!((names(&a), names(&b)), (vec!["b".into(), "moved".into()], vec![]));
        assert!(fs::remove_dir(&a).is_err(), "it is not empty");
        fs::remove_dir(&b).unwrap();
        fs::remove_file(a.join("moved")).unwrap();
        assert!(fs::read(&file).is_err());
        // What is not synced need not be there, and what is may.
        let whole = disk.moment();
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let empty = (0..50).filter(|_| {
            let place = tempfile::tempdir().unwrap();
            lock(&disk.served).cut(whole, &mut random).write(place.path());
            names(place.path()).is_empty()
        });
        assert!((1..50).contains(&empty.count()));
    }
}
