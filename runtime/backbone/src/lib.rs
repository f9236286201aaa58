//! Frozen ONNX backbones as feature extractors.
//!
//! Knows nothing about tasks, labels or the store. A model file passes, in this order: its checksum ([`Library`],
//! [`Backbone::open`]), a bounded reader that refuses what no engine should see (`onnx::read`), a cut at the feature
//! tensor (`onnx::cut`), and only then an engine. Invariant: no bytes of a model reach an engine unchecked.

mod activation;
mod backbone;
pub mod builtin;
mod catalogue;
pub mod checksum;
mod classifier;
mod engine;
mod huggingface;
mod id;
mod inspect;
mod library;
mod manifest;
mod merge;
mod network;
mod onnx;
mod picture;
mod pool;
mod resolve;
pub mod signal;

pub use self::{
    activation::{ActivationError, ActivationMap, ActivationMaps, NoMap},
    backbone::{Backbone, BackboneError, Prepared},
    classifier::{Shipped, ShippedError, shipped},
    engine::{EngineChoice, EngineError, EngineOptions, Extractor, Tensor, UnknownEngine, probe_ort, serving_engine},
    huggingface::{HuggingFaceError, labels_from_huggingface, manifest_from_huggingface},
    id::BackboneId,
    inspect::{FeatureCandidate, Inspection, Port, ShippedLayer, inspect},
    library::{Entry, Library, LibraryError, resolve},
    manifest::{
        Classifier, Color, Crop, Decode, ElementType, FeatureTensor, ImageInput, Input, Interpolation, Layout,
        Manifest, ManifestError, Mistake, ModelFile, Pool, Resize, SignalInput, SignalLayout,
    },
    merge::{Likeness, Merge, MergeError, embedded_manifest, merge},
    network::{Ends, Network, NetworkError},
    onnx::ModelError,
    picture::{
        MAX_DECODING_BYTES, MAX_SIDE, PREPROCESSING_VERSION, Picture, PictureError, Thumbnail, preprocess, shown,
    },
    pool::PoolError,
    resolve::ResolveError,
};
