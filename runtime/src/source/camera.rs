//! Cameras: what the `device` of a `[[source]]` means, which program reads what is not read natively, and which cameras there
//! are. What a device becomes is decided by `plan`; the rest is done by those who read.
//!
//! V4L2 and HTTP are read natively. The others go through the program that their makers keep, in a command line that is shown
//! in the log: `libcamera`, `Argus` and RTSP with H.264 are not worth doing twice.

use std::path::{Path, PathBuf};

use super::command::Command;
use super::http::Http;
use super::session::keep_open;
use super::v4l2::{self, V4l2};
use super::{Ask, Feed, Source, Stop};
use crate::config;

/// What a device becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Plan {
    /// The first camera that can be opened.
    Auto,
    /// A program that gives JPEG files on standard output.
    Command(Vec<String>),
    /// HTTP.
    Http(String),
    /// A V4L2 device.
    V4l2(PathBuf),
}

/// What asks for pictures of no stated size.
const SIZE: [u32; 2] = [1280, 720];

fn plan(device: &str, config: &config::Source) -> Plan {
    let [width, height] = config.size.unwrap_or(SIZE);
    let per_second = per_second(config);
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
    match device {
        "auto" => Plan::Auto,
        "pi" => Plan::Command(words(&format!(
            "rpicam-vid --nopreview --timeout 0 --codec mjpeg --width {width} --height {height} --framerate {per_second} --flush --output -"
        ))),
        "csi" => {
            let caps = format!("video/x-raw(memory:NVMM),width={width},height={height},framerate=30/1");
            let line = format!("gst-launch-1.0 --quiet nvarguscamerasrc ! {caps} ! nvjpegenc ! fdsink fd=1");
            Plan::Command(words(&line))
        }
        rtsp if rtsp.starts_with("rtsp://") || rtsp.starts_with("rtsps://") => {
            let scale = config.size.map_or(String::new(), |[width, height]| format!(",scale={width}:{height}"));
            let mut line = words("ffmpeg -hide_banner -loglevel error -nostdin -rtsp_transport tcp -i");
            line.push(rtsp.to_owned());
            line.extend(words(&format!("-an -vf fps={per_second}{scale} -c:v mjpeg -q:v 3 -f mjpeg pipe:1")));
            Plan::Command(line)
        }
        http if http.starts_with("http://") || http.starts_with("https://") => Plan::Http(http.to_owned()),
        path => Plan::V4l2(path.into()),
    }
}

/// Frames a second to ask a program for: what is wanted, between 1 and 30. Ten where nothing is said.
fn per_second(config: &config::Source) -> u64 {
    config.every.map_or(10, |every| (1000_u64.div_ceil(every.0.as_millis().max(1) as u64)).clamp(1, 30))
}

/// The source of a camera.
pub(super) fn open(config: &config::Source) -> Box<dyn Source> {
    match plan(config.device.as_deref().unwrap_or("auto"), config) {
        Plan::Auto => Box::new(Auto { config: config.clone(), ask: Ask::default() }),
        Plan::Command(argv) => Box::new(Command::camera(config, argv)),
        Plan::Http(url) => Box::new(Http::new(config, &url)),
        Plan::V4l2(path) => Box::new(V4l2::new(config, path)),
    }
}

/// Whatever camera there is.
struct Auto {
    config: config::Source,
    ask: Ask,
}

impl Source for Auto {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        keep_open(feed, stop, |session| {
            let seen = list();
            let Some(camera) = seen.iter().find(|camera| camera.problem.is_none()) else {
                return match seen.first() {
                    Some(Seen { device, problem: Some(problem), .. }) => {
                        format!("no camera can be opened; {device}: {problem}")
                    }
                    _ => "there is no camera: none in /dev/video*, no rpicam-vid, no nvarguscamerasrc".to_owned(),
                };
            };
            tracing::info!("source `{}`: auto is {} ({})", feed.source(), camera.device, camera.name);
            match plan(&camera.device, &self.config) {
                Plan::Command(argv) => Command::camera(&self.config, argv).asked_by(self.ask.clone()).read(session),
                Plan::V4l2(path) => V4l2::new(&self.config, path).asked_by(self.ask.clone()).read(session),
                Plan::Auto | Plan::Http(_) => "no such camera is listed".to_owned(),
            }
        });
    }

    fn ask(&self) -> Option<Ask> {
        Some(self.ask.clone())
    }
}

/// A camera that there is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Seen {
    /// What to write as `device`.
    pub device: String,
    /// What it calls itself.
    pub name: String,
    /// What it gives: formats with their sizes.
    pub formats: Vec<String>,
    /// Why it cannot be used, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Lists the cameras of this machine: V4L2 devices, then those that a program reads.
pub fn list() -> Vec<Seen> {
    list_of(Path::new("/dev"), Path::new("/sys/class/video4linux"), &std::env::var("PATH").unwrap_or_default())
}

fn list_of(dev: &Path, names: &Path, path: &str) -> Vec<Seen> {
    let mut devices: Vec<(u32, PathBuf)> = std::fs::read_dir(dev)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    devices.sort();
    let mut seen: Vec<Seen> = devices
        .iter()
        .filter_map(|(number, device)| {
            let name = std::fs::read_to_string(names.join(format!("video{number}/name"))).unwrap_or_default();
            let (formats, problem) = match v4l2::formats(device) {
                Ok(formats) => (formats, None),
                // Encoders, decoders, and the second node of a camera, for its metadata.
                Err(v4l2::Unusable::NoCamera) => return None,
                Err(v4l2::Unusable::Problem(problem)) => (Vec::new(), Some(problem)),
            };
            Some(Seen { device: device.display().to_string(), name: name.trim().to_owned(), formats, problem })
        })
        .collect();
    let program = |name: &str| path.split(':').any(|folder| Path::new(folder).join(name).is_file());
    if program("rpicam-vid") {
        let formats = vec!["MJPEG by rpicam-vid".to_owned()];
        seen.push(Seen { device: "pi".to_owned(), name: "Raspberry Pi camera".to_owned(), formats, problem: None });
    }
    if program("nvargus-daemon") {
        let problem = (!program("gst-launch-1.0"))
            .then(|| "gst-launch-1.0 is missing: apt install gstreamer1.0-tools".to_owned());
        let formats = vec!["JPEG by nvarguscamerasrc".to_owned()];
        seen.push(Seen { device: "csi".to_owned(), name: "Jetson CSI camera".to_owned(), formats, problem });
    }
    seen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::source::command::shown;

    fn planned(device: &str, keys: &str) -> String {
        let text = format!("[[source]]\nname = \"a\"\nkind = \"camera\"\ndevice = \"{device}\"\n{keys}");
        let config = config::Config::parse(&text).unwrap().source.remove(0);
        match plan(device, &config) {
            Plan::Command(argv) => shown(&argv),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_device_becomes_what_reads_it() {
        assert_eq!(planned("auto", ""), "Auto");
        assert_eq!(planned("/dev/video2", ""), "V4l2(\"/dev/video2\")");
        assert_eq!(planned("http://cam/a.jpg", ""), "Http(\"http://cam/a.jpg\")");
        assert_eq!(
            planned("pi", "size = [640, 480]\nevery = \"500ms\""),
            "rpicam-vid --nopreview --timeout 0 --codec mjpeg --width 640 --height 480 --framerate 2 --flush --output -"
        );
        assert_eq!(
            planned("rtsp://me:secret@cam:554/1", "every = \"2s\"\nsize = [320, 240]"),
            "ffmpeg -hide_banner -loglevel error -nostdin -rtsp_transport tcp -i rtsp://…@cam:554/1 -an \
             -vf fps=1,scale=320:240 -c:v mjpeg -q:v 3 -f mjpeg pipe:1"
        );
        let csi = planned("csi", "");
        assert!(csi.starts_with("gst-launch-1.0 --quiet nvarguscamerasrc '!'") && csi.contains("width=1280"), "{csi}");
    }

    #[test]
    fn what_is_no_camera_is_not_listed_and_what_cannot_be_opened_says_why() {
        let root = tempfile::tempdir().unwrap();
        let (dev, bin) = (root.path().join("dev"), root.path().join("bin"));
        std::fs::create_dir_all(&dev).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        assert!(list_of(&dev, root.path(), "").is_empty());
        std::fs::write(dev.join("video10"), "").unwrap();
        std::fs::write(dev.join("video2"), "").unwrap();
        std::fs::write(dev.join("video-loop"), "").unwrap();
        std::fs::write(bin.join("rpicam-vid"), "").unwrap();
        std::fs::write(bin.join("nvargus-daemon"), "").unwrap();
        let seen = list_of(&dev, root.path(), &format!("/nonexistent:{}", bin.display()));
        let devices: Vec<&str> = seen.iter().map(|camera| camera.device.rsplit('/').next().unwrap()).collect();
        assert_eq!(devices, ["video2", "video10", "pi", "csi"]);
        assert!(seen[0].problem.as_deref().unwrap().contains("no video device"), "{:?}", seen[0]);
        assert_eq!(seen[2].problem, None);
        assert!(seen[3].problem.as_deref().unwrap().contains("gstreamer1.0-tools"));
    }
}
