//! Manifests: what a backbone's file is, how its input is made and which tensor is the feature.
//!
//! Knows nothing about files on disk, graphs or engines. Invariant: a [`Manifest`] that exists was checked whole, so
//! every number in it is usable as it stands.

mod read;

use std::fmt;

use acclimate_trainer::Quantisation;

pub use self::read::{ManifestError, Mistake};

/// A backbone's manifest, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Name by which tasks ask for the backbone: `[A-Za-z0-9._-]+`.
    pub name: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// The model file.
    pub file: ModelFile,
    /// How a picture becomes the input tensor.
    pub input: ImageInput,
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

/// The `[input]` table with `kind = "image"`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInput {
    /// Name of the graph's input.
    pub tensor: String,
    /// Order of axes.
    pub layout: Layout,
    /// Element type; the engine casts from f32 (rounded, saturating).
    pub dtype: ElementType,
    /// Channels and their order.
    pub color: Color,
    /// Value of white before mean and std: 1 or 255.
    pub range: f32,
    /// Subtracted per channel, in the tensor's channel order; `gray` uses the first.
    pub mean: [f32; 3],
    /// Divided by per channel, in the tensor's channel order; `gray` uses the first.
    pub std: [f32; 3],
    /// Height and width of the tensor.
    pub size: [u32; 2],
    /// How a picture comes to that size.
    pub resize: Resize,
    /// Length of the shortest edge after `shortest-edge`; default: the shorter side of `size`.
    pub resize_to: u32,
    /// What follows `shortest-edge`.
    pub crop: Crop,
    /// Resampling filter.
    pub interpolation: Interpolation,
    /// Whether the filter widens when shrinking (Pillow's way) or samples points (OpenCV's way).
    pub antialias: bool,
    /// 8-bit value around a `letterbox`.
    pub pad_value: u8,
    /// How JPEGs are decoded.
    pub decode: Decode,
}

impl ImageInput {
    /// Number of channels: 3, or 1 for `gray`.
    pub fn channels(&self) -> usize {
        match self.color {
            Color::Bgr | Color::Rgb => 3,
            Color::Gray => 1,
        }
    }

    /// Shape of the input tensor for `batch` pictures.
    pub fn shape(&self, batch: usize) -> [usize; 4] {
        let [height, width] = self.size.map(|side| side as usize);
        match self.layout {
            Layout::Nchw => [batch, self.channels(), height, width],
            Layout::Nhwc => [batch, height, width, self.channels()],
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
    /// Initializer with the weights.
    pub weight: String,
    /// Initializer with the bias.
    pub bias: Option<String>,
    /// File of class names beside the model, one a line.
    pub labels: Option<String>,
}

/// Defines an enum whose variants are words in a manifest.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The words of a manifest, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word in a manifest.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// Order of an image tensor's axes.
    Layout {
        /// Batch, channels, height, width.
        Nchw = "nchw",
        /// Batch, height, width, channels.
        Nhwc = "nhwc",
    }
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
    /// Channels of an image tensor.
    Color {
        /// Blue, green, red.
        Bgr = "bgr",
        /// Luminance (ITU-R 601).
        Gray = "gray",
        /// Red, green, blue.
        Rgb = "rgb",
    }
}
words! {
    /// How a picture comes to the tensor's size.
    Resize {
        /// Fit inside, keep the aspect, pad.
        Letterbox = "letterbox",
        /// Keep the aspect; the shorter edge becomes `resize_to`, then crop.
        ShortestEdge = "shortest-edge",
        /// Both edges to `size`, whatever the aspect.
        Stretch = "stretch",
    }
}
words! {
    /// What is cut from a resized picture.
    Crop {
        /// The middle.
        Center = "center",
        /// Nothing.
        None = "none",
    }
}
words! {
    /// Resampling filter.
    Interpolation {
        /// Cubic, a = -0.5.
        Bicubic = "bicubic",
        /// Triangle.
        Bilinear = "bilinear",
        /// Lanczos with three lobes.
        Lanczos = "lanczos",
    }
}
words! {
    /// How JPEGs are decoded.
    Decode {
        /// Every pixel.
        Full = "full",
        /// At a smaller scale where that suffices: other pixels, so another backbone id.
        Scaled = "scaled",
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
