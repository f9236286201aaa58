//! A line without a wire: what a device would be at the other end of. For trying the program without hardware, and for tests.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use super::port::Read;

/// A wait for the host lasts so long at most, before somebody looks up.
const PATIENCE: Duration = Duration::from_millis(20);

/// The device's end of a line. Dropping it is unplugging the device.
#[derive(Debug)]
pub struct Pty {
    device: PtyMaster,
    /// Held, so that the line is there also while nobody has it open.
    host: File,
    path: PathBuf,
}

impl Pty {
    /// A new line.
    ///
    /// # Errors
    /// The system gives none.
    pub fn new() -> std::io::Result<Self> {
        let device = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        grantpt(&device)?;
        unlockpt(&device)?;
        let path = PathBuf::from(ptsname_r(&device)?);
        let host = OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(&path)?;
        let mut raw = tcgetattr(host.as_raw_fd())?;
        cfmakeraw(&mut raw);
        tcsetattr(host.as_raw_fd(), SetArg::TCSANOW, &raw)?;
        Ok(Self { device, host, path })
    }

    /// The path that the host opens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what the host wrote; waits a moment for it.
    ///
    /// # Errors
    /// When the line is of no use any more.
    pub fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<Read> {
        self.wait(PollFlags::POLLIN)?;
        match self.device.read(buffer) {
            Ok(bytes) => Ok(Read::Bytes(bytes)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::Nothing),
            Err(error) => Err(error),
        }
    }

    /// What the host wrote, if anything. Does not wait.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        let count = self.device.read(&mut buffer).ok().filter(|count| *count > 0)?;
        buffer.truncate(count);
        Some(buffer)
    }

    /// Bytes that the host has not read yet.
    ///
    /// # Errors
    /// When the line is of no use any more.
    pub fn unread(&self) -> std::io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.host)?)
    }

    /// Says something to the host, which may take it later; waits for room, for `within` at most. How many bytes were taken.
    ///
    /// # Errors
    /// When the line is of no use any more.
    pub fn write(&mut self, bytes: &[u8], within: Duration) -> std::io::Result<usize> {
        let (began, mut written) = (Instant::now(), 0);
        while written < bytes.len() {
            match self.device.write(&bytes[written..]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if began.elapsed() >= within {
                        break;
                    }
                    self.wait(PollFlags::POLLOUT)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn wait(&self, what: PollFlags) -> std::io::Result<()> {
        poll(&mut [PollFd::new(self.device.as_raw_fd(), what)], PATIENCE.as_millis() as i32)?;
        Ok(())
    }
}
