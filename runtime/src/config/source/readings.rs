//! The keys of a `[[source]]` of kind `mqtt` to whose topic readings are published, and not pictures.

use acclimate_bridge::shape::MAX_CHANNELS;
use acclimate_bridge::window::MAX_LENGTH;

use super::Source;
use crate::config::document::Kind;
use crate::config::section::{Section, number, text};
use crate::source::is_pointer;

const POINTERS: &str =
    "a list of 1 to 256 JSON pointers, such as [\"/temperature\", \"/imu/x\"]: where a message has its numbers";

/// What a source of kind `mqtt` has beside its topic.
pub(super) fn read(section: &mut Section<'_>, source: &mut Source, known: bool) {
    let longest = MAX_LENGTH as u64;
    let readings = section.read("readings", POINTERS, |value| {
        let Kind::List(list) = &value.kind else { return None };
        let pointer = |value| text(value).filter(|text| is_pointer(text)).map(str::to_owned);
        let pointers: Vec<String> = list.iter().map(pointer).collect::<Option<_>>()?;
        (1..=MAX_CHANNELS).contains(&pointers.len()).then_some(pointers)
    });
    // Wrong ones are told, and there.
    let readings_are_there = readings.is_some() || section.is_written("readings");
    source.readings = readings.unwrap_or_default();
    if !known {
        // Another kind has the rest as well.
        return;
    }
    source.window = section.whole("window", 1, longest).map(|length| length as usize);
    source.stride = section.whole("stride", 1, longest).map(|stride| stride as usize);
    source.rate_hz = section.read("rate_hz", "readings a second, above 0 and at most 1000000", |value| {
        number(value).filter(|hz| *hz > 0.0 && *hz <= 1e6)
    });
    source.patience = section.interval("patience");
    let there = [
        ("window", source.window.is_some()),
        ("stride", source.stride.is_some()),
        ("rate_hz", source.rate_hz.is_some()),
        ("patience", source.patience.is_some()),
    ];
    if readings_are_there {
        let _ =
            section.needs("window", source.window, "the readings of a window, as many as the task's backbone takes");
    } else if let Some((key, _)) = there.into_iter().find(|(_, there)| *there) {
        let message = format!("a source of kind \"mqtt\" has `{key}` and no `readings`: it takes pictures");
        section.refuse(key, message, "readings = [\"/…\"] beside it");
    }
}
