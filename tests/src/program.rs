//! Programs as tests see them: found, run to the end or to a chosen moment, and measured. Knows no command of the binary.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The `acclimate` program: the one `ACCLIMATE_BIN` names, else built once from this checkout, as these tests were.
///
/// # Panics
/// When it cannot be built.
pub fn acclimate() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("ACCLIMATE_BIN") {
            return path.into();
        }
        // This test program is <target>/<profile>/deps/<name>; the same target directory keeps what is compiled.
        let here = std::env::current_exe().expect("a test program has a path");
        let profile = here.ancestors().nth(2).expect("a test program lies in <target>/<profile>/deps");
        let target = profile.parent().expect("a profile lies in the target directory");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What cargo says of this package: build scripts that look at it would run again, here and at the next build.
        let of_this =
            |name: &OsString| name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR";
        for (name, _) in std::env::vars_os().filter(|(name, _)| of_this(name)) {
            cargo.env_remove(name);
        }
        let status = cargo
            .args(["build", "--quiet", "--package", "acclimate", "--bin", "acclimate", "--target-dir"])
            .arg(target)
            .current_dir(crate::checkout())
            .status()
            .expect("cargo starts");
        assert!(status.success(), "building acclimate ended with {status}");
        target.join("debug/acclimate")
    })
}

/// A program that ended, or was ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
    /// Its largest resident set, in bytes. Read every few milliseconds while it runs: what it reaches in the last of them
    /// is missed.
    pub peak_memory: u64,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Finished {
    /// Checks the exit code.
    ///
    /// # Panics
    /// When it is another one, with everything the program said.
    #[must_use]
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let Self { code: found, stdout, stderr, .. } = &self;
        assert_eq!(*found, Some(code), "exit code, stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// Its standard output as one JSON document.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }

    /// Its standard output as JSON Lines; a last line that was cut off is left out.
    ///
    /// # Panics
    /// When a whole line is not JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let whole = self.stdout.rsplit_once('\n').map_or("", |(whole, _cut)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }
}

/// A running program whose output is collected.
#[derive(Debug)]
pub struct Running {
    child: Kid,
    said: Arc<Mutex<Vec<u8>>>,
    output: JoinHandle<()>,
    errors: JoinHandle<String>,
    /// Disconnected when the program has closed its standard output, which it does by ending.
    ended: mpsc::Receiver<()>,
    started: Instant,
    peak_memory: u64,
}

/// Gone with whoever started it, also where that one panicked.
#[derive(Debug)]
struct Kid(Child);

impl Drop for Kid {
    fn drop(&mut self) {
        // It has ended, mostly.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts a program. Its standard input is empty, unless the command says otherwise.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let (sender, ended) = mpsc::channel::<()>();
        let mut stdout = child.stdout.take().expect("piped above");
        let mut stderr = child.stderr.take().expect("piped above");
        let said = Arc::new(Mutex::new(Vec::new()));
        let output = thread::spawn({
            let said = Arc::clone(&said);
            move || {
                let _until_the_end = sender;
                let mut bytes = [0; 1 << 13];
                loop {
                    let read = stdout.read(&mut bytes).expect("a pipe can be read");
                    if read == 0 {
                        return;
                    }
                    locked(&said).extend_from_slice(&bytes[..read]);
                }
            }
        });
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).expect("a pipe can be read");
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self { child: Kid(child), said, output, errors, ended, started: Instant::now(), peak_memory: 0 }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// What it has printed so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&locked(&self.said)).into_owned()
    }

    /// Waits until something that it does can be seen.
    ///
    /// # Panics
    /// When it ends first, or takes a minute.
    #[track_caller]
    pub fn wait_until(&self, seen: impl Fn() -> bool) {
        let began = Instant::now();
        while !seen() {
            let patience = began.elapsed() < Duration::from_mins(1);
            let runs = self.ended.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout);
            assert!(runs && patience, "the program ended, or took a minute, before it did what is waited for");
        }
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn wait(mut self) -> Finished {
        drop(self.child.0.stdin.take());
        while self.ended.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
            self.peak_memory = self.peak_memory.max(resident_peak(self.child.0.id()));
        }
        self.finish()
    }

    /// Kills it (SIGKILL) at a moment after its start, unless it has ended by then; says whether it was killed.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill_after(mut self, moment: Duration) -> (Finished, bool) {
        let _ = self.ended.recv_timeout(moment.saturating_sub(self.started.elapsed()));
        self.child.0.kill().expect("a child can be killed");
        let finished = self.finish();
        let killed = finished.code.is_none();
        (finished, killed)
    }

    fn finish(mut self) -> Finished {
        let status = self.child.0.wait().expect("a child can be waited for");
        self.output.join().expect("reading its output does not panic");
        Finished {
            code: status.code(),
            stdout: String::from_utf8_lossy(&locked(&self.said)).into_owned(),
            stderr: self.errors.join().expect("reading its errors does not panic"),
            peak_memory: self.peak_memory,
            elapsed: self.started.elapsed(),
        }
    }
}

fn locked(said: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The resident set of a process now, in bytes.
///
/// # Panics
/// When it has ended.
#[track_caller]
pub fn resident(id: u32) -> u64 {
    status_bytes(id, "VmRSS:").expect("a running process")
}

/// The kernel's high-water mark of a process, in bytes; 0 once it has ended.
pub fn resident_peak(id: u32) -> u64 {
    status_bytes(id, "VmHWM:").unwrap_or(0)
}

/// A size that `/proc` tells of a process: proc(5).
fn status_bytes(id: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix("kB")?.trim().parse().ok());
    kib.map(|kib: u64| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        Running::start(Command::new("sh").args(["-c", script]).stdin(Stdio::piped()))
    }

    #[test]
    fn output_errors_and_exit_code_are_collected() {
        let finished = shell("echo '{\"a\":1}'; echo no >&2; exit 3").wait().expect(3);
        assert_eq!((finished.json()["a"].as_u64(), finished.stderr.as_str()), (Some(1), "no\n"));
    }

    #[test]
    fn a_killed_program_keeps_what_it_said_before_and_its_cut_line_is_left_out() {
        // It says a line and half a line, then waits for an input that never comes.
        let mut running = shell("printf '1\\n2'; read x");
        let input = running.child.0.stdin.take();
        let (finished, killed) = running.kill_after(Duration::from_millis(300));
        drop(input);
        assert!(killed);
        assert_eq!(finished.json_lines().len(), finished.stdout.matches('\n').count());
    }

    #[test]
    fn peak_memory_counts_what_was_touched_and_given_back() {
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        assert!(resident_peak(std::process::id()) > 64 << 20);
        assert_eq!(resident_peak(u32::MAX), 0);
    }
}
