//! Manifests: what a backbone's file is, how its input is made and which tensor is the feature.
//!
//! Knows nothing about files on disk, graphs or engines. Invariant: a [`Manifest`] that exists was checked whole, so
//! every number in it is usable as it stands.

#[macro_use]
mod word;
mod image;
mod keys;
mod read;
mod signal;

use acclimate_trainer::Quantisation;

pub use self::{
    image::{Color, Crop, Decode, ImageInput, Interpolation, Layout, Resize},
    read::{ManifestError, Mistake},
    signal::{SignalInput, SignalLayout},
};

/// A backbone's manifest, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name by which tasks ask for the backbone: `[A-Za-z0-9._-]+`.
    pub name: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// The model file.
    pub file: ModelFile,
    /// How a sample becomes the input tensor.
    pub input: Input,
    /// Which tensor is the feature, and how it is stored.
    pub feature: FeatureTensor,
    /// The layer behind the feature, where the file has one.
    pub classifier: Option<Classifier>,
    /// The TOML that it was read from, to be kept with what is made with it.
    pub text: String,
}

/// The `[file]` table: which bytes the manifest speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// File name to look for, when it is not `<name>.onnx`.
    pub name: Option<String>,
    /// Where it can be fetched; absent where the file must be supplied.
    pub url: Option<String>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub bytes: u64,
}

/// The `[input]` table: what a sample is and how it becomes the input tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// `kind = "image"`.
    Image(ImageInput),
    /// `kind = "signal"`.
    Signal(SignalInput),
}

impl Input {
    /// Name of the graph's input.
    pub fn tensor(&self) -> &str {
        match self {
            Self::Image(image) => &image.tensor,
            Self::Signal(signal) => &signal.tensor,
        }
    }

    /// Element type of the tensor.
    pub fn element(&self) -> ElementType {
        match self {
            Self::Image(image) => image.dtype,
            Self::Signal(_) => ElementType::F32,
        }
    }

    /// Shape of the tensor for `batch` samples.
    pub fn shape(&self, batch: usize) -> Vec<usize> {
        match self {
            Self::Image(image) => image.shape(batch).to_vec(),
            Self::Signal(signal) => signal.shape(batch),
        }
    }

    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Signal(_) => "signal",
        }
    }

    /// The picture's side of it, where samples are pictures.
    pub fn image(&self) -> Option<&ImageInput> {
        match self {
            Self::Image(image) => Some(image),
            Self::Signal(_) => None,
        }
    }

    /// The signal's side of it, where samples are windows of readings.
    pub fn signal(&self) -> Option<&SignalInput> {
        match self {
            Self::Image(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }
}

/// The `[feature]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTensor {
    /// Any tensor of the graph, not only an output.
    pub tensor: String,
    /// How it becomes one vector per sample.
    pub pool: Pool,
    /// Length of that vector.
    pub dim: usize,
    /// How its 8-bit form is scaled; default `Quantisation::default_for`.
    pub quantisation: Quantisation,
}

/// The `[classifier]` table: the layer behind the feature, kept as generation 0 on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// Initializer with the weights; none for the layer that is found behind the feature.
    pub weight: Option<String>,
    /// Initializer with the bias, where the weights are named.
    pub bias: Option<String>,
    /// File of class names beside the model, one a line.
    pub labels: Option<String>,
}

words! {
    /// Element type of an input tensor.
    ElementType {
        /// 32-bit float.
        F32 = "f32",
        /// 8-bit signed integer.
        I8 = "i8",
        /// 8-bit unsigned integer.
        U8 = "u8",
    }
}
words! {
    /// How the feature tensor becomes one vector per sample. `N` is the batch.
    Pool {
        /// `[N, tokens, dim]`: the first token.
        Cls = "cls",
        /// Everything behind the batch axis, in memory order.
        Flatten = "flatten",
        /// `[N, tokens, dim]`: the last token.
        LastToken = "last-token",
        /// `[N, dim]`, or with further axes of length 1.
        None = "none",
        /// The mean over height and width, in the input's layout.
        SpatialMean = "spatial-mean",
        /// `[N, tokens, dim]`: the mean over tokens.
        TokenMean = "token-mean",
    }
}
