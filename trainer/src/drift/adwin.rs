//! ADWIN: a window over a stream of numbers that shrinks when its mean has changed. Bifet and Gavaldà 2007, "Learning from
//! time-changing data with adaptive windowing". Knows nothing of what the numbers mean; here they are the prequential
//! errors (0 right, 1 wrong, of predictions made before the label came).
//!
//! The window is an exponential histogram: at most five buckets of each size 1, 2, 4, …, so that memory and the time of a
//! check are O(log W). Invariant: buckets stand oldest first, their sizes never rise.

/// The paper's confidence, if not said otherwise: an upper bound of the chance of a false cut at each check.
pub const DELTA: f64 = 0.002;
/// Buckets of one size.
const BUCKETS: usize = 5;
/// Numbers between two checks.
const CLOCK: usize = 32;
/// Shortest part that a cut may leave.
const SHORTEST: f64 = 5.0;

/// Some neighbouring numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// How many.
    pub count: usize,
    /// Their sum.
    pub sum: f64,
    /// Sum of squared deviations from their mean.
    pub squares: f64,
}

/// The detector's whole state.
#[derive(Clone, Debug, PartialEq)]
pub struct Adwin {
    /// Chance of a false cut at each check, at most.
    pub delta: f64,
    /// Numbers taken.
    pub taken: usize,
    /// The window, oldest first.
    pub buckets: Vec<Bucket>,
}

impl Bucket {
    /// Both together (Chan, Golub and `LeVeque` 1979).
    fn merge(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let apart = self.sum / a - other.sum / b;
        let squares = self.squares + other.squares + apart * apart * a * b / (a + b);
        Self { count: self.count + other.count, sum: self.sum + other.sum, squares }
    }
}

/// Nothing.
const EMPTY: Bucket = Bucket { count: 0, sum: 0.0, squares: 0.0 };

impl Default for Adwin {
    fn default() -> Self {
        Self::new(DELTA)
    }
}

impl Adwin {
    /// An empty window with a confidence in 0..1.
    pub fn new(delta: f64) -> Self {
        Self { delta, taken: 0, buckets: Vec::new() }
    }

    /// Takes a number; whether the mean of the window has changed, and its older part was dropped. A number that is not
    /// finite is not taken. Amortised O(1), and O(log² W) every 32 numbers.
    pub fn observe(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.taken += 1;
        self.buckets.push(Bucket { count: 1, sum: value, squares: 0.0 });
        self.compress();
        self.taken.is_multiple_of(CLOCK) && self.shrink()
    }

    /// Numbers in the window.
    pub fn width(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// Mean of the window; none before the first number.
    pub fn mean(&self) -> Option<f64> {
        let all = self.buckets.iter().copied().fold(EMPTY, Bucket::merge);
        (all.count > 0).then(|| all.sum / all.count as f64)
    }

    /// Merges the two oldest of a size of which there are too many, then of the next size.
    fn compress(&mut self) {
        let mut end = self.buckets.len();
        while let Some(last) = end.checked_sub(1) {
            let size = self.buckets[last].count;
            let start = self.buckets[..end].iter().rposition(|bucket| bucket.count != size).map_or(0, |at| at + 1);
            if end - start <= BUCKETS {
                return;
            }
            let newer = self.buckets.remove(start + 1);
            self.buckets[start] = self.buckets[start].merge(newer);
            end = start + 1;
        }
    }

    /// Drops the oldest buckets while any cut between two buckets parts means that differ.
    fn shrink(&mut self) -> bool {
        let mut shrunk = false;
        while self.is_cut() {
            self.buckets.remove(0);
            shrunk = true;
        }
        shrunk
    }

    fn is_cut(&self) -> bool {
        let all = self.buckets.iter().copied().fold(EMPTY, Bucket::merge);
        let width = all.count as f64;
        let confidence = (2.0 * width.ln() / self.delta).ln();
        let (mut count, mut sum) = (0.0, 0.0);
        self.buckets.iter().any(|bucket| {
            count += bucket.count as f64;
            sum += bucket.sum;
            let rest = width - count;
            if count < SHORTEST || rest < SHORTEST {
                return false;
            }
            // `ε_cut` of section 4.1, with the variance of the window.
            let over = 1.0 / count + 1.0 / rest;
            let bound = (2.0 * over * all.squares / width * confidence).sqrt() + 2.0 / 3.0 * over * confidence;
            (sum / count - (all.sum - sum) / rest).abs() > bound
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leave_out::mix;

    /// Zeros and ones, ones with these chances for these stretches.
    fn stream(seed: u64, stretches: &[(usize, f64)]) -> Vec<f64> {
        let chances = stretches.iter().flat_map(|&(length, chance)| std::iter::repeat_n(chance, length));
        let uniform = |i: u64| (mix(seed * 1_000_003 + i) >> 11) as f64 / 2_f64.powi(53);
        chances.zip(0..).map(|(chance, i)| f64::from(uniform(i) < chance)).collect()
    }

    fn alarms(values: &[f64]) -> Vec<usize> {
        let mut adwin = Adwin::default();
        (0..values.len()).filter(|&i| adwin.observe(values[i])).map(|i| i + 1).collect()
    }

    /// The same window kept number by number, everything computed anew at every check.
    fn naive(values: &[f64]) -> Vec<usize> {
        let (mut kept, mut sizes, mut alarms): (Vec<f64>, Vec<usize>, _) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &value) in values.iter().enumerate() {
            kept.push(value);
            sizes.push(1);
            let mut size = 1;
            while sizes.iter().filter(|&&one| one == size).count() > 5 {
                let at = sizes.iter().position(|&one| one == size).unwrap_or(0);
                sizes.splice(at..at + 2, [2 * size]);
                size *= 2;
            }
            if (i + 1) % 32 != 0 {
                continue;
            }
            let mut changed = false;
            loop {
                let n = kept.len() as f64;
                let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
                let all = mean(&kept);
                let variance = kept.iter().map(|x| (x - all).powi(2)).sum::<f64>() / n;
                let l = (2.0 * n.ln() / 0.002).ln();
                let mut edge = 0;
                let cut = sizes.iter().any(|size| {
                    edge += size;
                    if edge < 5 || kept.len() - edge < 5 {
                        return false;
                    }
                    let m = 1.0 / (1.0 / edge as f64 + 1.0 / (kept.len() - edge) as f64);
                    (mean(&kept[..edge]) - mean(&kept[edge..])).abs()
                        > (2.0 / m * variance * l).sqrt() + 2.0 / (3.0 * m) * l
                });
                if !cut {
                    break;
                }
                changed = true;
                kept.drain(..sizes.remove(0));
            }
            if changed {
                alarms.push(i + 1);
            }
        }
        alarms
    }

    #[test]
    fn buckets_say_what_the_numbers_themselves_say() {
        for seed in 1..=4 {
            for stretches in [&[(600, 0.1), (600, 0.5), (900, 0.2)][..], &[(1500, 0.3)], &[(700, 0.9), (700, 0.6)]] {
                let values = stream(seed, stretches);
                assert_eq!(alarms(&values), naive(&values), "seed {seed}");
            }
        }
    }

    #[test]
    fn alarms_come_within_two_checks_of_those_of_river() {
        // river 0.26.1, ADWIN(delta=0.002, clock=32, max_buckets=5, min_window_length=5, grace_period=10), on the same
        // streams. It starts anew after an alarm, and counts four fewer in each part than the paper.
        let step = [(1000, 0.2), (2000, 0.5)];
        let steps = [(1500, 0.1), (700, 0.3), (1500, 0.05)];
        let river = [
            (1, &step[..], &[1088][..]),
            (2, &step, &[1088]),
            (3, &step, &[1088]),
            (1, &steps, &[1632, 2336]),
            (2, &steps, &[1696, 2336]),
            (3, &steps, &[1664, 2336]),
        ];
        for (seed, stretches, expected) in river {
            let (mut adwin, mut alarms) = (Adwin::default(), Vec::new());
            for (i, value) in stream(seed, stretches).into_iter().enumerate() {
                if adwin.observe(value) {
                    alarms.push(i + 1);
                    adwin = Adwin::default();
                }
            }
            let near = |(got, expected): (&usize, &usize)| got.abs_diff(*expected) <= 64;
            assert!(alarms.len() == expected.len() && alarms.iter().zip(expected).all(near), "{seed}: {alarms:?}");
        }
        for seed in 1..=3 {
            assert!(alarms(&stream(seed, &[(5000, 0.2)])).is_empty());
        }
    }

    #[test]
    fn memory_is_logarithmic_and_the_mean_is_that_of_the_window() {
        let values = stream(9, &[(100_000, 0.25)]);
        let mut adwin = Adwin::default();
        let alarms = values.iter().filter(|&&value| adwin.observe(value)).count();
        assert!(adwin.buckets.len() <= 5 * 17 && alarms == 0, "{} {alarms}", adwin.buckets.len());
        let window = &values[values.len() - adwin.width()..];
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        assert!(adwin.mean().is_some_and(|got| (got - mean).abs() < 1e-12));
        assert!(!adwin.observe(f64::NAN) && adwin.width() == 100_000);
    }
}
