//! `[input]` with `kind = "image"`: how a picture becomes the input tensor.
//!
//! Knows keys and their rules, nothing about pixels. Invariant: an [`ImageInput`] makes one size of tensor.

use super::{
    ElementType,
    keys::{Keys, quoted},
};

/// Longest side of an input tensor: far above any backbone, far below an allocation that hurts.
pub(super) const MAX_SIDE: i64 = 4096;

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

/// Reads what is left of `[input]` once `kind = "image"` was taken.
pub(super) fn read_image(keys: &mut Keys<'_>) -> Option<ImageInput> {
    let tensor = keys.string("tensor");
    let layout = keys.word("layout", None, Layout::WORDS, Layout::from_word);
    let dtype = keys.word("dtype", Some(ElementType::F32), ElementType::WORDS, ElementType::from_word);
    let color = keys.word("color", Some(Color::Rgb), Color::WORDS, Color::from_word);
    let range = keys
        .float("range", "1 or 255", |range| (range - 1.0).abs() < f32::EPSILON || (range - 255.0).abs() < f32::EPSILON);
    let channels = if color == Some(Color::Gray) { 1 } else { 3 };
    let mean = keys.channels("mean", channels, 0.0, f32::is_finite, "finite numbers");
    let std = keys.channels("std", channels, 1.0, |std| std.is_finite() && std > 0.0, "numbers above 0");
    let size = keys.size();
    let resize = keys.word("resize", Some(Resize::ShortestEdge), Resize::WORDS, Resize::from_word);
    let shorter = size.map_or(1, |[height, width]| height.min(width));
    let longer = size.map_or(1, |[height, width]| height.max(width));
    let resize_to = if keys.table.contains_key("resize_to") {
        keys.integer("resize_to", 1..=MAX_SIDE).map(|side| side as u32)
    } else {
        Some(shorter)
    };
    let crop = keys.word(
        "crop",
        Some(if resize == Some(Resize::ShortestEdge) { Crop::Center } else { Crop::None }),
        Crop::WORDS,
        Crop::from_word,
    );
    if let (Some(resize), Some(resize_to), Some(crop)) = (resize, resize_to, crop) {
        if resize == Resize::ShortestEdge {
            keys.rule(
                resize_to >= longer,
                "resize_to",
                &format!("at least {longer}, the longer side of size, for resize = \"shortest-edge\""),
                resize_to,
            );
            keys.rule(
                crop == Crop::Center,
                "crop",
                "\"center\" after resize = \"shortest-edge\", or pictures come out in different sizes",
                quoted(crop.word()),
            );
        } else {
            keys.rule(
                crop == Crop::None,
                "crop",
                &format!("\"none\" after resize = \"{resize}\", which leaves nothing to crop"),
                quoted(crop.word()),
            );
        }
    }
    let interpolation =
        keys.word("interpolation", Some(Interpolation::Bilinear), Interpolation::WORDS, Interpolation::from_word);
    let antialias = keys.boolean("antialias", true);
    let pad_value = if keys.table.contains_key("pad_value") {
        keys.integer("pad_value", 0..=255).map(|value| value as u8)
    } else {
        Some(0)
    };
    let decode = keys.word("decode", Some(Decode::Full), Decode::WORDS, Decode::from_word);
    Some(ImageInput {
        tensor: tensor?,
        layout: layout?,
        dtype: dtype?,
        color: color?,
        range: range?,
        mean: mean?,
        std: std?,
        size: size?,
        resize: resize?,
        resize_to: resize_to?,
        crop: crop?,
        interpolation: interpolation?,
        antialias: antialias?,
        pad_value: pad_value?,
        decode: decode?,
    })
}
