//! One moment of the daemon, as the page and `status` show it. Immutable: a new moment is a new view.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::command::Look;
use super::notice::State;

/// The daemon at one moment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct View {
    /// When, RFC 3339 UTC.
    pub time: String,
    /// The device's id.
    pub device: String,
    /// The program's version.
    pub version: String,
    /// Since when it runs, RFC 3339 UTC.
    pub started: String,
    /// What does not work as it should, in words; empty when all is well.
    pub degraded: Vec<String>,
    /// Every source.
    pub sources: Vec<SourceView>,
    /// Every task.
    pub tasks: Vec<TaskView>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// `camera`, `command`, `folder`, `http`, `mqtt`, `replay` or `serial`.
    pub kind: String,
    /// Whether it was added while the daemon ran, and not by the configuration: then it can be removed so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removable: bool,
    /// It gives a frame when it is asked, and none by itself.
    #[serde(default)]
    pub on_request: bool,
    /// `starting`, `running`, `lost` or `ended`.
    pub health: String,
    /// Why it is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Frames since the daemon began.
    pub frames: u64,
    /// Width and height of the newest frame, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// When the newest frame was sensed, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What came over its line, of `serial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineView>,
}

/// What came over the line of a source, and what was lost, since the daemon began.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct LineView {
    /// `text` or `frames`; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks: Option<String>,
    /// What the device calls itself, with its firmware's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What the device gives, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gives: Option<String>,
    /// Readings a second, as measured or as the device says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<f64>,
    /// How often the port was opened.
    pub opened: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// Readings that came.
    pub readings: u64,
    /// Lines, or blocks of readings, that never came.
    pub lost: u64,
    /// Blocks that were missing at first and came when they were asked for again.
    pub recovered: u64,
    /// Lines and frames that cannot be read.
    pub unreadable: u64,
    /// Faults that the device spoke of.
    pub faults: u64,
    /// Gaps over which no window reaches.
    pub gaps: u64,
    /// Windows that were cut.
    pub windows: u64,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct TaskView {
    /// Its name.
    pub name: String,
    /// Its backbone.
    pub backbone: String,
    /// What really runs it: engine, version, provider, precision. None before the first frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractor: Option<String>,
    /// Its classes, with how many samples each has.
    pub classes: Vec<ClassView>,
    /// What it looks at, and what it says.
    pub looks: Vec<LookView>,
    /// The head in service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Too few labels of this device say how good the head is here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproved: bool,
    /// The device whose head it is, where it is another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Accuracy on samples it was not fitted on, with its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<[f64; 3]>,
    /// Samples without a label.
    pub unlabelled: usize,
    /// Labels since the last adaptation.
    pub new_labels: usize,
    /// An adaptation is running.
    pub adapting: bool,
    /// The class that is being held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teaching: Option<Teaching>,
    /// What can be undone, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Whether what is sensed is no longer what the head was learnt on.
    pub drifted: bool,
    /// The last verdict: `activated`, `rejected` or `not_enough_samples`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What to do next, in words.
    pub next: Vec<String>,
}

impl TaskView {
    /// The sources that it looks at, each once, in order.
    pub(crate) fn sources(&self) -> Vec<&str> {
        let mut sources: Vec<&str> = self.looks.iter().map(|look| look.look.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

/// A class of a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct ClassView {
    /// Its name.
    pub name: String,
    /// Labelled samples.
    pub samples: usize,
}

/// A region, and what is seen in it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct LookView {
    /// The region.
    #[serde(flatten)]
    pub look: Look,
    /// The newest answer, stable or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<State>,
    /// The stable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<State>,
    /// From the frame to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
}

/// A class that is being held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Teaching {
    /// The class.
    pub class: String,
    /// Frames taken in so far.
    pub frames: usize,
}
