//! What a model's declared inputs say about its samples.
//!
//! Knows shapes and element types only. Invariant: what it takes for a picture or a signal has a manifest.

use super::Port;
use crate::manifest::{Color, ElementType, Layout, SignalLayout};

/// Sides of a picture whose file does not tell them.
const SIDE: u32 = 224;

/// What the input seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// A picture.
    Image {
        layout: Layout,
        dtype: ElementType,
        color: Color,
        /// Height and width; none: any.
        size: [Option<u32>; 2],
    },
    /// A window of readings.
    Signal { layout: SignalLayout, channels: usize, length: usize },
}

impl Guess {
    /// Height and width to use.
    pub(crate) fn sides(size: [Option<u32>; 2]) -> [u32; 2] {
        size.map(|side| side.unwrap_or(SIDE))
    }
}

/// The kind of the one input, or why it has no manifest.
pub(crate) fn guess(inputs: &[Port]) -> Result<Guess, String> {
    let input = match inputs {
        [input] => input,
        [] => return Err("the model takes no input".to_owned()),
        several => {
            let names = several.iter().map(|port| format!("\"{}\"", port.name)).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "the model takes {} inputs ({names}), as models of text and models with a state do; this version feeds one",
                several.len()
            ));
        }
    };
    let found = format!("\"{}\" is {} [{}]", input.name, input.element, input.shape.join(", "));
    let dtype = match input.element.as_str() {
        "FLOAT" => ElementType::F32,
        "INT8" => ElementType::I8,
        "UINT8" => ElementType::U8,
        "INT32" | "INT64" => {
            return Err(format!("{found}: numbers of words, so text, which this version does not read"));
        }
        _ => return Err(format!("{found}: this version feeds FLOAT, UINT8 and INT8")),
    };
    let axes: Vec<Option<u32>> = input.shape.iter().map(|axis| axis.parse().ok()).collect();
    if let Some(signal) = signal(&axes).filter(|_| dtype == ElementType::F32) {
        return Ok(signal);
    }
    let color = |channels| if channels == 1 { Color::Gray } else { Color::Rgb };
    match axes[..] {
        [_, Some(channels @ (1 | 3)), height, width] => {
            Ok(Guess::Image { layout: Layout::Nchw, dtype, color: color(channels), size: [height, width] })
        }
        [_, height, width, Some(channels @ (1 | 3))] => {
            Ok(Guess::Image { layout: Layout::Nhwc, dtype, color: color(channels), size: [height, width] })
        }
        [_, None, height, width] if height == width || input.shape[1].contains("channel") => {
            Ok(Guess::Image { layout: Layout::Nchw, dtype, color: Color::Rgb, size: [height, width] })
        }
        _ => Err(format!(
            "{found}: neither a picture ([N, 3, height, width] or [N, height, width, 3], also with 1 channel) nor a window of \
             readings ([N, channels, length] or another order, with numbers for both); sound that is cut into no batch \
             is not read yet"
        )),
    }
}

/// A window of readings: fewer channels than readings. Of four axes one is 1; a square with one channel is a picture.
fn signal(axes: &[Option<u32>]) -> Option<Guess> {
    let told = |layout, channels: u32, length: u32| {
        Some(Guess::Signal { layout, channels: channels as usize, length: length as usize })
    };
    match *axes {
        [_, Some(length)] if length > 1 => told(SignalLayout::Nl, 1, length),
        [_, Some(first), Some(second)] if first <= second => told(SignalLayout::Ncl, first, second),
        [_, Some(first), Some(second)] => told(SignalLayout::Nlc, second, first),
        [_, Some(first), Some(second), Some(1)] if first < second && second != 3 => {
            told(SignalLayout::Ncl1, first, second)
        }
        [_, Some(first), Some(second), Some(1)] if first > second => told(SignalLayout::Nlc1, second, first),
        [_, Some(1), Some(first), Some(second)] if first < second => told(SignalLayout::N1cl, first, second),
        [_, Some(1), Some(first), Some(second)] if first > second => told(SignalLayout::N1lc, second, first),
        _ => None,
    }
}
