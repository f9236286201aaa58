//! Which samples deserve a person's attention: labels that look wrong, and samples worth a label. The choosing is the
//! trainer's; this file carries numbers from the store to it. Knows nothing about how the answer is printed.

use std::collections::HashMap;

use acclimate_trainer::{FEW_LABELS, Suspect, Useful, most_useful, suspects};
use ndarray::{Array2, ArrayView1, Axis};

use crate::store::{Pool, SampleId, StoreError, StoredHead, Tasks};

/// A label in doubt.
#[derive(Clone, Debug)]
pub struct SuspectLabel {
    /// The sample.
    pub sample: SampleId,
    /// The class it looks like.
    pub looks_like: String,
    /// How many times as probable as its label that is.
    pub odds: f64,
}

/// Labels that the head in service contradicts, without having been fitted on them: its kept leave-out probabilities,
/// or its answer where it was not fitted on the sample. None without a head; a label that the head does not know is not
/// judged.
///
/// # Errors
/// There is no such task, or the store fails.
pub fn suspect_labels(tasks: &Tasks, task: &str) -> Result<Option<Vec<SuspectLabel>>, StoreError> {
    let Some(head) = tasks.in_service(task)? else { return Ok(None) };
    let pool = tasks.pool(task, &head.file.backbone_id)?;
    let classes = &head.file.classes;
    let mut probabilities = answers(&head, &pool);
    let row_of: HashMap<SampleId, usize> = pool.ids.iter().enumerate().map(|(row, &id)| (id, row)).collect();
    for kept in tasks.leave_out(task, head.generation)? {
        if let Some(&row) = row_of.get(&kept.sample)
            && kept.probabilities.len() == classes.len()
        {
            let kept: Vec<f64> = kept.probabilities.iter().map(|&p| f64::from(p)).collect();
            probabilities.row_mut(row).assign(&ArrayView1::from(&kept));
        }
    }
    let place = |label: &Option<String>| label.as_ref().and_then(|l| classes.iter().position(|class| class == l));
    let (rows, labels): (Vec<usize>, Vec<usize>) =
        pool.labels.iter().enumerate().filter_map(|(row, label)| Some((row, place(label)?))).unzip();
    let found = suspects(probabilities.select(Axis(0), &rows).view(), &labels);
    let named = |Suspect { row, looks_like, odds }| SuspectLabel {
        sample: pool.ids[rows[row]],
        looks_like: classes[looks_like].clone(),
        odds,
    };
    Ok(Some(found.into_iter().map(named).collect()))
}

/// At most `count` samples without a label, in the order in which they are worth one: typical ones until classes have
/// [`FEW_LABELS`] labels on average or while no head is in service, then those that the head is in doubt about.
///
/// # Errors
/// There is no such task, or the store fails.
pub fn worth_a_label(tasks: &Tasks, task: &str, count: usize) -> Result<Vec<(SampleId, Useful)>, StoreError> {
    let backbone = tasks.task(task)?.backbone_id;
    let pool = tasks.pool(task, &backbone)?;
    let labelled: Vec<bool> = pool.labels.iter().map(Option::is_some).collect();
    let labels = labelled.iter().filter(|&&labelled| labelled).count();
    let head = tasks.in_service(task)?.filter(|head| {
        head.file.backbone_id == backbone
            && labels >= FEW_LABELS * head.file.classes.len()
            && head.file.classes.len() > 1
    });
    let probabilities = head.map(|head| answers(&head, &pool));
    let probabilities = probabilities.as_ref().map(|probabilities| probabilities.view());
    let found = most_useful(pool.features().view(), &pool.groups(), &labelled, probabilities, count);
    Ok(found.into_iter().map(|useful| (pool.ids[useful.row], useful)).collect())
}

/// The head's plain probabilities, `[n, classes]`.
fn answers(head: &StoredHead, pool: &Pool) -> Array2<f64> {
    head.file.head.batch(pool.features().view(), Some(&pool.norms))
}
