//! What can go wrong with the store. Knows nothing about commands or exit codes: it names the thing, what was
//! expected, what was found and what to do; the cause is in `source()`, never also in the text.

use std::path::PathBuf;

use super::id::{Digest, Generation, SampleId};
use super::record::Holder;
use crate::head_file::HeadFileError;

/// Why a store operation was refused or failed. A failed operation has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The prefix fits more than one sample.
    #[error(
        "sample `{prefix}` of task `{task}` is ambiguous: {first}, {second} and perhaps more start so; give more digits"
    )]
    AmbiguousSample {
        /// The task.
        task: String,
        /// What was asked for.
        prefix: String,
        /// One sample that fits.
        first: SampleId,
        /// Another.
        second: SampleId,
    },
    /// Another process writes.
    #[error("the store in {} is held by {holder}; wait until it is done, or stop it", dir.display())]
    Busy {
        /// The data directory.
        dir: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// A class name cannot be used.
    #[error(
        "class name {name:?} cannot be used: expected 1 to 200 bytes with no control characters and no space at either end"
    )]
    ClassName {
        /// What was asked for.
        name: String,
    },
    /// The task has its model's classes and no others.
    #[error(
        "task `{task}` was made with --classes-only and has no class {class:?}: its {} classes are {}",
        known.len(), first_words(known)
    )]
    ClassesOnly {
        /// The task.
        task: String,
        /// What was asked for.
        class: String,
        /// Its classes.
        known: Vec<String>,
    },
    /// The sample's feature does not fit the task's backbone.
    #[error("sample for task `{task}` has a feature of {found} codes, but the task's backbone makes {expected}")]
    Codes {
        /// The task.
        task: String,
        /// The backbone's dimension.
        expected: usize,
        /// Codes given.
        found: usize,
    },
    /// The database is damaged.
    #[error("{} is damaged; restore a copy, or move it away and import the samples again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite failed.
    #[error("could not {step}")]
    Database {
        /// What was attempted.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
    /// Samples lack a feature of the backbone that is to be used.
    #[error(
        "{missing} samples of task `{task}` have no feature of backbone `{backbone}` yet: they are to be computed from the kept pictures first"
    )]
    FeaturesMissing {
        /// The task.
        task: String,
        /// The backbone.
        backbone: String,
        /// How many.
        missing: usize,
    },
    /// A head that was fitted on something since forgotten comes back.
    #[error(
        "head {digest} was fitted on samples of task `{task}` that have been forgotten, and is not taken back; adapt again instead"
    )]
    Forgotten {
        /// The task.
        task: String,
        /// The head file's SHA-256.
        digest: Digest,
    },
    /// The head belongs to another backbone, or has another shape than the task.
    #[error("head does not fit task `{task}`: its {what} is {found}, expected {expected}")]
    ForeignHead {
        /// The task.
        task: String,
        /// Which property differs.
        what: &'static str,
        /// The task's.
        expected: String,
        /// The head's.
        found: String,
    },
    /// The head file cannot be read.
    #[error("could not read the file of a head")]
    HeadFile(#[source] HeadFileError),
    /// A backbone cannot change under a head.
    #[error("generation {generation} is in service in task `{task}`: backbone and head change together")]
    InService {
        /// The task.
        task: String,
        /// The head.
        generation: Generation,
    },
    /// A file operation failed.
    #[error("could not {step} {}", path.display())]
    Io {
        /// What was attempted.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Leave-out rows do not match the head.
    #[error("leave-out scores are {found} (samples × classes), expected {expected}; this is a bug in acclimate")]
    LeaveOut {
        /// Rows × classes expected.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The task does not have this backbone.
    #[error(
        "task `{task}` has no such backbone: `acclimate task set-backbone {task} NAME` computes its features first"
    )]
    NoBackbone {
        /// The task.
        task: String,
    },
    /// No such class.
    #[error("task `{task}` has no class `{class}`; its classes are: {known}")]
    NoClass {
        /// The task.
        task: String,
        /// What was asked for.
        class: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// No such generation.
    #[error("task `{task}` has no head of generation {generation}; `acclimate head list {task}` shows what there is")]
    NoGeneration {
        /// The task.
        task: String,
        /// What was asked for.
        generation: Generation,
    },
    /// No such sample.
    #[error("task `{task}` has no sample `{sample}`; `acclimate sample list {task}` shows what there is")]
    NoSample {
        /// The task.
        task: String,
        /// What was asked for.
        sample: String,
    },
    /// There is no store yet.
    #[error("there is no store in {}; make a task first with `acclimate init`, or name another directory with --data-dir", dir.display())]
    NoStore {
        /// The data directory.
        dir: PathBuf,
    },
    /// No such task.
    #[error("there is no task `{task}`; `acclimate task list` shows what there is")]
    NoTask {
        /// What was asked for.
        task: String,
    },
    /// The file is not a store of ours.
    #[error("{} is not an acclimate store; move it away, or name another directory with --data-dir", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// SQLite's words, if it has any.
        #[source]
        source: Option<rusqlite::Error>,
    },
    /// No earlier head.
    #[error("task `{task}` has no earlier head to go back to; `acclimate head list {task}` shows what there is")]
    NothingBefore {
        /// The task.
        task: String,
    },
    /// The store was written by an older version and this process may not change it.
    #[error("{} has format {found} and this version reads {expected}; any command that writes brings it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// This version's format.
        expected: u32,
        /// The file's.
        found: u32,
    },
    /// The store was written by a newer version.
    #[error("{} has format {found}, but this version of acclimate knows no format above {expected}; use the version that wrote it, or a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// This version's format.
        expected: u32,
        /// The file's.
        found: u32,
    },
    /// The store was opened for reading.
    #[error("the store in {} was opened for reading only; this is a bug in acclimate", dir.display())]
    ReadOnly {
        /// The data directory.
        dir: PathBuf,
    },
    /// What a sample was is no longer kept.
    #[error("the content of sample {sample} of task `{task}` is no longer kept, only its features are")]
    PayloadGone {
        /// The task.
        task: String,
        /// The sample.
        sample: SampleId,
    },
    /// The record in the database makes no sense.
    #[error("stored {what} of task `{task}` cannot be read: {problem}; the store was changed by something else")]
    Record {
        /// The task.
        task: String,
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Samples were forgotten between the snapshot and its use.
    #[error("samples of task `{task}` were forgotten while a head was being fitted on them; adapt again")]
    Stale {
        /// The task.
        task: String,
    },
    /// The task is there already.
    #[error("there is a task `{task}` already; choose another name")]
    TaskExists {
        /// The name.
        task: String,
    },
    /// A task name cannot be used.
    #[error(
        "task name {name:?} cannot be used: expected 1 to 64 of a-z, 0-9 and -, other than status, info, cmd, rsp and event"
    )]
    TaskName {
        /// What was asked for.
        name: String,
    },
    /// The task has as many classes as it can have.
    #[error("class {class:?} is one too many: a task has 2000 at most; was something else taken for the label?")]
    TooManyClasses {
        /// The new one.
        class: String,
    },
}

/// A few of many names.
fn first_words(names: &[String]) -> String {
    let more = if names.len() > 12 { ", …" } else { "" };
    names.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

impl StoreError {
    /// A closure for `map_err` that says what was attempted.
    pub(super) fn db(step: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Database { step, source }
    }

    /// A closure for `map_err` that says what was attempted on which file.
    pub(super) fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { step, path, source }
    }
}
