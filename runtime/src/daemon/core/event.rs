//! What the core is told, and what it wants done: two closed lists. Knows nothing of threads.

use std::sync::Arc;
use std::time::Duration;

use acclimate_backbone::Thumbnail;
use acclimate_trainer::Feature;
use acclimate_trainer::drift::Reference;
use jiff::Timestamp;

use super::Setup;
use crate::adaptation::Elsewhere;
use crate::config;
use crate::daemon::command::{Command, CommandError, Look, Reply};
use crate::daemon::notice::{Notice, Prediction};
use crate::daemon::signed::Signed;
use crate::daemon::view::LineView;
use crate::record::{AdaptationRecord, InstallRecord, PredictionRecord};
use crate::source::{Frame, Health};
use crate::store::{Added, Evicted, NewTask, SampleId, Watermark};

/// A moment, twice: order and distances come from the first, which no clock can set back; people read the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since the daemon began.
    pub(crate) since: Duration,
    /// By the wall clock.
    pub(crate) time: Timestamp,
}

/// Who waits for an answer; the shell knows where it goes.
pub(crate) type Request = u64;
/// What was asked of another thread, until it says what came of it.
pub(crate) type Ticket = u64;

/// What the core is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// What else does not work as it should, in words: all of it.
    Ails(Vec<String>),
    /// Somebody asks for something.
    Asked { request: Request, who: String, command: Command },
    /// The configuration was read again: policy, budget and what it says of tasks are these from now on; some sources of the
    /// configuration end, then some begin.
    Configured { setup: Box<Setup>, close: Vec<Arc<str>>, open: Vec<config::Source> },
    /// What came over the line of a source, and what was lost.
    Counted { source: Arc<str>, line: LineView },
    /// Another thread has done what it was asked.
    Done { ticket: Ticket, done: Result<Done, Trouble> },
    /// Nothing new is begun from now on.
    End,
    /// How a task stands after something was written.
    Facts(Box<Facts>),
    /// Why it is too hot to fit, if it is.
    Heat(Option<String>),
    /// Somebody at the device of a source says what its newest frame is.
    Labelled { source: Arc<str>, class: String },
    /// Somebody hands a sample in.
    Offered { request: Request, who: String, offer: Box<Offer> },
    /// What runs the backbone of a task, or why nothing does.
    Opened { task: Arc<str>, opened: Result<String, String> },
    /// A region of a frame was looked at.
    Saw(Box<Observation>),
    /// A source fares otherwise.
    Source { source: Arc<str>, health: Health },
    /// A frame came; its size, or why it cannot be read.
    Sensed { source: Arc<str>, taken: Timestamp, size: Result<[u32; 2], String> },
    /// Time went by.
    Tick,
}

/// What a region of a frame looked like.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) task: Arc<str>,
    /// Which of the task's looks.
    pub(crate) look: usize,
    pub(crate) frame: Arc<Frame>,
    pub(crate) phash: u64,
    /// None where neither a head nor a hold wanted one.
    pub(crate) feature: Option<Arc<Feature>>,
    pub(crate) answer: Option<Answer>,
    /// From the frame to here.
    pub(crate) milliseconds: f64,
    /// As it would be stored, while a hold wants it.
    pub(crate) taken: Option<Box<Taken>>,
}

/// What a head said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) prediction: PredictionRecord,
    /// The class, as a number of the head.
    pub(crate) class: usize,
}

/// A sample with its feature, ready to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    pub(crate) payload: Vec<u8>,
    pub(crate) media: &'static str,
    pub(crate) source: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) phash: u64,
    pub(crate) thumbnail: Option<Thumbnail>,
    pub(crate) codes: Vec<u8>,
    pub(crate) saturated: usize,
    pub(crate) norm: f32,
    pub(crate) extractor: String,
}

/// A sample that somebody hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) task: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) source: String,
    pub(crate) group_key: Option<String>,
    pub(crate) label: Option<String>,
}

/// How a task stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub(crate) task: Arc<str>,
    pub(crate) backbone: String,
    pub(crate) backbone_id: [u8; 32],
    /// Its classes and how many samples each has.
    pub(crate) classes: Vec<(String, usize)>,
    pub(crate) unlabelled: usize,
    pub(crate) new_labels: usize,
    pub(crate) head: Option<HeadFacts>,
    /// What was chosen on the page or by a command.
    pub(crate) looks: Vec<Look>,
    pub(crate) payload_bytes: u64,
}

/// The head in service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeadFacts {
    pub(crate) generation: u32,
    /// On samples it was not fitted on, with its 95 % interval.
    pub(crate) accuracy: Option<[f64; 3]>,
    /// Too few labels of this device say how good it is here.
    pub(crate) unproved: bool,
    /// The device whose head it is, where it is another's.
    pub(crate) from: Option<String>,
}

/// Something that did not go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    /// In words.
    pub(crate) words: String,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// What was asked for is wrong, or cannot be done now.
    Conflict,
    /// It failed, and this alone.
    Failed,
    /// What was asked for makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Nothing can be written for now: the disk is full, or broken.
    Store,
}

impl From<Trouble> for CommandError {
    fn from(Trouble { kind, words }: Trouble) -> Self {
        match kind {
            TroubleKind::Conflict => Self::Conflict(words),
            TroubleKind::Failed => Self::Failed(words),
            TroubleKind::Store => Self::Failed(format!("nothing can be stored: {words}")),
            TroubleKind::Invalid => Self::Invalid(words),
            TroubleKind::NotFound => Self::NotFound(words),
        }
    }
}

/// What another thread did.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    /// Nothing more to say.
    Plain,
    /// A sample was embedded.
    Captured(Box<Taken>),
    /// A sample was stored.
    Kept(Added),
    /// A frame was classified.
    Classified(Box<PredictionRecord>),
    /// Digest of the statistics.
    Digested(String),
    /// Room was made.
    Evicted(Evicted),
    /// Labels were changed; what they were.
    Labelled(Vec<(SampleId, Option<String>)>),
    /// The last claim so far.
    Marked(Watermark),
    /// A head of another device was taken in, or refused.
    Installed(Box<InstallRecord>),
    /// A task can be made.
    Openable(Box<NewTask>),
    /// An adaptation was written down, with the digest of what it was fitted on.
    Recorded { adaptation: Box<AdaptationRecord>, digest: String },
    /// What a head was learnt on, where there is enough of it.
    Referred { generation: u32, reference: Option<Box<Reference>> },
    /// What was learnt was taken back.
    Undone { before: String, after: String },
}

/// What the core wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Tells everybody.
    Announce(Notice),
    /// Answers who asked.
    Answer { request: Request, answer: Result<Reply, CommandError> },
    /// Answers who handed a sample in.
    AnswerOffer { request: Request, answer: Result<Added, CommandError> },
    /// Ends a source.
    Close(Arc<str>),
    /// Whatever was acknowledged is on the disk, and nothing is under way.
    Finished,
    /// Has the inference thread do something between frames.
    Infer { ticket: Ticket, task: Arc<str>, look: Look, what: Infer },
    /// Begins a source.
    Open(Box<config::Source>),
    /// Tells who listens to every answer.
    Predicted(Box<Prediction>),
    /// Asks a source for a frame.
    Sense { source: Arc<str> },
    /// Has something done that takes its time and only reads.
    Slow { ticket: Ticket, task: Arc<str>, work: Slow },
    /// Has something written.
    Store { ticket: Ticket, task: Arc<str>, job: Job },
    /// The tasks, and what each looks at.
    Watch(Vec<Watch>),
}

/// A task as the inference thread sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watch {
    pub(crate) task: Arc<str>,
    pub(crate) backbone_id: [u8; 32],
    pub(crate) looks: Vec<Look>,
    /// The source whose frames are wanted as samples: a class is held.
    pub(crate) held: Option<Arc<str>>,
}

/// What the inference thread does between frames.
#[derive(Clone, Debug)]
pub(crate) enum Infer {
    /// Makes a sample of a frame.
    Capture(Arc<Frame>),
    /// Makes a sample of the newest frame.
    CaptureNewest,
    /// Classifies the newest frame.
    Classify,
    /// Classifies what was handed in.
    ClassifyPicture(Vec<u8>),
    /// Makes a sample of what was handed in.
    Embed(Box<Offer>),
}

/// What takes its time and only reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Slow {
    /// Opens a backbone by name, so that a task can be made with it.
    Choose { backbone: Option<String>, classes: Vec<String> },
    /// Digest of the statistics when this claim was the last.
    Digest(Watermark),
    /// Fits, judges, and has the writer write it down. Where what is sensed has changed, with what it is since.
    Fit { budget: Option<Duration>, trust_labels: bool, who: String, elsewhere: Option<Elsewhere> },
    /// Looks whether another device's head may be used, and has the writer write that down.
    Install { signed: Signed, who: String },
    /// What the head in service was learnt on.
    Refer,
}

/// What is written.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Stores a source that was added.
    AddSource(Box<config::Source>),
    /// Puts a head in service.
    Activate { generation: u32, who: String },
    /// Makes a task.
    Create { new: Box<NewTask>, looks: Vec<Look> },
    /// Makes room.
    Evict { keep_bytes: u64 },
    /// Forgets samples.
    Forget { samples: Vec<String>, who: String },
    /// Stores a sample.
    Keep { taken: Box<Taken>, label: Option<String>, group_key: Option<String>, payload: bool, who: String },
    /// Labels samples, or takes their labels back.
    Label { samples: Vec<String>, label: Option<String>, who: String },
    /// Chooses what the task looks at.
    Look { looks: Vec<Look> },
    /// Asks for the last claim.
    Mark,
    /// Looks whether anything can be written again.
    Probe,
    /// Forgets a source that was added, and that anything looks at it.
    RemoveSource(Arc<str>),
    /// Goes back to the head before.
    Rollback { who: String },
    /// Forgets samples, gives others their label of before, puts the head of before in service.
    Undo { forget: Vec<SampleId>, labels: Vec<(SampleId, Option<String>)>, generation: Option<u32>, who: String },
}
