//! The keys of a `[[source]]` of kind `serial`.

use acclimate_bridge::detect::Speech;
use acclimate_bridge::shape::MAX_CHANNELS;
use acclimate_bridge::window::MAX_LENGTH;
use schemars::JsonSchema;

use super::Source;
use crate::config::document::{Kind, Value};
use crate::config::section::{Section, number, text};

/// How a device speaks.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "what the schema says of a type of acclimate-bridge")]
pub(super) enum Speaks {
    /// Frames of `acclimate-wire`.
    Frames,
    /// Numbers, a reading a line.
    Text,
}

/// A channel, as it is written.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "what the schema says of a name or a number")]
pub(super) enum Channel {
    /// Its number, from 1.
    Number(u16),
    /// Its name.
    Name(String),
}

/// What a source of kind `serial` has beside its port.
pub(super) fn read(section: &mut Section<'_>, source: &mut Source, known: bool) {
    let longest = MAX_LENGTH as u64;
    source.baud = section.whole("baud", 50, 12_000_000).map(|baud| baud as u32);
    source.dtr = section.flag("dtr").unwrap_or(true);
    source.speaks = section.choice("speaks", &[("frames", Speech::Frames), ("text", Speech::Text)]);
    source.window = section.whole("window", 1, longest).map(|length| length as usize);
    source.stride = section.whole("stride", 1, longest).map(|stride| stride as usize);
    source.channels = section.read("channels", CHANNELS, channels).unwrap_or_default();
    source.rate_hz = section.read("rate_hz", "readings a second, above 0 and at most 1000000", |value| {
        number(value).filter(|hz| *hz > 0.0 && *hz <= 1e6)
    });
    if known {
        let _ =
            section.needs("window", source.window, "the readings of a window, as many as the task's backbone takes");
    }
}

const CHANNELS: &str = "a list of 1 to 256 channels, by name or by number from 1: [1, 2, 3] or [\"ax\", \"ay\"]";

fn channels(value: &Value) -> Option<Vec<String>> {
    let Kind::List(list) = &value.kind else { return None };
    let channel = |value: &Value| match &value.kind {
        Kind::Integer(number) => (1..=MAX_CHANNELS as i64).contains(number).then(|| number.to_string()),
        _ => text(value).filter(|name| !name.is_empty()).map(str::to_owned),
    };
    let channels: Vec<String> = list.iter().map(channel).collect::<Option<_>>()?;
    (1..=MAX_CHANNELS).contains(&channels.len()).then_some(channels)
}

/// The path of a port, or the only one.
pub(super) fn port(section: &mut Section<'_>) -> Option<String> {
    let expected = "\"auto\", or the path of a port, such as \"/dev/serial/by-id/usb-…\"";
    let device = section.read("device", expected, |value| {
        let device = text(value)?;
        (device == "auto" || device.starts_with('/')).then(|| device.to_owned())
    });
    device.or_else(|| Some("auto".to_owned()))
}
