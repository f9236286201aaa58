//! What `drift` prints.

use serde::{Deserialize, Serialize};

/// Whether what came in is like what a head was learnt on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DriftRecord {
    /// The task.
    pub task: String,
    /// The head compared with.
    pub generation: u32,
    /// Inputs that were compared.
    pub inputs: usize,
    /// Groups among them: near-duplicates and windows of one recording count once.
    pub groups: usize,
    /// Groups of what the head was learnt on.
    pub learnt_groups: usize,
    /// Principal directions they were compared on.
    pub directions: usize,
    /// Chance of a difference like this or larger where nothing changed.
    pub p: f64,
    /// Share of false alarms: `drifted` is `p` below this.
    pub level: f64,
    /// The inputs are unlike what was learnt.
    pub drifted: bool,
}
