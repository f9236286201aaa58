//! The extractor check: whether another engine, version, provider or precision computes the features that a task has.
//!
//! Knows nothing about which engines there are. A feature is stored in 8 bits, so a component computed anew may be half a
//! code away from the stored one for that alone; what is beyond is the difference that counts.

use acclimate_backbone::Backbone;
use acclimate_trainer::{Feature, Quantisation};
use jiff::Timestamp;

use crate::recompute::{RecomputeError, feature, these};
use crate::store::{StoreError, StoredFeature, Task, Tasks};

/// Payloads embedded again: those with the smallest ids, which are hashes, so that it is the same handful every time and
/// chosen by nobody.
pub const CHECKED: usize = 8;

/// Largest difference of a component of the unit feature, beyond half a code, and of the norm relative to itself. ONNX
/// Runtime and tract on one CPU differ by 5e-7, a change of precision to 16 bits by 1e-3.
pub const TOLERANCE: f32 = 1e-4;

/// What came of the check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checked {
    /// Nothing to check: it computed them, or was found to agree before.
    Known,
    /// It agrees, and that was noted.
    Agrees {
        /// Payloads embedded again.
        checked: usize,
        /// Largest difference.
        difference: f32,
    },
    /// It does not agree, and every feature was computed again.
    Recomputed {
        /// Features computed.
        features: usize,
        /// Largest difference found; none where an interrupted run was ended.
        difference: Option<f32>,
    },
}

/// Why an extractor cannot be used for a task.
#[derive(Debug, thiserror::Error)]
pub enum ExtractorError {
    /// It differs, and features cannot be computed again.
    #[error(
        "features of task `{task}` were computed by {before}; {now} gives others (they differ by {difference:.1e}, at most \
         {TOLERANCE:.0e} is within tolerance), and they cannot all be computed again: go back to {before}, or make a new task"
    )]
    Differs {
        /// The task.
        task: String,
        /// What computed them.
        before: String,
        /// What runs now.
        now: String,
        /// The largest difference.
        difference: f32,
        /// Why not.
        #[source]
        source: Box<RecomputeError>,
    },
    /// It differs, and who asks only reads.
    #[error(
        "features of task `{task}` were computed by {before}; {now} gives others (they differ by {difference:.1e}, at most \
         {TOLERANCE:.0e} is within tolerance): go back to {before}, or add a sample, which has all of them computed again"
    )]
    Others {
        /// The task.
        task: String,
        /// What computed them.
        before: String,
        /// What runs now.
        now: String,
        /// The largest difference.
        difference: f32,
    },
    /// The check could not be made.
    #[error(
        "features of task `{task}` were computed by {before}, now {now} runs: whether it gives the same cannot be checked"
    )]
    Unchecked {
        /// The task.
        task: String,
        /// What computed them.
        before: String,
        /// What runs now.
        now: String,
        /// Why not.
        #[source]
        source: Box<RecomputeError>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that features computed from now on are like those that are stored; `on` is the task as seen with the
/// backbone. `progress` is told how many features of how many have been computed again.
///
/// # Errors
/// The extractor gives other features, and a payload that is needed is gone.
pub fn check(
    tasks: &mut Tasks,
    on: &Task,
    backbone: &mut Backbone,
    progress: impl FnMut(usize, usize),
) -> Result<Checked, ExtractorError> {
    let Some(Unknown { now, before, others }) = unknown(tasks, on, backbone)? else { return Ok(Checked::Known) };
    // It has computed some though it was never accepted: a run that was to replace all of them.
    let interrupted = others.len() + tasks.missing_features(&on.name, &on.backbone_id)?.len() < on.samples;
    let mut difference = None;
    if !interrupted {
        let unchecked = |source: RecomputeError| ExtractorError::Unchecked {
            task: on.name.clone(),
            before: before.clone(),
            now: now.clone(),
            source: source.into(),
        };
        let (checked, largest) = compare(tasks, on, backbone, &others).map_err(unchecked)?;
        if checked == 0
            && let Some(stored) = others.first()
        {
            // The words for a payload that is gone.
            tasks.has_payload(&on.name, &stored.sample).map_err(|source| unchecked(source.into()))?;
        }
        if largest <= TOLERANCE {
            let accept = (checked, Some(largest), false);
            tasks.accept_extractor(&on.name, &on.backbone_id, &now, accept, Timestamp::now())?;
            return Ok(Checked::Agrees { checked, difference: largest });
        }
        difference = Some(largest);
    }
    let differs = |source: RecomputeError| ExtractorError::Differs {
        task: on.name.clone(),
        before: before.clone(),
        now: now.clone(),
        difference: difference.unwrap_or(f32::NAN),
        source: source.into(),
    };
    let samples: Vec<_> = others.iter().map(|stored| stored.sample).collect();
    // Before the first is replaced: all or none.
    for sample in &samples {
        tasks.has_payload(&on.name, sample).map_err(|source| differs(source.into()))?;
    }
    these(tasks, on, backbone, &samples, progress).map_err(differs)?;
    tasks.accept_extractor(&on.name, &on.backbone_id, &now, (samples.len(), difference, true), Timestamp::now())?;
    Ok(Checked::Recomputed { features: samples.len(), difference })
}

/// [`check`] for who only reads: tells whether what runs now computes the features that the head in service was fitted on.
///
/// # Errors
/// It computes others, or a payload cannot be embedded.
pub fn agrees(tasks: &Tasks, on: &Task, backbone: &mut Backbone) -> Result<Checked, ExtractorError> {
    let Some(Unknown { now, before, others }) = unknown(tasks, on, backbone)? else { return Ok(Checked::Known) };
    let task = on.name.clone();
    match compare(tasks, on, backbone, &others) {
        Ok((checked, difference)) if difference <= TOLERANCE => Ok(Checked::Agrees { checked, difference }),
        Ok((_, difference)) => Err(ExtractorError::Others { task, before, now, difference }),
        Err(source) => Err(ExtractorError::Unchecked { task, before, now, source: source.into() }),
    }
}

/// An extractor that has not been checked.
struct Unknown {
    now: String,
    /// Those that have.
    before: String,
    /// The features that it did not compute.
    others: Vec<StoredFeature>,
}

/// What runs now, unless a task's features are known to be its own, or like its own.
fn unknown(tasks: &Tasks, on: &Task, backbone: &Backbone) -> Result<Option<Unknown>, StoreError> {
    let now = backbone.extractor().to_string();
    let accepted = tasks.extractors(&on.name, &on.backbone_id)?;
    if accepted.is_empty() || accepted.contains(&now) {
        return Ok(None);
    }
    let others = tasks.features_not_of(&on.name, &on.backbone_id, &now)?;
    Ok(Some(Unknown { now, before: accepted.join(", "), others }))
}

/// Embeds a handful of payloads again: how many there were, and the largest difference.
fn compare(
    tasks: &Tasks,
    on: &Task,
    backbone: &mut Backbone,
    stored: &[StoredFeature],
) -> Result<(usize, f32), RecomputeError> {
    let kept = stored.iter().filter(|stored| tasks.has_payload(&on.name, &stored.sample).is_ok());
    kept.take(CHECKED).try_fold((0, 0.0_f32), |(checked, largest), stored| {
        let again = feature(tasks, &on.name, backbone, &stored.sample)?;
        Ok((checked + 1, largest.max(distance(on.quantisation, stored, &again))))
    })
}

/// The largest difference between a stored feature and one computed again that rounding to codes does not explain.
fn distance(quantisation: Quantisation, stored: &StoredFeature, again: &Feature) -> f32 {
    let Quantisation { full_scale, signed } = quantisation;
    let (bottom, half) = if signed { (-full_scale, full_scale / 254.0) } else { (0.0, full_scale / 510.0) };
    let decoded = quantisation.decode(&stored.codes);
    let components = decoded.iter().zip(again.as_slice()).map(|(&a, b)| (a - b.clamp(bottom, full_scale)).abs() - half);
    let norm = stored.norm.map_or(0.0, |norm| (again.norm() / norm - 1.0).abs());
    let largest = components.fold(norm.max(0.0), f32::max);
    if largest.is_finite() { largest } else { f32::MAX }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::store::SampleId;

    #[test]
    fn rounding_to_codes_is_no_difference_and_a_code_more_is() {
        for signed in [false, true] {
            let quantisation = Quantisation::new(0.5, signed).unwrap();
            let feature = Feature::from_raw(&[0.1, 0.2, 0.31, 0.4, 2.0]).unwrap();
            let codes = quantisation.encode(&feature).codes;
            let mut stored = StoredFeature { sample: SampleId([0; 16]), codes, norm: Some(feature.norm()) };
            assert!(distance(quantisation, &stored, &feature) < 1e-6);
            stored.codes[2] += 2;
            assert!(distance(quantisation, &stored, &feature) > 1e-3);
            stored.codes[2] -= 2;
            stored.norm = Some(feature.norm() * 1.001);
            assert!(distance(quantisation, &stored, &feature) > 9e-4);
        }
    }
}
