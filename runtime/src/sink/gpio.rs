//! A line of a GPIO chip that is active while a task's stable answer is a class. What the line should be is decided by
//! `active`; the character device is opened at the first answer and again after it failed.

use std::path::PathBuf;

use gpiocdev::line::Value;
use gpiocdev::request::Request;

use crate::config;
use crate::daemon::notice::{Event, Notice};

/// A sink of kind `gpio`.
pub(super) struct Line {
    chip: PathBuf,
    offset: u32,
    class: String,
    active_low: bool,
    request: Option<Request>,
}

impl Line {
    pub(super) fn new(config: &config::Sink) -> Self {
        Self {
            chip: config.chip.clone().unwrap_or_else(|| "/dev/gpiochip0".into()),
            offset: config.line.unwrap_or(0),
            class: config.class.clone().unwrap_or_default(),
            active_low: config.active_low,
            request: None,
        }
    }

    pub(super) fn tell(&mut self, notice: &Notice) -> Result<(), String> {
        let Some(active) = active(notice, &self.class) else { return Ok(()) };
        let value = if active { Value::Active } else { Value::Inactive };
        let set = match &self.request {
            Some(request) => request.set_lone_value(value),
            None => self.open(value).map(|request| self.request = Some(request)),
        };
        set.map_err(|error| {
            self.request = None;
            format!(
                "line {} of {} was not set: {error}; does this user belong to the group gpio, and is the line free (gpioinfo)?",
                self.offset,
                self.chip.display()
            )
        })
    }

    fn open(&self, value: Value) -> gpiocdev::Result<Request> {
        let mut builder = Request::builder();
        builder.on_chip(&self.chip).with_consumer("acclimate").with_line(self.offset).as_output(value);
        if self.active_low {
            builder.as_active_low();
        }
        builder.request()
    }
}

/// Whether the line is to be active after a notice; none where it says nothing of the answer.
fn active(notice: &Notice, class: &str) -> Option<bool> {
    let state = notice.state.as_ref().filter(|_| notice.event == Event::Changed)?;
    Some(state.class == class && !state.unknown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::notice;
    use super::*;

    #[test]
    fn the_line_is_active_for_its_class_and_for_nothing_unknown() {
        let mut open = notice(1, "open");
        assert_eq!(active(&open, "open"), Some(true));
        assert_eq!(active(&open, "closed"), Some(false));
        open.state.as_mut().unwrap().unknown = true;
        assert_eq!(active(&open, "open"), Some(false));
        open.event = Event::Adapted;
        assert_eq!(active(&open, "open"), None);
        open.event = Event::Changed;
        open.state = None;
        assert_eq!(active(&open, "open"), None);
    }

    #[test]
    fn a_chip_that_is_not_there_is_named_with_what_to_do() {
        let text =
            "[[sink]]\ntask = \"gate\"\nkind = \"gpio\"\nchip = \"/nonexistent/gpiochip9\"\nline = 3\nclass = \"open\"";
        let mut line = Line::new(&config::Config::parse(text).unwrap().sink[0]);
        let reason = line.tell(&notice(1, "open")).unwrap_err();
        assert!(reason.contains("line 3 of /nonexistent/gpiochip9") && reason.contains("gpio"), "{reason}");
    }
}
