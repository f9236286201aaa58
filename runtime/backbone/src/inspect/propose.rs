//! A manifest to start from, out of what a file tells.
//!
//! Knows the keys of manifests and what most models of a kind were trained on. Invariant: what is not in the file is marked
//! as a guess.

use std::fmt::Write as _;

use super::{FeatureCandidate, Guess, Inspection, input};
use crate::manifest::{Color, ElementType, Layout};

/// Where a line is no more than what is usual.
const GUESS: &str = "# a guess:";

/// Sides up to which pictures were most likely trained on as they are.
const SMALL: u32 = 64;

pub(super) fn propose(inspection: &Inspection, name: &str) -> String {
    let guess = match input::guess(&inspection.inputs) {
        Ok(guess) => guess,
        Err(why) => return format!("# This version has no manifest for such a model: {why}.\n"),
    };
    let tensor = inspection.inputs.first().map_or("", |input| &input.name);
    let mut text = head(inspection, name);
    let _ = writeln!(text, "[input] # what the file does not tell is a guess: compare with how the model was trained");
    match guess {
        Guess::Image { layout, dtype, color, size } => image(&mut text, tensor, layout, dtype, color, size),
        Guess::Signal { layout, channels, length } => {
            let _ = writeln!(
                text,
                "kind = \"signal\"\ntensor = {}\nlayout = \"{layout}\"\nchannels = {channels}\nlength = {length}\n\
                 {GUESS} channels and length may be the other way round; mean and std per channel are 0 and 1 without \
                 `mean` and `std`",
                string(tensor)
            );
        }
    }
    text.push_str(&feature(&inspection.features));
    text
}

/// Everything before `[input]`.
pub(crate) fn head(inspection: &Inspection, name: &str) -> String {
    format!(
        "name = {}\nlicence = \"unknown\" # of the weights\n[file]\nsha256 = \"{}\"\nbytes = {}\n",
        string(&plain(name)),
        inspection.sha256,
        inspection.bytes
    )
}

/// A name as manifests may have it.
fn plain(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    match plain.trim_start_matches('.') {
        "" => "model".to_owned(),
        plain => plain.to_owned(),
    }
}

pub(crate) fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn image(text: &mut String, tensor: &str, layout: Layout, dtype: ElementType, color: Color, size: [Option<u32>; 2]) {
    let [height, width] = Guess::sides(size);
    let range = if dtype == ElementType::F32 { 1 } else { 255 };
    let told = if size.contains(&None) { " # a guess: the file takes any" } else { "" };
    let _ = writeln!(
        text,
        "kind = \"image\"\ntensor = {}\nlayout = \"{layout}\"\ndtype = \"{dtype}\"\ncolor = \"{color}\"\nrange = {range}\n\
         size = [{height}, {width}]{told}",
        string(tensor)
    );
    let normalised = match (dtype, layout, color) {
        (ElementType::F32, Layout::Nchw, Color::Rgb | Color::Bgr) => {
            "# a guess: ImageNet's, as models of PyTorch have; those of TensorFlow have 0.5\n\
             mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]"
        }
        (ElementType::F32, Layout::Nhwc, Color::Rgb | Color::Bgr) => {
            "# a guess: -1 to 1, as models of TensorFlow have; some take 0 to 1 (mean 0, std 1), some 0 to 255 (range = 255)\n\
             mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]"
        }
        (ElementType::I8, _, Color::Gray) => "# a guess: bytes less 128\nmean = [128]",
        (ElementType::I8, _, _) => "# a guess: bytes less 128\nmean = [128, 128, 128]",
        (ElementType::U8, _, _) | (ElementType::F32, _, Color::Gray) => "",
    };
    if !normalised.is_empty() {
        let _ = writeln!(text, "{normalised}");
    }
    if height == width {
        let resize_to = if height > SMALL { (f64::from(height) / 0.875).round() as u32 } else { height };
        let _ = writeln!(
            text,
            "resize = \"shortest-edge\" {GUESS} or \"stretch\"\nresize_to = {resize_to} {GUESS} size / 0.875"
        );
    } else {
        let _ = writeln!(text, "resize = \"stretch\" {GUESS} or \"letterbox\"");
    }
}

/// `[feature]`, the likeliest filled in and the others as comments.
pub(crate) fn feature(features: &[FeatureCandidate]) -> String {
    let Some((feature, others)) = features.split_first() else {
        return "[feature] # no classifier was found: name the tensor and its length\ntensor = \"\"\ndim = 0\n"
            .to_owned();
    };
    let mut text = format!(
        "[feature]\ntensor = {} # {}\npool = \"{}\"\ndim = {}\n",
        string(&feature.tensor),
        feature.because,
        feature.pool,
        feature.dim
    );
    if !feature.signed {
        text.push_str("signed = false # the graph lets nothing below 0 through\n");
    }
    for other in others {
        let _ = writeln!(
            text,
            "# or {}, pool \"{}\", dim {}: {}",
            string(&other.tensor),
            other.pool,
            other.dim,
            other.because
        );
    }
    text
}
