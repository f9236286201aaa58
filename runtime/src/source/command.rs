//! Frames from a program's standard output: JPEG files one after the other, or raw RGB of a stated size. Restarted with
//! back-off; who stalls is ended. Also what cameras become that are read through a program.

use std::time::Duration;

use super::mjpeg::Splitter;
use super::pace::{Ask, Pace};
use super::session::{Session, keep_open, words};
use super::{Content, Feed, Source, Stop};
use crate::child::{Child, Output};
use crate::config;

/// No JPEG file of a stream is larger.
pub(super) const LARGEST_FRAME: usize = 32 << 20;
/// A source that gave nothing for so long is lost, unless the configuration says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What is on standard output.
#[derive(Clone, Copy)]
enum Frames {
    Mjpeg,
    Rgb { width: u32, height: u32 },
}

/// A program that gives frames.
pub(super) struct Command {
    argv: Vec<String>,
    frames: Frames,
    patience: Duration,
    pace: Pace,
}

impl Command {
    /// A source of kind `command`.
    pub(super) fn new(config: &config::Source) -> Self {
        let frames = match (config.format, config.size) {
            (Some(config::Format::Rgb), Some([width, height])) => Frames::Rgb { width, height },
            _ => Frames::Mjpeg,
        };
        let patience = config.patience.map_or(PATIENCE, |patience| patience.0);
        Self { argv: config.argv.clone(), frames, patience, pace: Pace::new(config, None) }
    }

    /// A camera that is read through a program which gives JPEG files.
    pub(super) fn camera(config: &config::Source, argv: Vec<String>) -> Self {
        Self { argv, frames: Frames::Mjpeg, ..Self::new(config) }
    }

    pub(super) fn asked_by(self, ask: Ask) -> Self {
        Self { pace: self.pace.with(ask), ..self }
    }

    pub(super) fn read(&mut self, session: &mut Session<'_>) -> String {
        tracing::info!("source `{}` runs: {}", session.feed.source(), shown(&self.argv));
        let mut child = match Child::start(&self.argv, session.stop) {
            Ok(child) => child,
            Err(reason) => return reason,
        };
        let read = match self.frames {
            Frames::Mjpeg => self.mjpeg(session, &mut child),
            Frames::Rgb { width, height } => self.rgb(session, &mut child, width, height),
        };
        match read {
            Ok(within) => format!("{}{within}", child.end()),
            Err(reason) => format!("{reason}{}", child.said(Duration::ZERO)),
        }
    }

    /// Until the output ends (then what is odd about it, for the end of a sentence), or there is a reason to end it.
    fn mjpeg(&mut self, session: &mut Session<'_>, child: &mut Child) -> Result<&'static str, String> {
        let mut splitter = Splitter::new(LARGEST_FRAME);
        let mut bytes = vec![0; 1 << 16];
        let mut last = session.now();
        let mut any = false;
        loop {
            let left = (last + self.patience).saturating_sub(session.now());
            match child.read(&mut bytes, left)? {
                Output::Bytes(count) => {
                    any = true;
                    let now = session.now();
                    let mut wrong = Ok(());
                    splitter.push(&bytes[..count], now, |file| {
                        last = now;
                        if wrong.is_ok() {
                            wrong = session.picture(Content::File(file), self.pace.admits(now));
                        }
                    });
                    wrong?;
                }
                Output::End if splitter.is_within_frame() => return Ok(", in the middle of a picture"),
                Output::End => return Ok(""),
                Output::Nothing => {}
            }
            if session.now().saturating_sub(last) >= self.patience {
                return Err(stalled(self.patience, splitter.is_within_frame(), any, splitter.broken()));
            }
        }
    }

    fn rgb(
        &mut self,
        session: &mut Session<'_>,
        child: &mut Child,
        width: u32,
        height: u32,
    ) -> Result<&'static str, String> {
        let size = 3 * width as usize * height as usize;
        let mut pixels = vec![0; size];
        let mut filled = 0;
        let mut last = session.now();
        loop {
            let left = (last + self.patience).saturating_sub(session.now());
            match child.read(&mut pixels[filled..], left)? {
                Output::Bytes(count) => filled += count,
                Output::End if filled > 0 => return Ok(", in the middle of a frame: is `size` what it writes?"),
                Output::End => return Ok(""),
                Output::Nothing => {}
            }
            if filled == size {
                last = session.now();
                filled = 0;
                if self.pace.admits(last) {
                    let full = std::mem::replace(&mut pixels, vec![0; size]);
                    session.picture(Content::Rgb { width, height, pixels: full }, true)?;
                } else {
                    session.works();
                }
            }
            if session.now().saturating_sub(last) >= self.patience {
                return Err(stalled(self.patience, filled > 0, filled > 0, 0));
            }
        }
    }
}

/// Why a stream without a new frame is given up.
pub(super) fn stalled(patience: Duration, within_frame: bool, any: bool, broken: u64) -> String {
    let patience = words(patience);
    match (within_frame, any) {
        (true, _) => format!("it stopped in the middle of a picture, and no whole one came for {patience}"),
        (false, true) if broken > 0 => {
            format!("no whole picture came for {patience}; {broken} were damaged or cut off")
        }
        (false, true) => format!("something came, but no JPEG picture was in it for {patience}"),
        (false, false) => format!("nothing came for {patience}"),
    }
}

/// A command line as one would type it, without secrets.
pub(super) fn shown(argv: &[String]) -> String {
    let quoted = argv.iter().map(|one| {
        let plain =
            !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,+@%?&".contains(&byte));
        if plain { one.clone() } else { format!("'{}'", one.replace('\'', "'\\''")) }
    });
    super::address::redacted(&quoted.collect::<Vec<_>>().join(" "))
}

impl Source for Command {
    fn run(&mut self, feed: &Feed, stop: &Stop) {
        keep_open(feed, stop, |session| self.read(session));
    }

    fn ask(&self) -> Option<Ask> {
        Some(self.pace.ask())
    }
}
