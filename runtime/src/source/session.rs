//! What every source does around its reading: says that it runs once frames come, says why it is lost, and tries again with
//! back-off. Knows no device.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Content, Feed, Health, Stop};

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// One opening of a source, until it is lost.
pub(super) struct Session<'a> {
    pub(super) feed: &'a Feed,
    pub(super) stop: &'a Stop,
    began: Instant,
    running: bool,
    size: Option<(u32, u32)>,
}

impl Session<'_> {
    /// Time since the source was first opened.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says that the source works, once.
    pub(super) fn works(&mut self) {
        if !self.running {
            self.running = true;
            self.feed.health(Health::Running);
        }
    }

    /// A picture that came; it is put where `admitted`. Of one that is none, or of another size than those before, says so:
    /// somebody moved or set up the camera anew, and should know that we saw it.
    pub(super) fn picture(&mut self, content: Content, admitted: bool) -> Result<(), String> {
        let size = match &content {
            Content::Rgb { width, height, .. } => (*width, *height),
            Content::File(bytes) => dimensions(bytes).ok_or_else(|| no_picture(bytes))?,
            Content::Window(_) => return Err("readings came where pictures were expected".to_owned()),
        };
        let before = *self.size.get_or_insert(size);
        if before != size {
            let ((width, height), (new_width, new_height)) = (before, size);
            return Err(format!(
                "its pictures changed from {width}×{height} to {new_width}×{new_height} pixels: opened anew"
            ));
        }
        self.works();
        if admitted {
            self.feed.put(Timestamp::now(), content);
        }
        Ok(())
    }
}

/// Width and height as a picture's header says.
fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()
}

fn no_picture(bytes: &[u8]) -> String {
    let text: String =
        String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).chars().filter(|c| !c.is_control()).collect();
    let begin =
        if bytes.starts_with(b"<") || bytes.starts_with(b"{") { format!(", but \"{text}…\"") } else { String::new() };
    format!("what came ({} bytes) is no JPEG, PNG, WebP or BMP picture{begin}", bytes.len())
}

/// `10s`, `500ms`: a time in a sentence.
pub(super) fn words(time: Duration) -> String {
    crate::config::Interval(time).to_string()
}

/// Opens a source again and again until told to stop. `open` says why it ended; what it read may be long ago.
pub(super) fn keep_open(feed: &Feed, stop: &Stop, mut open: impl FnMut(&mut Session<'_>) -> String) {
    let mut retry = FIRST_RETRY;
    let began = Instant::now();
    feed.health(Health::Starting);
    while !stop.is_set() {
        let mut session = Session { feed, stop, began, running: false, size: None };
        let reason = open(&mut session);
        if stop.is_set() {
            return;
        }
        retry = after(retry, session.running);
        tracing::warn!("source `{}` is lost: {reason}", feed.source());
        feed.health(Health::Lost { reason });
        stop.wait(retry);
    }
}

/// How long to wait before the next try: twice as long as before, unless the last one worked.
fn after(retry: Duration, worked: bool) -> Duration {
    if worked { FIRST_RETRY } else { (retry * 2).min(LAST_RETRY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_until_one_works() {
        let mut retry = FIRST_RETRY;
        for _ in 0..20 {
            retry = after(retry, false);
        }
        assert_eq!(retry, LAST_RETRY);
        assert_eq!(after(retry, true), FIRST_RETRY);
    }

    #[test]
    fn a_source_that_cannot_be_opened_says_why_and_ends_only_when_told() {
        let (outlet, stop) = (super::super::Outlet::new(), Stop::new());
        let feed = outlet.feed("yard");
        let mut tries = 0;
        keep_open(&feed, &stop, |_| {
            tries += 1;
            if tries == 3 {
                stop.set();
            }
            "there is no camera".to_owned()
        });
        assert_eq!(tries, 3);
        let lost = super::super::Sensed::Health {
            source: "yard".into(),
            health: Health::Lost { reason: "there is no camera".to_owned() },
        };
        assert_eq!(outlet.take(Duration::ZERO), Some(lost));
    }
}
