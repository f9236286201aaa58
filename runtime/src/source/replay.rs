//! The pictures of a folder as if they came from a camera: in order of name, at a steady pace, once or over and over. None is
//! lost: each waits until the one before was taken.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::pace::{Ask, Pace};
use super::session::keep_open;
use super::{Content, Feed, Health, Source, Stop};
use crate::{config, inputs};

/// Time between two pictures, unless the configuration says otherwise.
const USUAL: Duration = Duration::from_millis(500);
/// No picture's file is larger.
const LARGEST: u64 = 64 << 20;

/// A source of kind `replay`.
pub(super) struct Replay {
    path: PathBuf,
    repeat: bool,
    pace: Pace,
}

impl Replay {
    pub(super) fn new(config: &config::Source) -> Self {
        let path = config.path.clone().unwrap_or_default();
        Self { path, repeat: config.repeat, pace: Pace::new(config, Some(USUAL)) }
    }
}

impl Source for Replay {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        let origin = Instant::now();

        keep_open(feed, stop, |session| {
            loop {
                let found = inputs::pictures(&self.path);
                if let ([], Some((path, reason))) = (found.items.as_slice(), found.failed.first()) {
                    return format!("could not list {}: {reason}", path.display());
                }
                let mut given = 0;
                for item in &found.items {
                    if !self.pace.wait(origin.elapsed(), stop) {
                        return String::new();
                    }
                    match read(&item.path) {
                        Ok(bytes) => {
                            session.works();
                            given += 1;
                            feed.give(Timestamp::now(), Content::File(bytes), stop);
                        }
                        Err(error) => tracing::warn!("{}: {error}", item.path.display()),
                    }
                }
                if given == 0 {
                    return format!("there is no picture in {}", self.path.display());
                }
                if !self.repeat {
                    feed.health(Health::Ended);
                    // Nothing more is sensed; a source ends only when told to.
                    while !stop.wait(Duration::from_hours(1)) {}
                    return String::new();
                }
            }
        });
    }

    fn ask(&self) -> Option<Ask> {
        Some(self.pace.ask())
    }
}

/// A picture's file, if it is not too large.
pub(super) fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::source::{Outlet, Sensed, open};

    const SOON: Duration = Duration::from_secs(20);

    fn config(folder: &std::path::Path, keys: &str) -> config::Source {
        let text = format!("[[source]]\nname = \"belt\"\nkind = \"replay\"\npath = \"{}\"\n{keys}", folder.display());
        config::Config::parse(&text).unwrap().source.remove(0)
    }

    /// Runs a source, gives its outlet to a test, stops it.
    fn with(config: &config::Source, test: impl FnOnce(&Outlet)) {
        let (outlet, stop) = (Outlet::new(), Stop::new());
        let (mut source, feed) = (open(config), outlet.feed(&config.name));
        let runner = std::thread::spawn({
            let stop = stop.clone();
            move || source.run(&feed, &stop)
        });
        test(&outlet);
        stop.set();
        runner.join().unwrap();
    }

    fn frames(outlet: &Outlet, count: usize) -> Vec<u8> {
        let mut frames = Vec::new();
        while frames.len() < count {
            if let Sensed::Frame(frame) = outlet.take(SOON).expect("a frame") {
                let Content::File(bytes) = frame.content else { panic!("a file was replayed") };
                frames.push(bytes[0]);
            }
        }
        frames
    }

    #[test]
    fn pictures_come_in_order_over_and_over_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("b.png", 2_u8), ("a.JPG", 1), ("c.txt", 9), ("d/e.webp", 3)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, [content]).unwrap();
        }
        with(&config(folder.path(), "every = \"1ms\""), |outlet| assert_eq!(frames(outlet, 7), [1, 2, 3, 1, 2, 3, 1]));
        with(&config(folder.path(), "every = \"1ms\"\nrepeat = false"), |outlet| {
            assert_eq!(frames(outlet, 3), [1, 2, 3]);
            while let Some(sensed) = outlet.take(SOON) {
                if matches!(sensed, Sensed::Health { health: Health::Ended, .. }) {
                    return;
                }
                assert!(matches!(sensed, Sensed::Health { .. }), "{sensed:?}");
            }
            panic!("it did not say that it ended");
        });
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_named_and_found_later() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("later");
        with(&config(&folder, "every = \"1ms\""), |outlet| {
            let lost = std::iter::from_fn(|| outlet.take(SOON)).find_map(|sensed| match sensed {
                Sensed::Health { health: Health::Lost { reason }, .. } => Some(reason),
                _ => None,
            });
            let reason = lost.unwrap();
            assert!(reason.contains("could not list") && reason.contains("later"), "{reason}");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("a.png"), [7]).unwrap();
            assert_eq!(frames(outlet, 2), [7, 7]);
        });
    }
}
