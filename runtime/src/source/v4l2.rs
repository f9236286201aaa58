//! A camera that the kernel shows as `/dev/videoN`: MJPEG as it comes, else YUYV made RGB. Knows `linuxvideo` and nothing of
//! what happens with the pictures.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linuxvideo::format::{FrameSizes, PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, CapabilityFlags, Device};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::command::PATIENCE;
use super::pace::{Ask, Pace};
use super::session::{Session, keep_open, words};
use super::{Content, Feed, Source, Stop, yuyv};
use crate::config;

/// What is asked for first, unless the configuration says otherwise.
const SIZE: [u32; 2] = [1280, 720];
/// How often a wait looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// A V4L2 camera.
pub(super) struct V4l2 {
    path: PathBuf,
    size: [u32; 2],
    patience: Duration,
    pace: Pace,
}

/// What the driver agreed to.
struct Given {
    format: PixelFormat,
    width: u32,
    height: u32,
    /// Bytes of a row, of formats that have such.
    stride: usize,
}

/// Why a device cannot be used.
pub(super) enum Unusable {
    /// It is something else: an encoder, a radio, metadata.
    NoCamera,
    /// In words, with what to do.
    Problem(String),
}

impl V4l2 {
    pub(super) fn new(config: &config::Source, path: PathBuf) -> Self {
        let patience = config.patience.map_or(PATIENCE, |patience| patience.0);
        Self { path, size: config.size.unwrap_or(SIZE), patience, pace: Pace::new(config, None) }
    }

    pub(super) fn asked_by(self, ask: Ask) -> Self {
        Self { pace: self.pace.with(ask), ..self }
    }

    pub(super) fn read(&mut self, session: &mut Session<'_>) -> String {
        let (mut stream, Given { format, width, height, stride }) = match self.open() {
            Ok(opened) => opened,
            Err(reason) => return reason,
        };
        tracing::info!(
            "source `{}`: {} gives {format} of {width}×{height}",
            session.feed.source(),
            self.path.display(),
        );
        let mut last = session.now();
        loop {
            if session.stop.is_set() {
                return String::new();
            }
            match wait(&stream, LOOK.min(self.patience)) {
                Ok(false) if session.now().saturating_sub(last) >= self.patience => {
                    return format!("{} gave no picture for {}", self.path.display(), words(self.patience));
                }
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => return self.gone(&error),
            }
            let now = session.now();
            // What is not wanted need not be copied.
            let frame = stream.dequeue(|view| Ok((!view.is_error() && self.pace.admits(now)).then(|| view.to_vec())));
            let bytes = match frame {
                Ok(bytes) => bytes,
                Err(error) => return self.gone(&error),
            };
            last = now;
            session.works();
            let Some(bytes) = bytes else { continue };
            let content = if format == PixelFormat::YUYV {
                match yuyv::rgb(width, height, stride, &bytes) {
                    Some(pixels) => Content::Rgb { width, height, pixels },
                    // The first after opening may be cut off.
                    None => continue,
                }
            } else {
                Content::File(bytes)
            };
            if let Err(reason) = session.picture(content, true) {
                return reason;
            }
        }
    }

    fn open(&self) -> Result<(ReadStream, Given), String> {
        let device = camera(&self.path).map_err(|unusable| match unusable {
            Unusable::NoCamera => format!("{} is no camera: see `acclimate camera list`", self.path.display()),
            Unusable::Problem(problem) => problem,
        })?;
        let known = pixel_formats(&device);
        let Some(wanted) =
            [PixelFormat::MJPG, PixelFormat::JPEG, PixelFormat::YUYV].into_iter().find(|one| known.contains(one))
        else {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            return Err(format!("{} gives neither MJPEG nor YUYV, but {}", self.path.display(), known.join(", ")));
        };
        let failed = |error: io::Error| match Errno::from_io_error(&error) {
            Some(Errno::BUSY) => format!("{} is in use by another program", self.path.display()),
            _ => format!("{} would not start: {error}", self.path.display()),
        };
        let [width, height] = self.size;
        let capture = device.video_capture(PixFormat::new(width, height, wanted)).map_err(failed)?;
        let format = capture.format();
        if format.pixel_format() != wanted {
            return Err(format!(
                "{} gives {} where {wanted} was asked for",
                self.path.display(),
                format.pixel_format()
            ));
        }
        let given = Given {
            format: wanted,
            width: format.width(),
            height: format.height(),
            stride: format.bytes_per_line() as usize,
        };
        Ok((capture.into_stream().map_err(failed)?, given))
    }

    fn gone(&self, error: &io::Error) -> String {
        match Errno::from_io_error(error) {
            Some(Errno::NODEV | Errno::IO) => format!("{} is gone: was it unplugged?", self.path.display()),
            _ => format!("could not read {}: {error}", self.path.display()),
        }
    }
}

impl Source for V4l2 {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        keep_open(feed, stop, |session| self.read(session));
    }

    fn ask(&self) -> Option<Ask> {
        Some(self.pace.ask())
    }
}

/// Whether a frame is there within a time.
fn wait(stream: &ReadStream, time: Duration) -> io::Result<bool> {
    let timeout = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    match poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn camera(path: &Path) -> Result<Device, Unusable> {
    let device = Device::open(path).map_err(|error| {
        Unusable::Problem(match error.kind() {
            io::ErrorKind::NotFound => format!("there is no {}: see `acclimate camera list`", path.display()),
            io::ErrorKind::PermissionDenied => {
                format!(
                    "{} may not be opened by this user: sudo usermod -aG video $USER, then log in again",
                    path.display()
                )
            }
            _ if Errno::from_io_error(&error) == Some(Errno::BUSY) => {
                format!("{} is in use by another program", path.display())
            }
            _ if Errno::from_io_error(&error) == Some(Errno::NOTTY) => format!("{} is no video device", path.display()),
            _ => format!("could not open {}: {error}", path.display()),
        })
    })?;
    let capabilities =
        device.capabilities().map_err(|error| Unusable::Problem(format!("{}: {error}", path.display())))?;
    if !capabilities.device_capabilities().contains(CapabilityFlags::VIDEO_CAPTURE | CapabilityFlags::STREAMING) {
        return Err(Unusable::NoCamera);
    }
    Ok(device)
}

fn pixel_formats(device: &Device) -> Vec<PixelFormat> {
    device.formats(BufType::VIDEO_CAPTURE).filter_map(Result::ok).map(|format| format.pixel_format()).collect()
}

/// What a camera gives: each format with its sizes.
pub(super) fn formats(path: &Path) -> Result<Vec<String>, Unusable> {
    let device = camera(path)?;
    let formats = pixel_formats(&device);
    if formats.is_empty() {
        return Err(Unusable::NoCamera);
    }
    let described = |format: PixelFormat| {
        let sizes = match device.frame_sizes(format) {
            Ok(FrameSizes::Discrete(sizes)) => {
                sizes.iter().map(|size| format!("{}×{}", size.width(), size.height())).collect::<Vec<_>>().join(" ")
            }
            Ok(FrameSizes::Stepwise(range) | FrameSizes::Continuous(range)) => {
                format!("{}×{} to {}×{}", range.min_width(), range.min_height(), range.max_width(), range.max_height())
            }
            Err(_) => String::new(),
        };
        format!("{format} {sizes}").trim_end().to_owned()
    };
    Ok(formats.into_iter().map(described).collect())
}
