//! `serial replay`: recordings down a line, as a sketch would print them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use acclimate::record::SerialReplayRecord;
use acclimate::serial::pty::Pty;
use acclimate::serial::{Port, Read};
use acclimate::source::Stop;
use anyhow::Context as _;

use crate::cli::args::Replay;
use crate::cli::{Context, Outcome};

/// Readings a second, where neither the command line nor the recording says.
const USUAL_HZ: f64 = 50.0;
/// Readings that are due go out together, at most so long after the first of them.
const TOGETHER: Duration = Duration::from_millis(5);
/// The other end that takes nothing for so long is not there.
const PATIENCE: Duration = Duration::from_mins(1);
/// No reading, and so a gap: one recording does not go on in the next.
const GAP: &[u8] = b"--\r\n";
/// After the last reading the other end may answer for so long.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Who listens may be late by so much.
const LATE: Duration = Duration::from_secs(2);
/// Bytes of the other end that are kept, about.
const ANSWERS: usize = 1 << 20;

pub(super) fn run(context: &Context, args: &Replay) -> anyhow::Result<Outcome> {
    let recordings = args.files.iter().map(|file| Recording::read(file, args)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut line = Line::open(args)?;
    if let Line::Pty { pty, link, .. } = &line {
        let at = link.as_ref().map_or(pty.path(), |link| link.path.as_path());
        eprintln!("a device is at {}", at.display());
    }
    let mut sent = Sent::default();
    if !args.raw {
        // Who has just opened a line takes its first line for one that was cut.
        line.write(b"\r\n")?;
    }
    let mut between: &[u8] = b"";
    loop {
        for recording in &recordings {
            line.write(between)?;
            send(&mut line, recording, &mut sent)?;
            between = if args.raw { b"" } else { GAP };
        }
        if !args.repeat {
            break;
        }
    }
    line.drain(&mut sent);
    let answers = String::from_utf8_lossy(&sent.answers).lines().map(str::to_owned).collect();
    let record = SerialReplayRecord {
        port: line.path().display().to_string(),
        readings: sent.readings,
        bytes: sent.bytes,
        answers,
    };
    context.print(&record, || {
        let what = if args.raw { format!("{} bytes", record.bytes) } else { format!("{} readings", record.readings) };
        let heard =
            if record.answers.is_empty() { String::new() } else { format!("; heard {}", record.answers.join(", ")) };
        format!("{what} were sent to {}{heard}", record.port)
    })?;
    Ok(Outcome::Done)
}

/// What is sent: pieces, and when each is due after the one before.
struct Recording {
    pieces: Vec<Vec<u8>>,
    apart: Duration,
    raw: bool,
}

impl Recording {
    fn read(path: &Path, args: &Replay) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("could not read the recording {}", path.display()))?;
        if args.raw {
            // Ten bits a byte: what the line of a real device would let through.
            let at_once = (f64::from(args.baud) / 10.0 * TOGETHER.as_secs_f64()).ceil() as usize;
            let pieces = bytes.chunks(at_once.max(1)).map(<[u8]>::to_vec).collect();
            return Ok(Self { pieces, apart: TOGETHER, raw: true });
        }
        let text = String::from_utf8(bytes).with_context(|| {
            format!("could not read {}: expected CSV; with --raw, bytes as they came", path.display())
        })?;
        let said = text.lines().find_map(|line| line.strip_prefix("# rate_hz ")?.trim().parse::<f64>().ok());
        let hz = args.rate_hz.or(said).unwrap_or(USUAL_HZ);
        anyhow::ensure!(hz.is_finite() && hz >= 0.0, "--rate-hz {hz}: expected readings a second, or 0");
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        let mut columns = None;
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split([',', ';', '\t', ' ']).filter(|word| !word.is_empty());
            let count = words.clone().count();
            if count == 0 || !words.all(|word| word.parse::<f64>().is_ok()) {
                continue;
            }
            let expected = *columns.get_or_insert(count);
            let (at, number) = (path.display(), number + 1);
            anyhow::ensure!(
                count == expected,
                "line {number} of {at}: expected {expected} numbers as before, found {count}"
            );
            pieces.push(format!("{}\r\n", line.replace(';', ",")).into_bytes());
        }
        anyhow::ensure!(!pieces.is_empty(), "there is no reading in {}: expected lines of numbers", path.display());
        let apart = if hz == 0.0 { Duration::ZERO } else { Duration::from_secs_f64(1.0 / hz) };
        Ok(Self { pieces, apart, raw: false })
    }
}

/// What was sent and what came back.
#[derive(Default)]
struct Sent {
    readings: u64,
    bytes: u64,
    answers: Vec<u8>,
}

/// Sends a recording at its pace.
fn send(line: &mut Line, recording: &Recording, sent: &mut Sent) -> anyhow::Result<()> {
    let (began, nobody) = (Instant::now(), Stop::new());
    let mut at = 0;
    while at < recording.pieces.len() {
        let due = |at: usize| recording.apart.mul_f64(at as f64);
        nobody.wait(due(at).saturating_sub(began.elapsed()));
        let now = began.elapsed() + TOGETHER;
        let mut end = at + 1;
        let mut together = recording.pieces[at].clone();
        while end < recording.pieces.len() && due(end) <= now && together.len() < 4096 {
            together.extend_from_slice(&recording.pieces[end]);
            end += 1;
        }
        if recording.apart.is_zero() {
            line.write(&together)?;
        } else {
            line.say(&together)?;
        }
        sent.bytes += together.len() as u64;
        sent.readings += if recording.raw { 0 } else { (end - at) as u64 };
        at = end;
        line.hear(sent);
    }
    Ok(())
}

/// Where recordings go to.
enum Line {
    Port(Box<Port>),
    Pty {
        pty: Pty,
        link: Option<Link>,
        /// Nobody took the last thing that was said.
        unheard: bool,
    },
}

/// A link that is gone with us.
struct Link {
    path: PathBuf,
}

impl Drop for Link {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

impl Line {
    fn open(args: &Replay) -> anyhow::Result<Self> {
        if let Some(path) = &args.port {
            return Ok(Self::Port(Box::new(Port::open(path, args.baud, true).map_err(anyhow::Error::msg)?)));
        }
        let pty = Pty::new().context("could not make a pseudo-terminal")?;
        let link = args.link.as_ref().map(|path| {
            // One of before is of no use; anything else is somebody's.
            if path.is_symlink() {
                std::fs::remove_file(path)?;
            }
            std::os::unix::fs::symlink(pty.path(), path).map(|()| Link { path: path.clone() })
        });
        let link = link.transpose().context("could not make the link to the pseudo-terminal")?;
        Ok(Self::Pty { pty, link, unheard: false })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Port(port) => port.path(),
            Self::Pty { pty, .. } => pty.path(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let taken = match self {
            Self::Port(port) => port.write(bytes, PATIENCE).map_err(anyhow::Error::msg)?,
            Self::Pty { pty, .. } => pty.write(bytes, PATIENCE)?,
        };
        let (at, seconds) = (self.path().display(), PATIENCE.as_secs());
        anyhow::ensure!(taken == bytes.len(), "nobody took what was sent to {at} within {seconds} s: is it read?");
        Ok(())
    }

    /// Says something as a device does: whether or not anybody listens. Who listens and is late is waited for a little.
    fn say(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Port(_) => self.write(bytes),
            Self::Pty { pty, unheard, .. } => {
                let within = if *unheard { Duration::ZERO } else { LATE };
                *unheard = pty.write(bytes, within)? < bytes.len();
                Ok(())
            }
        }
    }

    /// Takes what came back; does not wait for it.
    fn hear(&mut self, sent: &mut Sent) {
        if let Self::Pty { pty, .. } = self {
            while let Some(bytes) = pty.take() {
                if sent.answers.len() < ANSWERS {
                    sent.answers.extend_from_slice(&bytes);
                }
            }
        }
    }

    /// Waits until the other end has taken everything, while it takes anything; then a moment for its last words.
    fn drain(&mut self, sent: &mut Sent) {
        let (mut buffer, mut left, mut since) = ([0; 1024], u64::MAX, Instant::now());
        loop {
            let (came, unread) = match self {
                Self::Port(port) => (port.read(&mut buffer).ok(), 0),
                Self::Pty { pty, .. } => (pty.read(&mut buffer).ok(), pty.unread().unwrap_or(0)),
            };
            match came {
                Some(Read::Bytes(count)) => sent.answers.extend_from_slice(&buffer[..count]),
                Some(Read::Nothing) => {}
                None => return,
            }
            if unread < left {
                (left, since) = (unread, Instant::now());
            }
            if since.elapsed() >= if left == 0 { LAST_WORDS } else { LATE } {
                return;
            }
        }
    }
}
