//! The configuration file: which device this is, which backbone runs on what, how heads are fitted, and what the daemon
//! senses, learns and tells.
//!
//! Checked whole: an unknown key is an error with its line, never ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The configuration file (TOML).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How new heads are fitted.
    pub adapt: Adapt,
    /// Which device this is.
    pub device: Device,
    /// Which backbone new tasks get, and what runs it.
    pub backbone: Backbone,
    /// The page and its API.
    pub http: Http,
    /// What is told to whom.
    pub sink: Vec<Sink>,
    /// What is sensed.
    pub source: Vec<Source>,
    /// What is learnt.
    pub task: Vec<Task>,
}

/// `[adapt]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapt {
    /// Time for fitting; without it, all kinds of head are tried.
    pub budget_ms: Option<u64>,
    /// New labels after which the daemon adapts by itself; never where absent.
    pub after_labels: Option<usize>,
    /// The least time between two adaptations that nobody asked for, e.g. `1min`.
    pub at_most_every: Option<Interval>,
    /// Whether drift, once labelled, asks for an adaptation.
    pub on_drift: Option<bool>,
}

/// `[http]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; `127.0.0.1:7070` where absent. Beyond loopback a token is needed.
    pub listen: Option<std::net::SocketAddr>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Other names by which the page is reached, `host` or `host:port`: those of a reverse proxy.
    pub names: Vec<String>,
}

/// `[[source]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// What kind it is.
    pub kind: SourceKind,
    /// Of `camera`: `auto`, `pi`, `csi`, `/dev/video0`, `rtsp://…`, `http://…`.
    #[serde(default)]
    pub device: Option<String>,
    /// Of `folder` and `replay`: the folder.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Of `command`: the program and its arguments.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Of `command`: `mjpeg`, or `rgb` with `size`.
    #[serde(default)]
    pub format: Option<Format>,
    /// Width and height: asked of a camera, told of raw pixels.
    #[serde(default)]
    pub size: Option<[u32; 2]>,
    /// Of `folder`: what becomes of a file that was taken in.
    #[serde(default)]
    pub after: After,
    /// Time between frames, e.g. `500ms`; as they come where absent.
    #[serde(default)]
    pub every: Option<Interval>,
    /// Whether frames are taken only when asked for.
    #[serde(default)]
    pub trigger: Trigger,
    /// Quarter turns clockwise, in degrees: 0, 90, 180, 270.
    #[serde(default)]
    pub rotate: u16,
    /// Polygons that are blacked out before anything is stored, corners in fractions of the frame.
    #[serde(default)]
    pub mask: Vec<Vec<[f64; 2]>>,
}

/// Kinds of source.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// V4L2, or pictures over HTTP, or what a known command gives.
    Camera,
    /// A program's standard output.
    Command,
    /// Files that appear in a folder.
    Folder,
    /// Pictures that are posted.
    Http,
    /// The files of a folder, over and over.
    Replay,
}

/// What a command writes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG files, one after the other.
    Mjpeg,
    /// Raw pixels, 3 bytes each.
    Rgb,
}

/// What becomes of a file that was taken in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It is deleted.
    Delete,
    /// It stays.
    #[default]
    Keep,
    /// It moves to the folder `done` beside it.
    Move,
}

/// When frames are taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// As time goes by.
    #[default]
    Interval,
    /// When somebody asks.
    Request,
}

/// `[[task]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// Its backbone; `[backbone] name` where absent.
    #[serde(default)]
    pub backbone: Option<String>,
    /// Classes known from the start; others are learnt from labels.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What it looks at; every source where absent.
    #[serde(default)]
    pub from: Vec<Look>,
    /// What is kept.
    #[serde(default)]
    pub keep: Keep,
    /// Bytes of payloads at most, in MiB.
    #[serde(default)]
    pub keep_mib: Option<u64>,
    /// Equal answers in a row that make a stable one.
    #[serde(default)]
    pub agree: Option<usize>,
}

/// A region of a source.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The source.
    pub source: String,
    /// `[x, y, width, height]` in fractions of the frame.
    #[serde(default)]
    pub crop: Option<[f64; 4]>,
}

/// What is kept of what is sensed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Whatever teaches: labelled samples, and unlabelled ones that are new and doubtful.
    #[default]
    All,
    /// Features without payloads.
    Features,
    /// Labelled samples.
    Labelled,
}

/// `[[sink]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// The task whose stable answers it is told.
    pub task: String,
    /// What kind it is.
    pub kind: SinkKind,
    /// Of `command`: the program and its arguments; the payload is on its standard input.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Of `webhook`: where the payload is posted.
    #[serde(default)]
    pub url: Option<String>,
}

/// Kinds of sink.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SinkKind {
    /// A program is run.
    Command,
    /// A payload is posted.
    Webhook,
}

/// A time as people write it: `500ms`, `2s`, `1min`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(pub std::time::Duration);

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: expected a number and ms, s, min or h, e.g. \"500ms\"")]
pub struct NoInterval(String);

impl std::str::FromStr for Interval {
    type Err = NoInterval;
    fn from_str(text: &str) -> Result<Self, NoInterval> {
        let wrong = || NoInterval(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match text[digits..].trim_start() {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let milliseconds = number.checked_mul(unit).filter(|&all| all > 0).ok_or_else(wrong)?;
        Ok(Self(std::time::Duration::from_millis(milliseconds)))
    }
}

/// `[device]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Name of the device; the host name where absent.
    pub id: Option<String>,
}

/// `[backbone]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backbone {
    /// Backbone of new tasks; the built-in one where absent.
    pub name: Option<String>,
    /// `auto`, `ort` or `tract`.
    pub engine: EngineName,
}

/// The engine, as written in the file.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// ONNX Runtime where its library can be loaded, else tract.
    #[default]
    Auto,
    /// ONNX Runtime.
    Ort,
    /// tract.
    Tract,
}

/// Why a configuration file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is wrong. The parser's report shows line and key.
    #[error("could not understand the configuration file {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key, what was expected.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file could not be read.
    #[error("could not read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Config {
    /// Reads a file; without one, everything has its default.
    ///
    /// # Errors
    /// When the file cannot be read, or has a key or a value that is not known.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })
    }

    /// The device's name: the configuration's, else the host's.
    pub fn device_id(&self) -> String {
        self.device.id.clone().unwrap_or_else(|| {
            rustix::system::uname().nodename().to_string_lossy().to_lowercase().replace(['.', '_'], "-")
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acclimate.toml");
        std::fs::write(&path, "[backbone]\nengin = \"ort\"\n").unwrap();
        let error = Config::load(Some(&path)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("line 2") && cause.contains("engin") && cause.contains("engine"), "{cause}");
    }

    #[test]
    fn every_key_is_optional() {
        let config: Config = toml::from_str("[backbone]\nengine = \"tract\"\n[adapt]\nbudget_ms = 500").unwrap();
        assert_eq!(config.adapt.budget_ms, Some(500));
        assert_eq!(config.backbone.engine, EngineName::Tract);
        assert!(!config.device_id().is_empty());
    }
}
