//! A board with the example firmware, played by QEMU: a serial line on a pseudo-terminal, and the panel of buttons and lamp on
//! a Unix socket. Knows the panel's keys, and nothing of what goes over the line.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::program::Running;
use crate::skip::skip;

/// Where Debian has it.
const QEMU: &str = "/usr/bin/qemu-system-arm";

/// A running board.
#[derive(Debug)]
pub struct Board {
    running: Running,
    line: PathBuf,
    panel: Mutex<(UnixStream, String)>,
    /// Where the panel's socket lies.
    _folder: TempDir,
}

impl Board {
    /// Starts one; skips the calling test where there is no QEMU, or no firmware (`ACCLIMATE_FIRMWARE` names it).
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        if !Path::new(QEMU).exists() {
            skip("qemu", &format!("{QEMU} is not there (Debian: qemu-system-arm)"));
            return None;
        }
        let Some(image) = std::env::var_os("ACCLIMATE_FIRMWARE").filter(|path| Path::new(path).is_file()) else {
            skip("qemu", "ACCLIMATE_FIRMWARE does not name the example firmware (`cargo xtask firmware` builds it)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("panel.sock");
        let mut qemu = Command::new(QEMU);
        // 16 ns an instruction, so that its time does not stumble when this machine is busy.
        qemu.args(["-machine", "lm3s6965evb", "-icount", "shift=4", "-display", "none", "-monitor", "none"]);
        qemu.args(["-serial", "pty", "-serial"]).arg(format!("unix:{},server=on,wait=off", socket.display()));
        let running = Running::start(qemu.arg("-kernel").arg(image).stdin(Stdio::null()));
        let line = || {
            let said = running.said();
            let (_, path) = said.split_once("redirected to ")?;
            Some(PathBuf::from(path.split_once(' ')?.0))
        };
        running.wait_until(|| line().is_some() && socket.exists());
        let line = line().expect("it was there just now");
        let panel = UnixStream::connect(&socket).expect("QEMU listens");
        panel.set_nonblocking(true).expect("a socket need not block");
        Some(Self { running, line, panel: Mutex::new((panel, String::new())), _folder: folder })
    }

    /// The serial line.
    pub fn line(&self) -> &Path {
        &self.line
    }

    /// Presses a key of the panel.
    ///
    /// # Panics
    /// When the board is gone.
    pub fn press(&self, key: u8) {
        let (panel, _) = &mut *self.panel.lock().unwrap_or_else(PoisonError::into_inner);
        panel.write_all(&[key]).expect("the board runs");
    }

    /// What the lamp shows; nothing before it first changed.
    ///
    /// # Panics
    /// When the board is gone.
    pub fn lamp(&self) -> Option<String> {
        let (panel, said) = &mut *self.panel.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; 4096];
        loop {
            match panel.read(&mut bytes) {
                Ok(0) => panic!("the board is gone"),
                Ok(count) => said.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("reading the panel: {error}"),
            }
        }
        let (whole, _) = said.rsplit_once('\n')?;
        whole.rsplit('\n').next()?.strip_prefix("lamp ").map(str::to_owned)
    }

    /// Waits until something can be seen.
    ///
    /// # Panics
    /// When the board ends first, or it takes a minute.
    #[track_caller]
    pub fn wait_until(&self, seen: impl Fn() -> bool) {
        self.running.wait_until(seen);
    }
}
