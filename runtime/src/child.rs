//! A program that is run: in a process group of its own, its last words on standard error kept, ended with everything that it
//! started. Either its standard output is read (a source), or it is told something and waited for (a sink). Knows nothing of
//! what it says or is told.

use std::collections::VecDeque;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child as Process, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use crate::config::Interval;
use crate::source::{Stop, Waker, address};

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Lines of standard error that are kept, and how long one may be.
const LINES: usize = 3;
const LINE: usize = 200;

/// A running program.
pub(crate) struct Child {
    process: Process,
    name: String,
    group: Arc<Mutex<Option<Pid>>>,
    words: Arc<Words>,
    _waker: Waker,
}

/// What it said on standard error.
#[derive(Default)]
struct Words {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    lines: VecDeque<String>,
    all: bool,
}

/// What came of a read.
pub(crate) enum Output {
    Bytes(usize),
    End,
    Nothing,
}

impl Child {
    /// Starts a program whose output is read; it ends when told to stop. The reason why not is a sentence.
    pub(crate) fn start(argv: &[String], stop: &Stop) -> Result<Self, String> {
        Self::spawn(argv, stop, Stdio::null(), Stdio::piped())
    }

    /// Runs a program that is told something on standard input, and waits for it. Why it failed is a sentence.
    pub(crate) fn tell(argv: &[String], told: &[u8], within: Duration) -> Result<(), String> {
        let mut child = Self::spawn(argv, &Stop::new(), Stdio::piped(), Stdio::null())?;
        if let Some(mut stdin) = child.process.stdin.take() {
            // On a thread: who does not read could hold us up for ever. It ends when the program does.
            let told = told.to_vec();
            std::thread::spawn(move || {
                // A program need not listen.
                let _ = stdin.write_all(&told);
            });
        }
        let name = child.name.clone();
        let ended = child.wait(within);
        let status = child.reap();
        let said = child.said(Duration::from_millis(500));
        match status {
            Ok(status) if ended && status.success() => Ok(()),
            Ok(status) if ended => Err(format!("`{name}` failed ({status}){said}")),
            Ok(_) => Err(format!("`{name}` took longer than {} and was ended{said}", Interval(within))),
            Err(error) => Err(format!("could not wait for `{name}`: {error}")),
        }
    }

    fn spawn(argv: &[String], stop: &Stop, stdin: Stdio, stdout: Stdio) -> Result<Self, String> {
        let Some((program, arguments)) = argv.split_first() else { return Err("no program is named".to_owned()) };
        let mut command = Command::new(program);
        command.args(arguments).stdin(stdin).stdout(stdout).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no program `{program}`: install it, or name it with its path"),
            io::ErrorKind::PermissionDenied => format!("`{program}` may not be run by this user"),
            _ => format!("could not start `{program}`: {error}"),
        })?;
        let words = Arc::new(Words::default());
        if let Some(stderr) = process.stderr.take() {
            let words = Arc::clone(&words);
            let name = program.clone();
            std::thread::spawn(move || words.listen(stderr, &name));
        }
        let group = Arc::new(Mutex::new(Pid::from_raw(process.id() as i32)));
        let waker = stop.on_set({
            let group = Arc::clone(&group);
            move || signal(&group, Signal::TERM)
        });
        Ok(Self { process, name: program.clone(), group, words, _waker: waker })
    }

    /// Reads what is there of standard output, waiting so long for it.
    pub(crate) fn read(&mut self, into: &mut [u8], wait: Duration) -> Result<Output, String> {
        let Some(stdout) = &mut self.process.stdout else { return Ok(Output::End) };
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut [PollFd::new(&*stdout, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Output::Nothing),
            Ok(_) => {}
            Err(error) => return Err(format!("could not wait for `{}`: {error}", self.name)),
        }
        match stdout.read(into) {
            Ok(0) => Ok(Output::End),
            Ok(bytes) => Ok(Output::Bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Output::Nothing),
            Err(error) => Err(format!("could not read from `{}`: {error}", self.name)),
        }
    }

    /// Ends it and says how it ended, with its last words.
    pub(crate) fn end(mut self) -> String {
        let asked = !self.wait(Duration::from_millis(500));
        let status = self.reap();
        let words = self.said(Duration::from_millis(500));
        match status {
            Ok(status) if !asked => format!("`{}` ended ({status}){words}", self.name),
            Ok(_) => format!("`{}` closed its output and was ended{words}", self.name),
            Err(error) => format!("`{}` ended, nobody knows how: {error}{words}", self.name),
        }
    }

    /// Its last words, as the end of a sentence.
    pub(crate) fn said(&self, wait: Duration) -> String {
        let words = self.words.last(wait);
        if words.is_empty() { String::new() } else { format!("; it said: {words}") }
    }

    /// Whether it ended within a time; it is not taken note of, so that its number stays its own.
    fn wait(&self, time: Duration) -> bool {
        let Some(pid) = Pid::from_raw(self.process.id() as i32) else { return false };
        let until = Instant::now() + time;
        let handle = pidfd_open(pid, PidfdFlags::empty());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout =
                |time: Duration| Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
            if let Ok(handle) = &handle {
                match poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout(left))) {
                    Err(Errno::INTR) => {}
                    answer => return answer.is_ok_and(|ready| ready > 0),
                }
                continue;
            }
            // Linux before 5.3: nothing tells us, so we look.
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            if waitid(WaitId::Pid(pid), look).is_ok_and(|status| status.is_some()) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            let _ = poll(&mut [], Some(&timeout(left.min(Duration::from_millis(20)))));
        }
    }

    /// Ends the whole group, kindly first, and takes note of how the program ended.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        signal(&self.group, Signal::TERM);
        self.wait(GRACE);
        signal(&self.group, Signal::KILL);
        // Once it is waited for, its number may be another's.
        let mut group = lock(&self.group);
        *group = None;
        self.process.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if lock(&self.group).is_some()
            && let Err(error) = self.reap()
        {
            tracing::warn!("could not wait for `{}` to end: {error}", self.name);
        }
    }
}

fn signal(group: &Mutex<Option<Pid>>, signal: Signal) {
    if let Some(pid) = *lock(group) {
        // There may be nobody left.
        let _ = kill_process_group(pid, signal);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Words {
    fn listen(&self, mut stderr: ChildStderr, name: &str) {
        let mut line = Vec::new();
        let mut bytes = [0; 1024];
        loop {
            let end = match stderr.read(&mut bytes) {
                Ok(0) => true,
                Ok(read) => {
                    for &byte in &bytes[..read] {
                        // ffmpeg ends lines of progress with a carriage return.
                        if matches!(byte, b'\n' | b'\r') {
                            self.line(&std::mem::take(&mut line), name);
                        } else if line.len() < LINE {
                            line.push(byte);
                        }
                    }
                    false
                }
                Err(error) => error.kind() != io::ErrorKind::Interrupted,
            };
            if end {
                self.line(&line, name);
                lock(&self.said).all = true;
                self.changed.notify_all();
                return;
            }
        }
    }

    fn line(&self, line: &[u8], name: &str) {
        let text = address::redacted(String::from_utf8_lossy(line).trim());
        if text.is_empty() {
            return;
        }
        tracing::debug!("{name}: {text}");
        let mut said = lock(&self.said);
        if said.lines.len() == LINES {
            said.lines.pop_front();
        }
        said.lines.push_back(text);
    }

    /// The last lines, once all was heard or the time is over.
    fn last(&self, wait: Duration) -> String {
        let said = lock(&self.said);
        let (said, _) =
            self.changed.wait_timeout_while(said, wait, |said| !said.all).unwrap_or_else(PoisonError::into_inner);
        said.lines.iter().cloned().collect::<Vec<_>>().join(" / ")
    }
}
