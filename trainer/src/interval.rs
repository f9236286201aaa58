//! Small-sample statistics of judgement: Student's t, Wilson intervals, Fisher's exact test, means over groups.
//!
//! Knows nothing of heads or classes: numbers and group ids in, numbers out. Samples of one group are taken as one
//! observation of uncertain size, never as independent ones. Every function is total: no input makes one panic, and
//! where the data say nothing the answer says so (an interval of 0 to 1, a test that is `None`).

use std::collections::BTreeMap;

/// `ln Γ(x)` for `x > 0`: Lanczos' approximation with g = 7 and nine terms; relative error below 1e-14.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let series = COEFFICIENTS.iter().zip(1u8..).map(|(c, i)| c / (x + f64::from(i))).sum::<f64>();
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + (0.999_999_999_999_809_9 + series).ln()
}

/// The regularised incomplete beta function `I_x(a, b)`, by Lentz's continued fraction (NIST DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on one side of the mode only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let tiny = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / tiny(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..20_000 {
        let m = f64::from(m);
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / tiny(1.0 + term * d);
            c = tiny(1.0 + term / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    let front = a * x.ln() + b * (-x).ln_1p() - (ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b));
    front.exp() * fraction / a
}

/// `P(F > f)` of Fisher's F with `df1` and `df2` degrees of freedom; accurate in the far tail. NaN for NaN or degrees of
/// freedom that are not above zero.
pub fn f_survival(f: f64, df1: f64, df2: f64) -> f64 {
    if f.is_nan() || !(df1 > 0.0 && df2 > 0.0) {
        return f64::NAN;
    }
    incomplete_beta(df2 / (df2 + df1 * f.max(0.0)), 0.5 * df2, 0.5 * df1)
}

/// `P(T > t)` of Student's t with `df` degrees of freedom; accurate in the far tail. NaN for NaN or `df <= 0`.
pub fn student_t_survival(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    let tail = 0.5 * incomplete_beta(df / (df + t * t), 0.5 * df, 0.5);
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// `P(T <= t)` of Student's t with `df` degrees of freedom.
pub fn student_t_cdf(t: f64, df: f64) -> f64 {
    student_t_survival(-t, df)
}

/// The `t` with `P(T <= t) = p`, by bisection. Infinite for `p` of 0 or 1, and NaN for `df <= 0`.
pub fn student_t_quantile(p: f64, df: f64) -> f64 {
    if p.is_nan() || df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p < 0.5 {
        return -student_t_quantile(1.0 - p, df);
    }
    let tail = 1.0 - p;
    if tail <= 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while student_t_survival(high, df) > tail && high < 1e150 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if student_t_survival(middle, df) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Wilson's score interval for a proportion seen `n` times with quantile `z` (1.96 for 95 %). `n` need not be whole.
/// Nothing seen is 0 to 1.
pub fn wilson(proportion: f64, n: f64, z: f64) -> (f64, f64) {
    // Of (n, z) only n/z² matters; an infinite quantile leaves nothing.
    let weight = n / (z * z);
    if weight.is_nan() || weight <= 0.0 || !proportion.is_finite() {
        return (0.0, 1.0);
    }
    let p = proportion.clamp(0.0, 1.0);
    let centre = (p + 0.5 / weight) / (1.0 + 1.0 / weight);
    let half = (p * (1.0 - p) / weight + 0.25 / (weight * weight)).sqrt() / (1.0 + 1.0 / weight);
    ((centre - half).clamp(0.0, p), (centre + half).clamp(p, 1.0))
}

/// 95 % interval for the share of `true`, where samples of one group (equal numbers) may agree with one another.
///
/// Wilson's interval at the effective sample size `n / deff`, with Student's quantile of `groups − 1` degrees of freedom
/// (the form that keeps its coverage for clustered proportions: Korn & Graubard 1998; Dean & Pagano 2015;
/// Franco, Little, Louis & Slud 2019). The design effect `deff` is the ratio of the variance by group sums to that of a
/// simple random sample, at least 1. Few mistakes say little about how they cluster, so it is drawn towards the worst case,
/// Kish's `Σm²/n` (groups all right or all wrong), with the weight of one group beside the groups that hold the rarer
/// outcome; a record without a mistake is worth one observation a group. One group alone says nothing: 0 to 1.
pub fn clustered_interval(correct: &[bool], groups: &[usize]) -> (f64, f64) {
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (&right, &group) in correct.iter().zip(groups) {
        let sum = sums.entry(group).or_default();
        sum.0 += 1.0;
        sum.1 += f64::from(u8::from(right));
    }
    let n: f64 = sums.values().map(|s| s.0).sum();
    if sums.len() < 2 {
        return (0.0, 1.0);
    }
    let count = sums.len() as f64;
    let p = sums.values().map(|s| s.1).sum::<f64>() / n;
    let worst = sums.values().map(|s| s.0 * s.0).sum::<f64>() / n;
    let rare_is_right = p < 0.5;
    let informed = sums.values().filter(|s| if rare_is_right { s.1 > 0.0 } else { s.1 < s.0 }).count() as f64;
    let simple = p * (1.0 - p) / (n - 1.0);
    let estimate = if simple > 0.0 {
        let squares = sums.values().map(|s| (s.1 - p * s.0).powi(2)).sum::<f64>();
        count / (count - 1.0) * squares / (n * n) / simple
    } else {
        worst
    };
    let effect = ((informed * estimate + worst) / (informed + 1.0)).max(1.0);
    wilson(p, n / effect, student_t_quantile(0.975, count - 1.0))
}

/// Fisher's exact test, one-sided, over any number of tables at once (exact conditional test of a common odds ratio,
/// Mehta, Patel & Gray 1985; with one table it is Fisher's own).
///
/// Each table is `[[a, b], [c, d]]`: first row tested, second row compared with; first column counted. Returns
/// `P(A >= a)` of the sum of the `a`s, given all margins and no difference between the rows.
pub fn fisher_greater(tables: &[[[u64; 2]; 2]]) -> f64 {
    // The law of the sum is the convolution of the tables' hypergeometric laws.
    let mut law = vec![1.0];
    let mut lowest = 0;
    let mut seen = 0;
    for &[[a, b], [c, d]] in tables {
        let (row, column, total) = (a + b, a + c, a + b + c + d);
        let least = (row + column).saturating_sub(total);
        let table: Vec<f64> = (least..=row.min(column))
            .map(|k| (ln_choose(column, k) + ln_choose(total - column, row - k) - ln_choose(total, row)).exp())
            .collect();
        let mut next = vec![0.0; law.len() + table.len() - 1];
        for (i, x) in law.iter().enumerate() {
            for (j, y) in table.iter().enumerate() {
                next[i + j] += x * y;
            }
        }
        law = next;
        lowest += least;
        seen += a;
    }
    // Smallest first, for the digits of a far tail.
    law.iter().skip((seen - lowest) as usize).rev().sum::<f64>().min(1.0)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |v: u64| ln_gamma(v as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// A mean over samples whose errors go by group, and the test that it is above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupedMean {
    /// Samples.
    pub samples: usize,
    /// Groups.
    pub groups: usize,
    /// Plain mean over the samples.
    pub mean: f64,
    /// Standard error by leaving out one group at a time, `√((G−1)/G Σ_g (Σ_{i∈g} (v_i − mean) / (n − n_g))²)`; with
    /// groups of one size it is the usual one by group sums, and one large group does not make it too small (`CV₃` of
    /// `MacKinnon`, Nielsen & Webb 2023, "Cluster-robust inference"). Infinite with one group.
    pub standard_error: f64,
    /// One-sided p-value of "the mean is at most zero", Student's t with `groups − 1` degrees of freedom.
    /// `None` below two groups. Values that are all zero have p = 0.5.
    pub p_above_zero: Option<f64>,
}

impl GroupedMean {
    /// Takes one value and one group id per sample. An empty input has mean 0.
    pub fn new(values: &[f64], groups: &[usize]) -> Self {
        let samples = values.len().min(groups.len());
        let n = samples as f64;
        let mean = if samples == 0 { 0.0 } else { values[..samples].iter().sum::<f64>() / n };
        let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (value, &group) in values.iter().zip(groups) {
            let sum = sums.entry(group).or_default();
            sum.0 += 1.0;
            sum.1 += value - mean;
        }
        let count = sums.len() as f64;
        if sums.len() < 2 {
            let groups = sums.len();
            return Self { samples, groups, mean, standard_error: f64::INFINITY, p_above_zero: None };
        }
        let squares = sums.values().map(|(size, sum)| (sum / (n - size)).powi(2)).sum::<f64>();
        let standard_error = ((count - 1.0) / count * squares).sqrt();
        let p = if standard_error > 0.0 {
            student_t_survival(mean / standard_error, count - 1.0)
        } else if mean == 0.0 {
            0.5
        } else {
            f64::from(u8::from(mean < 0.0))
        };
        Self { samples, groups: sums.len(), mean, standard_error, p_above_zero: Some(p) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_data_say_nothing_the_answer_says_so() {
        assert_eq!(clustered_interval(&[], &[]), (0.0, 1.0));
        assert_eq!(clustered_interval(&[true; 50], &[3; 50]), (0.0, 1.0));
        assert_eq!(wilson(0.5, 0.0, 1.96), (0.0, 1.0));
        assert_eq!(wilson(0.5, 10.0, f64::INFINITY), (0.0, 1.0));
        assert_eq!(GroupedMean::new(&[0.3, 0.4], &[1, 1]).p_above_zero, None);
        assert_eq!(fisher_greater(&[]), 1.0);
    }

    #[test]
    fn extremes_are_finite_or_what_they_must_be() {
        assert_eq!(student_t_quantile(1.0, 4.0), f64::INFINITY);
        assert_eq!(student_t_quantile(0.0, 4.0), f64::NEG_INFINITY);
        assert!(student_t_quantile(0.5, 0.0).is_nan() && student_t_survival(1.0, 0.0).is_nan());
        assert_eq!(student_t_survival(f64::INFINITY, 3.0), 0.0);
        assert_eq!((f_survival(0.0, 3.0, 4.0), f_survival(f64::INFINITY, 3.0, 4.0)), (1.0, 0.0));
        assert!(f_survival(1.0, 0.0, 4.0).is_nan() && f_survival(1.0, 3.0, -1.0).is_nan());
        assert!(fisher_greater(&[[[0, 3000], [3000, 3_000_000]]]) <= 1.0);
    }

    #[test]
    fn the_law_of_f_is_that_of_the_tables() {
        // scipy.stats.f.sf
        for (f, df1, df2, expected) in [
            (2.5, 32.0, 200.0, 6.271_643_457_02e-5),
            (0.7, 8.0, 52.0, 6.899_268_174_879e-1),
            (9.0, 15.0, 40.0, 1.412_076_746_213e-8),
            (1.0, 1.0, 5.0, 3.632_174_676_491e-1),
        ] {
            assert!((f_survival(f, df1, df2) / expected - 1.0).abs() < 1e-9, "{f} {df1} {df2}");
        }
    }

    #[test]
    fn equal_values_are_no_evidence_and_constant_ones_are_all_of_it() {
        let p = |value: f64| GroupedMean::new(&[value; 6], &[0, 1, 2, 3, 4, 5]).p_above_zero;
        assert_eq!((p(0.0), p(0.5), p(-0.5)), (Some(0.5), Some(0.0), Some(1.0)));
    }

    #[test]
    fn a_perfect_record_is_worth_one_observation_a_group() {
        let groups: Vec<usize> = (0..60).map(|i| i / 3).collect();
        let (low, high) = clustered_interval(&[true; 60], &groups);
        let expected = wilson(1.0, 20.0, student_t_quantile(0.975, 19.0));
        assert!((low - expected.0).abs() < 1e-12 && high == 1.0, "{low} {high}");
    }

    #[test]
    fn a_class_that_is_hard_for_everybody_is_no_evidence_between_tables() {
        // New samples are all of the hard class: pooled, they look bad; of their class, they are as good as the others.
        let pooled = [[[20, 20], [60, 400]]];
        let by_class = [[[20, 20], [20, 20]], [[0, 0], [40, 380]]];
        assert!(fisher_greater(&pooled) < 1e-6);
        assert!(fisher_greater(&by_class) > 0.5);
    }
}
