//! Hotelling's T² of what came in, against a [`Reference`]; Hotelling 1931, "The generalization of Student's ratio".
//! Knows no labels: the class that a head takes a feature for picks the mean it is compared with, and that is all.
//!
//! With `ē` the mean residual of `n` bursts on `r` directions, of which a share `p_c` was taken for class `c` whose mean comes
//! from `n_c` groups, `T² = Σ_j ē_j²/v_j / (1/n + Σ_c p_c²/n_c)`, and `T² (d - r + 1)/(d r)` has Fisher's law with `r` and
//! `d - r + 1` degrees of freedom where nothing changed, `d` being the groups behind the variances `v`. That is the law for a
//! whole covariance estimated from them; the directions being uncorrelated where they were found, only variances are, so
//! that false alarms are at most as many as stated, not exactly as many.
//!
//! A burst is what arrives of one moment: near-duplicates, frames of one scene, windows of one recording. It is one
//! observation, however many samples it has: taking them as independent would call every long look a drift.

use crate::interval::f_survival;

use super::reference::{Reference, of_means};

/// Bursts in a window of a [`Monitor`], if not said otherwise.
pub const BURSTS: usize = 30;
/// Bursts between two false alarms of a [`Monitor`] in the mean, if not said otherwise.
pub const FALSE_ALARM_EVERY: usize = 10_000;

/// Residuals summed up: the test's whole state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Sum of the closed bursts' mean residuals, `[r]`; empty before the first.
    pub sums: Vec<f64>,
    /// Closed bursts per class they were taken for, in parts, `[classes]`.
    pub tally: Vec<f64>,
    /// Closed bursts.
    pub bursts: usize,
    /// The burst that may go on.
    pub open: Option<Burst>,
}

/// A burst that may go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Burst {
    /// Its number.
    pub number: usize,
    /// Sum of residuals, `[r]`.
    pub sums: Vec<f64>,
    /// Samples per class they were taken for, `[classes]`.
    pub tally: Vec<f64>,
}

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Bursts compared.
    pub bursts: usize,
    /// Directions they were compared on.
    pub directions: usize,
    /// Hotelling's T².
    pub t2: f64,
    /// The chance of such a T² or a larger one where nothing changed.
    pub p: f64,
}

impl Window {
    /// Takes one feature of norm 1 with the class that the head takes it for. Consecutive features with one `burst`
    /// number are one observation. O(r·dim).
    ///
    /// # Panics
    /// When the feature is of another dim than the reference, or it knows no such class.
    pub fn observe(&mut self, reference: &Reference, feature: &[f32], class: usize, burst: usize) {
        let residual = reference.residual(feature, class);
        if self.open.as_ref().is_none_or(|open| open.number != burst) {
            self.close();
            let tally = vec![0.0; reference.counts.len()];
            self.open = Some(Burst { number: burst, sums: vec![0.0; residual.len()], tally });
        }
        if let Some(open) = &mut self.open {
            open.tally[class] += 1.0;
            for (sum, residual) in open.sums.iter_mut().zip(residual) {
                *sum += residual;
            }
        }
    }

    /// Ends the burst that was open: what comes next is another, whatever its number.
    pub fn close(&mut self) {
        let Some(Burst { sums, tally, .. }) = self.open.take() else { return };
        let samples: f64 = tally.iter().sum();
        self.sums.resize(sums.len(), 0.0);
        self.tally.resize(tally.len(), 0.0);
        for (to, from) in self.sums.iter_mut().chain(&mut self.tally).zip(sums.iter().chain(&tally)) {
            *to += from / samples;
        }
        self.bursts += 1;
    }

    /// Compares the closed bursts with what was learnt; none where there are none, or the reference is too small for a test.
    pub fn test(&self, reference: &Reference) -> Option<Test> {
        let Self { sums, tally, bursts, open: _ } = self;
        if *bursts == 0 {
            return None;
        }
        let n = *bursts as f64;
        let distance: f64 = sums.iter().zip(&reference.variances).map(|(sum, v)| (sum / n).powi(2) / v).sum();
        let t2 = distance / (1.0 / n + of_means(tally, n, &reference.counts));
        let (d, r) = (reference.groups as f64, reference.variances.len() as f64);
        let p = f_survival(t2 * (d - r + 1.0) / (d * r), r, d - r + 1.0);
        p.is_finite().then_some(Test { bursts: *bursts, directions: reference.variances.len(), t2, p })
    }
}

/// A test of every window of a stream, at a level that gives a stated distance between false alarms.
///
/// Windows do not overlap, so with `n` bursts in each and one false alarm in `N` bursts wanted, each is tested at level
/// `n/N`. That is the mean over references too: one that was unlucky in its samples sounds more often, another less.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Bursts in a window.
    pub window: usize,
    /// Bursts between two false alarms in the mean.
    pub false_alarm_every: usize,
    /// The window that fills.
    pub filling: Window,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { window: BURSTS, false_alarm_every: FALSE_ALARM_EVERY, filling: Window::default() }
    }
}

impl Monitor {
    /// The p-value below which a window is an alarm.
    pub fn level(&self) -> f64 {
        self.window as f64 / self.false_alarm_every as f64
    }

    /// Takes one feature as [`Window::observe`] does; gives the test of a window whenever one is full, which is drift where its p
    /// is below [`Monitor::level`].
    ///
    /// # Panics
    /// As [`Window::observe`].
    pub fn observe(&mut self, reference: &Reference, feature: &[f32], class: usize, burst: usize) -> Option<Test> {
        let full = self.filling.open.as_ref().is_some_and(|open| open.number != burst)
            && self.filling.bursts + 1 >= self.window;
        let test = full.then(|| {
            self.filling.close();
            std::mem::take(&mut self.filling).test(reference)
        });
        self.filling.observe(reference, feature, class, burst);
        test.flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::leave_out::mix;
    use ndarray::Array2;

    const DIM: usize = 24;

    /// A sum of twelve uniform numbers: normal enough.
    fn noise(seed: u64) -> f32 {
        (0..12).map(|k| (mix(seed * 12 + k) >> 11) as f32 / 2_f32.powi(53)).sum::<f32>() - 6.0
    }

    /// Feature `i` of a stream: two classes whose scatter has strong and weak directions, moved by `by` along the second.
    fn feature(stream: u64, i: u64, class: usize, by: f32) -> Vec<f32> {
        let scale = |j: usize| 1.0 / (1.0 + j as f32);
        let at = |j: usize| {
            if j == 0 {
                20.0 * class as f32
            } else if j == 1 {
                by
            } else {
                0.0
            }
        };
        (0..DIM).map(|j| at(j) + scale(j) * noise((stream * 1_000_000 + i) * DIM as u64 + j as u64)).collect()
    }

    fn reference(stream: u64, groups: usize, copies: usize) -> Reference {
        let rows = groups * copies;
        let class = |row: usize| row / copies % 2;
        let mut x = Array2::zeros((rows, DIM));
        for row in 0..rows {
            x.row_mut(row).assign(&ndarray::Array1::from(feature(stream, (row / copies) as u64, class(row), 0.0)));
        }
        let predicted: Vec<usize> = (0..rows).map(class).collect();
        let groups: Vec<usize> = (0..rows).map(|row| row / copies).collect();
        Reference::new(x.view(), &predicted, &groups, 2).unwrap()
    }

    /// Share of windows of 20 bursts with `p < level`.
    fn rate(level: f64, by: f32, copies: usize, class: impl Fn(u64) -> usize) -> f64 {
        let (mut alarms, mut windows) = (0, 0);
        for stream in 0..20 {
            let reference = reference(2 * stream, 80, 2);
            for k in 0..40_u64 {
                let mut window = Window::default();
                for burst in 0..20_u64 {
                    let class = class(burst);
                    let x = feature(2 * stream + 1, 20 * k + burst, class, by);
                    (0..copies).for_each(|_| window.observe(&reference, &x, class, burst as usize));
                }
                window.close();
                alarms += usize::from(window.test(&reference).unwrap().p < level);
                windows += 1;
            }
        }
        f64::from(alarms as u32) / f64::from(windows)
    }

    #[test]
    fn false_alarms_are_no_more_than_stated_whatever_the_mix_of_classes_and_the_length_of_bursts() {
        // 800 windows: the standard error of 5 % is 0.8 %, more as 40 share a reference.
        for share in [2_u64, 20] {
            for copies in [1, 4] {
                let got = rate(0.05, 0.0, copies, |burst| usize::from(burst % share == 0));
                assert!(got < 0.08, "{got} where one of {share} is of the second class, {copies} copies");
            }
        }
    }

    #[test]
    fn a_moved_mean_is_noticed() {
        // The second direction has a standard deviation of 0.5.
        assert!(rate(0.01, 1.5, 1, |burst| usize::from(burst % 2 == 0)) > 0.95);
    }

    #[test]
    fn a_monitor_answers_once_a_window_at_the_level_that_keeps_its_word() {
        let reference = reference(1, 80, 1);
        let mut monitor = Monitor { window: 10, false_alarm_every: 1_000, ..Monitor::default() };
        assert!((monitor.level() - 0.01).abs() < 1e-12);
        let mut answers = Vec::new();
        for i in 0..101_u64 {
            let by = if i < 60 { 0.0 } else { 4.0 };
            let x = feature(7, i, 0, by);
            answers.extend(monitor.observe(&reference, &x, 0, i as usize).map(|test| (i, test.p < monitor.level())));
        }
        let expected = (1..=10).map(|k| (10 * k, k > 6)).collect::<Vec<_>>();
        assert_eq!(answers, expected);
    }

    #[test]
    fn what_cannot_be_compared_with_is_refused() {
        use crate::drift::ReferenceError;
        let x = Array2::<f32>::from_elem((30, 4), 0.5);
        let groups: Vec<usize> = (0..30).collect();
        assert_eq!(Reference::new(x.view(), &[0; 30], &groups, 1), Err(ReferenceError::Few { groups: 30 }));
        assert_eq!(Reference::new(x.view(), &[0; 30], &[1; 30], 1), Err(ReferenceError::Few { groups: 1 }));
        let lengths = ReferenceError::Lengths { rows: 30, predicted: 0, classes: 1, groups: 30 };
        assert_eq!(Reference::new(x.view(), &[1; 30], &groups, 1), Err(lengths));
        assert_eq!(Window::default().test(&reference(3, 40, 1)), None);
    }
}
