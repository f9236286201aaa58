//! How reports print: a heading that can be repeated, tables in Markdown, means with their intervals. Knows no report.

use std::fmt;

/// Prints the command that this report is, and what it ran with.
pub fn heading(name: &str, with: &str) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("`cargo xtask report {}`", [&[name.to_owned()], &arguments[..]].concat().join(" "));
    println!("acclimate {}, {with}\n", env!("CARGO_PKG_VERSION"));
}

/// Prints a table; the first column is words.
pub fn print<S: AsRef<str>>(head: &[S], rows: &[Vec<String>]) {
    let line = |cells: &[&str]| println!("| {} |", cells.join(" | "));
    line(&head.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    println!("|---|{}", "---:|".repeat(head.len() - 1));
    for row in rows {
        line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    println!();
}

/// A mean over draws and half its 95 % interval, by Student's t. Draws share samples, so this is how much the mean would
/// move with other draws from the same samples, not with other samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the interval; NaN of fewer than two values.
    pub half: f64,
}

impl Mean {
    /// Of some values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { mean, half: student(n - 1.0) * (variance / n).sqrt() }
    }

    /// In percent or points, to one decimal.
    pub fn percent(self) -> String {
        format!("{:.1} ± {:.1}", 100.0 * self.mean, 100.0 * self.half)
    }

    /// A difference in points, with its sign.
    pub fn points(self) -> String {
        format!("{:+.1} ± {:.1}", 100.0 * self.mean, 100.0 * self.half)
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.half)
    }
}

/// The 97.5 % quantile of Student's t with `v` degrees of freedom: exact for one and two, else the expansion of Abramowitz
/// and Stegun 26.7.5, within 1 %.
fn student(v: f64) -> f64 {
    let z = 1.959_964_f64;
    match v {
        ..1.0 => f64::NAN,
        1.0 => 12.706,
        2.0 => 4.303,
        _ => {
            let g1 = (z.powi(3) + z) / 4.0;
            let g2 = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
            let g3 = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
            z + g1 / v + g2 / v.powi(2) + g3 / v.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (v, quantile) in [(1.0, 12.706), (2.0, 4.303), (3.0, 3.182), (4.0, 2.776), (9.0, 2.262), (29.0, 2.045)] {
            assert!((student(v) / quantile - 1.0).abs() < 1e-2, "{v}: {}", student(v));
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_known_for_two_values() {
        let Mean { mean, half } = Mean::of([0.0, 2.0]);
        assert!((mean - 1.0).abs() < 1e-12 && (half - 12.706).abs() < 1e-12);
        assert!(Mean::of([1.0]).half.is_nan());
        assert_eq!(Mean { mean: 0.803, half: 0.009 }.percent(), "80.3 ± 0.9");
    }
}
