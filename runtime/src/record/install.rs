//! What became of a signed head of another device, as JSON.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ComparisonRecord;

/// What `head install` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct InstallRecord {
    /// The task.
    pub task: String,
    /// `activated` or `rejected`.
    pub verdict: String,
    /// Whether a key that is trusted here has signed what it says.
    pub trusted: bool,
    /// It is in service without proof: too few labels of this device tell how good it is here.
    pub unproved: bool,
    /// Why, as tokens; of what was refused, the first says why.
    pub reasons: Vec<String>,
    /// The same in words.
    pub because: Vec<String>,
    /// What to do next, in words.
    pub next: Vec<String>,
    /// Its number here; one that is worse here has a number too.
    pub generation: Option<u32>,
    /// What a trusted key says of it.
    pub issue: Option<IssueRecord>,
    /// The paired test against the head in service.
    pub comparison: Option<ComparisonRecord>,
}

/// Whose head it is, as `head export --signed` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct IssueRecord {
    /// What the key is called here; of one's own key, the device.
    pub signer: String,
    /// SHA-256 of the key.
    pub key: String,
    /// Where it was in service.
    pub device: String,
    /// Its generation there.
    pub generation: u32,
    /// The signer's number: of two, the larger is the newer.
    pub number: u64,
    /// When it was signed, RFC 3339 UTC.
    pub issued: String,
    /// Until when it may be taken in, RFC 3339 UTC.
    pub expires: String,
    /// SHA-256 of the head file.
    pub sha256: String,
}

/// What `head export --signed` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SignedExportRecord {
    /// The task.
    pub task: String,
    /// What is said of the head.
    pub issue: IssueRecord,
    /// The file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

impl InstallRecord {
    /// Whether nothing was said that was not known: a head is announced again whenever somebody connects.
    pub(crate) fn is_known(&self) -> bool {
        self.reasons.first().is_some_and(|reason| matches!(reason.as_str(), "in_service" | "seen"))
    }

    /// In one line, as everybody is told.
    pub(crate) fn sentence(&self) -> String {
        format!("task `{}`: {}", self.task, self.words().replace('\n', "; "))
    }

    /// In words.
    pub fn words(&self) -> String {
        let whose = self.issue.as_ref().map_or_else(
            || "head".to_owned(),
            |of| format!("head of {} (generation {} there, signed by {})", of.device, of.generation, of.signer),
        );
        let here = self.generation.map_or_else(String::new, |generation| format!(", generation {generation} here"));
        let unproved = if self.unproved && self.verdict == "activated" { " (unproved)" } else { "" };
        let mut words = format!("{}{unproved}: {whose}{here}", self.verdict);
        for because in &self.because {
            let _ = write!(words, "\nbecause: {because}");
        }
        for next in &self.next {
            let _ = write!(words, "\nnext: {next}");
        }
        words
    }
}
