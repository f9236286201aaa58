//! Numbered messages in their order: which of them are missing, which are lost for good, which can be handed on. It knows
//! nothing of what they say, of time or of how they are asked for.
//!
//! ```text
//!        next ─┐                     ┌─ end
//!   handed on  │ missing  here  here │ not sent yet
//! ─────────────┴─────────────────────┴──────────────▶ numbers
//! ```
//!
//! Invariants: nothing is handed on twice or out of order; at most `window` messages wait.

use std::collections::BTreeMap;

use acclimate_wire::message::MAX_RESEND;

/// Messages of one device since it started.
#[derive(Clone, Debug)]
pub(super) struct Order<T> {
    /// Everything before was handed on or is lost.
    next: u64,
    /// Everything before was sent at least once.
    end: u64,
    /// What is not here of everything before will never come.
    gone: u64,
    /// What came before its turn.
    waiting: BTreeMap<u64, T>,
    /// How many may wait.
    window: u64,
}

/// What became of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Kept; with whether it had been missing.
    Kept { missed: bool },
    /// Had come before, or was not to be sent yet.
    Superfluous,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn<T> {
    Message(u64, T),
    Lost(u64),
}

impl<T> Order<T> {
    /// Begins at a number.
    pub(super) fn new(first: u32, window: u64) -> Self {
        let first = u64::from(first);
        Self { next: first, end: first, gone: first, waiting: BTreeMap::new(), window }
    }

    /// Everything before was handed on or is lost.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Everything before may be sent.
    pub(super) fn granted(&self) -> u64 {
        self.next + self.window
    }

    /// The number that this one on the line (modulo 2³²) stands for: the nearest to the next. `None` before the first.
    pub(super) fn widen(&self, sequence: u32) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.next as u32) as i32;
        self.next.checked_add_signed(i64::from(ahead))
    }

    pub(super) fn arrived(&mut self, sequence: u32, message: T) -> Arrival {
        let Some(number) = self.widen(sequence) else { return Arrival::Superfluous };
        if number < self.next || number >= self.granted() || self.waiting.contains_key(&number) {
            return Arrival::Superfluous;
        }
        let missed = number < self.end;
        self.end = self.end.max(number + 1);
        self.waiting.insert(number, message);
        Arrival::Kept { missed }
    }

    /// The device says what it has sent so far, and what it can still send.
    pub(super) fn told(&mut self, next: u32, oldest: u32) {
        // A line keeps the order, so what was sent before and is not here was lost on it.
        self.end = self.end.max(self.widen(next).unwrap_or(0));
        self.gone = self.gone.max(self.widen(oldest).unwrap_or(0).min(self.end));
    }

    /// The message whose turn it is will not be waited for any longer.
    pub(super) fn give_up(&mut self) {
        self.gone = self.gone.max((self.next + 1).min(self.end));
    }

    /// What is missing, as `resend` asks for it: the first, and a bit for each of the 31 behind it.
    pub(super) fn missing(&self) -> Option<(u32, u32)> {
        let is_missing = |number: &u64| *number < self.end && !self.waiting.contains_key(number);
        is_missing(&self.next).then(|| {
            let others = (1..u64::from(MAX_RESEND)).filter(|ahead| is_missing(&(self.next + ahead)));
            (self.next as u32, others.fold(0, |bits, ahead| bits | 1 << (ahead - 1)))
        })
    }

    /// What can be handed on now; call until `None`.
    pub(super) fn take(&mut self) -> Option<Turn<T>> {
        if let Some(message) = self.waiting.remove(&self.next) {
            self.next += 1;
            return Some(Turn::Message(self.next - 1, message));
        }
        let first = self.waiting.first_key_value().map_or(u64::MAX, |(number, _)| *number);
        let lost = self.gone.min(first).saturating_sub(self.next);
        self.next += lost;
        (lost > 0).then_some(Turn::Lost(lost))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

    use super::*;

    fn drain(order: &mut Order<u32>) -> Vec<Turn<u32>> {
        std::iter::from_fn(|| order.take()).collect()
    }

    #[test]
    fn what_comes_in_order_is_handed_on_at_once() {
        let mut order = Order::new(7, 4);
        assert_eq!(order.arrived(7, 70), Arrival::Kept { missed: false });
        assert_eq!(drain(&mut order), [Turn::Message(7, 70)]);
        assert_eq!((order.missing(), order.next(), order.granted()), (None, 8, 12));
    }

    #[test]
    fn what_is_missing_is_named_and_waited_for() {
        let mut order = Order::new(0, 8);
        for number in [1, 3, 4] {
            order.arrived(number, number);
        }
        assert_eq!(drain(&mut order), []);
        assert_eq!(order.missing(), Some((0, 0b10)));
        assert_eq!(order.arrived(0, 0), Arrival::Kept { missed: true });
        assert_eq!(drain(&mut order), [Turn::Message(0, 0), Turn::Message(1, 1)]);
        assert_eq!(order.missing(), Some((2, 0)));
    }

    #[test]
    fn what_the_device_no_longer_has_is_lost_up_to_what_is_here() {
        let mut order = Order::new(0, 8);
        order.arrived(3, 3);
        order.told(6, 5);
        assert_eq!(drain(&mut order), [Turn::Lost(3), Turn::Message(3, 3), Turn::Lost(1)]);
        assert_eq!(order.missing(), Some((5, 0)));
        order.give_up();
        assert_eq!(drain(&mut order), [Turn::Lost(1)]);
        order.give_up();
        assert_eq!(drain(&mut order), [], "what was never sent is not lost");
    }

    #[test]
    fn numbers_go_on_past_the_largest_on_the_line() {
        let mut order = Order::new(u32::MAX, 4);
        order.arrived(u32::MAX, 1);
        order.arrived(0, 2);
        assert_eq!(drain(&mut order), [Turn::Message(0xFFFF_FFFF, 1), Turn::Message(0x1_0000_0000, 2)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Whatever comes: each number is handed on or lost once, in order, and no more waits than may.
        #[test]
        fn whatever_comes_is_told_once_and_in_order(
            first in prop_oneof![Just(0), Just(u32::MAX - 3), any::<u32>()],
            steps in vec((0u8..4, 0u32..20, 0u32..20), 0..200),
        ) {
            let mut order = Order::new(first, 8);
            let mut next = u64::from(first);
            for (kind, a, b) in steps {
                let near = |ahead: u32| (order.next() as u32).wrapping_add(ahead).wrapping_sub(4);
                match kind {
                    0 | 1 => drop(order.arrived(near(a), near(a))),
                    2 => order.told(near(a), near(b)),
                    _ => order.give_up(),
                }
                for turn in drain(&mut order) {
                    match turn {
                        Turn::Message(number, message) => {
                            prop_assert_eq!((number, message), (next, next as u32));
                            next += 1;
                        }
                        Turn::Lost(lost) => next += lost,
                    }
                }
                prop_assert_eq!(order.next(), next);
                prop_assert!(order.waiting.len() <= 8);
            }
        }
    }
}
