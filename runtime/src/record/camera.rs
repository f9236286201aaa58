//! What `camera list` prints as JSON.

use serde::Serialize;

use crate::source::Seen;

/// `camera list`.
#[derive(Clone, Debug, Serialize)]
pub struct CameraListRecord {
    /// The cameras of this machine.
    pub cameras: Vec<Seen>,
}
