//! The device's clock in the host's time: offset and drift from when messages were sent and when they came. It knows
//! nothing of messages and reads no clock. Invariant: a mapped time is never later than the line through what came soonest.
//!
//! A message is late by a delay that is never negative and sometimes small. So the points (sent by the device's clock, came by
//! the host's) lie above a line, whose slope is the drift, and touch it where the delay was least. The line is the edge of the
//! lower convex hull that has the least sum of distances to the points, which is the edge over their mean
//! (Moon, Skelly and Towsley, *Estimation and removal of clock skew from network delay measurements*, INFOCOM 1999). Kept are
//! the soonest of each stretch of the last minutes: O(`STRETCHES`) memory and time per message.

use std::{collections::VecDeque, time::Duration};

/// The device's time that a point stands for at least.
const STRETCH: f64 = 1.0;

/// How many points are kept. A minute: longer, and a drift that changes is followed later; shorter, and it is less exact.
const STRETCHES: usize = 60;

/// A microcontroller's own oscillator is good to 1 to 3 %; an emulated one has whatever its computer has left.
const MAX_DRIFT: f64 = 3.0;

/// One device's clock, since it started.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Seconds by the device's clock, and by how much the host's was ahead when what was sent then came; oldest first.
    points: VecDeque<(f64, f64)>,
    /// When the newest stretch began, by the device's clock.
    began: f64,
    /// Ahead = offset + drift × device.
    line: (f64, f64),
}

impl Clock {
    /// A clock of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message that was whole at `device` (its clock) came at `host`.
    pub fn observe(&mut self, device: Duration, host: Duration) {
        let device = device.as_secs_f64();
        let ahead = host.as_secs_f64() - device;
        match self.points.back_mut() {
            Some(newest) if device - self.began < STRETCH => {
                if ahead < newest.1 {
                    *newest = (device, ahead);
                }
            }
            _ => {
                self.points.push_back((device, ahead));
                self.began = device;
                if self.points.len() > STRETCHES {
                    self.points.pop_front();
                }
            }
        }
        self.line = lower_line(&self.points);
    }

    /// When it was by the host's clock, that the device's said this; 0 for times before the host's origin.
    pub fn at(&self, device: Duration) -> Duration {
        let device = device.as_secs_f64();
        let (offset, drift) = self.line;
        Duration::try_from_secs_f64(device + offset + drift * device).unwrap_or_default()
    }

    /// By how much the host's clock runs faster than the device's, as a ratio less 1: −2/3 to 3.
    pub fn drift(&self) -> f64 {
        self.line.1
    }
}

/// Offset and slope of the line below all points that is nearest to them.
fn lower_line(points: &VecDeque<(f64, f64)>) -> (f64, f64) {
    let mean = points.iter().map(|point| point.0).sum::<f64>() / points.len().max(1) as f64;
    // Points come in the order of time: the lower hull by one pass (Andrew's monotone chain).
    let mut hull: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    for &point in points {
        while let [.., a, b] = hull[..]
            && (b.0 - a.0) * (point.1 - a.1) <= (b.1 - a.1) * (point.0 - a.0)
        {
            hull.pop();
        }
        hull.push(point);
    }
    let edge = hull.windows(2).find(|edge| edge[1].0 >= mean);
    let slope = edge.map_or(0.0, |edge| (edge[1].1 - edge[0].1) / (edge[1].0 - edge[0].0).max(1e-6));
    let slope = slope.clamp(MAX_DRIFT.recip() - 1.0, MAX_DRIFT);
    let offset = hull.iter().map(|point| point.1 - slope * point.0).fold(f64::INFINITY, f64::min);
    (if offset.is_finite() { offset } else { 0.0 }, slope)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A device that is `drift` too slow, and delays of which one in `luck` is short.
    fn play(clock: &mut Clock, from: f64, till: f64, drift: f64, luck: u64, seed: u64) {
        let mut state = seed;
        let mut device = from;
        while device < till {
            // Numerical Recipes' generator; any would do.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 33) as f64 / f64::from(1u32 << 31);
            let delay = if (state >> 40).is_multiple_of(luck) { 0.001 } else { 0.001 + 0.2 * random };
            clock.observe(seconds(device), seconds(100.0 + device * (1.0 + drift) + delay));
            device += 0.1;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Offset and drift of a crystal within what the shortest delays allow, whatever the others are.
        #[test]
        fn offset_and_drift_are_found_in_spite_of_delays(drift in -2e-4..2e-4, luck in 1u64..10, seed: u64) {
            let mut clock = Clock::new();
            play(&mut clock, 5.0, 300.0, drift, luck, seed);
            prop_assert!((clock.drift() - drift).abs() < 1e-3, "{} for {drift}", clock.drift());
            let error = clock.at(seconds(299.0)).as_secs_f64() - (100.0 + 299.0 * (1.0 + drift));
            prop_assert!((-0.002..0.025).contains(&error), "{error}");
        }
    }

    #[test]
    fn the_first_message_already_gives_a_time() {
        let mut clock = Clock::new();
        clock.observe(seconds(3.0), seconds(50.0));
        assert_eq!(clock.at(seconds(2.5)), seconds(49.5));
    }

    #[test]
    fn one_late_message_moves_nothing() {
        let mut clock = Clock::new();
        play(&mut clock, 0.0, 100.0, 1e-5, 1, 1);
        let before = clock.at(seconds(100.0));
        clock.observe(seconds(100.0), seconds(205.0));
        assert!(clock.at(seconds(100.0)).abs_diff(before) < Duration::from_millis(1));
    }

    #[test]
    fn a_drift_that_changes_is_followed_within_minutes() {
        let mut clock = Clock::new();
        play(&mut clock, 0.0, 300.0, 1e-4, 3, 1);
        // Another temperature: from here on 50 ppm less, with the offset that makes the line go on where it was.
        let mut device = 300.0;
        while device < 800.0 {
            clock.observe(seconds(device), seconds(100.0 + 300.0 * 1.0001 + (device - 300.0) * 1.00005 + 0.001));
            device += 0.1;
        }
        assert!((clock.drift() - 5e-5).abs() < 1e-5, "{}", clock.drift());
    }

    #[test]
    fn a_clock_that_is_no_clock_gives_times_all_the_same() {
        let mut clock = Clock::new();
        for (device, host) in [(5.0, 1.0), (1.0, 2.0), (1e9, 3.0), (0.0, 1e9)] {
            clock.observe(seconds(device), seconds(host));
            clock.at(seconds(device));
        }
        assert!(clock.drift().abs() <= MAX_DRIFT);
    }
}
