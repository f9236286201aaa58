//! Signing the head that is in service here, for other devices. Reads the store; changes nothing.

use jiff::Timestamp;

use super::key::DeviceKey;
use super::signed::sign;
use super::statement::{Issue, Statement};
use crate::head_file::HeadFileError;
use crate::store::{Generation, Marks, Origin, StoreError, Tasks};

/// Days for which a signed head may be taken in, where nothing else is said.
pub const DAYS: u32 = 90;

/// Why a head is not signed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The clock is wrong.
    #[error(
        "the clock of this device is not set: what it signs would be out of date everywhere else; set it (systemd-timesyncd or \
         chrony) and sign again"
    )]
    Clock,
    /// It is another's.
    #[error(
        "generation {generation} of task `{task}` was not learnt here ({origin}): a device signs its own heads, so that others know whose they are"
    )]
    Foreign {
        /// The task.
        task: String,
        /// The head in service.
        generation: Generation,
        /// Where it comes from.
        origin: &'static str,
    },
    /// Its bytes cannot be made.
    #[error("could not write the head")]
    HeadFile(#[from] HeadFileError),
    /// There is nothing to sign.
    #[error("task `{task}` has no head in service yet: add labelled samples, then `acclimate adapt {task}`")]
    NoHead {
        /// The task.
        task: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The head in service with what is said of it, signed. Its number is that of the move of the pointer which put it there: the
/// store counts those upwards and never uses one again, so that a head that is back in service is newer than what it replaced.
/// `now` is the time, if it can be believed.
///
/// # Errors
/// There is none, or it was not learnt here; the clock is wrong; the store fails.
pub fn issue(
    tasks: &Tasks,
    task: &str,
    key: &DeviceKey,
    device: &str,
    days: u32,
    now: Option<Timestamp>,
) -> Result<(Statement, Vec<u8>), IssueError> {
    let head = tasks.in_service(task)?.ok_or_else(|| IssueError::NoHead { task: task.to_owned() })?;
    let (Origin::Adapted | Origin::Adjusted | Origin::Refitted, Some(watermark)) = (head.origin, head.watermark) else {
        let origin = head.origin.token();
        return Err(IssueError::Foreign { task: task.to_owned(), generation: head.generation, origin });
    };
    let now = now.ok_or(IssueError::Clock)?;
    let fitted = tasks.snapshot_at(task, &head.file.backbone_id, watermark)?;
    let sequence = tasks.moved_at(task)?.unwrap_or_default();
    let bytes = head.file.encode()?;
    let issue = Issue {
        device: device.to_owned(),
        generation: head.generation,
        sequence,
        now,
        days,
        samples: Marks::of(&fitted.ids),
    };
    let statement = Statement::new(issue, &head.file, &bytes);
    let signed = sign(key, &statement, &bytes);
    Ok((statement, signed))
}
