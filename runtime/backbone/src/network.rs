//! A network: a model file, read within bounds, cut at one tensor and opened in an engine.
//!
//! Knows nothing about pictures or pooling; [`Backbone`](crate::Backbone) is built on it, and it alone serves to compare
//! a whole model with reference outputs. Invariant: it takes batches of the input shape it was opened with.

use ndarray::ArrayD;
use prost::bytes::Bytes;

use crate::{
    engine::{self, EngineError, EngineOptions, Extractor, Opened, Tensor},
    manifest::ElementType,
    onnx::{
        self, Cut, ModelError,
        pb::{self, tensor_proto::DataType},
    },
};

/// Why a network cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The model is refused before any engine sees it.
    #[error("the model is refused")]
    Model(#[from] ModelError),
    /// The engine cannot serve.
    #[error("no engine runs the model")]
    Engine(#[from] EngineError),
}

/// Where a network begins and ends.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The tensor to compute; none: the model's first output.
    pub output: Option<&'a str>,
    /// The input that is fed.
    pub input: &'a str,
    /// The input's shape without the batch axis.
    pub shape: &'a [usize],
    /// The input's element type.
    pub element: ElementType,
}

/// A model that runs.
pub struct Network {
    opened: Opened,
    shape: Vec<usize>,
    element: ElementType,
}

impl Network {
    /// Reads, cuts and opens a model.
    ///
    /// # Errors
    /// The model is refused, or no engine can run it.
    pub fn open(bytes: Vec<u8>, ends: &Ends<'_>, options: &EngineOptions) -> Result<Self, NetworkError> {
        Self::of(onnx::read(Bytes::from(bytes))?, ends, options)
    }

    /// Cuts and opens a model that was read.
    pub(crate) fn of(model: pb::ModelProto, ends: &Ends<'_>, options: &EngineOptions) -> Result<Self, NetworkError> {
        let model = cut(model, ends)?;
        let opened = engine::open(&model, options)?;
        Ok(Self { opened, shape: ends.shape.to_vec(), element: ends.element })
    }

    /// Runs a batch `[n, …]`; the output is `[n, …]`, and row i depends on row i of the batch alone.
    ///
    /// # Errors
    /// The batch has another shape or type than the network, or the engine fails.
    pub fn run(&mut self, batch: &Tensor) -> Result<ArrayD<f32>, EngineError> {
        let fits = batch.shape().split_first().is_some_and(|(&n, rest)| n > 0 && rest == self.shape);
        if !fits || batch.element() != self.element {
            return Err(EngineError::Batch {
                expected: format!(
                    "{} [n, {}]",
                    self.element,
                    self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
                ),
                found: format!("{} {:?}", batch.element(), batch.shape()),
            });
        }
        self.opened.engine.run(batch)
    }

    /// Runs one input of numbers that mean nothing, as a trial.
    ///
    /// # Errors
    /// The engine fails.
    pub fn try_out(&mut self) -> Result<ArrayD<f32>, EngineError> {
        let shape: Vec<usize> = std::iter::once(1).chain(self.shape.iter().copied()).collect();
        // -2 to 2, where normalised inputs lie, or any byte.
        let scale = if self.element == ElementType::F32 { 4.0 / 251.0 } else { 1.0 };
        let numbers = (0..shape.iter().product::<usize>()).map(|i| ((i * 37 % 251) as f32 - 125.0) * scale).collect();
        let tensor = Tensor::cast(numbers, &shape, self.element).expect("a bug: as many numbers as the shape has");
        self.run(&tensor)
    }

    /// What really runs.
    pub fn extractor(&self) -> &Extractor {
        self.opened.engine.extractor()
    }

    /// Why the engine is not the preferred one, where `auto` fell back.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.opened.fallback_reason.as_deref()
    }
}

/// The graph between the ends, for one sample at a time: see the engines.
pub(crate) fn cut(model: pb::ModelProto, ends: &Ends<'_>) -> Result<pb::ModelProto, ModelError> {
    let shape: Vec<usize> = std::iter::once(1).chain(ends.shape.iter().copied()).collect();
    let element = match ends.element {
        ElementType::F32 => DataType::Float,
        ElementType::I8 => DataType::Int8,
        ElementType::U8 => DataType::Uint8,
    };
    onnx::cut(model, &Cut { output: ends.output, input: ends.input, shape: &shape, element })
}
