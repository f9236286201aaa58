//! A class activation map as JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::class_map::ClassMap;
use crate::store::StoredHead;

/// What each place of a picture adds to the score of a class.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct ClassMapRecord {
    /// The class whose score it is.
    pub class: String,
    /// The head's calibrated probability of it.
    pub confidence: f64,
    /// The head.
    pub generation: u32,
    /// Rows and columns of places.
    pub grid: [usize; 2],
    /// One number a place, row by row from the top, -1 to 1: above 0 it speaks for the class rather than the others, below
    /// against.
    pub values: Vec<f64>,
    /// What 1 stands for, in units of the score before calibration; 0 where no place adds anything.
    pub scale: f64,
    /// The part of the picture, or of the source's frame, that the places cover: `[x, y, width, height]` in fractions; beyond
    /// 0 and 1 where the backbone pads.
    pub region: [f64; 4],
    /// The sample whose picture it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// The source whose frame it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the frame was sensed, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
}

impl ClassMapRecord {
    /// Of a picture of neither a sample nor a source.
    pub fn new(map: &ClassMap, head: &StoredHead) -> Self {
        let (rows, columns) = map.places.dim();
        Self {
            class: head.file.classes.get(map.class).cloned().unwrap_or_default(),
            confidence: map.confidence,
            generation: head.generation.0,
            grid: [rows, columns],
            // More than a thousandth cannot be seen.
            values: map.places.iter().map(|place| (place * 1000.0).round() / 1000.0).collect(),
            scale: map.scale,
            region: map.region,
            sample: None,
            source: None,
            taken: None,
        }
    }
}
