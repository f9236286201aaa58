//! Engines: what runs a cut graph on a batch of inputs.
//!
//! Knows nothing about pictures, pooling or manifests. An engine that is not compiled in is a file with the same surface
//! that says so. Invariant: an engine serves one graph with one input and one output, and never panics on a bad one.

#[cfg(feature = "ort")]
mod ort;
#[cfg(not(feature = "ort"))]
#[path = "engine/ort_absent.rs"]
mod ort;
#[cfg(feature = "tract")]
mod tract;
#[cfg(not(feature = "tract"))]
#[path = "engine/tract_absent.rs"]
mod tract;

use std::{fmt, path::PathBuf, str::FromStr};

use ndarray::ArrayD;

use crate::{manifest::ElementType, onnx::pb};

/// Which engine is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// ONNX Runtime where its library loads, else tract.
    #[default]
    Auto,
    /// ONNX Runtime.
    Ort,
    /// tract.
    Tract,
}

impl EngineChoice {
    /// The word of configuration and command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ort => "ort",
            Self::Tract => "tract",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for EngineChoice {
    type Err = UnknownEngine;

    fn from_str(word: &str) -> Result<Self, UnknownEngine> {
        [Self::Auto, Self::Ort, Self::Tract]
            .into_iter()
            .find(|choice| choice.word() == word)
            .ok_or_else(|| UnknownEngine(word.to_owned()))
    }
}

/// A word that names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine \"{0}\": expected auto, ort or tract")]
pub struct UnknownEngine(String);

/// How to run a backbone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Which engine.
    pub engine: EngineChoice,
    /// Threads for one run, and for preprocessing; at least 1 is used.
    pub threads: usize,
    /// A further place to look for ONNX Runtime: the library itself or a folder with it.
    pub ort_library: Option<PathBuf>,
}

impl Default for EngineOptions {
    /// `auto`, with as many threads as the machine offers.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { engine: EngineChoice::Auto, threads, ort_library: None }
    }
}

/// What really runs a backbone: recorded with every feature, head and statistics set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extractor {
    /// `ort` or `tract`.
    pub engine: String,
    /// The engine's own version.
    pub version: String,
    /// Execution provider, as `cpu`.
    pub provider: String,
    /// Arithmetic, as `f32`.
    pub precision: String,
}

impl fmt::Display for Extractor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}, {})", self.engine, self.version, self.provider, self.precision)
    }
}

/// Elements of an input batch, `[n, …]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(ArrayD<f32>),
    /// 8-bit signed integers.
    I8(ArrayD<i8>),
    /// 8-bit unsigned integers.
    U8(ArrayD<u8>),
}

impl Tensor {
    /// Casts numbers to an element type: integers are rounded, halves to even, and saturate.
    ///
    /// # Errors
    /// The numbers do not fill the shape.
    pub(crate) fn cast(numbers: Vec<f32>, shape: &[usize], element: ElementType) -> Result<Self, ndarray::ShapeError> {
        let numbers = ArrayD::from_shape_vec(shape, numbers)?;
        Ok(match element {
            ElementType::F32 => Self::F32(numbers),
            ElementType::I8 => Self::I8(numbers.mapv(|number| number.round_ties_even() as i8)),
            ElementType::U8 => Self::U8(numbers.mapv(|number| number.round_ties_even() as u8)),
        })
    }

    /// Its shape; the first axis is the batch.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(array) => array.shape(),
            Self::I8(array) => array.shape(),
            Self::U8(array) => array.shape(),
        }
    }

    /// Its element type.
    pub fn element(&self) -> ElementType {
        match self {
            Self::F32(_) => ElementType::F32,
            Self::I8(_) => ElementType::I8,
            Self::U8(_) => ElementType::U8,
        }
    }
}

/// Why an engine cannot run a graph.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine is not in this build.
    #[error(
        "engine \"{engine}\" is not in this build: build with the feature `{engine}`, or choose engine \"{other}\""
    )]
    Absent {
        /// The engine asked for.
        engine: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// ONNX Runtime's library is nowhere.
    #[error(
        "no ONNX Runtime library was found (looked at {looked}): install the Python package onnxruntime, or set \
         ORT_DYLIB_PATH to a libonnxruntime.so of version 1.{minimum} or later, or choose engine \"tract\""
    )]
    NoLibrary {
        /// Where it was sought.
        looked: String,
        /// Oldest minor version that serves.
        minimum: u32,
    },
    /// A library is there but does not serve.
    #[error("{} is no usable ONNX Runtime library: {reason}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The graph has operators that the engine has not.
    #[error("engine \"{engine}\" has no operator {}: engine \"{other}\" may run this model", operators.join(", "))]
    Operators {
        /// The engine.
        engine: &'static str,
        /// The operators, sorted.
        operators: Vec<String>,
        /// The engine that may.
        other: &'static str,
    },
    /// The engine refuses the graph.
    #[error("engine \"{engine}\" cannot load the graph")]
    Load {
        /// The engine.
        engine: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A run failed.
    #[error("engine \"{engine}\" cannot run the graph")]
    Run {
        /// The engine.
        engine: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine panicked, which is a bug in it.
    #[error("engine \"{engine}\" has a bug that this graph touches ({message}): choose another engine")]
    Panicked {
        /// The engine.
        engine: &'static str,
        /// The panic's message.
        message: String,
    },
    /// The output is of another element type.
    #[error(
        "the output computed by engine \"{engine}\" holds {found}, not floats: choose a tensor before or behind the quantisation"
    )]
    Output {
        /// The engine.
        engine: &'static str,
        /// The element type.
        found: String,
    },
    /// The input batch has another shape or type than the graph's input.
    #[error("the graph's input is {expected}, the batch given is {found}")]
    Batch {
        /// What the graph takes.
        expected: String,
        /// What was given.
        found: String,
    },
}

/// Runs one graph.
pub(crate) trait Engine: Send {
    /// Runs a batch `[n, …]` and returns the output `[n, …]`. A sample's output does not depend on the others of its batch.
    ///
    /// # Errors
    /// The engine fails, or panics.
    fn run(&mut self, batch: &Tensor) -> Result<ArrayD<f32>, EngineError>;

    /// What really runs.
    fn extractor(&self) -> &Extractor;
}

/// An open engine, and why it is not the preferred one.
pub(crate) struct Opened {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) fallback_reason: Option<String>,
}

/// Opens the engine asked for on a cut graph; `auto` is ONNX Runtime, and tract where its library cannot be had.
pub(crate) fn open(model: &pb::ModelProto, options: &EngineOptions) -> Result<Opened, EngineError> {
    let plain = |engine| Opened { engine, fallback_reason: None };
    match options.engine {
        EngineChoice::Ort => ort::open(model, options).map(plain),
        EngineChoice::Tract => tract::open(model, options).map(plain),
        EngineChoice::Auto => match ort::open(model, options) {
            Ok(engine) => Ok(plain(engine)),
            Err(
                reason @ (EngineError::Absent { .. } | EngineError::NoLibrary { .. } | EngineError::Library { .. }),
            ) => {
                // A library that is there and of no use is a surprise; one that was never installed is not.
                if let EngineError::Library { .. } = reason {
                    tracing::warn!("tract runs instead of ONNX Runtime: {reason}");
                } else {
                    tracing::info!("tract runs: {reason}");
                }
                let engine = tract::open(model, options)?;
                Ok(Opened { engine, fallback_reason: Some(reason.to_string()) })
            }
            Err(error) => Err(error),
        },
    }
}

/// Operators of a graph that tract does not have, sorted; none where tract is not in this build.
pub(crate) fn lacking_in_tract(model: &pb::ModelProto) -> Option<Vec<String>> {
    tract::lacking(model)
}

/// The engine that `options` lead to, and its version, without a model.
///
/// # Errors
/// It cannot be had.
pub fn serving_engine(options: &EngineOptions) -> Result<(&'static str, String), EngineError> {
    let tract = || tract::version().map(|version| ("tract", version.to_owned()));
    if options.engine == EngineChoice::Tract {
        return tract();
    }
    match ort::probe(options) {
        Ok((version, _)) => Ok(("ort", version)),
        Err(EngineError::Absent { .. } | EngineError::NoLibrary { .. } | EngineError::Library { .. })
            if options.engine == EngineChoice::Auto =>
        {
            tract()
        }
        Err(error) => Err(error),
    }
}

/// The version of ONNX Runtime that can be loaded, and its library.
///
/// # Errors
/// None can, or the engine is not in this build.
pub fn probe_ort(options: &EngineOptions) -> Result<(String, PathBuf), EngineError> {
    ort::probe(options)
}
