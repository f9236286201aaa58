//! A folder source on real folders: what is there, what comes, what is half written, what becomes of files, a folder that goes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write as _;

use super::super::{Health, Outlet, Sensed, open};
use super::*;

const SOON: Duration = Duration::from_secs(20);

struct Running {
    outlet: Outlet,
    stop: Stop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(folder: &Path, keys: &str) -> Self {
        let text = format!("[[source]]\nname = \"inbox\"\nkind = \"folder\"\npath = \"{}\"\n{keys}", folder.display());
        let config = config::Config::parse(&text).unwrap().source.remove(0);
        let (outlet, stop) = (Outlet::new(), Stop::new());
        let (mut source, feed) = (open(&config), outlet.feed("inbox"));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        });
        Self { outlet, stop, thread: Some(thread) }
    }

    fn frame(&self) -> Vec<u8> {
        loop {
            if let Sensed::Frame(frame) = self.outlet.take(SOON).expect("a frame") {
                let Content::File(bytes) = frame.content else { panic!("a file was given") };
                return bytes;
            }
        }
    }

    fn health(&self, wanted: impl Fn(&Health) -> bool) -> Health {
        loop {
            if let Sensed::Health { health, .. } = self.outlet.take(SOON).expect("a word on its health")
                && wanted(&health)
            {
                return health;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn files_that_are_there_come_first_and_later_ones_as_they_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("b.jpg", "2"), ("a.png", "1"), (".c.jpg", "hidden"), ("d.txt", "no picture")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let running = Running::start(folder.path(), "");
    assert_eq!((running.frame(), running.frame()), (b"1".to_vec(), b"2".to_vec()));
    // Half written: it is given when it is whole.
    let mut file = fs::File::create(folder.path().join("0.jpg")).unwrap();
    file.write_all(b"first half, ").unwrap();
    file.write_all(b"second half").unwrap();
    drop(file);
    assert_eq!(running.frame(), b"first half, second half");
    // Written elsewhere and moved here.
    fs::write(folder.path().join(".e.tmp"), "5").unwrap();
    fs::rename(folder.path().join(".e.tmp"), folder.path().join("e.jpg")).unwrap();
    assert_eq!(running.frame(), b"5");
    assert!(folder.path().join("a.png").exists());
}

#[test]
fn a_file_that_was_taken_is_deleted_or_moved_without_replacing_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jpg"), "1").unwrap();
    let gone = |name: &str| !folder.path().join(name).exists();
    {
        let running = Running::start(folder.path(), "after = \"delete\"");
        assert_eq!(running.frame(), b"1");
        // The next one is looked for when that is done.
        fs::write(folder.path().join("b.jpg"), "2").unwrap();
        assert_eq!(running.frame(), b"2");
        assert!(gone("a.jpg"));
    }
    assert!(gone("b.jpg"), "what was taken is dealt with before the source ends");
    fs::create_dir(folder.path().join(DONE)).unwrap();
    fs::write(folder.path().join("done/c.jpg"), "an older one").unwrap();
    fs::write(folder.path().join("c.jpg"), "3").unwrap();
    {
        let running = Running::start(folder.path(), "after = \"move\"");
        assert_eq!(running.frame(), b"3");
    }
    assert!(gone("c.jpg"));
    assert_eq!(fs::read(folder.path().join("done/c.jpg")).unwrap(), b"an older one");
    assert_eq!(fs::read(folder.path().join("done/c-1.jpg")).unwrap(), b"3");
}

#[test]
fn a_folder_that_vanishes_is_named_and_found_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("inbox");
    fs::create_dir(&folder).unwrap();
    let running = Running::start(&folder, "");
    running.health(|health| *health == Health::Running);
    fs::remove_dir(&folder).unwrap();
    let Health::Lost { reason } = running.health(|health| matches!(health, Health::Lost { .. })) else {
        unreachable!()
    };
    assert!(reason.contains("inbox"), "{reason}");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.jpg"), "1").unwrap();
    assert_eq!(running.frame(), b"1");
}
