//! `[[task]]`: what is learnt, and what it looks at.

use schemars::JsonSchema;

use super::document::{Kind, Value};
use super::section::{Section, text};
use super::source::fraction;

/// Names that topics have for themselves.
const RESERVED: [&str; 5] = ["cmd", "event", "info", "rsp", "status"];

/// What Home Assistant knows a binary sensor as.
const DEVICE_CLASSES: [&str; 29] = [
    "battery",
    "battery_charging",
    "carbon_monoxide",
    "cold",
    "connectivity",
    "door",
    "garage_door",
    "gas",
    "glass_break",
    "heat",
    "light",
    "lock",
    "moisture",
    "motion",
    "moving",
    "occupancy",
    "opening",
    "plug",
    "power",
    "presence",
    "problem",
    "running",
    "safety",
    "smoke",
    "sound",
    "tamper",
    "update",
    "vibration",
    "window",
];

/// `[[task]]`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Task {
    /// Its name, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Its backbone; `[backbone] name` where absent.
    #[schemars(default)]
    pub backbone: Option<String>,
    /// Classes known from the start; others are learnt from labels.
    #[schemars(default)]
    pub classes: Vec<String>,
    /// What it looks at; every source where absent.
    #[schemars(default)]
    pub from: Vec<Look>,
    /// What is kept.
    #[schemars(default)]
    pub keep: Keep,
    /// Bytes of payloads at most, in MiB.
    #[schemars(default)]
    pub keep_mib: Option<u64>,
    /// Equal answers in a row that make a stable one.
    #[schemars(default)]
    pub agree: Option<usize>,
    /// What a task of two classes is to Home Assistant: a device class of its binary sensors, such as `garage_door`; what the
    /// names of the classes say where absent.
    #[schemars(default)]
    pub device_class: Option<String>,
    /// Of two classes, the one that is `on` there.
    #[schemars(default)]
    pub on_class: Option<String>,
}

/// A region of a source.
#[derive(Clone, Debug, JsonSchema, PartialEq)]
#[schemars(deny_unknown_fields)]
pub struct Look {
    /// The source.
    pub source: String,
    /// `[x, y, width, height]` in fractions of the frame.
    #[schemars(default)]
    pub crop: Option<[f64; 4]>,
}

/// What is kept of what is sensed.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum Keep {
    /// Whatever teaches: labelled samples, and unlabelled ones that are new and doubtful.
    #[default]
    All,
    /// Features without payloads.
    Features,
    /// Labelled samples.
    Labelled,
}

/// The task, and where each of its sources is named, for the check that there are such.
pub(super) fn read(mut section: Section<'_>) -> Option<(Task, Vec<super::document::Place>)> {
    let name = section.name("name");
    let name = section.needs("name", name, "1 to 64 of a-z, 0-9 and -");
    if let Some(reserved) = name.as_deref().filter(|name| RESERVED.contains(name)) {
        let message = format!("a task cannot be called `{reserved}`: MQTT topics have that word for themselves");
        section.refuse("name", message, "another name");
    }
    let backbone = section.text("backbone", "the name of a backbone (see `acclimate model list`)");
    let classes = section.texts("classes", "a list of names, such as [\"open\", \"closed\"]").unwrap_or_default();
    // As the store has it.
    let usable =
        |class: &str| (1..=200).contains(&class.len()) && class.trim() == class && !class.contains(char::is_control);
    if let Some(class) = classes.iter().find(|class| !usable(class)) {
        let expected = "1 to 200 bytes with no control characters and no space at either end";
        section.refuse("classes", format!("class name {class:?} cannot be used"), expected);
    }
    let mut sorted = classes.clone();
    sorted.sort();
    if let Some([twice, ..]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        section.refuse("classes", format!("the class \"{twice}\" is named twice"), "each class once");
    }
    let mut from = Vec::new();
    let mut places = Vec::new();
    let regions = section.tables("from", "a list of regions, such as [{ source = \"yard\", crop = [0.5, 0, 0.5, 1] }]");
    for (index, (place, entries)) in regions.into_iter().enumerate() {
        let mut region = section.inner("a region of [[task]]", &format!("from[{index}]"), place, entries);
        let source = region.name_of("source", "the name of a source");
        let source = region.needs("source", source, "the name of a source");
        let source_place = region.place("source").unwrap_or(place);
        let expected = "[x, y, width, height] in fractions of the frame: 0 to 1, inside it";
        let crop = region.read("crop", expected, crop);
        region.finish(&[]);
        if let Some(source) = source {
            from.push(Look { source, crop });
            places.push(source_place);
        }
    }
    let keeps = [("all", Keep::All), ("features", Keep::Features), ("labelled", Keep::Labelled)];
    let keep = section.choice("keep", &keeps).unwrap_or_default();
    let keep_mib = section.whole("keep_mib", 1, 1 << 30);
    let agree = section.whole("agree", 1, 1000).map(|agree| agree as usize);
    let expected = format!("one of {}", DEVICE_CLASSES.join(", "));
    let device_class = section.read("device_class", &expected, |value| {
        text(value).filter(|word| DEVICE_CLASSES.contains(word)).map(str::to_owned)
    });
    let on_class = section.text("on_class", "the name of a class");
    if let Some(class) = on_class.as_ref().filter(|class| !classes.is_empty() && !classes.contains(class)) {
        let message = format!("`on_class` is \"{class}\", which is none of `classes`");
        section.refuse("on_class", message, "one of the classes");
    }
    section.finish(&[]);
    Some((Task { name: name?, backbone, classes, from, keep, keep_mib, agree, device_class, on_class }, places))
}

fn crop(value: &Value) -> Option<[f64; 4]> {
    let Kind::List(list) = &value.kind else { return None };
    let [x, y, width, height] = list.as_slice() else { return None };
    let crop = [fraction(x)?, fraction(y)?, fraction(width)?, fraction(height)?];
    // What rounding of decimal fractions adds is no mistake.
    let inside = |start: f64, length: f64| length > 0.0 && start + length <= 1.0 + 1e-9;
    (inside(crop[0], crop[2]) && inside(crop[1], crop[3])).then_some(crop)
}
