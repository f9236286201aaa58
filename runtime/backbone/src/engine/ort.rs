//! ONNX Runtime, loaded as a shared library at run time.
//!
//! Knows nothing about where models come from. The session is made for a batch of one and run once per sample: so a
//! feature does not depend on what else was in its batch, and a model with a fixed batch of one works. Invariant:
//! threads are as stated, none spins.

mod library;

use std::{fmt::Debug, path::PathBuf};

use ndarray::{ArrayD, ArrayViewD, Axis};
use ort::{
    session::{Session, builder::GraphOptimizationLevel},
    value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef},
};
use prost::Message as _;

use super::{Engine, EngineError, EngineOptions, Extractor, Tensor};
use crate::onnx::pb;

const NAME: &str = "ort";

/// On x86-64 without VNNI, products of unsigned by signed bytes saturate at 16 bits: int8 models lose a tenth to a half of
/// their right answers. With this, ONNX Runtime computes with unsigned weights there, and as ever elsewhere
/// (`kOrtSessionOptionsAvx2PrecisionMode`).
const EXACT_ON_X64: &str = "session.x64quantprecision";

struct Ort {
    session: Session,
    extractor: Extractor,
}

/// The version of the library that serves, and where it lies.
pub(super) fn probe(options: &EngineOptions) -> Result<(String, PathBuf), EngineError> {
    library::runtime(options.ort_library.as_deref()).map(|runtime| (runtime.version, runtime.path))
}

pub(super) fn open(model: &pb::ModelProto, options: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    let runtime = library::runtime(options.ort_library.as_deref())?;
    let bytes = model.encode_to_vec();
    let load = |level: GraphOptimizationLevel, exact: &str| -> ort::Result<Session> {
        Session::builder(&runtime.environment)?
            .with_optimization_level(level)?
            .with_intra_threads(options.threads.max(1))?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_config_entry(EXACT_ON_X64, exact)?
            .commit_from_memory(&bytes)
    };
    // Some graphs cannot be made exact so (1.31 fails at `mlperf-tiny-vww-int8`): those are computed in f32,
    // for their integer operators are only made at the next level of optimisation.
    let session = load(GraphOptimizationLevel::All, "1").or_else(|error| {
        load(GraphOptimizationLevel::Level1, "0").map_err(|_| EngineError::Load { engine: NAME, source: error.into() })
    })?;
    let extractor = Extractor {
        engine: NAME.to_owned(),
        version: runtime.version,
        provider: "cpu".to_owned(),
        precision: "f32".to_owned(),
    };
    Ok(Box::new(Ort { session, extractor }))
}

impl Engine for Ort {
    fn run(&mut self, batch: &Tensor) -> Result<ArrayD<f32>, EngineError> {
        let outputs = match batch {
            Tensor::F32(array) => self.each(array),
            Tensor::I8(array) => self.each(array),
            Tensor::U8(array) => self.each(array),
        }?;
        let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
        ndarray::concatenate(Axis(0), &views).map_err(failed)
    }

    fn extractor(&self) -> &Extractor {
        &self.extractor
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Run { engine: NAME, source: error.into() }
}

impl Ort {
    fn each<T: PrimitiveTensorElementType + Clone + Debug + 'static>(
        &mut self,
        batch: &ArrayD<T>,
    ) -> Result<Vec<ArrayD<f32>>, EngineError> {
        let mut shape: Vec<i64> = batch.shape().iter().map(|&axis| axis as i64).collect();
        shape[0] = 1;
        let run = |sample: ArrayViewD<'_, T>| {
            let sample = sample.as_standard_layout();
            let elements = sample.as_slice().expect("a bug: standard layout is a slice");
            let input = TensorRef::from_array_view((shape.as_slice(), elements)).map_err(failed)?;
            let outputs = self.session.run(ort::inputs![input]).map_err(failed)?;
            extract(&outputs[0])
        };
        batch.axis_iter(Axis(0)).map(run).collect()
    }
}

/// Copies an output out of the runtime.
fn extract(output: &DynValue) -> Result<ArrayD<f32>, EngineError> {
    if output.dtype().tensor_type() != Some(TensorElementType::Float32) {
        return Err(EngineError::Output { engine: NAME, found: output.dtype().to_string() });
    }
    let (shape, numbers) = output.try_extract_tensor::<f32>().map_err(failed)?;
    let shape: Vec<usize> = shape.iter().map(|&axis| axis as usize).collect();
    ArrayD::from_shape_vec(shape, numbers.to_vec()).map_err(failed)
}
