//! Readings that a device publishes as JSON: its messages become rows, rows become windows. Where a message comes from is not
//! known here; windows are `acclimate-bridge`'s.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use acclimate_bridge::shape::{Channel, Shape};
use acclimate_bridge::window::{Setup, Windows};

use super::pointer::{PointerError, Rows, rows};
use super::posted::{Handed, Inbox};
use super::{Content, Feed, Health, Source, Stop};
use crate::{causes, config};

/// Messages that wait at most.
const WAITING: usize = 64;
/// So many messages without readings in a row, and the source is lost: others may say other things on the topic.
const UNREADABLE: u32 = 8;

/// A source of kind `mqtt` with `readings`.
pub(super) struct Published {
    inbox: Inbox,
    handed: Receiver<Handed>,
    pointers: Vec<String>,
    cut: Setup,
    /// Readings a second, as the configuration says.
    rate_hz: Option<f64>,
    /// After so long without a message what was begun is not carried on.
    patience: Option<Duration>,
}

impl Published {
    pub(super) fn new(config: &config::Source) -> Self {
        let (sender, handed) = sync_channel(WAITING);
        let length = config.window.unwrap_or(1);
        Self {
            inbox: Inbox::of(sender, WAITING),
            handed,
            pointers: config.readings.clone(),
            cut: Setup { length, stride: config.stride.unwrap_or(length), channels: Vec::new(), rate_hz: None },
            rate_hz: config.rate_hz,
            patience: config.patience.map(|patience| patience.0),
        }
    }
}

impl Source for Published {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        let windows = match Windows::new(self.cut.clone()) {
            Ok(windows) => windows,
            Err(error) => {
                feed.health(Health::Lost { reason: error.to_string() });
                while !stop.wait(Duration::from_hours(1)) {}
                return;
            }
        };
        let mut cutter = Cutter { windows, pointers: &self.pointers, rate_hz: self.rate_hz, next: None };
        feed.health(Health::Running);
        let mut health = Health::Running;
        let _waker = stop.on_set(self.inbox.waker());
        let mut heard = Instant::now();
        // The first says whether the pointers are right.
        let mut unreadable = UNREADABLE - 1;
        while !stop.is_set() {
            let fares = match self.handed.recv_timeout(Duration::from_secs(1)) {
                Ok(Some((number, taken, Content::File(payload)))) => {
                    heard = Instant::now();
                    match cutter.take(number, &payload, |content| feed.put(taken, content)) {
                        Ok(()) => {
                            unreadable = 0;
                            Health::Running
                        }
                        Err(reason) => {
                            unreadable = unreadable.saturating_add(1);
                            tracing::debug!("source `{}`: {reason}", feed.source());
                            if unreadable < UNREADABLE {
                                continue;
                            }
                            Health::Lost { reason }
                        }
                    }
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => match self.patience {
                    Some(patience) if heard.elapsed() > patience => {
                        cutter.windows.gap();
                        Health::Lost { reason: format!("nothing was published for {} s", patience.as_secs()) }
                    }
                    _ => continue,
                },
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if fares != health {
                health.clone_from(&fares);
                feed.health(fares);
            }
        }
    }

    fn inbox(&self) -> Option<Inbox> {
        Some(self.inbox.clone())
    }
}

/// What becomes of messages.
struct Cutter<'a> {
    windows: Windows,
    pointers: &'a [String],
    rate_hz: Option<f64>,
    /// The number of the message that follows the last one.
    next: Option<u64>,
}

impl Cutter<'_> {
    /// Takes a message; those between it and the last one were shed.
    fn take(&mut self, number: u64, payload: &[u8], mut give: impl FnMut(Content)) -> Result<(), String> {
        if self.next.is_some_and(|next| next != number) {
            self.windows.gap();
        }
        self.next = Some(number + 1);
        let read = rows(payload, self.pointers);
        let Rows { numbers, channels } = read.map_err(|error: PointerError| {
            self.windows.gap();
            causes(&error)
        })?;
        let shape = Shape { channels: self.channels(channels), rate_hz: self.rate_hz };
        self.windows.begin(&shape).map_err(|error| causes(&error))?;
        self.windows.push(&numbers, Duration::ZERO, |window| give(Content::Window((&window).into())));
        Ok(())
    }

    /// What the pointers are called.
    fn channels(&self, channels: usize) -> Vec<Channel> {
        let named = |pointer: &String| Channel { name: pointer.clone(), unit: String::new() };
        if self.pointers.len() == channels {
            self.pointers.iter().map(named).collect()
        } else {
            Shape::columns(channels, None).channels
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// The shapes of the windows that come of messages, each with its number.
    fn windows(pointers: &[&str], length: usize, messages: &[(u64, &str)]) -> (Vec<[usize; 2]>, Vec<String>) {
        let setup = Setup { length, stride: length, channels: Vec::new(), rate_hz: None };
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        let windows = Windows::new(setup).unwrap();
        let mut cutter = Cutter { windows, pointers: &pointers, rate_hz: Some(10.0), next: None };
        let (mut found, mut refused) = (Vec::new(), Vec::new());
        for (number, payload) in messages {
            let give = |content| match content {
                Content::Window(readings) => {
                    assert_eq!(readings.rate_hz, Some(10.0));
                    found.push([readings.channels, readings.length]);
                }
                other => panic!("{other:?}"),
            };
            refused.extend(cutter.take(*number, payload.as_bytes(), give).err());
        }
        (found, refused)
    }

    #[test]
    fn messages_become_windows_and_none_reaches_over_one_that_was_lost_or_unreadable() {
        let one = r#"{"x":1,"y":2}"#;
        let pointers = ["/x", "/y"];
        let all = |numbers: &[u64]| numbers.iter().map(|&number| (number, one)).collect::<Vec<_>>();
        assert_eq!(windows(&pointers, 2, &all(&[1, 2, 3, 4])).0, [[2, 2], [2, 2]]);
        assert_eq!(windows(&pointers, 2, &all(&[1, 3, 4])).0, [[2, 2]], "2 was shed");
        let (found, refused) = windows(&pointers, 2, &[(1, one), (2, "{}"), (3, one), (4, one)]);
        assert_eq!(found, [[2, 2]]);
        assert!(refused.len() == 1 && refused[0].contains("nothing at `/x`"), "{refused:?}");
    }

    #[test]
    fn a_message_of_many_readings_is_many_rows() {
        let block = r#"{"imu":[[1,2,3],[4,5,6],[7,8,9]]}"#;
        assert_eq!(windows(&["/imu"], 2, &[(1, block), (2, block)]).0, [[3, 2]; 3]);
        assert_eq!(windows(&[""], 1, &[(1, "21.5")]).0, [[1, 1]], "a row of its own");
    }
}
