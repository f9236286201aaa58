//! The fit thread: what takes its time and only reads, one thing after the other, at low priority. Writes nothing: a fit goes
//! to the writer to be written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use acclimate_backbone::{Manifest, builtin};

use super::core::{Done, Event, Slow, Ticket, Trouble, TroubleKind};
use super::inbox::Inbox;
use super::stage::Stage;
use super::writer::{Work, adapt_trouble, install_trouble};
use crate::adaptation::{self, Options};
use crate::embedding::Opener;
use crate::group::GroupBy;
use crate::store::{Access, Model, NewBackbone, NewTask, Tasks, Watermark};
use crate::sync::{self, Keyring, Weighed};
use crate::{causes, clock, drift};

/// Added to the thread's niceness: what answers goes first.
const NICENESS: i32 = 10;

/// Threads that a fit may use: one fewer than there are, where there are several. Frames are answered meanwhile, and a thread of
/// lower priority still has its turn to the end.
pub(super) fn threads(all: usize) -> usize {
    all.saturating_sub(1).max(1)
}

/// What the thread is given.
pub(super) type Given = (Ticket, Arc<str>, Slow);

/// The thread's state.
pub(super) struct Fit {
    pub(super) given: Receiver<Given>,
    pub(super) inbox: Inbox,
    pub(super) writer: Sender<Work>,
    pub(super) data_dir: PathBuf,
    pub(super) opener: Opener,
    pub(super) options: Options,
    /// The backbone of new tasks, if the configuration names one.
    pub(super) backbone: Option<String>,
    pub(super) stage: Stage,
}

impl Fit {
    /// Until nobody gives work any more.
    pub(super) fn run(self) {
        make_way();
        while let Ok((ticket, task, work)) = self.given.recv() {
            self.stage.works();
            let done = match work {
                Slow::Choose { backbone, classes } => {
                    let name = backbone.as_deref().or(self.backbone.as_deref()).unwrap_or(builtin::NAME);
                    // Whose choice it was, whose mistake it is.
                    let kind = if backbone.is_some() { TroubleKind::Invalid } else { TroubleKind::Failed };
                    new_task(&self.opener, &task, name, &classes)
                        .map(|new| Done::Openable(Box::new(new)))
                        .map_err(|words| Trouble { kind, words })
                }
                Slow::Digest(at) => self.digest(&task, at),
                Slow::Fit { budget, trust_labels, who, elsewhere } => {
                    let options = Options { trust_labels, elsewhere, budget, who, ..self.options.clone() };
                    match self.fit(&task, &options) {
                        Ok(fitted) => {
                            let _nobody_writes_any_more = self.writer.send(Work::Record { ticket, task, fitted });
                            self.stage.rests();
                            continue;
                        }
                        Err(trouble) => Err(trouble),
                    }
                }
                Slow::Install { signed, who } => {
                    let options = Options { who, ..self.options.clone() };
                    match self.weigh(&task, signed.bytes(), &options) {
                        Ok(weighed) => {
                            let _nobody_writes_any_more = self.writer.send(Work::Install { ticket, task, weighed });
                            self.stage.rests();
                            continue;
                        }
                        Err(trouble) => Err(trouble),
                    }
                }
                Slow::Refer => self.refer(&task),
            };
            self.inbox.tell(Event::Done { ticket, done });
            self.stage.rests();
        }
    }

    fn tasks(&self) -> Result<Tasks, Trouble> {
        Tasks::open(&self.data_dir, &Access::Read).map_err(|error| failed(causes(&error)))
    }

    fn fit(&self, task: &str, options: &Options) -> Result<Box<adaptation::Fitted>, Trouble> {
        adaptation::fit_on(&self.tasks()?, task, None, options).map(Box::new).map_err(|error| adapt_trouble(&error))
    }

    fn weigh(&self, task: &str, signed: &[u8], options: &Options) -> Result<Box<Weighed>, Trouble> {
        let trusted = Keyring::of(&self.data_dir).trusted().map_err(|error| failed(causes(&error)))?;
        let weighed = sync::weigh(&self.tasks()?, task, signed, &trusted, clock::believed(), options);
        weighed.map(Box::new).map_err(|error| install_trouble(&error))
    }

    fn digest(&self, task: &str, at: Watermark) -> Result<Done, Trouble> {
        let tasks = self.tasks()?;
        let digest = tasks.task(task).and_then(|on| tasks.snapshot_at(task, &on.backbone_id, at));
        digest.map(|snapshot| Done::Digested(snapshot.digest().to_string())).map_err(|error| failed(causes(&error)))
    }

    fn refer(&self, task: &str) -> Result<Done, Trouble> {
        let tasks = self.tasks()?;
        let head = tasks.in_service(task).map_err(|error| failed(causes(&error)))?;
        let head = head.ok_or_else(|| failed(format!("task `{task}` has no head in service")))?;
        // With too little to compare with, drift is not looked for.
        let reference = drift::reference(&tasks, task, &head).ok().map(Box::new);
        Ok(Done::Referred { generation: head.generation.0, reference })
    }
}

/// A task that works: its backbone was opened.
pub(super) fn new_task(opener: &Opener, task: &str, backbone: &str, classes: &[String]) -> Result<NewTask, String> {
    let (manifest, model) = if backbone == builtin::NAME {
        (Manifest::parse(builtin::MANIFEST).map_err(|error| causes(&error))?, Model::Builtin)
    } else {
        let entry = opener.library.find(backbone).map_err(|error| causes(&error))?;
        let file = entry.file.ok_or_else(|| format!("the model file of backbone `{backbone}` is not here"))?;
        (entry.manifest, Model::File(crate::place::absolute(&file)))
    };
    let opened = opener.open(&manifest, &model).map_err(|error| causes(&error))?;
    let backbone = NewBackbone {
        name: manifest.name.clone(),
        id: opened.id().0,
        manifest: manifest.text.clone(),
        model,
        dim: opened.dim(),
        quantisation: opened.quantisation(),
    };
    let (name, group_by) = (task.to_owned(), GroupBy::default());
    Ok(NewTask { name, backbone, group_by, classes: classes.to_vec(), classes_only: false, shipped: None })
}

fn failed(words: String) -> Trouble {
    Trouble { kind: TroubleKind::Failed, words }
}

/// Lowers the priority of this thread and of those that it will start. Where that is not allowed, they take their share.
pub(super) fn make_way() {
    let thread = rustix::thread::gettid();
    let lowered = rustix::process::getpriority_process(Some(thread))
        .and_then(|nice| rustix::process::setpriority_process(Some(thread), nice + NICENESS));
    if let Err(error) = lowered {
        tracing::debug!("a thread runs at ordinary priority: {error}");
    }
}
