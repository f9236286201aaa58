//! tract: pure Rust, f32 on the CPU.
//!
//! Knows nothing about libraries to load. The plan is made once for a batch of one and run once per sample, samples
//! spread over threads: so a feature does not depend on what else was in its batch, and a model with a fixed batch of
//! one works. Invariant: a panic inside tract becomes an error.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use ndarray::{ArrayD, Axis};
use prost::Message as _;
use tract_onnx::prelude::{
    Framework as _, InferenceModelExt as _, IntoRunnable as _, IntoTValue as _, Tensor as TractTensor, TractError,
    TractResult, TypedRunnableModel, tvec,
};

use super::{Engine, EngineError, EngineOptions, Extractor, Tensor};
use crate::onnx::{self, pb};

const NAME: &str = "tract";

/// tract does not tell its version; a test holds this against `Cargo.lock`.
const VERSION: &str = "0.23.9";

struct Tract {
    plan: Arc<TypedRunnableModel>,
    threads: usize,
    extractor: Extractor,
}

/// Operators of a graph that tract has no builder for. It looks them up by name, whatever the domain.
#[expect(clippy::unnecessary_wraps, reason = "the surface of `tract_absent.rs`, which cannot know")]
pub(super) fn lacking(model: &pb::ModelProto) -> Option<Vec<String>> {
    let known = tract_onnx::onnx().op_register.0;
    let mut missing = BTreeSet::new();
    onnx::for_each_node(model, &mut |node| {
        if !known.contains_key(node.op_type()) {
            missing.insert(node.op_type().to_owned());
        }
    });
    Some(missing.into_iter().collect())
}

#[expect(clippy::unnecessary_wraps, reason = "the surface of `tract_absent.rs`, which has none")]
pub(super) fn version() -> Result<&'static str, EngineError> {
    Ok(VERSION)
}

pub(super) fn open(model: &pb::ModelProto, options: &EngineOptions) -> Result<Box<dyn Engine>, EngineError> {
    let operators = lacking(model).unwrap_or_default();
    if !operators.is_empty() {
        return Err(EngineError::Operators { engine: NAME, operators, other: "ort" });
    }
    let bytes = model.encode_to_vec();
    let plan = guarded(|| load(&bytes))?.map_err(|error| EngineError::Load { engine: NAME, source: error.into() })?;
    let extractor = Extractor {
        engine: NAME.to_owned(),
        version: VERSION.to_owned(),
        provider: "cpu".to_owned(),
        precision: "f32".to_owned(),
    };
    Ok(Box::new(Tract { plan, threads: options.threads.max(1), extractor }))
}

fn load(mut bytes: &[u8]) -> TractResult<Arc<TypedRunnableModel>> {
    tract_onnx::onnx().model_for_read(&mut bytes)?.into_optimized()?.into_runnable()
}

/// Runs foreign code that may panic on a bad graph.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, EngineError> {
    // Nothing of ours is left half-changed by a panic in there: the plan is dropped or immutable.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        EngineError::Panicked { engine: NAME, message: text.unwrap_or("no message").to_owned() }
    })
}

impl Engine for Tract {
    fn run(&mut self, batch: &Tensor) -> Result<ArrayD<f32>, EngineError> {
        let samples = split(batch);
        let plan = &self.plan;
        let share = samples.len().div_ceil(self.threads).max(1);
        let work =
            |chunk: &[TractTensor]| chunk.iter().map(|sample| run_one(plan, sample)).collect::<Result<Vec<_>, _>>();
        let shares = if samples.len() <= share {
            vec![work(&samples)]
        } else {
            thread::scope(|scope| {
                let workers: Vec<_> = samples.chunks(share).map(|chunk| scope.spawn(move || work(chunk))).collect();
                let join = |worker: thread::ScopedJoinHandle<'_, _>| {
                    worker.join().expect("a bug: a worker's panics are caught inside it")
                };
                workers.into_iter().map(join).collect()
            })
        };
        let outputs = shares.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
        ndarray::concatenate(Axis(0), &views).map_err(|error| EngineError::Run { engine: NAME, source: error.into() })
    }

    fn extractor(&self) -> &Extractor {
        &self.extractor
    }
}

/// The samples of a batch, each as a batch of one.
fn split(batch: &Tensor) -> Vec<TractTensor> {
    fn each<T: tract_onnx::prelude::Datum>(array: &ArrayD<T>) -> Vec<TractTensor> {
        array.axis_iter(Axis(0)).map(|sample| sample.insert_axis(Axis(0)).to_owned().into()).collect()
    }
    match batch {
        Tensor::F32(array) => each(array),
        Tensor::I8(array) => each(array),
        Tensor::U8(array) => each(array),
    }
}

fn run_one(plan: &Arc<TypedRunnableModel>, sample: &TractTensor) -> Result<ArrayD<f32>, EngineError> {
    let output = guarded(|| plan.run(tvec!(sample.clone().into_tvalue())).map(|mut outputs| outputs.swap_remove(0)))?;
    let failed = |error: TractError| EngineError::Run { engine: NAME, source: error.into() };
    let output = output.map_err(failed)?;
    if !output.datum_type().is_float() {
        return Err(EngineError::Output { engine: NAME, found: format!("{:?}", output.datum_type()) });
    }
    let copy = || -> TractResult<ArrayD<f32>> { Ok(output.cast_to::<f32>()?.to_plain_array_view::<f32>()?.to_owned()) };
    copy().map_err(failed)
}
