//! What the store holds, as its callers see it. Knows nothing about SQL. Plain records: the checks are made where they
//! are written, in the neighbouring modules.

use std::fmt;
use std::path::PathBuf;

use acclimate_backbone::Thumbnail;
use acclimate_trainer::Quantisation;
use jiff::Timestamp;

use super::StoreError;
use super::id::{Digest, Generation, SampleId, Watermark};
use super::marks::Marks;
use crate::group::GroupBy;
use crate::head_file::HeadFile;
use crate::name::is_name;

/// Who holds the store, as text in the lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id; 0 if the holder has not written it yet.
    pub pid: u32,
    /// Its command, e.g. `acclimate add`.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            0 => write!(f, "another process"),
            pid => write!(f, "`{}` (pid {pid})", self.command),
        }
    }
}

/// How a process opens the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads beside a writer, takes no lock, changes nothing; fails where there is no store.
    Read,
    /// The one writer; makes the store where there is none.
    Write {
        /// What a second writer is told, e.g. `acclimate add`.
        command: String,
    },
}

/// Where a task's model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// The one inside the program.
    Builtin,
    /// A file.
    File(PathBuf),
}

/// A backbone as a task keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewBackbone {
    /// Its name.
    pub name: String,
    /// SHA-256 that names exactly what computes its features.
    pub id: [u8; 32],
    /// Its manifest, TOML.
    pub manifest: String,
    /// Where its graph is.
    pub model: Model,
    /// Components of a feature.
    pub dim: usize,
    /// What a stored code means.
    pub quantisation: Quantisation,
}

/// A task that does not exist yet.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// `[a-z0-9-]{1,64}`, none of the reserved words of the MQTT topics.
    pub name: String,
    /// What computes its features.
    pub backbone: NewBackbone,
    /// What is one group.
    pub group_by: GroupBy,
    /// Classes known from the start; others are learnt from labels.
    pub classes: Vec<String>,
    /// No others are learnt, and heads keep them all.
    pub classes_only: bool,
    /// The model's own classifier: generation 0, in service at once.
    pub shipped: Option<HeadFile>,
}

/// A task, seen with one of its backbones: the one in use, where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Name of the backbone.
    pub backbone: String,
    /// SHA-256 that names exactly what computes its features.
    pub backbone_id: [u8; 32],
    /// The backbone's manifest, TOML.
    pub manifest: String,
    /// Where its graph is.
    pub model: Model,
    /// Components of a feature.
    pub dim: usize,
    /// What a stored code means.
    pub quantisation: Quantisation,
    /// What is one group.
    pub group_by: GroupBy,
    /// When it was made.
    pub created: Timestamp,
    /// Its classes, in the order in which they were first named.
    pub classes: Vec<String>,
    /// No others are made by labels, and heads keep them all.
    pub classes_only: bool,
    /// It adapts by itself.
    pub adapts: bool,
    /// The confidence below which every answer is `unknown`, whatever the head's own thresholds; 0 for none.
    pub threshold: f64,
    /// Samples stored.
    pub samples: usize,
    /// Samples with a label.
    pub labelled: usize,
    /// The head in service.
    pub in_service: Option<Generation>,
    /// The backbone's row.
    pub(super) backbone_row: i64,
}

/// A feature on its way in, computed from a payload that is stored already.
#[derive(Clone, Debug)]
pub struct NewFeature {
    /// Of which sample.
    pub sample: SampleId,
    /// The feature's codes, `[dim]`.
    pub codes: Vec<u8>,
    /// How many of them are clipped.
    pub saturated: usize,
    /// Its norm before normalisation.
    pub norm: f32,
}

/// A feature as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFeature {
    /// Of which sample.
    pub sample: SampleId,
    /// Its codes, `[dim]`.
    pub codes: Vec<u8>,
    /// Its norm before normalisation, where it was kept.
    pub norm: Option<f32>,
}

/// A sample on its way in.
#[derive(Clone, Debug)]
pub struct NewSample<'a> {
    /// The content as it came, e.g. the bytes of a JPEG file.
    pub payload: &'a [u8],
    /// Its media type, e.g. `image/jpeg`.
    pub media: &'a str,
    /// Where it came from: a path, or a source's name.
    pub source: &'a str,
    /// When it was sensed, if that is known; files have no time that could be trusted.
    pub taken: Option<Timestamp>,
    /// Folder or column for `--group-by`.
    pub group_key: Option<&'a str>,
    /// Perceptual hash, of pictures.
    pub phash: Option<u64>,
    /// Small copy, of pictures.
    pub thumbnail: Option<&'a Thumbnail>,
    /// The feature's codes, `[dim]`.
    pub codes: &'a [u8],
    /// How many of them are clipped.
    pub saturated: usize,
    /// The feature's norm before normalisation.
    pub norm: f32,
    /// What computed them: engine, its version, provider, precision.
    pub extractor: &'a str,
    /// The label, if somebody said one.
    pub label: Option<&'a str>,
    /// Who said so.
    pub who: &'a str,
}

/// What became of a sample handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was not there before.
    New(SampleId),
    /// It was there, and nothing new was said about it.
    Known(SampleId),
    /// It was there with another label, or none.
    Relabelled {
        /// The sample.
        id: SampleId,
        /// Its label before.
        from: Option<String>,
    },
}

impl Added {
    /// The sample's id.
    pub fn id(&self) -> SampleId {
        match self {
            Self::New(id) | Self::Known(id) | Self::Relabelled { id, .. } => *id,
        }
    }
}

/// Which samples to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Every one.
    #[default]
    All,
    /// Those with a label.
    Labelled,
    /// Those labelled so.
    Of(String),
    /// Those without a label.
    Unlabelled,
}

/// A stored sample without its payload and feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its id.
    pub id: SampleId,
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its media type.
    pub media: String,
    /// Where it came from.
    pub source: String,
    /// When it was sensed, if known.
    pub taken: Option<Timestamp>,
    /// Folder or column for `--group-by`.
    pub group_key: Option<String>,
    /// Perceptual hash, of pictures.
    pub phash: Option<u64>,
    /// How many codes of its feature are clipped.
    pub saturated: usize,
    /// What computed its feature.
    pub extractor: String,
    /// When it was stored.
    pub added: Timestamp,
    /// Size of the payload.
    pub bytes: usize,
    /// Its label.
    pub label: Option<String>,
}

/// One claim about a sample, or its withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its place in the order of all claims.
    pub seq: i64,
    /// The class; none withdraws the claims before it.
    pub class: Option<String>,
    /// Who said so.
    pub who: String,
    /// When.
    pub when: Timestamp,
}

/// How a head came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An adaptation here.
    Adapted,
    /// One of those, adjusted to another site without labels.
    Adjusted,
    /// A file from elsewhere.
    Imported,
    /// One of another device, which it has signed.
    Installed,
    /// The one in service, fitted again without what was forgotten.
    Refitted,
    /// The classifier that came in the model's file.
    Shipped,
}

/// A stored head.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredHead {
    /// Its number in the task.
    pub generation: Generation,
    /// How it came to be.
    pub origin: Origin,
    /// When it was recorded.
    pub created: Timestamp,
    /// The last label that it can have seen: it was fitted on every sample that had a label then. None for an imported
    /// or shipped head, which was fitted on no sample of this store.
    pub watermark: Option<Watermark>,
    /// A pinned head and its leave-out scores are kept.
    pub pinned: bool,
    /// SHA-256 of its file.
    pub digest: Digest,
    /// Whose it is, where another device has signed it.
    pub installed: Option<Installed>,
    /// The head itself with its provenance and evaluation.
    pub file: HeadFile,
}

impl StoredHead {
    /// Whether no labels of this device have proved it: what another device found out about a head counts there.
    pub fn unproved(&self) -> bool {
        match (&self.installed, self.origin) {
            (Some(installed), _) => installed.unproved,
            (None, Origin::Imported | Origin::Installed) => true,
            (None, Origin::Adapted | Origin::Adjusted | Origin::Refitted | Origin::Shipped) => {
                self.file.provenance.unproved
            }
        }
    }
}

/// Whose head it is, where another device has signed it, and how it fares here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// SHA-256 of the key that signed it.
    pub signer: [u8; 32],
    /// What the key was called here then.
    pub name: String,
    /// Where it was in service.
    pub device: String,
    /// The signer's number: of two, the larger is the newer.
    pub sequence: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// Marks of what it was fitted on, where that was said.
    pub samples: Option<Marks>,
    /// No labels of this device have proved it yet.
    pub unproved: bool,
}

/// A signed head on its way in.
#[derive(Clone, Debug)]
pub struct NewInstall<'a> {
    /// The head.
    pub file: &'a HeadFile,
    /// Whose it is.
    pub of: &'a Installed,
    /// The verdict's token.
    pub outcome: &'a str,
    /// The whole verdict, JSON.
    pub record: &'a str,
    /// Whether it goes in service; one that does not is kept as well, so that a person may overrule the verdict.
    pub activate: bool,
    /// Who brought it.
    pub who: &'a str,
}

/// The newest that a signer has said of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub sequence: u64,
    /// SHA-256 of the head file under that number.
    pub head: Digest,
    /// Whether it came as far as the local judgement.
    pub judged: bool,
}

/// The head that is in service again after another was taken back; none where there was none before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeBack(pub Option<Generation>);

/// A head on its way in.
#[derive(Clone, Debug)]
pub struct NewHead<'a> {
    /// The head with its provenance.
    pub file: &'a HeadFile,
    /// Its out-of-sample probabilities `[samples, classes]`, rows as in the snapshot, columns as in the file's classes.
    pub leave_out: ndarray::ArrayView2<'a, f64>,
}

/// One run of the trainer with its verdict.
#[derive(Clone, Debug)]
pub struct NewAdaptation<'a> {
    /// The verdict's token, e.g. `activated`.
    pub outcome: &'a str,
    /// The whole verdict, JSON.
    pub record: &'a str,
    /// The candidate, if there was one; a rejected one is kept as well, so that a person may overrule the verdict.
    pub head: Option<NewHead<'a>>,
    /// Whether it goes in service.
    pub activate: bool,
    /// What is back in service first, where labels speak against the adjusted or installed head that is there.
    pub take_back: Option<TakeBack>,
    /// The installed head that labels of this device have proved.
    pub proved: Option<Generation>,
    /// Who asked for it.
    pub who: &'a str,
}

/// A past run of the trainer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adaptation {
    /// Its place in the order of runs.
    pub seq: i64,
    /// The verdict's token.
    pub outcome: String,
    /// The whole verdict, JSON.
    pub record: String,
    /// Its head, if it made one.
    pub generation: Option<Generation>,
    /// Who asked for it.
    pub who: String,
    /// When.
    pub when: Timestamp,
}

/// Why the head in service changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A person chose it.
    Activated,
    /// An adaptation proved it.
    Adapted,
    /// The one before, adjusted to another site.
    Adjusted,
    /// The one before was fitted on something since forgotten.
    Forgot,
    /// Another device signed it, and nothing here spoke against it.
    Installed,
    /// Back to an earlier one.
    RolledBack,
    /// It came in the model's file, and there was none.
    Shipped,
    /// Labels spoke against the one before, adjusted or of another device, so what was there before that is back.
    TakenBack,
}

/// One move of the pointer to the head in service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its place in the order of moves.
    pub seq: i64,
    /// The head from then on; none if there was nothing left to fit one on.
    pub generation: Option<Generation>,
    /// Why.
    pub change: Change,
    /// Whether a person overruled a verdict.
    pub forced: bool,
    /// Who.
    pub who: String,
    /// When.
    pub when: Timestamp,
}

/// A kept out-of-sample score.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveOut {
    /// The sample.
    pub sample: SampleId,
    /// Probabilities, in the order of the head's classes.
    pub probabilities: Vec<f32>,
}

/// What to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// A class: its name, every sample labelled so, and every earlier claim of it.
    Class(String),
    /// These samples.
    Samples(Vec<SampleId>),
}

/// What a `forget` would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgetPlan {
    /// Samples that go.
    pub samples: Vec<SampleId>,
    /// Generations that go, because they were fitted on what goes.
    pub generations: Vec<Generation>,
    /// Whether the head in service is one of them, so that one is fitted anew.
    pub refit: bool,
}

/// What a `forget` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Samples removed.
    pub removed: Vec<SampleId>,
    /// Digest of the task's statistics before.
    pub before: Digest,
    /// And after: that of a store that never had the samples.
    pub after: Digest,
    /// Generations deleted.
    pub generations: Vec<Generation>,
    /// The head in service from now on, where it had to be fitted anew.
    pub refitted: Option<Generation>,
    /// What was done to the files, so that the bytes are gone from them as well.
    pub scrub: Scrub,
}

/// What was done to the files after something was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrub {
    /// Bytes by which the write-ahead log shrank.
    pub wal_bytes: u64,
    /// Bytes by which the database shrank.
    pub database_bytes: u64,
    /// Backups of earlier formats that were deleted.
    pub backups: Vec<PathBuf>,
    /// True when a reader held an old state; the next process that writes finishes the work when it opens the store.
    pub pending: bool,
}

/// A region of a source that a task looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The source.
    pub source: String,
    /// `[x, y, width, height]` in fractions of the frame; all of it where absent.
    pub crop: Option<[f64; 4]>,
}

/// A source that was added on the page or by a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedSource {
    /// Its name.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: String,
    /// Of a camera, which one.
    pub device: Option<String>,
}

/// What went to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Samples without a label.
    pub samples: usize,
    /// Payloads of labelled samples, whose features stay.
    pub payloads: usize,
    /// Bytes of payloads.
    pub bytes: u64,
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A time as it was stored; what no clock can have said becomes the epoch.
pub(super) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether a class can be called so.
pub fn is_class_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.trim() == name && !name.contains(char::is_control)
}

/// A class name as it will be stored.
pub(super) fn check_class(name: &str) -> Result<&str, StoreError> {
    is_class_name(name).then_some(name).ok_or_else(|| StoreError::ClassName { name: name.to_owned() })
}

/// A task name as it will be stored and stand in topics.
pub(super) fn check_task(name: &str) -> Result<&str, StoreError> {
    let fits = is_name(name) && !matches!(name, "status" | "info" | "cmd" | "rsp" | "event");
    fits.then_some(name).ok_or_else(|| StoreError::TaskName { name: name.to_owned() })
}
