//! `[[source]]`: what is sensed. Which kind knows which keys stands here, in `read`.

mod serial;

use std::path::PathBuf;

use acclimate_bridge::detect::Speech;
use schemars::JsonSchema;

use super::document::{Kind, Value};
use super::interval::Interval;
use super::section::{Section, number};
use crate::name::is_name;

/// `[[source]]`.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Source {
    /// Its name, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// What kind it is.
    pub kind: SourceKind,
    /// Of `camera`: `auto`, `pi`, `csi`, `/dev/video0`, `rtsp://…`, `http://…`. Of `serial`: `auto`, or the path of a port, best
    /// one in `/dev/serial/by-id`.
    #[schemars(default)]
    pub device: Option<String>,
    /// Of `serial`: bits a second; 115200 where absent.
    #[schemars(default)]
    pub baud: Option<u32>,
    /// Of `serial`: whether DTR is set while the port is open; without it, boards with USB of their own may say nothing, with it
    /// many others restart when it is opened.
    #[schemars(default = "yes")]
    pub dtr: bool,
    /// Of `serial`: `text` or `frames`; found out where absent.
    #[schemars(default, with = "Option<serial::Speaks>")]
    pub speaks: Option<Speech>,
    /// Of `serial`: readings of a window, as many as the task's backbone takes.
    #[schemars(default)]
    pub window: Option<usize>,
    /// Of `serial`: readings from the start of one window to that of the next; those of a window where absent.
    #[schemars(default)]
    pub stride: Option<usize>,
    /// Of `serial`: the channels that are taken, by name or number from 1, in this order; all where empty.
    #[schemars(default, with = "Vec<serial::Channel>")]
    pub channels: Vec<String>,
    /// Of `serial`: readings a second of a window, to which those of the device are resampled; as they come where absent.
    #[schemars(default)]
    pub rate_hz: Option<f64>,
    /// Of `folder` and `replay`: the folder.
    #[schemars(default)]
    pub path: Option<PathBuf>,
    /// Of `mqtt`: the topic to which pictures are published; `+` and `#` stand for parts of it.
    #[schemars(default)]
    pub topic: Option<String>,
    /// Of `command`: the program and its arguments.
    #[schemars(default)]
    pub argv: Vec<String>,
    /// Of `command`: `mjpeg`, or `rgb` with `size`.
    #[schemars(default)]
    pub format: Option<Format>,
    /// Width and height: asked of a camera, told of raw pixels.
    #[schemars(default)]
    pub size: Option<[u32; 2]>,
    /// Of `folder`: what becomes of a file that was taken in.
    #[schemars(default)]
    pub after: After,
    /// Of `replay`: over and over, unless false.
    #[schemars(default = "yes")]
    pub repeat: bool,
    /// Time between frames, e.g. `500ms`; as they come where absent.
    #[schemars(default)]
    pub every: Option<Interval>,
    /// Of `camera`, `command` and `serial`: a source that gave nothing for so long is lost; `10s` where absent.
    #[schemars(default)]
    pub patience: Option<Interval>,
    /// Of `camera`, `command` and `replay`: whether frames are taken only when asked for.
    #[schemars(default)]
    pub trigger: Trigger,
    /// Quarter turns clockwise, in degrees: 0, 90, 180, 270.
    #[schemars(default)]
    pub rotate: u16,
    /// Polygons that are blacked out before anything is stored, corners in fractions of the frame, after rotation.
    #[schemars(default)]
    pub mask: Vec<Vec<[f64; 2]>>,
}

fn yes() -> bool {
    true
}

impl Source {
    /// One with nothing said but its kind.
    fn plain(name: String, kind: SourceKind) -> Self {
        Self {
            name,
            kind,
            device: None,
            baud: None,
            dtr: true,
            speaks: None,
            window: None,
            stride: None,
            channels: Vec::new(),
            rate_hz: None,
            path: None,
            topic: None,
            argv: Vec::new(),
            format: None,
            size: None,
            after: After::default(),
            repeat: true,
            every: None,
            patience: None,
            trigger: Trigger::default(),
            rotate: 0,
            mask: Vec::new(),
        }
    }

    /// One that is added while the daemon runs: a camera, or pictures that are posted. What runs a program or reads files is
    /// only for the configuration, which is not written over the network.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn added(name: &str, kind: SourceKind, device: Option<&str>) -> Result<Self, String> {
        if !is_name(name) {
            return Err(format!("`{name}` is no name for a source: expected 1 to 64 of a-z, 0-9 and -"));
        }
        let device = match (kind, device) {
            (SourceKind::Camera, None) => Some("auto"),
            (SourceKind::Camera, Some(device)) if is_camera(device) => Some(device),
            (SourceKind::Camera, Some(device)) => {
                let device = crate::source::address::redacted(device);
                return Err(format!("`{device}` is no camera: expected {CAMERAS}"));
            }
            (SourceKind::Http, None) => None,
            (SourceKind::Http, Some(_)) => return Err("a source of kind `http` has no device".to_owned()),
            (
                SourceKind::Command | SourceKind::Folder | SourceKind::Mqtt | SourceKind::Replay | SourceKind::Serial,
                _,
            ) => {
                let kind = kind.word();
                return Err(format!("a source of kind `{kind}` is declared in the configuration, as [[source]]"));
            }
        };
        Ok(Self { device: device.map(str::to_owned), ..Self::plain(name.to_owned(), kind) })
    }
}

const CAMERAS: &str = "auto, pi, csi, a path such as /dev/video0 or /dev/v4l/by-id/…, or an address with http://, https://, \
                       rtsp:// or rtsps://";
/// Bytes of an address at most.
const LONGEST_ADDRESS: usize = 2048;

/// Whether this can only name a camera: opening some other device may do anything.
fn is_camera(device: &str) -> bool {
    let number = |rest: &str| !rest.is_empty() && rest.len() < 6 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let link = |rest: &str| matches!(rest.split_once('/'), Some(("by-id" | "by-path", name)) if !name.contains('/'));
    matches!(device, "auto" | "pi" | "csi")
        || device.strip_prefix("/dev/video").is_some_and(number)
        || device.strip_prefix("/dev/v4l/").is_some_and(link)
        || (device.len() <= LONGEST_ADDRESS && is_address(device))
}

fn is_address(device: &str) -> bool {
    crate::source::address::is_one(device, &["http", "https", "rtsp", "rtsps"])
}

/// Kinds of source.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum SourceKind {
    /// V4L2, or pictures over HTTP, or what a known command gives.
    Camera,
    /// A program's standard output.
    Command,
    /// Files that appear in a folder.
    Folder,
    /// Pictures that are posted.
    Http,
    /// Pictures that others publish to the broker.
    Mqtt,
    /// The files of a folder, over and over.
    Replay,
    /// The readings of a device on a serial line.
    Serial,
}

impl SourceKind {
    /// As the configuration calls it.
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// Whether it gives a picture when it is asked; to the others pictures are brought.
    pub fn is_asked(self) -> bool {
        matches!(self, Self::Camera | Self::Command | Self::Replay)
    }

    /// What the configuration calls so.
    pub fn of_word(word: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    }
}

/// What a command writes.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum Format {
    /// JPEG files, one after the other.
    Mjpeg,
    /// Raw pixels, 3 bytes each.
    Rgb,
}

/// What becomes of a file that was taken in.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum After {
    /// It is deleted.
    Delete,
    /// It stays.
    #[default]
    Keep,
    /// It moves to the folder `done` in the folder.
    Move,
}

/// When frames are taken.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum Trigger {
    /// As time goes by.
    #[default]
    Interval,
    /// When somebody asks.
    Request,
}

const KINDS: [(&str, SourceKind); 7] = [
    ("camera", SourceKind::Camera),
    ("command", SourceKind::Command),
    ("folder", SourceKind::Folder),
    ("http", SourceKind::Http),
    ("mqtt", SourceKind::Mqtt),
    ("replay", SourceKind::Replay),
    ("serial", SourceKind::Serial),
];

/// Keys that some kinds know, with which.
const ELSEWHERE: [(&str, &str); 18] = [
    ("device", "is a key of kinds \"camera\" and \"serial\""),
    ("baud", "is a key of kind \"serial\""),
    ("dtr", "is a key of kind \"serial\""),
    ("speaks", "is a key of kind \"serial\""),
    ("window", "is a key of kind \"serial\""),
    ("stride", "is a key of kind \"serial\""),
    ("channels", "is a key of kind \"serial\""),
    ("rate_hz", "is a key of kind \"serial\""),
    ("path", "is a key of kinds \"folder\" and \"replay\""),
    ("topic", "is a key of kind \"mqtt\""),
    ("argv", "is a key of kind \"command\""),
    ("format", "is a key of kind \"command\""),
    ("size", "is a key of kinds \"camera\" and \"command\""),
    ("after", "is a key of kind \"folder\""),
    ("repeat", "is a key of kind \"replay\""),
    ("every", "is a key of kinds \"camera\", \"command\" and \"replay\""),
    ("patience", "is a key of kinds \"camera\", \"command\" and \"serial\""),
    ("trigger", "is a key of kinds \"camera\", \"command\" and \"replay\": the others are brought their pictures"),
];

const LARGEST: u64 = 16_384;

pub(super) fn read(mut section: Section<'_>) -> Option<Source> {
    let name = section.name("name");
    let name = section.needs("name", name, "1 to 64 of a-z, 0-9 and -");
    let kinds = "\"camera\", \"command\", \"folder\", \"http\", \"mqtt\", \"replay\" or \"serial\"";
    let kind = section.choice("kind", &KINDS);
    let kind = section.needs("kind", kind, kinds);
    let mut source = Source::plain(name.clone().unwrap_or_default(), kind.unwrap_or(SourceKind::Camera));
    (source.rotate, source.mask) = (rotate(&mut section), mask(&mut section));
    // A source of an unknown kind may have any key that some kind has.
    let is = |kinds: &[SourceKind]| kind.is_none_or(|kind| kinds.contains(&kind));
    match kind {
        Some(SourceKind::Serial) => source.device = serial::port(&mut section),
        Some(SourceKind::Camera) | None => source.device = device(&mut section),
        Some(_) => {}
    }
    if is(&[SourceKind::Serial]) {
        serial::read(&mut section, &mut source, kind.is_some());
    }
    if is(&[SourceKind::Folder, SourceKind::Replay]) {
        source.path = section.text("path", "the path of a folder").map(PathBuf::from);
        if kind.is_some() {
            let _ = section.needs("path", source.path.as_ref(), "the folder with the pictures");
        }
    }
    if is(&[SourceKind::Mqtt]) {
        let expected = "a topic, such as \"cameras/yard/jpg\", in which a part may be + and the end #";
        source.topic = section.read("topic", expected, |value| {
            let usable = |topic: &&str| {
                topic.len() <= 1024 && !topic.contains(char::is_control) && rumqttc::v5::mqttbytes::valid_filter(topic)
            };
            super::section::text(value).filter(usable).map(str::to_owned)
        });
        if kind.is_some() {
            let _ = section.needs("topic", source.topic.as_ref(), "the topic to which pictures are published");
        }
    }
    if is(&[SourceKind::Folder]) {
        let afters = [("delete", After::Delete), ("keep", After::Keep), ("move", After::Move)];
        source.after = section.choice("after", &afters).unwrap_or_default();
    }
    if is(&[SourceKind::Replay]) {
        source.repeat = section.flag("repeat").unwrap_or(true);
    }
    if is(&[SourceKind::Camera, SourceKind::Command, SourceKind::Replay]) {
        source.every = section.interval("every");
        let triggers = [("interval", Trigger::Interval), ("request", Trigger::Request)];
        source.trigger = section.choice("trigger", &triggers).unwrap_or_default();
    }
    if is(&[SourceKind::Camera, SourceKind::Command, SourceKind::Serial]) {
        source.patience = section.interval("patience");
    }
    if is(&[SourceKind::Camera, SourceKind::Command]) {
        source.size = section.read("size", "[width, height] in pixels, each from 1 to 16384", size);
    }
    if is(&[SourceKind::Command]) {
        source.argv = super::argv(&mut section, kind.is_some());
        source.format = section.choice("format", &[("mjpeg", Format::Mjpeg), ("rgb", Format::Rgb)]);
        if source.format == Some(Format::Rgb) {
            let _ = section.needs("size", source.size, "[width, height] of the raw pixels");
        }
    }
    section.finish(if kind.is_some() { &ELSEWHERE } else { &[] });
    (name.is_some() && kind.is_some()).then_some(source)
}

fn rotate(section: &mut Section<'_>) -> u16 {
    let degrees = section.read("rotate", "0, 90, 180 or 270", |value| match value.kind {
        Kind::Integer(degrees @ (0 | 90 | 180 | 270)) => Some(degrees as u16),
        _ => None,
    });
    degrees.unwrap_or(0)
}

fn device(section: &mut Section<'_>) -> Option<String> {
    let expected = "\"auto\", \"pi\", \"csi\", a path such as \"/dev/video0\", or an address with http://, https://, rtsp:// or rtsps://";
    section.read("device", expected, |value| {
        let device = super::section::text(value)?;
        let known = matches!(device, "auto" | "pi" | "csi") || device.starts_with("/dev/") || is_address(device);
        known.then(|| device.to_owned())
    })
}

fn size(value: &Value) -> Option<[u32; 2]> {
    let Kind::List(list) = &value.kind else { return None };
    let pixels = |value: &Value| match value.kind {
        Kind::Integer(pixels) => {
            u64::try_from(pixels).ok().filter(|pixels| (1..=LARGEST).contains(pixels)).map(|pixels| pixels as u32)
        }
        _ => None,
    };
    match list.as_slice() {
        [width, height] => Some([pixels(width)?, pixels(height)?]),
        _ => None,
    }
}

fn mask(section: &mut Section<'_>) -> Vec<Vec<[f64; 2]>> {
    let expected =
        "polygons of 3 to 64 corners [x, y] in fractions of the frame, 0 to 1: [[[0, 0], [0.3, 0], [0, 0.3]]]";
    let polygons = section.read("mask", expected, |value| {
        let Kind::List(polygons) = &value.kind else { return None };
        polygons.iter().map(polygon).collect::<Option<Vec<_>>>().filter(|polygons| polygons.len() <= 64)
    });
    polygons.unwrap_or_default()
}

fn polygon(value: &Value) -> Option<Vec<[f64; 2]>> {
    let Kind::List(corners) = &value.kind else { return None };
    let corner = |value: &Value| {
        let Kind::List(pair) = &value.kind else { return None };
        let [x, y] = pair.as_slice() else { return None };
        Some([fraction(x)?, fraction(y)?])
    };
    corners.iter().map(corner).collect::<Option<Vec<_>>>().filter(|corners| (3..=64).contains(&corners.len()))
}

pub(super) fn fraction(value: &Value) -> Option<f64> {
    number(value).filter(|number| (0.0..=1.0).contains(number))
}
