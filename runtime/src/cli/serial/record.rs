//! `serial record`: what a device gives, in files. A recording has no gap: after one, another file is begun.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use acclimate::record::SerialRecordRecord;
use acclimate::serial::{Downlink, Ears, Setup, keep};
use acclimate::source::Stop;
use acclimate_bridge::heard::Heard;
use acclimate_bridge::listener::Listener;
use acclimate_bridge::shape::Shape;
use anyhow::Context as _;

use crate::cli::{Context, Outcome};

/// Files of one recording at most: a line with more gaps is to be mended first.
const FILES: usize = 1000;

/// When a recording ends by itself.
pub(super) struct Limit {
    pub(super) seconds: Option<NonZeroU64>,
    pub(super) readings: Option<NonZeroU64>,
}

pub(super) fn run(
    context: &Context,
    setup: &Setup,
    output: &Path,
    limit: &Limit,
    raw: bool,
) -> anyhow::Result<Outcome> {
    let stop = Stop::new();
    let mut recorder = Recorder {
        stop: stop.clone(),
        raw,
        output: output.to_owned(),
        shape: Shape::columns(0, None),
        open: None,
        files: Vec::new(),
        readings: 0,
        most: limit.readings.map_or(u64::MAX, NonZeroU64::get),
        counts: acclimate_bridge::listener::Counts::default(),
        rate_hz: None,
        reason: None,
        failed: None,
    };
    // Whatever is there is somebody's: said before a device is opened.
    recorder.begin(false)?;
    super::end_after(&stop, limit.seconds);
    keep(setup, &Downlink::default(), &stop, &mut recorder);
    recorder.end()?;
    if let Some(error) = recorder.failed {
        return Err(error);
    }
    let any = if raw { recorder.counts.bytes > 0 } else { recorder.readings > 0 };
    if !any {
        // It was begun before there was anything to write.
        let _nothing_is_in_it = std::fs::remove_file(output);
    }
    super::came(setup, limit.seconds, any, recorder.reason.as_deref())?;
    let record = SerialRecordRecord {
        files: recorder.files.iter().map(|file| file.display().to_string()).collect(),
        readings: recorder.readings,
        bytes: recorder.counts.bytes,
        lost: recorder.counts.lost,
        rate_hz: recorder.rate_hz,
    };
    context.print(&record, || {
        let what = if raw { format!("{} bytes", record.bytes) } else { format!("{} readings", record.readings) };
        let rate = record.rate_hz.map(|hz| format!(" at {hz:.1} Hz")).unwrap_or_default();
        format!("{what}{rate} in {}; {} lost", record.files.join(", "), record.lost)
    })?;
    Ok(Outcome::Done)
}

struct Recorder {
    stop: Stop,
    raw: bool,
    output: PathBuf,
    shape: Shape,
    /// The file that is written; none after a gap, until there is something to write.
    open: Option<BufWriter<File>>,
    files: Vec<PathBuf>,
    readings: u64,
    most: u64,
    counts: acclimate_bridge::listener::Counts,
    rate_hz: Option<f64>,
    /// Why nothing comes.
    reason: Option<String>,
    failed: Option<anyhow::Error>,
}

impl Recorder {
    /// Begins the next file, with a heading where it has readings.
    fn begin(&mut self, heading: bool) -> anyhow::Result<()> {
        let path = numbered(&self.output, self.files.len() + 1);
        anyhow::ensure!(self.files.len() < FILES, "the line has more than {FILES} gaps: mend it, then record again");
        let file = File::options().write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("could not begin the recording {}", path.display()))?;
        let mut file = BufWriter::new(file);
        if heading {
            file.write_all(self.heading().as_bytes())?;
        }
        self.files.push(path);
        self.open = Some(file);
        Ok(())
    }

    /// What stands before readings: a rate, where known, and the names of columns.
    fn heading(&self) -> String {
        let mut text = String::new();
        if let Some(hz) = self.rate_hz {
            let _ = writeln!(text, "# rate_hz {hz}");
        }
        let names: Vec<String> = self
            .shape
            .channels
            .iter()
            .map(|channel| {
                let number = channel.name.parse::<f64>().is_ok();
                let name = if number { format!("column {}", channel.name) } else { channel.name.clone() };
                let name = if channel.unit.is_empty() { name } else { format!("{name} [{}]", channel.unit) };
                name.replace([',', ';', '\t', '\n', '"'], " ")
            })
            .collect();
        let _ = writeln!(text, "{}", names.join(","));
        text
    }

    fn rows(&mut self, rows: &[f32]) -> anyhow::Result<()> {
        // The first file is begun before it is known what is in it.
        match self.open {
            None => self.begin(true)?,
            Some(_) if self.readings == 0 => {
                let heading = self.heading();
                self.write(heading.as_bytes())?;
            }
            Some(_) => {}
        }
        for row in rows.chunks_exact(self.shape.channels.len().max(1)) {
            if self.readings >= self.most {
                break;
            }
            let numbers: Vec<String> = row.iter().map(ToString::to_string).collect();
            self.write(format!("{}\n", numbers.join(",")).as_bytes())?;
            self.readings += 1;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.files.last().map(|path| path.display().to_string()).unwrap_or_default();
        if let Some(open) = &mut self.open {
            open.write_all(bytes).with_context(|| format!("could not write {path}"))?;
        }
        Ok(())
    }

    /// Ends the file that is written.
    fn end(&mut self) -> anyhow::Result<()> {
        if let Some(mut open) = self.open.take() {
            open.flush().context("could not write the recording")?;
        }
        Ok(())
    }

    /// What comes does not follow what came.
    fn gap(&mut self) -> anyhow::Result<()> {
        if self.raw || self.readings == 0 { Ok(()) } else { self.end() }
    }

    fn note(&mut self, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            self.failed.get_or_insert(error);
            self.stop.set();
        }
    }
}

impl Ears for Recorder {
    fn opened(&mut self, path: &Path) {
        tracing::info!("{} is open", path.display());
    }

    fn came(&mut self, bytes: &[u8]) {
        if self.raw {
            let written = self.write(bytes);
            self.note(written);
        }
    }

    fn heard(&mut self, heard: Heard<'_>, _now: Duration) {
        if self.raw || self.failed.is_some() {
            return;
        }
        let noted = match heard {
            Heard::Gap(_) => self.gap(),
            Heard::Rows { rows, .. } => self.rows(rows),
            Heard::Shape(shape) => {
                self.rate_hz = shape.rate_hz.or(self.rate_hz);
                let same = shape.channels == self.shape.channels;
                self.shape = shape.clone();
                if same { Ok(()) } else { self.gap() }
            }
            Heard::Label(class) => {
                tracing::warn!("a button of the device says: {class}");
                Ok(())
            }
            Heard::Log(words) => {
                tracing::info!("the device says: {words}");
                Ok(())
            }
            Heard::Fault(words) => {
                tracing::warn!("the device says: {words}");
                Ok(())
            }
            Heard::Unreadable(unreadable) => {
                tracing::info!("{unreadable}");
                Ok(())
            }
        };
        self.note(noted);
    }

    fn looked(&mut self, listener: &Listener, _now: Duration) {
        self.counts = listener.counts();
        self.rate_hz = listener.rate_hz().or(self.rate_hz);
        if self.readings >= self.most {
            self.stop.set();
        }
    }

    fn silent(&mut self, reason: String) {
        eprintln!("{reason}");
        self.reason = Some(reason);
    }

    fn lost(&mut self, reason: String) {
        eprintln!("{reason}");
        self.reason = Some(reason);
        let ended = self.gap();
        self.note(ended);
    }
}

/// `walk.csv`, `walk-2.csv`, `walk-3.csv`.
fn numbered(output: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return output.to_owned();
    }
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let ending = output.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    output.with_file_name(format!("{stem}-{number}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_after_a_gap_are_numbered() {
        let name = |number| numbered(Path::new("/a/walk.csv"), number).display().to_string();
        assert_eq!([name(1), name(2), name(10)], ["/a/walk.csv", "/a/walk-2.csv", "/a/walk-10.csv"]);
        assert_eq!(numbered(Path::new("walk"), 2), Path::new("walk-2"));
    }
}
