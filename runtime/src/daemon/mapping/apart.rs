//! Looking in a process of its own, `acclimate look`: the second copy of a backbone is the system's again when nobody looks any
//! more, which memory freed within the daemon would not be. The two ends of its pipe.
//!
//! A question is a line of JSON, and as many bytes as it says of a picture; the answer is a line of JSON.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde::{Deserialize, Serialize};

use super::Of;
use super::looker::Looker;
use crate::daemon::command::CommandError;
use crate::embedding::Opener;
use crate::record::ClassMapRecord;
use crate::source::{Content, Frame};

/// How long an answer may take: a small board opens a large model in a fraction of it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes of a picture at most; the daemon takes none that are larger.
const MOST: usize = 1 << 30;

#[derive(Debug, Deserialize, Serialize)]
struct Question {
    task: String,
    class: Option<String>,
    of: Asked,
}

#[derive(Debug, Deserialize, Serialize)]
enum Asked {
    Frame {
        source: String,
        taken: String,
        crop: Option<[f64; 4]>,
        /// Width and height of plain pixels; a file otherwise.
        size: Option<[u32; 2]>,
        /// Bytes that follow the line.
        bytes: usize,
    },
    Sample(String),
}

#[derive(Debug, Deserialize, Serialize)]
enum Answer {
    Map(Box<ClassMapRecord>),
    #[serde(untagged)]
    Refused(CommandError),
}

/// The process, from the daemon.
pub(super) struct Apart {
    child: Child,
    to: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
}

impl Apart {
    /// Starts it: `program … look`, with what the opener would open here.
    pub(super) fn start(program: &Path, opener: &Opener, data_dir: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data_dir).args(["--engine", opener.options.engine.word(), "--threads", "1"]);
        for folder in opener.library.dirs() {
            command.arg("--models").arg(folder);
        }
        let mut child = command.arg("look").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let (line, answers) = mpsc::channel();
        // Ends with the process.
        thread::Builder::new().name("looked".to_owned()).spawn(move || {
            let lines = from.into_iter().flat_map(|from| BufReader::new(from).lines());
            for read in lines.map_while(Result::ok) {
                if line.send(read).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { child, to, answers })
    }

    /// Asks it. After a failure it is of no use any more.
    pub(super) fn ask(
        &mut self,
        task: &str,
        of: &Of,
        class: Option<&str>,
    ) -> Result<Result<ClassMapRecord, CommandError>, String> {
        let picture = match of {
            Of::Frame(frame, _) => match &frame.content {
                Content::File(bytes) => bytes.as_slice(),
                Content::Rgb { pixels, .. } => pixels.as_slice(),
                Content::Window(_) => {
                    let none = "there is no map of readings: a map says where in a picture the head looks".to_owned();
                    return Ok(Err(CommandError::Conflict(none)));
                }
            },
            Of::Sample(_) => &[],
        };
        let asked = match of {
            Of::Frame(frame, crop) => Asked::Frame {
                source: frame.source.to_string(),
                taken: frame.taken.to_string(),
                crop: *crop,
                size: match &frame.content {
                    Content::File(_) | Content::Window(_) => None,
                    Content::Rgb { width, height, .. } => Some([*width, *height]),
                },
                bytes: picture.len(),
            },
            Of::Sample(id) => Asked::Sample(id.clone()),
        };
        let question = Question { task: task.to_owned(), class: class.map(str::to_owned), of: asked };
        let mut send = || -> std::io::Result<()> {
            let to = self.to.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
            to.write_all(format!("{}\n", serde_json::to_string(&question)?).as_bytes())?;
            to.write_all(picture)?;
            to.flush()
        };
        send().map_err(|error| format!("the process that looks has gone ({error})"))?;
        let answer = self
            .answers
            .recv_timeout(PATIENCE)
            .map_err(|_| format!("the process that looks has ended, or said nothing for {} s", PATIENCE.as_secs()))?;
        match serde_json::from_str(&answer).map_err(|error| format!("its answer is none ({error})"))? {
            Answer::Map(record) => Ok(Ok(*record)),
            Answer::Refused(error) => Ok(Err(error)),
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.to = None;
        // It only reads: nothing is lost.
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What the process does: answers each question on standard input, until there is none.
///
/// # Errors
/// When standard input or output fails, or a question is none.
pub fn look(opener: Opener, data_dir: PathBuf) -> std::io::Result<()> {
    // The parent waits for us; without it nobody does.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Where memory runs out after all, the kernel shall take this process and not the one that works.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let mut looker = Looker { opener, data_dir, open: None };
    let mut from = std::io::stdin().lock();
    let mut line = String::new();
    while from.read_line(&mut line)? > 0 {
        let Question { task, class, of } = serde_json::from_str(&line)?;
        line.clear();
        let of = match of {
            Asked::Frame { source, taken, crop, size, bytes } => {
                let mut picture = Vec::new();
                (&mut from).take(bytes.min(MOST) as u64).read_to_end(&mut picture)?;
                let content = match size {
                    Some([width, height]) => Content::Rgb { width, height, pixels: picture },
                    None => Content::File(picture),
                };
                let taken: Timestamp = taken.parse().map_err(std::io::Error::other)?;
                Of::Frame(Arc::new(Frame { source: source.into(), taken, content }), crop)
            }
            Asked::Sample(id) => Of::Sample(id),
        };
        let answer = match looker.map(&task, &of, class.as_deref()) {
            Ok(record) => Answer::Map(Box::new(record)),
            Err(error) => Answer::Refused(error),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}
