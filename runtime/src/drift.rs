//! What a head was learnt on, as the drift test compares with it. Knows the store, and nothing of what comes in.

use std::collections::HashMap;

use acclimate_trainer::drift::{Reference, ReferenceError};
use ndarray::Axis;

use crate::store::{SampleId, StoreError, StoredHead, Tasks};

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The features are another backbone's by now.
    #[error(
        "generation {generation} was learnt on features of another backbone than the task has now: adapt again, or ask of a \
         later generation"
    )]
    Backbone {
        /// The head's.
        generation: u32,
    },
    /// There is no out-of-sample score of what it was learnt on.
    #[error(
        "the leave-out scores of generation {generation} are not kept any more (or never were: it came from elsewhere): adapt again"
    )]
    NotKept {
        /// The head's.
        generation: u32,
    },
    /// There is too little.
    #[error("nothing to compare with")]
    Reference(#[from] ReferenceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The samples that a head was fitted on and that are still there, each as the head took it without its group.
///
/// # Errors
/// When they are not kept, are another backbone's, or are too few.
pub fn reference(tasks: &Tasks, task: &str, head: &StoredHead) -> Result<Reference, DriftError> {
    let generation = head.generation.0;
    let snapshot = tasks.snapshot(task)?;
    if snapshot.backbone_id != head.file.backbone_id {
        return Err(DriftError::Backbone { generation });
    }
    let kept = tasks.leave_out(task, head.generation)?;
    let classes = head.file.classes.len();
    let row_of: HashMap<SampleId, usize> = snapshot.ids.iter().enumerate().map(|(row, &id)| (id, row)).collect();
    let (mut rows, mut taken_for) = (Vec::new(), Vec::new());
    for kept in kept.iter().filter(|kept| kept.probabilities.len() == classes) {
        let best = (0..classes).max_by(|&a, &b| kept.probabilities[a].total_cmp(&kept.probabilities[b]));
        if let Some((&row, class)) = row_of.get(&kept.sample).zip(best) {
            rows.push(row);
            taken_for.push(class);
        }
    }
    if rows.is_empty() {
        return Err(DriftError::NotKept { generation });
    }
    let group_of = snapshot.groups();
    let groups: Vec<usize> = rows.iter().map(|&row| group_of[row]).collect();
    let features = snapshot.features().select(Axis(0), &rows);
    Ok(Reference::new(features.view(), &taken_for, &groups, classes)?)
}
