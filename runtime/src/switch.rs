//! Another backbone for a live task: features from the kept payloads, a candidate on them, judged against the head in
//! service on the same samples; backbone and head change together or not at all.
//!
//! Nothing is lost when it is interrupted: computed features stay, and the old backbone serves until the one transaction
//! that moves the pointer. A sample that arrives meanwhile lacks a feature of the new backbone; the store refuses to
//! switch then, and this file computes what is missing and tries again.

use acclimate_backbone::Backbone;
use jiff::Timestamp;

use crate::adaptation::{AdaptError, Adapted, Options, adapt_on};
use crate::extractor::{self, ExtractorError};
use crate::head_file::HeadFile;
use crate::recompute::{RecomputeError, missing};
use crate::store::{Generation, NewBackbone, StoreError, Tasks};

/// Why there was no switch and no verdict either.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The candidate could not be fitted or judged.
    #[error(transparent)]
    Adapt(#[from] AdaptError),
    /// Some features were computed before, by something that gives others.
    #[error(transparent)]
    Extractor(#[from] Box<ExtractorError>),
    /// Features could not be computed.
    #[error("could not compute the features of backbone `{backbone}`; task `{task}` stays as it was")]
    Features {
        /// The task.
        task: String,
        /// The backbone.
        backbone: String,
        /// Why.
        #[source]
        source: Box<RecomputeError>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is the one in use.
    #[error("task `{task}` uses backbone `{backbone}` already")]
    Same {
        /// The task.
        task: String,
        /// The backbone.
        backbone: String,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Switched {
    /// A candidate on the new backbone was judged; if it was activated, the new backbone is in use.
    Judged(Box<Adapted>),
    /// There was no head to be judged against: the new backbone is in use, with its own classifier if that was kept.
    Unjudged(Option<Generation>),
}

/// Changes the backbone of a task.
///
/// # Errors
/// A payload is gone, an input cannot be embedded, the numbers or the store fail: then the task stays as it was.
pub fn set_backbone(
    tasks: &mut Tasks,
    task: &str,
    (new, shipped): (&NewBackbone, Option<&HeadFile>),
    backbone: &mut Backbone,
    options: &Options,
    mut progress: impl FnMut(usize, usize),
) -> Result<Switched, SwitchError> {
    let before = tasks.task(task)?;
    if before.backbone_id == new.id && shipped.is_none() {
        return Err(SwitchError::Same { task: before.name, backbone: before.backbone });
    }
    let on = tasks.add_backbone(task, new)?;
    let mut generation = None;
    if before.in_service.is_some()
        && let Some(file) = shipped
    {
        // Before the features: it needs their norms.
        generation = Some(tasks.add_shipped(task, file, Timestamp::now())?);
    }
    extractor::check(tasks, &on, backbone, &mut progress).map_err(Box::new)?;
    loop {
        missing(tasks, &on, backbone, &mut progress).map_err(|source: RecomputeError| SwitchError::Features {
            task: before.name.clone(),
            backbone: on.backbone.clone(),
            source: source.into(),
        })?;
        let tried = if before.in_service.is_some() {
            adapt_on(tasks, task, Some(&new.id), options).map(|adapted| Switched::Judged(Box::new(adapted)))
        } else {
            tasks.use_backbone(task, &new.id).map_err(AdaptError::from).map(|()| Switched::Unjudged(generation))
        };
        match tried {
            Err(AdaptError::Store(StoreError::FeaturesMissing { .. })) => {}
            Ok(Switched::Unjudged(_)) => {
                let file = shipped.map(|file| tasks.add_shipped(task, file, Timestamp::now()));
                return Ok(Switched::Unjudged(file.transpose()?));
            }
            other => return Ok(other?),
        }
    }
}

/// Computes what samples lack of the features that a head reads, so that it can be put in service.
///
/// # Errors
/// The backbone cannot be opened, a payload is gone, or the store fails.
pub fn ready<E: From<SwitchError> + From<StoreError>>(
    tasks: &mut Tasks,
    task: &str,
    generation: Generation,
    open: impl FnOnce(&crate::store::Task) -> Result<Backbone, E>,
    mut progress: impl FnMut(usize, usize),
) -> Result<(), E> {
    let head = tasks.head(task, generation)?;
    let on = tasks.task_on(task, &head.file.backbone_id)?;
    if tasks.missing_features(task, &on.backbone_id)?.is_empty() {
        return Ok(());
    }
    let mut backbone = open(&on)?;
    extractor::check(tasks, &on, &mut backbone, &mut progress).map_err(|error| SwitchError::from(Box::new(error)))?;
    let wrap = |source: RecomputeError| SwitchError::Features {
        task: on.name.clone(),
        backbone: on.backbone.clone(),
        source: source.into(),
    };
    missing(tasks, &on, &mut backbone, &mut progress).map_err(wrap)?;
    Ok(())
}
