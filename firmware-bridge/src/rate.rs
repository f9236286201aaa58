//! How many readings a second a device gives, from when they came. Knows nothing of lines or windows; reads no clock.
//!
//! Readings come in bursts (a USB packet, a full buffer), so what is counted is those between two arrivals, and not those
//! of one second: a burst more or less at the edges is no reading more or less.

use std::collections::VecDeque;
use std::time::Duration;

/// Between two marks.
const EVERY: Duration = Duration::from_secs(1);
/// Marks that are looked back on: a rate is that of so many seconds at most.
const MARKS: usize = 10;
/// Readings behind the first mark before anything is said.
const FEWEST: u64 = 4;
/// A silence that may be one of this machine's: what came meanwhile waited, and comes at once.
const SILENCE: Duration = Duration::from_secs(1);

/// Measures a rate. Memory is bounded.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    marks: VecDeque<Mark>,
    newest: Mark,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Duration,
    /// Readings up to it.
    readings: u64,
}

impl Meter {
    /// Readings came. `now` counts from any one origin and does not go back.
    pub fn observe(&mut self, readings: u64, now: Duration) {
        if readings == 0 {
            return;
        }
        if self.is_pause(readings, now) {
            self.reset();
        }
        self.newest = Mark { at: now, readings: self.newest.readings + readings };
        if self.marks.back().is_none_or(|mark| now.saturating_sub(mark.at) >= EVERY) {
            if self.marks.len() > MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(self.newest);
        }
    }

    /// Readings a second, once there are enough to tell.
    pub fn hz(&self) -> Option<f64> {
        let first = self.marks.front()?;
        let readings = self.newest.readings - first.readings;
        let span = self.span();
        (readings >= FEWEST && span >= EVERY).then(|| readings as f64 / span.as_secs_f64())
    }

    /// The time that the rate is measured over.
    pub fn span(&self) -> Duration {
        self.marks.front().map_or(Duration::ZERO, |first| self.newest.at.saturating_sub(first.at))
    }

    /// Measures anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether readings that come now come after a pause: a silence in which more should have come than there are now.
    pub fn is_pause(&self, readings: u64, now: Duration) -> bool {
        let silence = now.saturating_sub(self.newest.at);
        silence > SILENCE && self.hz().is_some_and(|hz| (readings as f64) < silence.as_secs_f64() * hz / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is measured of readings at a rate that arrive `burst` at once.
    fn measured(hz: f64, burst: u64, seconds: f64) -> Option<f64> {
        let mut meter = Meter::default();
        let bursts = (seconds * hz / burst as f64) as u64;
        for number in 0..bursts {
            meter.observe(burst, Duration::from_secs_f64((number * burst) as f64 / hz));
        }
        meter.hz()
    }

    #[test]
    fn rates_are_told_whatever_the_bursts() {
        for hz in [0.5, 3.0, 50.0, 62.5, 100.0, 1000.0, 20_000.0] {
            for burst in [1, 2, 7] {
                let found = measured(hz, burst, 60.0);
                assert!(found.is_some_and(|found| (found / hz - 1.0).abs() < 1e-6), "{hz} by {burst}: {found:?}");
            }
        }
    }

    #[test]
    fn nothing_is_said_of_too_few() {
        assert_eq!(measured(100.0, 1, 0.9), None);
        assert_eq!(measured(1.0, 1, 4.0), None);
        assert_eq!(measured(1.0, 1, 5.0), Some(1.0));
    }

    #[test]
    fn a_rate_that_changes_is_followed_and_a_pause_does_not_count() {
        let mut meter = Meter::default();
        let at = Duration::from_millis;
        (0..2000).for_each(|n| meter.observe(1, at(n * 10)));
        (0..1000).for_each(|n| meter.observe(1, at(20_000 + n * 20)));
        assert!(meter.hz().is_some_and(|hz| (hz - 50.0).abs() < 1e-6), "{:?}", meter.hz());
        (0..200).for_each(|n| meter.observe(1, at(100_000 + n * 20)));
        assert!(meter.hz().is_some_and(|hz| (hz - 50.0).abs() < 1e-6), "{:?}", meter.hz());
        assert!(meter.marks.len() <= MARKS + 1);
    }
}
