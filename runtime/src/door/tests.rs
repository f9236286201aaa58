//! What the tests of the door share: an open door with a scripted daemon behind it, a store, and a client that speaks bytes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod connections;
mod entering;
mod fuzzing;
mod looking;
mod reading;
mod streams;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use acclimate_backbone::{EngineChoice, EngineOptions, Library};
use acclimate_trainer::{Kind, Quantisation};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{broadcast, watch};

use super::*;
use crate::adaptation::{self, Rule};
use crate::daemon::command::{Command, CommandError, Look, Reply};
use crate::daemon::handle::{Asked, Newest};
use crate::daemon::mapping::Mapping;
use crate::daemon::notice::{Notice, State};
use crate::daemon::view::{ClassView, LookView, SourceView, TaskView, View};
use crate::daemon::vitals::Vitals;
use crate::embedding::Opener;
use crate::group::GroupBy;
use crate::head_file::Fixed;
use crate::source::{Content, Frame};
use crate::store::{Access, Model, NewBackbone, NewSample, NewTask, SampleId, Tasks};
use crate::trial::Trials;

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_mins(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A device that has learnt, with a source that runs.
pub(crate) fn view() -> View {
    let state = State {
        class: "open".to_owned(),
        confidence: 0.93,
        unknown: false,
        scores: [("open".to_owned(), 0.93), ("shut".to_owned(), 0.07)].into(),
        generation: 3,
        since: "2026-11-29T11:56:00Z".to_owned(),
    };
    let class = |name: &str, samples| ClassView { name: name.to_owned(), samples };
    View {
        time: "2026-11-29T12:00:00Z".to_owned(),
        device: "press-7".to_owned(),
        version: "0.1.0".to_owned(),
        started: "2026-11-29T10:00:00Z".to_owned(),
        degraded: Vec::new(),
        sources: vec![SourceView {
            name: "yard".to_owned(),
            kind: "camera".to_owned(),
            removable: false,
            on_request: false,
            health: "running".to_owned(),
            reason: None,
            frames: 812,
            size: Some([96, 96]),
            last: Some("2026-11-29T12:00:00Z".to_owned()),
            line: None,
        }],
        tasks: vec![TaskView {
            name: "gate".to_owned(),
            backbone: "builtin-picture-1".to_owned(),
            extractor: Some("ort 1.31.1 (cpu, f32)".to_owned()),
            classes: vec![class("open", 41), class("shut", 37)],
            looks: vec![LookView {
                look: Look { source: "yard".to_owned(), crop: Some([0.25, 0.25, 0.5, 0.5]) },
                now: Some(state.clone()),
                stable: Some(state),
                milliseconds: Some(23.4),
            }],
            generation: Some(3),
            unproved: false,
            from: None,
            accuracy: Some([0.93, 0.86, 0.97]),
            unlabelled: 3,
            new_labels: 3,
            adapting: false,
            teaching: None,
            undo: Some("14 frames of shut".to_owned()),
            drifted: false,
            verdict: Some("activated".to_owned()),
            next: vec!["review 1 suspect label".to_owned()],
        }],
    }
}

/// A picture's file of its own for each number.
fn picture(number: usize) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let [low, high, ..] = number.to_le_bytes();
    image::RgbImage::from_pixel(2, 2, image::Rgb([low, high, 90]))
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

/// A store whose task `gate` has learnt two classes from 40 samples, of which one is labelled wrongly; five have no label.
fn store() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Tasks::open(dir.path(), &Access::Write { command: "acclimate test".into() }).unwrap();
    let backbone = NewBackbone {
        name: "tiny".into(),
        id: [7; 32],
        manifest: "name = \"tiny\"\n".into(),
        model: Model::Builtin,
        dim: 12,
        quantisation: Quantisation { full_scale: 0.8, signed: false },
    };
    let task = NewTask {
        name: "gate".into(),
        backbone,
        group_by: GroupBy::None,
        classes: vec!["open".into(), "shut".into()],
        classes_only: false,
        shipped: None,
    };
    tasks.create_task(&task, at(0)).unwrap();
    for number in 0..45 {
        let payload = picture(number);
        let noise = SampleId::of(&payload).0;
        let codes: Vec<u8> = (0..12).map(|j| noise[j] / 8 + if j % 2 == number % 2 { 70 } else { 20 }).collect();
        let label = match number {
            0..=38 => Some(["open", "shut"][number % 2]),
            39 => Some("open"),
            _ => None,
        };
        let sample = NewSample {
            payload: &payload,
            media: "image/png",
            source: "yard",
            taken: Some(at(1_000_000 + 60 * number as i64)),
            group_key: None,
            phash: None,
            thumbnail: None,
            codes: &codes,
            saturated: 0,
            norm: 2.0,
            extractor: "test",
            label,
            who: "alice",
        };
        tasks.add_sample("gate", &sample, at(1)).unwrap();
    }
    adaptation::adapt(&mut tasks, "gate", &options()).unwrap();
    dir
}

/// How heads are fitted here.
fn options() -> adaptation::Options {
    adaptation::Options {
        kinds: vec![Kind::Ridge],
        trust_labels: false,
        elsewhere: None,
        fixed: Fixed::default(),
        rule: Rule::default(),
        budget: None,
        group_by: None,
        threads: 1,
        who: "alice".into(),
        device: "test".into(),
    }
}

/// Opens what is built in, and nothing else.
fn opener(dir: &Path) -> Opener {
    let options = EngineOptions { engine: EngineChoice::Auto, threads: 1, ort_library: None };
    Opener { library: Library::new(Vec::new()), options, trials: Trials::new(dir.to_owned(), "/proc/self/exe".into()) }
}

/// An open door.
struct Opened {
    address: SocketAddr,
    door: Door,
    stop: Stop,
    /// What the scripted daemon was asked, and by whom.
    commands: Arc<Mutex<Vec<(Command, String)>>>,
    /// What sources were handed.
    handed: Arc<Mutex<Vec<(String, usize)>>>,
    view: watch::Sender<Arc<View>>,
    notices: broadcast::Sender<Arc<Notice>>,
    newest: Newest,
    dir: TempDir,
}

impl Opened {
    fn new(limits: Limits, token: Option<Token>) -> Self {
        Self::on(store(), limits, token)
    }

    fn on(dir: TempDir, limits: Limits, token: Option<Token>) -> Self {
        let (asked, asks) = mpsc::sync_channel::<Asked>(8);
        let (view, seen) = watch::channel(Arc::new(view()));
        let notices = broadcast::Sender::new(64);
        let (commands, handed) = <(Arc<Mutex<Vec<_>>>, Arc<Mutex<Vec<_>>>)>::default();
        let newest = Newest::default();
        newest.keep(Arc::new(Frame { source: "yard".into(), taken: at(5), content: Content::File(picture(1)) }));
        std::thread::spawn({
            let commands = Arc::clone(&commands);
            move || {
                for Asked { command, who, answer } in asks {
                    let answered = answers(&command);
                    commands.lock().unwrap().push((command, who));
                    let _ = answer.send(answered);
                }
            }
        });
        let posted = {
            let handed = Arc::clone(&handed);
            move |source: &str, content: Content| match (source, content) {
                ("door", Content::File(file)) => {
                    handed.lock().unwrap().push((source.to_owned(), file.len()));
                    Ok(())
                }
                _ => Err(CommandError::NotFound(format!("there is no source `{source}` of kind http"))),
            }
        };
        let handle = Handle {
            asked,
            view: seen,
            notices: notices.clone(),
            newest: newest.clone(),
            posted: Arc::new(posted),
            pulse: Arc::new(Vitals::default),
            mapping: Mapping::new(opener(dir.path()), dir.path().to_owned(), None),
            data_dir: dir.path().to_owned(),
        };
        let names = vec!["proxy.example.com".parse().unwrap()];
        let (listen, stop) = (SocketAddr::from(([127, 0, 0, 1], 0)), Stop::new());
        let door = serve(handle, Options { listen, token, names, limits }, stop.clone()).unwrap();
        let address = door.address();
        Self { address, door, stop, commands, handed, view, notices, newest, dir }
    }

    /// Asks one thing on a connection of its own. `head` is the first line without `HTTP/1.1`, and more header lines.
    fn ask(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        send(&mut stream, head, self.address, body);
        Answer::read(&mut stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), b"")
    }

    fn command(&self, more: &str, body: &str) -> Answer {
        self.ask(&format!("POST /api/v1/command\r\nContent-Type: application/json{more}"), body.as_bytes())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn asked(&self) -> Vec<(Command, String)> {
        self.commands.lock().unwrap().clone()
    }

    fn close(self) {
        self.stop.set();
        self.door.join();
    }
}

/// What the scripted daemon answers.
fn answers(command: &Command) -> Result<Reply, CommandError> {
    match command {
        Command::Rollback { task } if task == "gate" => {
            Ok(Reply::Done { done: "generation 2 is in service".to_owned() })
        }
        Command::Rollback { task } => Err(CommandError::NotFound(format!("there is no task `{task}`"))),
        Command::Undo { .. } => Err(CommandError::Conflict("there is nothing to undo".to_owned())),
        Command::Adapt { task, .. } if task == "broken" => Err(CommandError::Failed("the disk is full".to_owned())),
        Command::Classify { task, .. } if task == "broken" => {
            Err(CommandError::Unavailable("the daemon is ending".to_owned()))
        }
        _ => Err(CommandError::Invalid("the script knows no such thing".to_owned())),
    }
}

/// Sends a request. With a `Host` of its own in `head`, none is added.
fn send(stream: &mut TcpStream, head: &str, address: SocketAddr, body: &[u8]) {
    let (line, more) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !more.contains("Host:") {
        write!(text, "Host: {address}\r\n").unwrap();
    }
    if !more.is_empty() {
        write!(text, "{more}\r\n").unwrap();
    }
    if !body.is_empty() && !more.contains("Content-Length:") {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    stream.write_all(format!("{text}Connection: close\r\n\r\n").as_bytes()).unwrap();
    // The other side may have heard enough.
    let _ = stream.write_all(body);
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut all = Vec::new();
        let read = stream.read_to_end(&mut all);
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {read:?} {:?}", String::from_utf8_lossy(&all)));
        let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
        Self { status: head[9..12].parse().unwrap(), head, body: all[end + 4..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it is a refusal of this kind, in the shape that every refusal has; its message.
    #[track_caller]
    fn refused(&self, status: u16, code: &str) -> String {
        let json = self.json();
        assert_eq!((self.status, json["error"]["code"].as_str()), (status, Some(code)), "{json}");
        json["error"]["message"].as_str().unwrap().to_owned()
    }
}
