//! Looks: opens a task's backbone at its map, and says where the head in service looks in a picture. Knows nothing of threads or
//! processes.

use std::path::PathBuf;

use acclimate_backbone::{ActivationError, ActivationMaps, Picture};

use super::Of;
use crate::causes;
use crate::class_map::{ClassMapError, class_map, within};
use crate::daemon::command::CommandError;
use crate::daemon::inference::{cropped, picture};
use crate::embedding::{OpenError, Opener};
use crate::record::ClassMapRecord;
use crate::store::{Access, Tasks};

/// What looks, with the backbone that was opened last.
pub(super) struct Looker {
    pub(super) opener: Opener,
    pub(super) data_dir: PathBuf,
    /// By its id.
    pub(super) open: Option<([u8; 32], ActivationMaps)>,
}

impl Looker {
    /// Where the head in service of a task looks for a class, or for what it takes the picture for.
    pub(super) fn map(&mut self, task: &str, of: &Of, class: Option<&str>) -> Result<ClassMapRecord, CommandError> {
        let tasks = Tasks::open(&self.data_dir, &Access::Read)?;
        let none = || {
            CommandError::NotFound(format!(
                "task `{task}` has no head in service yet: label samples of two classes, then adapt"
            ))
        };
        let head = tasks.in_service(task)?.ok_or_else(none)?;
        let known = tasks.task_on(task, &head.file.backbone_id)?;
        let wrong = |error: &dyn std::error::Error| CommandError::Invalid(causes(error));
        let (picture, crop, sample) = match of {
            Of::Frame(frame, crop) => {
                let whole = picture(&frame.content).map_err(|error| wrong(&error))?;
                let seen = crop.map_or(Ok(whole.clone()), |crop| cropped(&whole, crop));
                (seen.map_err(|error| wrong(&error))?, *crop, None)
            }
            Of::Sample(id) => {
                let id = tasks.sample(task, id)?.id;
                let payload = tasks.payload(task, &id)?;
                (Picture::decode(&payload).map_err(|error| wrong(&error))?, None, Some(id.to_string()))
            }
        };
        if self.open.as_ref().is_none_or(|(id, _)| *id != known.backbone_id) {
            // The one before goes first: two may be more than there is room for.
            self.open = None;
            let maps = self.opener.maps_for(&known).map_err(|error| match &error {
                OpenError::Maps { .. } => CommandError::NotFound(causes(&error)),
                _ => CommandError::Failed(causes(&error)),
            })?;
            self.open = Some((known.backbone_id, maps));
        }
        let Some((_, maps)) = &mut self.open else {
            return Err(CommandError::Failed("no backbone is open; this is a bug in acclimate".to_owned()));
        };
        let map = class_map(maps, &head, &picture, class).map_err(|error| match &error {
            // Whether the mean is over all of a map shows when it runs.
            ClassMapError::Activation(ActivationError::NoMap { .. }) | ClassMapError::Class { .. } => {
                CommandError::NotFound(causes(&error))
            }
            _ => CommandError::Failed(causes(&error)),
        })?;
        let record = ClassMapRecord { sample, ..ClassMapRecord::new(&map, &head) };
        Ok(match of {
            Of::Frame(frame, _) => ClassMapRecord {
                region: crop.map_or(record.region, |crop| within(crop, record.region)),
                source: Some(frame.source.to_string()),
                taken: Some(frame.taken.to_string()),
                ..record
            },
            Of::Sample(_) => record,
        })
    }
}
