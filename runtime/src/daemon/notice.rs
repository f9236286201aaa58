//! What the daemon announces: to the page's event stream, to sinks and to MQTT. The same payload everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Notice {
    /// Numbered from 1 since the daemon began.
    pub id: u64,
    /// When, RFC 3339 UTC.
    pub time: String,
    /// What.
    pub event: Event,
    /// The task, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The source, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of another device's head, why it was refused, used or taken back: a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In words.
    pub message: String,
    /// The stable answer, of `changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// Kinds of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A new head is in service.
    Adapted,
    /// A stable answer changed.
    Changed,
    /// What is sensed is no longer what the head was learnt on.
    Drifted,
    /// A label would help.
    LabelWanted,
    /// Something needs a person.
    Problem,
    /// A candidate was not better.
    Rejected,
    /// A source cannot be read.
    SourceLost,
}

impl Event {
    /// As it is written in the configuration, in topics and in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Adapted => "adapted",
            Self::Changed => "changed",
            Self::Drifted => "drifted",
            Self::LabelWanted => "label_wanted",
            Self::Problem => "problem",
            Self::Rejected => "rejected",
            Self::SourceLost => "source_lost",
        }
    }
}

/// What the head in service says of one frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prediction {
    /// When the frame was sensed, RFC 3339 UTC.
    pub(crate) time: String,
    pub(crate) task: String,
    pub(crate) source: String,
    pub(crate) crop: Option<[f64; 4]>,
    pub(crate) state: State,
}

/// A stable answer of a task about a source.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct State {
    /// The class.
    pub class: String,
    /// Its calibrated probability.
    pub confidence: f64,
    /// Unlike everything learnt.
    pub unknown: bool,
    /// Probability of each class.
    pub scores: BTreeMap<String, f64>,
    /// The head that answered.
    pub generation: u32,
    /// Since when it has been so, RFC 3339 UTC.
    pub since: String,
}
