//! Why a head of another device is not used: one closed list, each with a word for programs and a sentence for people.

use jiff::Timestamp;

use super::key::KeyId;
use crate::head_file::HeadFileError;
use crate::store::{Digest, Generation};

/// Why a head, or what announces one, was refused. The head in service stays.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The signature is not the key's: something was changed on the way, or somebody uses another's name.
    #[error("the signature is not that of `{signer}`: something was changed on the way, or another has signed")]
    BadSignature {
        /// The trusted key that it names.
        signer: String,
    },
    /// Two heads under one number.
    #[error("`{signer}` has signed another head under number {sequence} before: what it says cannot be both")]
    Conflicting {
        /// Who signed.
        signer: String,
        /// The number.
        sequence: u64,
    },
    /// Too old to be used.
    #[error("its signature ended at {expires:.0}, and it is {now:.0}: have its device sign it anew")]
    Expired {
        /// Until when it was for use.
        expires: Timestamp,
        /// By this device's clock, which is synchronised.
        now: Timestamp,
    },
    /// It was fitted here on something since forgotten.
    #[error("head {digest} was fitted here on samples that have been forgotten, and is not taken back")]
    Forgotten {
        /// The head file's SHA-256.
        digest: Digest,
    },
    /// It is there already.
    #[error("it is in service already, as generation {generation}")]
    InService {
        /// Its number here.
        generation: Generation,
    },
    /// It is no signed head.
    #[error("this is no signed head, or one that was damaged: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// The head does not answer here as where it was signed.
    #[error(
        "the head does not answer here as it did where it was signed: probabilities differ by {difference:.1e}, expected {most:.0e} at most"
    )]
    SelfTest {
        /// The largest difference; infinite where there is no number to compare.
        difference: f64,
        /// What may be.
        most: f64,
    },
    /// The head file cannot be used, though it was signed.
    #[error("the head in it cannot be used")]
    NotLoadable(#[source] HeadFileError),
    /// What is there is not all of it, or not what was signed.
    #[error("{what} is {found}, but {expected} was signed: it is not whole, or parts of two are mixed")]
    NotWhole {
        /// What differs.
        what: &'static str,
        /// What was signed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A newer one was seen.
    #[error(
        "it has number {sequence}, and number {seen} of `{signer}` was seen already: an old head is not taken for a new one"
    )]
    Older {
        /// Who signed.
        signer: String,
        /// Its number.
        sequence: u64,
        /// The largest seen.
        seen: u64,
    },
    /// Features of another backbone mean something else.
    #[error(
        "it reads features of backbone {found}, and task `{task}` has {expected}: the same backbone makes them exchangeable"
    )]
    OtherBackbone {
        /// The task.
        task: String,
        /// The task's.
        expected: Digest,
        /// The head's.
        found: Digest,
    },
    /// It cannot answer what is taught here.
    #[error("{problem}")]
    OtherClasses {
        /// Which classes differ.
        problem: String,
    },
    /// It is for another task.
    #[error("it is for task `{found}`, not for `{task}`")]
    OtherTask {
        /// The task here.
        task: String,
        /// The head's.
        found: String,
    },
    /// It was judged already.
    #[error(
        "number {sequence} of `{signer}` was judged here already; `acclimate head list {task}` shows what there is"
    )]
    Seen {
        /// The task.
        task: String,
        /// Who signed.
        signer: String,
        /// Its number.
        sequence: u64,
    },
    /// It takes too long to come.
    #[error("of {parts} parts {have} came within {minutes} minutes: it is not waited for any longer")]
    Slow {
        /// All of them.
        parts: usize,
        /// Those that came.
        have: usize,
        /// How long was waited.
        minutes: u64,
    },
    /// More than is taken.
    #[error("it has {bytes} bytes, and at most {most} are taken")]
    TooLarge {
        /// How large it says it is.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
    /// Nobody here trusts the key.
    #[error(
        "it is signed with key {id}, which is not trusted here: `acclimate key trust NAME KEY` on this device, with what `acclimate key show` prints on its own"
    )]
    UnknownSigner {
        /// The key.
        id: KeyId,
    },
    /// The samples of this device speak against it.
    #[error("on this device's own samples it is worse: {}", because.join("; "))]
    Worse {
        /// The judge's reasons.
        because: Vec<String>,
    },
}

impl Refusal {
    /// A stable name without spaces, for JSON, events and metrics.
    pub fn token(&self) -> &'static str {
        match self {
            Self::BadSignature { .. } => "bad_signature",
            Self::Conflicting { .. } => "conflicting",
            Self::Expired { .. } => "expired",
            Self::Forgotten { .. } => "forgotten",
            Self::InService { .. } => "in_service",
            Self::Malformed { .. } => "malformed",
            Self::NotLoadable(_) => "not_loadable",
            Self::NotWhole { .. } => "not_whole",
            Self::Older { .. } => "older",
            Self::OtherBackbone { .. } => "other_backbone",
            Self::OtherClasses { .. } => "other_classes",
            Self::OtherTask { .. } => "other_task",
            Self::Seen { .. } => "seen",
            Self::SelfTest { .. } => "self_test",
            Self::Slow { .. } => "slow",
            Self::TooLarge { .. } => "too_large",
            Self::UnknownSigner { .. } => "unknown_signer",
            Self::Worse { .. } => "worse",
        }
    }

    /// That it is no signed head.
    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        Self::Malformed { problem: problem.into() }
    }
}
