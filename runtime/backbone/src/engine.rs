//! Engines: what runs a cut graph on a batch of inputs.
//!
//! Knows nothing about pictures, pooling or manifests. An engine that is not compiled in is a file with the same surface
//! that says so. Invariant: an engine serves one graph with one input and one output, and never panics on a bad one.

use std::{fmt, path::PathBuf, str::FromStr};

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
