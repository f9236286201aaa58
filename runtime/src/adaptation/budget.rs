//! Whether there is time left to fit another kind of head. Holds the clock that the trainer lacks.

use std::time::{Duration, Instant};

use acclimate_trainer::Kind;

/// Floating-point operations a second, before anything has run here: about what one core of a Raspberry Pi Zero 2 does.
const UNKNOWN_RATE: f64 = 3e8;

/// A learning curve takes at most this share of what the fit took, or so long where that is longer.
const OF_THE_FIT: f64 = 0.5;
const AT_LEAST: Duration = Duration::from_millis(50);

/// Time for one fit.
pub(super) struct Budget {
    limit: Option<Duration>,
    start: Instant,
    /// Operations of the kinds that were started.
    started: f64,
    /// Whether one that learns more than means was: until then the trainer starts every kind.
    learnt: bool,
    /// Why kinds were not started, in the order they were asked for.
    pub(super) skipped: Vec<String>,
}

impl Budget {
    /// The clock starts now; without a limit there is always time.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, start: Instant::now(), started: 0.0, learnt: false, skipped: Vec::new() }
    }

    /// Whether a kind of so many operations is to be started: at the rate seen so far, it would end within the limit.
    pub(super) fn may_start(&mut self, kind: Kind, flops: f64) -> bool {
        let Some(limit) = self.limit else { return true };
        let spent = self.start.elapsed().as_secs_f64();
        let rate = if self.started > 0.0 { self.started / spent.max(1e-6) } else { UNKNOWN_RATE };
        let needed = flops / rate;
        let left = limit.as_secs_f64() - spent;
        if self.learnt && needed > left {
            let left = 1000.0 * left.max(0.0);
            self.skipped.push(format!("needs about {:.0} ms, {left:.0} ms were left", 1000.0 * needed));
            return false;
        }
        self.started += flops;
        self.learnt |= !matches!(kind, Kind::Prototype | Kind::Shipped);
        true
    }

    /// Time for what is to be said about the fit, which has ended.
    pub(super) fn rest(&self) -> Rest {
        let spent = self.start.elapsed();
        let share = spent.mul_f64(OF_THE_FIT).max(AT_LEAST);
        let limit = self.limit.map_or(share, |limit| share.min(limit.saturating_sub(spent)));
        Rest { limit, start: Instant::now(), started: 0.0 }
    }
}

/// Time for a learning curve.
pub(super) struct Rest {
    limit: Duration,
    start: Instant,
    /// Operations of the sizes that were started.
    started: f64,
}

impl Rest {
    /// Whether so many operations more would end within the limit, at the rate seen so far; the first are small, and start
    /// unless there is no time at all.
    pub(super) fn may_go_on(&mut self, flops: f64) -> bool {
        let spent = self.start.elapsed();
        let goes = if self.started > 0.0 {
            spent.mul_f64((flops / self.started).min(1e6)) <= self.limit.saturating_sub(spent)
        } else {
            !self.limit.is_zero()
        };
        self.started += flops;
        goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_there_is_time_and_with_none_left_there_is_none() {
        let mut budget = Budget::new(None);
        assert!(budget.may_start(Kind::Logistic, 1e300) && budget.skipped.is_empty());
        let mut budget = Budget::new(Some(Duration::ZERO));
        assert!(budget.may_start(Kind::Prototype, 1e9) && budget.may_start(Kind::Ridge, 1e9), "these always are");
        assert!(budget.skipped.is_empty() && !budget.may_start(Kind::Logistic, 1e9));
        assert!(budget.skipped[0].ends_with("0 ms were left"), "{:?}", budget.skipped);
        let mut budget = Budget::new(Some(Duration::from_hours(1)));
        assert!(budget.may_start(Kind::Ridge, 1e6) && budget.may_start(Kind::Logistic, 1e6));
        assert!(!budget.may_start(Kind::Logistic, 1e300));
    }

    #[test]
    fn a_curve_has_no_more_time_than_is_left() {
        assert!(!Budget::new(Some(Duration::ZERO)).rest().may_go_on(1.0), "no time at all");
        let mut rest = Budget::new(None).rest();
        assert!(rest.may_go_on(1.0) && !rest.may_go_on(1e300));
    }
}
