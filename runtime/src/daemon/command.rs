//! What may be asked of the daemon: one closed list for the page, the socket and MQTT. Knows nothing of who asks how.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::notice::State;
use super::signed::Signed;
use crate::causes;
use crate::record::{AdaptationRecord, InstallRecord, PredictionRecord};
use crate::store::StoreError;

/// Something to do. Who asks travels beside it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Puts a generation in service: a person's decision.
    Activate {
        /// The task.
        task: String,
        /// The generation.
        generation: u32,
    },
    /// One adaptation now.
    Adapt {
        /// The task.
        task: String,
        /// A person's word that the new labels are right.
        #[serde(default)]
        trust_labels: bool,
    },
    /// Adds a camera, or a place where pictures are posted, beside the sources of the configuration.
    AddSource {
        /// Its name, `[a-z0-9-]{1,64}`.
        source: String,
        /// What it is.
        #[serde(default)]
        kind: AddedKind,
        /// Of a camera: `auto`, `pi`, `csi`, `/dev/video0`, `http://…`, `https://…`, `rtsp://…`, `rtsps://…`; `auto` where
        /// absent.
        #[serde(default)]
        device: Option<String>,
    },
    /// Classifies the newest frame of a source, or of the task's only one.
    Classify {
        /// The task.
        task: String,
        /// The source.
        #[serde(default)]
        source: Option<String>,
    },
    /// Classifies a picture that is handed in, and keeps nothing of it.
    #[serde(skip)]
    #[schema(ignore)]
    ClassifyPicture {
        /// The task.
        task: String,
        /// The bytes of its file.
        picture: Vec<u8>,
    },
    /// Makes a task.
    CreateTask {
        /// Its name, `[a-z0-9-]{1,64}`.
        task: String,
        /// Its backbone; the configured one, else the built-in one.
        #[serde(default)]
        backbone: Option<String>,
        /// What it looks at.
        #[serde(default)]
        from: Vec<Look>,
    },
    /// Forgets samples, and every head that was fitted on them.
    Forget {
        /// The task.
        task: String,
        /// Ids of samples, whole or their beginnings.
        samples: Vec<String>,
    },
    /// Takes in a head that another device has signed: in service if its key is trusted and nothing here speaks against it.
    Install {
        /// The task.
        task: String,
        /// What `head export --signed` wrote there, base64.
        signed: Signed,
    },
    /// Says what samples are.
    Label {
        /// The task.
        task: String,
        /// Ids of samples, whole or their beginnings; `last` is the newest.
        samples: Vec<String>,
        /// The class; none takes the label back.
        label: Option<String>,
    },
    /// Says what the task's only region shows now: a sample is made of it. Where nothing was seen yet, what the newest sample
    /// is.
    #[serde(skip)]
    #[schema(ignore)]
    LabelSeen {
        /// The task.
        task: String,
        /// The class.
        label: String,
    },
    /// Chooses what a task looks at.
    Look {
        /// The task.
        task: String,
        /// Its sources and regions.
        from: Vec<Look>,
    },
    /// Removes a source that was added so. Its samples stay.
    RemoveSource {
        /// The source.
        source: String,
    },
    /// Goes back to the head before.
    Rollback {
        /// The task.
        task: String,
    },
    /// Asks a source for a frame now, and answers with what every task says of it.
    Sense {
        /// The source.
        source: String,
    },
    /// Chooses how a task adapts and answers; it stays so over restarts. What is not named stays as it is.
    Set {
        /// The task.
        task: String,
        /// Whether it adapts by itself; who asks for an adaptation, or teaches, gets one all the same.
        #[serde(default)]
        adaptation: Option<bool>,
        /// The confidence, 0 to 1, below which every answer is `unknown`, whatever the head's own thresholds; 0 for none.
        #[serde(default)]
        threshold: Option<f64>,
    },
    /// Begins or ends holding a class: while it is held, what the source senses is labelled, as one group; at the end the
    /// head is fitted again.
    Teach {
        /// The task.
        task: String,
        /// The source; the task's only one where absent.
        #[serde(default)]
        source: Option<String>,
        /// The class that is shown.
        class: String,
        /// Begin or end.
        hold: Hold,
    },
    /// Takes the last teaching or labelling back: its samples are forgotten or unlabelled, the head before is in service
    /// again.
    Undo {
        /// The task.
        task: String,
    },
}

/// What can be added while the daemon runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddedKind {
    /// A camera of this machine or of the network.
    #[default]
    Camera,
    /// Pictures that are posted to `sources/{name}/frame`.
    Http,
}

/// The two ends of holding a button.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Pressed.
    Begin,
    /// Released.
    End,
}

/// A region of a source that a task looks at.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The source.
    pub source: String,
    /// `[x, y, width, height]` in fractions of the frame; all of it where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<[f64; 4]>,
}

/// What a task says of a region.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Said {
    /// The task.
    pub task: String,
    /// The region.
    #[serde(flatten)]
    pub look: Look,
    /// What it says; absent where the task has no head yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Reply {
    /// An adaptation ended.
    Adapted {
        /// Everything there is to say about it.
        adaptation: Box<AdaptationRecord>,
    },
    /// A prediction.
    Classified {
        /// What `classify` prints.
        prediction: Box<PredictionRecord>,
    },
    /// Done.
    Done {
        /// What was done, in words.
        done: String,
    },
    /// A head of another device was taken in, or refused.
    Installed {
        /// Everything there is to say about it.
        installed: Box<InstallRecord>,
    },
    /// A hold ended and was learnt.
    Learnt {
        /// Frames that were taken in.
        frames: usize,
        /// From release to the head in service.
        milliseconds: f64,
        /// The verdict.
        adaptation: Box<AdaptationRecord>,
        /// SHA-256 of the statistics before.
        digest_before: String,
        /// And after.
        digest_after: String,
    },
    /// A source gave the frame that it was asked for.
    Sensed {
        /// The source.
        source: String,
        /// When the frame was sensed, RFC 3339 UTC.
        taken: String,
        /// What every task that looks at the source says of it.
        said: Vec<Said>,
    },
    /// The last teaching was taken back.
    Undone {
        /// Samples that were forgotten or lost their label.
        samples: usize,
        /// The generation in service now.
        generation: Option<u32>,
        /// SHA-256 of the statistics before the undo.
        digest_before: String,
        /// And after: that from before the teaching.
        digest_after: String,
    },
}

/// Why a command was not carried out.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum CommandError {
    /// It cannot be done now.
    #[error("{0}")]
    Conflict(String),
    /// The daemon failed at it.
    #[error("{0}")]
    Failed(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no such task, source, sample or generation.
    #[error("{0}")]
    NotFound(String),
    /// The daemon is ending, or too many commands wait.
    #[error("{0}")]
    Unavailable(String),
}

impl CommandError {
    /// A stable name without spaces.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Failed(_) => "failed",
            Self::Invalid(_) => "invalid",
            Self::NotFound(_) => "not_found",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<StoreError> for CommandError {
    /// Of who reads; whoever writes tells apart what is wrong with the disk.
    fn from(error: StoreError) -> Self {
        let words = causes(&error);
        match error {
            StoreError::AmbiguousSample { .. } => Self::Invalid(words),
            StoreError::NoClass { .. }
            | StoreError::NoGeneration { .. }
            | StoreError::NoSample { .. }
            | StoreError::NoStore { .. }
            | StoreError::NoTask { .. }
            | StoreError::PayloadGone { .. } => Self::NotFound(words),
            _ => Self::Failed(words),
        }
    }
}
