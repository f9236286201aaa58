//! One serial port while it is open: exclusively, raw, 8N1. Knows nothing of what is said on it.

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serialport::TTYPort;

use super::holders::holders;
use super::list::list;

/// A read that finds nothing waits so long: what is to be written waits no longer.
const PATIENCE: Duration = Duration::from_millis(20);
/// Where udev puts the names that last.
const BY_ID: &str = "/dev/serial/by-id/";

/// Which port is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// The only one on USB.
    Auto,
    /// That with this path.
    Path(PathBuf),
}

impl From<&str> for Device {
    fn from(text: &str) -> Self {
        if text == "auto" { Self::Auto } else { Self::Path(text.into()) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Device {
    /// The path of the port, if it is there now.
    ///
    /// # Errors
    /// Says what is there instead.
    pub fn find(&self) -> Result<PathBuf, String> {
        match self {
            Self::Path(path) if path.exists() => Ok(path.clone()),
            Self::Path(path) => Err(format!(
                "{} is not there: is the device plugged in? `acclimate serial list` shows what is",
                path.display()
            )),
            Self::Auto => only(list().into_iter().filter(|found| found.usb.is_some()).map(|found| found.device)),
        }
    }
}

/// The only one of several.
fn only(mut devices: impl Iterator<Item = String>) -> Result<PathBuf, String> {
    let Some(first) = devices.next() else {
        return Err("there is no serial device on USB: is it plugged in? Others are to be named".to_owned());
    };
    let others: Vec<String> = devices.collect();
    if others.is_empty() {
        return Ok(first.into());
    }
    Err(format!("there are {} serial devices on USB: name one of {first}, {}", others.len() + 1, others.join(", ")))
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
}

/// An open port.
#[derive(Debug)]
pub struct Port {
    path: PathBuf,
    port: TTYPort,
}

impl Port {
    /// Opens a port for nobody else. Linux sets DTR while a port is open; with `dtr` false it is taken back at once.
    ///
    /// # Errors
    /// Says what was attempted, why it failed, and what to do.
    pub fn open(path: &Path, baud: u32, dtr: bool) -> Result<Self, String> {
        let builder = serialport::new(path.to_string_lossy(), baud).timeout(PATIENCE).exclusive(true);
        let builder = if dtr { builder.preserve_dtr_on_open() } else { builder.dtr_on_open(false) };
        let port = TTYPort::open(&builder).map_err(|error| refusal(path, baud, &error))?;
        // A device that does not read must not stop who writes: the kernel takes what there is room for.
        fcntl(port.as_raw_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| format!("could not set up {}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), port })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there; waits a moment for it.
    ///
    /// # Errors
    /// The device is gone: the port is of no use any more.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Read, String> {
        match self.port.read(buffer) {
            Ok(0) => Err(self.gone("it gives nothing any more")),
            Ok(bytes) => Ok(Read::Bytes(bytes)),
            Err(error) if is_wait(&error) => Ok(Read::Nothing),
            Err(error) => Err(self.gone(&error.to_string())),
        }
    }

    /// Writes what the device takes; waits for it, for `within` at most. How many bytes were taken.
    ///
    /// # Errors
    /// The device is gone: the port is of no use any more.
    pub fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, String> {
        let (began, mut written) = (Instant::now(), 0);
        while written < bytes.len() {
            match self.port.write(&bytes[written..]) {
                Ok(0) => return Err(self.gone("it takes nothing any more")),
                Ok(more) => written += more,
                Err(error) if is_wait(&error) => {
                    if began.elapsed() >= within {
                        break;
                    }
                }
                Err(error) => return Err(self.gone(&error.to_string())),
            }
        }
        Ok(written)
    }

    fn gone(&self, why: &str) -> String {
        format!("the device at {} is gone ({why}): was it unplugged, or did it restart?", self.path.display())
    }
}

/// There is nothing, or no room, for now.
fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

/// Why a port could not be opened, and what to do.
fn refusal(path: &Path, baud: u32, error: &serialport::Error) -> String {
    let at = path.display();
    let advice = match error.kind {
        serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => {
            "this user may not: sudo usermod -aG dialout $USER, then log in again".to_owned()
        }
        serialport::ErrorKind::Io(ErrorKind::NotFound) => {
            "is it plugged in? `acclimate serial list` shows what is".to_owned()
        }
        _ => match holders(Path::new("/proc"), path).as_slice() {
            [] => format!("is it a serial port that nobody else has open, and can it do {baud} baud?"),
            holders => format!("it is held by {}: end that first", holders.join(", ")),
        },
    };
    let lasting = if path.starts_with("/dev") && !path.starts_with(BY_ID) && error_is_absence(error) {
        format!("; a path in {BY_ID} stays the same from plug to plug")
    } else {
        String::new()
    };
    format!("could not open {at} at {baud} baud: {error}: {advice}{lasting}")
}

fn error_is_absence(error: &serialport::Error) -> bool {
    matches!(error.kind, serialport::ErrorKind::Io(ErrorKind::NotFound) | serialport::ErrorKind::NoDevice)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::pty::Pty;
    use super::*;

    #[test]
    fn auto_is_the_only_device_on_usb() {
        let found = |devices: &[&str]| only(devices.iter().map(|&device| device.to_owned()));
        assert_eq!(found(&["a"]), Ok("a".into()));
        assert_eq!(found(&["a", "b"]).unwrap_err(), "there are 2 serial devices on USB: name one of a, b");
        assert!(found(&[]).unwrap_err().contains("plugged in"));
    }

    #[test]
    fn a_port_is_read_and_written_and_is_nobody_elses() {
        let mut pty = Pty::new().unwrap();
        let mut port = Port::open(pty.path(), 115_200, true).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(port.read(&mut buffer), Ok(Read::Nothing));
        let soon = Duration::from_secs(5);
        assert_eq!(pty.write(b"1,2\n", soon).unwrap(), 4);
        assert_eq!(port.read(&mut buffer), Ok(Read::Bytes(4)));
        assert_eq!(port.write(b"closed\n", soon), Ok(7));
        assert_eq!(pty.read(&mut buffer).unwrap(), Read::Bytes(7));
        let refused = Port::open(pty.path(), 115_200, true).unwrap_err();
        let me = std::process::id().to_string();
        assert!(refused.contains("could not open") && refused.contains(&me), "{refused}");
    }

    #[test]
    fn a_port_whose_device_is_gone_says_so_and_its_path_is_not_found() {
        let pty = Pty::new().unwrap();
        let (path, mut port) = (pty.path().to_owned(), Port::open(pty.path(), 115_200, false).unwrap());
        drop(pty);
        let gone = port.read(&mut [0; 16]).unwrap_err();
        assert!(gone.contains(&*path.to_string_lossy()) && gone.contains("unplugged"), "{gone}");
        drop(port);
        let absent = Device::Path(path).find().unwrap_err();
        assert!(absent.contains("is not there") && absent.contains("serial list"), "{absent}");
    }

    #[test]
    fn a_device_that_does_not_read_does_not_stop_who_writes() {
        let pty = Pty::new().unwrap();
        let mut port = Port::open(pty.path(), 115_200, true).unwrap();
        let much = vec![b'x'; 1 << 20];
        let taken = port.write(&much, Duration::ZERO).unwrap();
        assert!(taken < much.len(), "{taken}");
    }

    #[test]
    fn what_is_no_port_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "").unwrap();
        let refused = Port::open(&file, 115_200, true).unwrap_err();
        assert!(refused.contains("is it a serial port"), "{refused}");
    }
}
