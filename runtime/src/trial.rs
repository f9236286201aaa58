//! The trial of unknown models: before a model's graph is loaded here for the first time, a child process loads it and
//! runs it once, so that an engine which crashes, hangs or eats the memory takes the child with it and nothing else.
//!
//! Knows nothing about tasks. What has passed is written down, one line for (backbone id, engine, engine's version), in
//! `known-models` in the data directory; it is loaded without a child from then on. Invariant: no model but the built-in
//! one is opened by this process before it is known.

use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use acclimate_backbone::{Backbone, BackboneId, EngineChoice, EngineError, EngineOptions, Manifest, serving_engine};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde::{Deserialize, Serialize};

use crate::causes;
use crate::place::absolute;

/// The file of what has passed.
const KNOWN: &str = "known-models";

/// Memory that the child may write to: the engine itself, and copies of the weights while it makes its plan.
const MEMORY: u64 = 1 << 30;
const MEMORY_PER_BYTE: u64 = 8;

/// How long the child may take: a small board needs a minute for what a desk needs a second.
const PATIENCE: Duration = Duration::from_mins(2);
const PATIENCE_PER_MIB: Duration = Duration::from_secs(2);

/// What is kept of a crashed child's last words.
const WORDS: u64 = 1 << 16;

/// Why a model was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The child was ended by a signal, or ended without an answer.
    #[error(
        "model `{name}` was tried in a process of its own, and {engine} {version} crashed on it ({how}{words}): use another engine \
         (--engine), another version of it, or another file"
    )]
    Crashed {
        /// The model.
        name: String,
        /// The engine.
        engine: &'static str,
        /// Its version.
        version: String,
        /// Signal or exit code.
        how: String,
        /// The last line it wrote, if any.
        words: String,
    },
    /// No engine is there to try it.
    #[error("no engine can try the model")]
    Engine(#[from] EngineError),
    /// The child took too long.
    #[error(
        "model `{name}` was tried in a process of its own, and {engine} {version} did not finish with it in {} s: \
         use another engine (--engine) or a smaller model",
        patience.as_secs()
    )]
    Late {
        /// The model.
        name: String,
        /// The engine.
        engine: &'static str,
        /// Its version.
        version: String,
        /// How long it was given.
        patience: Duration,
    },
    /// The child looked at it and said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// There was no child.
    #[error("could not start a process to try model `{name}` in")]
    Start {
        /// The model.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// One question to the child: a line of JSON on its standard input.
#[derive(Debug, Deserialize, Serialize)]
struct Question {
    manifest: String,
    file: PathBuf,
    engine: String,
    threads: usize,
    ort_library: Option<PathBuf>,
}

/// The child's answer: a line of JSON on its standard output.
#[derive(Debug, Deserialize, Serialize)]
struct Answer {
    /// Why not; none when it runs.
    refused: Option<String>,
}

/// The models that passed on this machine.
#[derive(Clone, Debug)]
pub struct Trials {
    data_dir: PathBuf,
    program: PathBuf,
}

impl Trials {
    /// Those of a data directory; `program trial` is the child.
    pub fn new(data_dir: PathBuf, program: PathBuf) -> Self {
        Self { data_dir, program }
    }

    /// Makes sure that the model was loaded and run by the engine that will serve, in a child process if never before.
    ///
    /// # Errors
    /// The model is refused, or the child crashes, hangs or cannot be had.
    pub fn ensure_known(&self, manifest: &Manifest, file: &Path, options: &EngineOptions) -> Result<(), TrialError> {
        let (engine, version) = serving_engine(options)?;
        let line = format!("{} {engine} {version}", BackboneId::of(manifest));
        if self.known().lines().any(|known| known == line) {
            return Ok(());
        }
        tracing::info!("trying {} in a process of its own: {engine} {version} never loaded it here", manifest.name);
        // An emulator runs this process where the system underneath cannot run our program without it.
        let untried = || {
            tracing::warn!("{} is loaded untried: this system starts no process of our kind", manifest.name);
            Ok(())
        };
        let child = match self.start() {
            Ok(child) => child,
            Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => return untried(),
            Err(source) => return Err(TrialError::Start { name: manifest.name.clone(), source }),
        };
        let question = Question {
            manifest: manifest.text.clone(),
            file: absolute(file),
            engine: options.engine.word().to_owned(),
            threads: options.threads,
            ort_library: options.ort_library.clone(),
        };
        let patience = PATIENCE + PATIENCE_PER_MIB * u32::try_from(manifest.file.bytes >> 20).unwrap_or(u32::MAX);
        let name = || manifest.name.clone();
        match ask(child, &question, patience).map_err(|source| TrialError::Start { name: name(), source })? {
            Ended::Answered(Answer { refused: None }) => {
                // Not written down means tried again next time: slower, and no reason to stop.
                if let Err(error) = self.learn(&line) {
                    tracing::warn!("could not note that {} runs: {error}", manifest.name);
                }
                Ok(())
            }
            Ended::Answered(Answer { refused: Some(why) }) => Err(TrialError::Refused(why)),
            Ended::Crashed { how, words } => Err(TrialError::Crashed { name: name(), engine, version, how, words }),
            Ended::NotBegun => untried(),
            Ended::Late => Err(TrialError::Late { name: name(), engine, version, patience }),
        }
    }

    fn known(&self) -> String {
        std::fs::read_to_string(self.data_dir.join(KNOWN)).unwrap_or_default()
    }

    /// Appends one line in one write, so that two processes do not tear each other's.
    fn learn(&self, line: &str) -> std::io::Result<()> {
        crate::durable::make_folder(&self.data_dir)?;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.data_dir.join(KNOWN))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    }

    fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg("trial")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

enum Ended {
    Answered(Answer),
    Crashed {
        how: String,
        words: String,
    },
    Late,
    /// The process was made, but never became our program.
    NotBegun,
}

/// What the C library's `posix_spawn` ends a child with that could not become the program, where it cannot tell the
/// parent: under qemu-user.
const NOT_BEGUN: i32 = 127;

/// Asks a child one question and sees it end.
fn ask(mut child: Child, question: &Question, patience: Duration) -> std::io::Result<Ended> {
    let mut line = serde_json::to_string(question)?;
    line.push('\n');
    if let Some(mut stdin) = child.stdin.take() {
        // A child that died before it read says why by its exit.
        let _ = stdin.write_all(line.as_bytes());
    }
    let (sender, ended) = mpsc::channel();
    let (mut stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let words = scope.spawn(move || last_words(stderr));
        scope.spawn(move || {
            let mut answer = String::new();
            let _ = stdout.as_mut().map(|stdout| stdout.take(WORDS).read_to_string(&mut answer));
            let _ = sender.send(answer);
        });
        let answer = ended.recv_timeout(patience);
        if answer.is_err() {
            child.kill()?;
        }
        let status = child.wait()?;
        let words = words.join().unwrap_or_default();
        let Ok(answer) = answer else { return Ok(Ended::Late) };
        Ok(match serde_json::from_str(&answer) {
            Ok(answer) if status.success() => Ended::Answered(answer),
            _ if status.code() == Some(NOT_BEGUN) && words.is_empty() => Ended::NotBegun,
            _ => Ended::Crashed { how: how(status), words },
        })
    })
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}

/// The last line of what a child wrote to its standard error, with a comma before it.
fn last_words(stderr: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stderr) = stderr {
        let _ = stderr.by_ref().take(WORDS).read_to_end(&mut bytes);
        // What is more must not block the child.
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map(|line| format!(", {}", line.chars().take(200).collect::<String>())).unwrap_or_default()
}

/// What the child does: answers each question on standard input, until there is none. Limits itself first.
///
/// # Errors
/// When standard input or output fails, or a question is none.
pub fn answer() -> std::io::Result<()> {
    // The parent waits for us; without it nobody does.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Where memory runs out after all, the kernel shall take this process and not the one that works.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    for line in std::io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        let answer = Answer { refused: try_out(&question).err() };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}

fn try_out(question: &Question) -> Result<(), String> {
    let manifest = Manifest::parse(&question.manifest).map_err(|error| causes(&error))?;
    let memory = MEMORY.saturating_add(manifest.file.bytes.saturating_mul(MEMORY_PER_BYTE));
    let _ = setrlimit(Resource::Data, Rlimit { current: Some(memory), maximum: None });
    let options = EngineOptions {
        engine: question.engine.parse::<EngineChoice>().map_err(|error| causes(&error))?,
        threads: question.threads,
        ort_library: question.ort_library.clone(),
    };
    let mut backbone = Backbone::open(&manifest, &question.file, &options).map_err(|error| causes(&error))?;
    backbone.try_out().map_err(|error| causes(&error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    fn question() -> Question {
        Question { manifest: String::new(), file: "x".into(), engine: "tract".into(), threads: 1, ort_library: None }
    }

    fn child(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    #[test]
    fn a_child_that_answers_crashes_or_hangs_is_told_apart() {
        let minute = Duration::from_mins(1);
        let yes = ask(child("read q; echo '{\"refused\":null}'"), &question(), minute).unwrap();
        assert!(matches!(yes, Ended::Answered(Answer { refused: None })));
        let Ended::Crashed { how, words } =
            ask(child("echo out of luck >&2; kill -SEGV $$"), &question(), minute).unwrap()
        else {
            panic!("it crashed")
        };
        assert_eq!((how.as_str(), words.as_str()), ("signal 11", ", out of luck"));
        let not_begun = ask(child("exit 127"), &question(), minute).unwrap();
        assert!(matches!(not_begun, Ended::NotBegun));
        let silent = ask(child("exit 0"), &question(), minute).unwrap();
        assert!(matches!(silent, Ended::Crashed { .. }), "no answer is not a yes");
        let late = ask(child("exec sleep 600"), &question(), Duration::from_millis(50)).unwrap();
        assert!(matches!(late, Ended::Late));
    }

    #[test]
    fn a_known_model_needs_no_child_and_an_unknown_one_gets_none_for_free() {
        let folder = tempfile::tempdir().unwrap();
        let impossible = Trials::new(folder.path().join("data"), "/nowhere/acclimate".into());
        let manifest = Manifest::parse(acclimate_backbone::builtin::MANIFEST).unwrap();
        let options = EngineOptions { engine: EngineChoice::Tract, threads: 1, ort_library: None };
        let tried = |options: &EngineOptions| impossible.ensure_known(&manifest, Path::new("file.onnx"), options);
        let Ok((engine, version)) = serving_engine(&options) else { return };
        assert!(matches!(tried(&options), Err(TrialError::Start { .. })));
        // One that passed with another version is not known.
        impossible.learn(&format!("{} {engine} {version}.1", BackboneId::of(&manifest))).unwrap();
        assert!(matches!(tried(&options), Err(TrialError::Start { .. })));
        impossible.learn(&format!("{} {engine} {version}", BackboneId::of(&manifest))).unwrap();
        tried(&options).unwrap();
    }

    #[test]
    fn a_program_of_another_machine_is_no_reason_to_refuse() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("acclimate");
        std::fs::write(&program, b"\x7fELF\x02\x01\x01, of a machine that nobody built").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let manifest = Manifest::parse(acclimate_backbone::builtin::MANIFEST).unwrap();
        let options = EngineOptions { engine: EngineChoice::Tract, threads: 1, ort_library: None };
        if serving_engine(&options).is_ok() {
            let trials = Trials::new(folder.path().join("data"), program);
            trials.ensure_known(&manifest, Path::new("file.onnx"), &options).unwrap();
            assert!(!folder.path().join("data").exists(), "untried is not known");
        }
    }

    #[test]
    fn an_answer_before_a_crash_does_not_count() {
        let crashed = ask(child("echo '{\"refused\":null}'; kill -ABRT $$"), &question(), Duration::from_mins(1));
        assert!(matches!(crashed.unwrap(), Ended::Crashed { .. }));
    }
}
