//! What must fit across sections: names are there once, and what is named is there.

use super::document::Place;
use super::mistake::nearest;
use super::section::Reading;
use super::sink::Sink;
use super::source::{Source, SourceKind};
use super::task::Task;

/// What was read, with the places that a mistake would point to.
#[derive(Default)]
pub(super) struct Found {
    /// Place of the name, place of the device, the source.
    pub(super) sources: Vec<(Place, Place, Source)>,
    /// Place of the name, places of the sources that it looks at, the task.
    pub(super) tasks: Vec<(Place, Vec<Place>, Task)>,
    /// Place of the source that it names, if it does, and the sink.
    pub(super) sinks: Vec<(Place, Sink)>,
}

/// Notes what does not fit. Unless every source was understood, a missing one is not noted.
pub(super) fn across(reading: &mut Reading, found: &Found, sources_whole: bool, broker: bool) {
    twice(reading, "source", found.sources.iter().map(|(place, _, source)| (*place, source.name.as_str())));
    twice(reading, "task", found.tasks.iter().map(|(place, _, task)| (*place, task.name.as_str())));
    let devices =
        found.sources.iter().filter_map(|(_, place, source)| Some((*place, source.device.as_deref()?, source)));
    let devices: Vec<_> = devices.filter(|(_, device, _)| device.starts_with("/dev/")).collect();
    for (index, (place, device, source)) in devices.iter().enumerate() {
        if let Some((_, _, first)) = devices[..index].iter().find(|(_, other, _)| other == device) {
            let message = format!("{device} is read by source `{}` already", first.name);
            let expected = "expected another device: several tasks may look at one source".to_owned();
            reading.wrong(*place, format!("source.{}.device", source.name), message, expected);
        }
    }
    for (place, _, source) in found.sources.iter().filter(|(_, _, source)| source.kind == SourceKind::Mqtt && !broker) {
        let message = format!("source `{}` takes its pictures from a broker, and there is none", source.name);
        reading.wrong(
            *place,
            format!("source.{}.kind", source.name),
            message,
            "expected url = \"…\" in [mqtt]".to_owned(),
        );
    }
    let names: Vec<&str> = found.sources.iter().map(|(_, _, source)| source.name.as_str()).collect();
    for (_, places, task) in &found.tasks {
        for (place, look) in places.iter().zip(&task.from) {
            if !sources_whole || names.contains(&look.source.as_str()) {
                continue;
            }
            let key = format!("task.{}.from", task.name);
            let message = format!("task `{}` looks at source `{}`, which there is not", task.name, look.source);
            missing(reading, *place, key, message, &look.source, &names);
        }
    }
    let devices = found.sources.iter().filter(|(_, _, source)| source.kind == SourceKind::Serial);
    let devices: Vec<&str> = devices.map(|(_, _, source)| source.name.as_str()).collect();
    for (place, sink) in &found.sinks {
        if let Some(source) = sink.source.as_deref().filter(|source| sources_whole && !devices.contains(source)) {
            let message =
                format!("a sink tells the device of source `{source}`, and there is no serial source of that name");
            missing(reading, *place, "sink.source".to_owned(), message, source, &devices);
        }
    }
}

/// A source is named that there is not.
fn missing(reading: &mut Reading, place: Place, key: String, message: String, source: &str, names: &[&str]) {
    let expected = match names {
        [] => "expected the name of a [[source]]: there is none".to_owned(),
        names => format!("expected one of {}", names.join(", ")),
    };
    let mistake = reading.wrong(place, key, message, expected);
    mistake.help = nearest(source, names.iter().copied()).map(|near| format!("did you mean \"{near}\"?"));
}

fn twice<'a>(reading: &mut Reading, section: &str, names: impl Iterator<Item = (Place, &'a str)>) {
    let mut seen: Vec<(Place, &str)> = Vec::new();
    for (place, name) in names {
        if let Some((first, _)) = seen.iter().find(|(_, seen)| *seen == name) {
            let message =
                format!("a second {section} is called `{name}`; the first stands in {}", reading.origin(*first));
            reading.wrong(place, format!("{section}.{name}.name"), message, "expected another name".to_owned());
        } else {
            seen.push((place, name));
        }
    }
}
