//! What `config check` and `config show` print as JSON.

use serde::Serialize;

use crate::config::{Mistake, Setting};

/// `config check`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigCheckRecord {
    /// Files that were read, in order; none where something is wrong.
    pub files: Vec<String>,
    /// All that is wrong.
    pub mistakes: Vec<Mistake>,
}

/// `config show`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigShowRecord {
    /// Files that were read, in order.
    pub files: Vec<String>,
    /// What holds, and where it comes from.
    pub settings: Vec<Setting>,
}
