//! A backbone: samples in, features out.
//!
//! Knows manifests, networks and pooling; nothing about tasks or the store. Invariant: a [`Backbone`] runs the bytes
//! whose SHA-256 its manifest states, and every feature has the manifest's dimension.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use acclimate_trainer::{Feature, FeatureError, Quantisation};

use crate::{
    builtin, checksum,
    engine::{EngineError, EngineOptions, Extractor, Tensor},
    id::BackboneId,
    manifest::{ElementType, ImageInput, Input, Manifest, SignalInput},
    network::{Ends, Network, NetworkError},
    onnx,
    picture::{Picture, preprocess},
    pool::{Map, PoolError, pool},
    signal::{self, Window},
};

/// Samples that are preprocessed and in memory as tensors at once.
const BATCH: usize = 8;

/// Why there are no features.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The model file cannot be read.
    #[error("cannot read the model {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another file than the manifest's.
    #[error("{what} has SHA-256 {found}, the manifest of \"{name}\" says {expected}: replace the file or the manifest")]
    Checksum {
        /// The backbone.
        name: String,
        /// The file, or "the model".
        what: String,
        /// The manifest's sum.
        expected: String,
        /// The file's sum.
        found: String,
    },
    /// The model cannot be opened.
    #[error("cannot open backbone \"{name}\"")]
    Open {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: NetworkError,
    },
    /// The engine failed.
    #[error("backbone \"{name}\" cannot compute features")]
    Run {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: EngineError,
    },
    /// It was given pictures and takes something else.
    #[error("backbone \"{name}\" takes input of kind \"{takes}\", not pictures")]
    Kind {
        /// The backbone.
        name: String,
        /// The kind of its input.
        takes: &'static str,
    },
    /// The feature tensor is not what the manifest says.
    #[error("the feature tensor of backbone \"{name}\" does not fit its manifest")]
    Pool {
        /// The backbone.
        name: String,
        /// How.
        #[source]
        source: PoolError,
    },
    /// One sample has no feature.
    #[error("backbone \"{name}\" gives no feature for sample {index}")]
    Feature {
        /// The backbone.
        name: String,
        /// Position among the samples given.
        index: usize,
        /// Why.
        #[source]
        source: FeatureError,
    },
}

/// A frozen network up to its feature tensor.
pub struct Backbone {
    manifest: Manifest,
    network: Network,
    id: BackboneId,
    threads: usize,
}

impl Backbone {
    /// Opens the model in `file`, reading it once.
    ///
    /// # Errors
    /// The file cannot be read, is another one than the manifest's, is refused, or no engine can run it.
    pub fn open(manifest: &Manifest, file: &Path, options: &EngineOptions) -> Result<Self, BackboneError> {
        let bytes = read(file).map_err(|source| BackboneError::Read { path: file.to_owned(), source })?;
        Self::verified(manifest, bytes, &file.display().to_string(), options)
    }

    /// Opens the one that is built in.
    ///
    /// # Errors
    /// No engine can run it.
    pub fn builtin(options: &EngineOptions) -> Result<Self, BackboneError> {
        let manifest = Manifest::parse(builtin::MANIFEST).expect("a bug: a test parses the built-in manifest");
        Self::from_bytes(&manifest, builtin::MODEL.to_vec(), options)
    }

    /// Opens the model in memory.
    ///
    /// # Errors
    /// The bytes are not the manifest's, are refused, or no engine can run them.
    pub fn from_bytes(manifest: &Manifest, bytes: Vec<u8>, options: &EngineOptions) -> Result<Self, BackboneError> {
        Self::verified(manifest, bytes, "the model", options)
    }

    fn verified(
        manifest: &Manifest,
        bytes: Vec<u8>,
        what: &str,
        options: &EngineOptions,
    ) -> Result<Self, BackboneError> {
        let name = || manifest.name.clone();
        verify(manifest, &bytes, what)?;
        let ends = Ends {
            output: Some(&manifest.feature.tensor),
            input: manifest.input.tensor(),
            shape: &manifest.input.shape(1)[1..],
            element: manifest.input.element(),
        };
        let network =
            Network::open(bytes, &ends, options).map_err(|source| BackboneError::Open { name: name(), source })?;
        let (id, threads) = (BackboneId::of(manifest), options.threads.max(1));
        Ok(Self { manifest: manifest.clone(), network, id, threads })
    }

    /// What two devices must have in common for their features to mean the same.
    pub fn id(&self) -> BackboneId {
        self.id
    }

    /// Components of a feature.
    pub fn dim(&self) -> usize {
        self.manifest.feature.dim
    }

    /// How features are stored in 8 bits.
    pub fn quantisation(&self) -> Quantisation {
        self.manifest.feature.quantisation
    }

    /// Threads that were asked for, at least one.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The manifest it was opened with.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What really runs.
    pub fn extractor(&self) -> &Extractor {
        self.network.extractor()
    }

    /// Why the engine is not the preferred one, where `auto` fell back.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.network.fallback_reason()
    }

    /// One feature per picture, in order. A picture's feature does not depend on the others.
    ///
    /// # Errors
    /// It does not take pictures, the engine fails, the tensor is not the manifest's, or a picture has no finite, non-zero
    /// feature.
    pub fn features(&mut self, pictures: &[Picture]) -> Result<Vec<Feature>, BackboneError> {
        let Some(input) = self.manifest.input.image() else {
            return Err(BackboneError::Kind { name: self.manifest.name.clone(), takes: self.manifest.input.kind() });
        };
        let prepared = prepare_all(pictures, input, self.threads);
        self.embed(&prepared.iter().collect::<Vec<_>>())
    }

    /// Runs one input of numbers that mean nothing: a feature of the right length comes out, or the model is of no use.
    ///
    /// # Errors
    /// The engine fails, or the tensor is not the manifest's.
    pub fn try_out(&mut self) -> Result<(), BackboneError> {
        let name = || self.manifest.name.clone();
        let output = self.network.try_out().map_err(|source| BackboneError::Run { name: name(), source })?;
        let spec = &self.manifest.feature;
        pool(output, spec.pool, Map::of(&self.manifest.input), 1, spec.dim)
            .map_err(|source| BackboneError::Pool { name: name(), source })?;
        Ok(())
    }

    /// One feature per prepared sample, in order.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    ///
    /// # Panics
    /// When an input was prepared for another backbone.
    pub fn embed(&mut self, prepared: &[&Prepared]) -> Result<Vec<Feature>, BackboneError> {
        let name = || self.manifest.name.clone();
        let mut features = Vec::with_capacity(prepared.len());
        for batch in prepared.chunks(BATCH) {
            let input = &self.manifest.input;
            let numbers = batch.iter().flat_map(|Prepared(numbers)| numbers.iter().copied()).collect();
            let tensor = Tensor::cast(numbers, &input.shape(batch.len()), input.element())
                .expect("a bug: the input was prepared for another backbone");
            let output = self.network.run(&tensor).map_err(|source| BackboneError::Run { name: name(), source })?;
            let spec = &self.manifest.feature;
            let rows = pool(output, spec.pool, Map::of(input), batch.len(), spec.dim)
                .map_err(|source| BackboneError::Pool { name: name(), source })?;
            for row in rows.rows() {
                let index = features.len();
                let row = row.to_slice().expect("a bug: pooled rows are contiguous");
                let feature =
                    Feature::from_raw(row).map_err(|source| BackboneError::Feature { name: name(), index, source })?;
                features.push(feature);
            }
        }
        Ok(features)
    }
}

/// The input of one sample, ready for the backbone whose input it was made for.
///
/// Made apart from the backbone, so that many threads prepare while one runs the engine.
pub struct Prepared(Vec<f32>);

impl Prepared {
    /// Preprocesses a picture.
    pub fn picture(picture: &Picture, input: &ImageInput) -> Self {
        let mut numbers = Vec::with_capacity(input.shape(1).iter().product());
        preprocess(picture, input, &mut numbers);
        Self(numbers)
    }

    /// Standardises a window and brings it into the tensor's order.
    ///
    /// # Panics
    /// When the window has other channels or another length than the input: whoever made it from a recording knew them.
    pub fn window(window: &Window, input: &SignalInput) -> Self {
        Self(signal::preprocess(window, input))
    }
}

impl Prepared {
    /// Numbers that mean nothing, the same every time: what is left where no input is at hand.
    pub fn synthetic(input: &Input) -> Self {
        let count = input.shape(1).iter().product::<usize>();
        // -1 to 1, where normalised inputs lie, or any byte.
        let scale = if input.element() == ElementType::F32 { 1.0 / 125.0 } else { 1.0 };
        Self((0..count).map(|i| ((i * 37 % 251) as f32 - 125.0) * scale).collect())
    }

    /// As a batch of one that a [`Network`] with this input takes.
    ///
    /// # Panics
    /// When it was prepared for another input.
    pub fn tensor(&self, input: &Input) -> Tensor {
        Tensor::cast(self.0.clone(), &input.shape(1), input.element())
            .expect("a bug: the input was prepared for another backbone")
    }
}

/// Preprocesses several pictures, spread over threads.
fn prepare_all(pictures: &[Picture], input: &ImageInput, threads: usize) -> Vec<Prepared> {
    let work =
        |pictures: &[Picture]| pictures.iter().map(|picture| Prepared::picture(picture, input)).collect::<Vec<_>>();
    if threads == 1 || pictures.len() <= 1 {
        return work(pictures);
    }
    thread::scope(|scope| {
        let share = pictures.len().div_ceil(threads);
        let workers: Vec<_> = pictures.chunks(share).map(|chunk| scope.spawn(move || work(chunk))).collect();
        let join =
            |worker: thread::ScopedJoinHandle<'_, _>| worker.join().expect("a bug: preprocessing does not panic");
        workers.into_iter().flat_map(join).collect()
    })
}

/// Makes sure that these are the manifest's bytes.
pub(crate) fn verify(manifest: &Manifest, bytes: &[u8], what: &str) -> Result<(), BackboneError> {
    let sum = checksum::of(bytes);
    if sum == manifest.file.sha256 {
        return Ok(());
    }
    let (expected, found) = (checksum::hex(&manifest.file.sha256), checksum::hex(&sum));
    Err(BackboneError::Checksum { name: manifest.name.clone(), what: what.to_owned(), expected, found })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Before reading: a wrong path may name something endless.
    let length = fs::metadata(path)?.len();
    if length > onnx::MAX_BYTES {
        let message = format!("it has {length} bytes, more than the {} that are read", onnx::MAX_BYTES);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read(path)
}
