//! How long to wait before something that failed is tried again: twice as long each time. Knows nothing of what failed.

use std::time::Duration;

/// Time until the next try after so many that failed, the first of which waits `first`, and none longer than `longest`.
pub(crate) fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_mins(1));
        let waits: Vec<u64> = [0, 1, 2, 3, 6, 7, 33, u32::MAX].map(|n| backoff(first, n, longest).as_secs()).to_vec();
        assert_eq!(waits, [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}
