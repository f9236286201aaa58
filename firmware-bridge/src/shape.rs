//! What a device gives: its channels, their units, and how many readings a second. Knows nothing of how it says so.

use std::fmt;

/// Channels at most.
pub const MAX_CHANNELS: usize = 256;

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name; of a column of plain text its number, from 1.
    pub name: String,
    /// Its unit; empty where it is not known.
    pub unit: String,
}

/// What a device gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// In the order of a reading's values.
    pub channels: Vec<Channel>,
    /// Readings a second, where that is known.
    pub rate_hz: Option<f64>,
}

impl Shape {
    /// Columns without names.
    pub fn columns(columns: usize, rate_hz: Option<f64>) -> Self {
        let channel = |number: usize| Channel { name: number.to_string(), unit: String::new() };
        Self { channels: (1..=columns).map(channel).collect(), rate_hz }
    }

    /// The names of the channels, for people.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.channels.iter().map(|channel| channel.name.as_str()).collect();
        names.join(", ")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channel{}", self.channels.len(), if self.channels.len() == 1 { "" } else { "s" })?;
        if self.channels.iter().any(|channel| !channel.unit.is_empty() || channel.name.parse::<usize>().is_err()) {
            let named = |channel: &Channel| match channel.unit.as_str() {
                "" => channel.name.clone(),
                unit => format!("{} in {unit}", channel.name),
            };
            write!(f, " ({})", self.channels.iter().map(named).collect::<Vec<_>>().join(", "))?;
        }
        self.rate_hz.map_or(Ok(()), |hz| write!(f, " at {} Hz", (hz * 10.0).round() / 10.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_told_in_words() {
        assert_eq!(Shape::columns(1, None).to_string(), "1 channel");
        assert_eq!(Shape::columns(3, Some(62.46)).to_string(), "3 channels at 62.5 Hz");
        let channel = |name: &str, unit: &str| Channel { name: name.to_owned(), unit: unit.to_owned() };
        let shape = Shape { channels: vec![channel("x", "g"), channel("t", "")], rate_hz: Some(100.0) };
        assert_eq!(shape.to_string(), "2 channels (x in g, t) at 100 Hz");
        assert_eq!(shape.names(), "x, t");
    }
}
