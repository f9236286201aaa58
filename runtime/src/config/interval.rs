//! A time as people write it in the configuration: `500ms`, `2s`, `1min`, `1h`. Knows no clock.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A time as people write it: `500ms`, `2s`, `1min`, `1h`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub Duration);

/// Not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: expected a number and ms, s, min or h, e.g. \"500ms\"")]
pub struct NoInterval(String);

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

impl std::str::FromStr for Interval {
    type Err = NoInterval;
    fn from_str(text: &str) -> Result<Self, NoInterval> {
        let wrong = || NoInterval(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = text[digits..].trim_start();
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let milliseconds = number.checked_mul(*unit).filter(|&all| all > 0).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.0.as_millis() as u64;
        let (name, unit) = UNITS.into_iter().find(|(_, unit)| all.is_multiple_of(*unit)).unwrap_or(("ms", 1));
        write!(f, "{}{name}", all / unit)
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number and ms, s, min or h.",
            "pattern": "^[0-9]+ *(ms|s|min|h)$"
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for text in ["500ms", "2s", "1min", "3h", "1500ms", "90s"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        assert_eq!("60 s".parse::<Interval>().unwrap().to_string(), "1min");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "5", "s", "0s", "-1s", "1.5s", "5 days", "99999999999999999999h", "18446744073709551615h"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
