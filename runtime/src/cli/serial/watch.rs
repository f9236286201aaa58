//! `serial watch`: what comes from a device, a line a second.

use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use acclimate::daemon::view::LineView;
use acclimate::record::SerialWatchRecord;
use acclimate::serial::{Downlink, Ears, Setup, counted, keep};
use acclimate::source::Stop;
use acclimate_bridge::heard::Heard;
use acclimate_bridge::listener::Listener;
use jiff::Timestamp;

use crate::cli::{Context, Outcome};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(1);
/// Numbers of a reading that are shown to people.
const SHOWN: usize = 8;

pub(super) fn run(context: &Context, setup: &Setup, seconds: Option<NonZeroU64>) -> anyhow::Result<Outcome> {
    let stop = Stop::new();
    super::end_after(&stop, seconds);
    let mut watcher = Watcher { context, stop: stop.clone(), next: EVERY, now: Now::default(), failed: None };
    keep(setup, &Downlink::default(), &stop, &mut watcher);
    let Watcher { now, failed, .. } = watcher;
    if let Some(error) = failed {
        return Err(error);
    }
    super::came(setup, seconds, now.line.readings > 0, now.reason.as_deref())?;
    Ok(Outcome::Done)
}

struct Watcher<'a> {
    context: &'a Context,
    stop: Stop,
    /// When the next line is due.
    next: Duration,
    now: Now,
    failed: Option<anyhow::Error>,
}

/// What is to be shown.
#[derive(Default)]
struct Now {
    port: Option<String>,
    reason: Option<String>,
    line: LineView,
    newest: Vec<f32>,
}

impl Watcher<'_> {
    fn show(&mut self) {
        let Now { port, reason, line, newest } = &self.now;
        let record = SerialWatchRecord {
            time: Timestamp::now().to_string(),
            port: port.clone(),
            reason: reason.clone(),
            line: line.clone(),
            newest: newest.clone(),
        };
        if let Err(error) = self.context.print(&record, || words(&record)) {
            self.failed = Some(error);
            self.stop.set();
        }
    }

    fn say(&self, words: &str) {
        if !self.context.global.quiet {
            eprintln!("{words}");
        }
    }
}

impl Ears for Watcher<'_> {
    fn opened(&mut self, path: &Path) {
        self.say(&format!("{} is open", path.display()));
        (self.now.port, self.now.reason) = (Some(path.display().to_string()), None);
        self.now.line.opened += 1;
    }

    fn heard(&mut self, heard: Heard<'_>, _now: Duration) {
        match heard {
            Heard::Fault(words) => self.say(&format!("the device says: {words}")),
            Heard::Gap(_) => self.now.line.gaps += 1,
            Heard::Label(class) => self.say(&format!("a button of the device says: {class}")),
            Heard::Log(words) => tracing::info!("the device says: {words}"),
            Heard::Rows { rows, .. } => {
                let channels = self.now.newest.len().max(1);
                self.now.reason = None;
                if let Some(newest) = rows.rchunks_exact(channels).next() {
                    self.now.newest = newest.to_vec();
                }
            }
            Heard::Shape(shape) => {
                self.say(&format!("the device gives {shape}"));
                self.now.line.gives = Some(shape.to_string());
                self.now.newest.resize(shape.channels.len(), 0.0);
            }
            Heard::Unreadable(unreadable) => tracing::info!("{unreadable}"),
        }
    }

    fn looked(&mut self, listener: &Listener, now: Duration) {
        let LineView { opened, gaps, gives, .. } = std::mem::take(&mut self.now.line);
        self.now.line = LineView { opened, gaps, gives, ..counted(listener) };
        if now >= self.next {
            self.next = now + EVERY;
            self.show();
        }
    }

    fn silent(&mut self, reason: String) {
        self.say(&reason);
        self.now.reason = Some(reason);
    }

    fn lost(&mut self, reason: String) {
        self.say(&reason);
        (self.now.port, self.now.reason) = (None, Some(reason));
        self.now.line.gaps += 1;
        self.show();
    }
}

fn words(record: &SerialWatchRecord) -> String {
    let SerialWatchRecord { time: _, port, reason, line, newest } = record;
    if let (None, Some(reason)) = (port, reason) {
        return reason.clone();
    }
    let mut parts = vec![line.rate_hz.map_or_else(|| "rate not known yet".to_owned(), |hz| format!("{hz:.1} Hz"))];
    parts.push(match newest.len() {
        1 => "1 column".to_owned(),
        columns => format!("{columns} columns"),
    });
    parts.push(format!("{} readings", line.readings));
    if line.unreadable + line.lost > 0 {
        parts.push(format!("{} lost, {} unreadable", line.lost, line.unreadable));
    }
    if line.recovered > 0 {
        parts.push(format!("{} recovered", line.recovered));
    }
    let shown: Vec<String> = newest.iter().take(SHOWN).map(|number| format!("{number}")).collect();
    let more = if newest.len() > SHOWN { " …" } else { "" };
    parts.push(format!("newest {}{more}", shown.join(" ")));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_line_and_what_was_lost_is_in_it() {
        let mut record = SerialWatchRecord {
            time: String::new(),
            port: Some("/dev/ttyACM0".to_owned()),
            reason: None,
            line: LineView { rate_hz: Some(62.46), readings: 125, ..LineView::default() },
            newest: vec![0.5, -1.0, 9.81],
        };
        assert_eq!(words(&record), "62.5 Hz  3 columns  125 readings  newest 0.5 -1 9.81");
        (record.line.lost, record.line.rate_hz) = (2, None);
        assert!(words(&record).starts_with("rate not known yet  3 columns  125 readings  2 lost, 0 unreadable"));
        (record.port, record.reason) = (None, Some("gone".to_owned()));
        assert_eq!(words(&record), "gone");
    }
}
