//! Features of stored samples computed again from their kept payloads: for another backbone, another engine, or a head
//! that is put back in service. Knows nothing about heads.
//!
//! What a chunk gave is stored before the next begins, so that an interrupted run goes on where it was.

use acclimate_backbone::Backbone;
use acclimate_trainer::Feature;
use jiff::Timestamp;

use crate::embedding::embed_bytes;
use crate::loading::InputError;
use crate::store::{NewFeature, SampleId, StoreError, Task, Tasks};

/// Features computed between two acknowledgements.
const CHUNK: usize = 16;

/// Why features cannot be computed again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The backbone says no to a payload.
    #[error("could not compute the feature of stored sample {sample} again")]
    Input {
        /// The sample.
        sample: SampleId,
        /// Why.
        #[source]
        source: Box<InputError>,
    },
    /// The store failed, or no longer has a payload.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The feature of a stored sample, from its payload.
///
/// # Errors
/// Its payload is gone, or the backbone cannot embed it.
pub fn feature(
    tasks: &Tasks,
    task: &str,
    backbone: &mut Backbone,
    sample: &SampleId,
) -> Result<Feature, RecomputeError> {
    let payload = tasks.payload(task, sample)?;
    match embed_bytes(backbone, payload) {
        Ok(embedded) => Ok(embedded.feature),
        Err(source) => Err(RecomputeError::Input { sample: *sample, source: source.into() }),
    }
}

/// Computes the features that samples lack, of the backbone that the task is seen with; `progress` is told how many are
/// done and how many there are. `store` has a chunk of them durable when it returns. Gives how many there were.
///
/// # Errors
/// A payload is gone: then nothing is computed. The backbone cannot embed one, or the store fails.
pub fn missing(
    tasks: &mut Tasks,
    on: &Task,
    backbone: &mut Backbone,
    mut progress: impl FnMut(usize, usize),
) -> Result<usize, RecomputeError> {
    let samples = tasks.missing_features(&on.name, &on.backbone_id)?;
    for sample in &samples {
        tasks.has_payload(&on.name, sample)?;
    }
    these(tasks, on, backbone, &samples, &mut progress)?;
    Ok(samples.len())
}

/// Computes the features of these samples, whether they have one or not.
///
/// # Errors
/// A payload is gone, the backbone cannot embed one, or the store fails.
pub fn these(
    tasks: &mut Tasks,
    on: &Task,
    backbone: &mut Backbone,
    samples: &[SampleId],
    mut progress: impl FnMut(usize, usize),
) -> Result<(), RecomputeError> {
    let extractor = backbone.extractor().to_string();
    for (done, chunk) in samples.chunks(CHUNK).enumerate() {
        let mut features = Vec::with_capacity(chunk.len());
        for sample in chunk {
            let feature = feature(tasks, &on.name, backbone, sample)?;
            let encoded = on.quantisation.encode(&feature);
            features.push(NewFeature {
                sample: *sample,
                codes: encoded.codes,
                saturated: encoded.saturated,
                norm: feature.norm(),
            });
        }
        tasks.add_features(&on.name, &on.backbone_id, &features, &extractor, Timestamp::now())?;
        progress(done * CHUNK + chunk.len(), samples.len());
    }
    Ok(())
}
