//! The files of a folder, over and over, in the order of their names: what a daemon senses where there is no camera.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::config;
use crate::source::{Content, Feed, Health, Source, Stop};

/// Between two files, if not said otherwise.
const EVERY: Duration = Duration::from_millis(500);

/// See above; every other kind of source is told as lost.
pub fn open(config: &config::Source) -> Box<dyn Source> {
    Box::new(Replay {
        folder: config.path.clone().filter(|_| config.kind == config::SourceKind::Replay),
        every: config.every.map_or(EVERY, |every| every.0),
    })
}

struct Replay {
    folder: Option<PathBuf>,
    every: Duration,
}

impl Replay {
    fn files(&self) -> Result<Vec<PathBuf>, String> {
        let folder =
            self.folder.as_ref().ok_or("this version has no such kind of source: expected `replay` with `path`")?;
        let read = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut files: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        if files.is_empty() { Err(format!("{} holds no files", folder.display())) } else { Ok(files) }
    }
}

impl Source for Replay {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        loop {
            let files = match self.files() {
                Ok(files) => files,
                Err(reason) => {
                    feed.health(Health::Lost { reason });
                    if stop.wait(Duration::from_secs(1)) {
                        return;
                    }
                    continue;
                }
            };
            feed.health(Health::Running);
            for file in files {
                match std::fs::read(&file) {
                    Ok(bytes) => {
                        feed.put(Timestamp::now(), Content::File(bytes));
                    }
                    Err(error) => feed.health(Health::Lost { reason: format!("{}: {error}", file.display()) }),
                }
                if stop.wait(self.every) {
                    return;
                }
            }
        }
    }
}
