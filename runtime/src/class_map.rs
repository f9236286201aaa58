//! Where a head looks in one picture: the class activation map (Zhou et al. 2016, eq. 2; Grad-CAM, Selvaraju et al. 2017,
//! without its rectifier, for heads that are not linear). Carries the gradient of a score from the trainer to the backbone's map;
//! knows nothing of tasks, sources or how it is drawn.
//!
//! The score is that of one class less the average of all classes, so the map answers "why this rather than another": what
//! speaks for every class alike shows nowhere. A head reads the feature at length 1, so the contributions of all places sum to
//! 0 for it: the map tells the places that draw the answer to the class from those that draw it away.

mod overlay;

use acclimate_backbone::{ActivationError, ActivationMaps, Picture, Prepared, shown};
use acclimate_trainer::{Feature, FeatureError};
use ndarray::Array2;

pub use self::overlay::overlay;
use crate::store::StoredHead;

/// What each place of a picture adds to the score of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMap {
    /// The class's position among the head's.
    pub class: usize,
    /// The head's calibrated probability of it.
    pub confidence: f64,
    /// `[rows, columns]`, -1 to 1: for the class above 0, against it below; one of them is 1 or -1.
    pub places: Array2<f64>,
    /// What 1 stands for, in units of the score before calibration; 0 where no place adds anything.
    pub scale: f64,
    /// The part of the picture that the places cover, `[x, y, width, height]` in fractions; beyond 0 and 1 where the backbone
    /// pads.
    pub region: [f64; 4],
}

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum ClassMapError {
    /// The backbone cannot.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The head knows no such class.
    #[error("generation {generation} knows no class `{class}`: its classes are {}", known.join(", "))]
    Class {
        /// What was asked for.
        class: String,
        /// The head's number.
        generation: u32,
        /// Its classes.
        known: Vec<String>,
    },
    /// The picture has no feature.
    #[error("the picture has no feature")]
    Feature(#[from] FeatureError),
    /// The backbone is of another size than the head, or takes no pictures.
    #[error("the head was fitted on another backbone: it reads {expected} numbers, the backbone gives {found}")]
    Other {
        /// What the head reads.
        expected: usize,
        /// What there is.
        found: usize,
    },
}

/// The map of one picture for a class, or for what the head takes it for.
///
/// # Errors
/// The backbone's feature is no spatial mean, the engine fails, or the head knows no such class.
pub fn class_map(
    maps: &mut ActivationMaps,
    head: &StoredHead,
    picture: &Picture,
    class: Option<&str>,
) -> Result<ClassMap, ClassMapError> {
    let (file, expected) = (&head.file, head.file.head.dim());
    let class = class.map(|name| file.classes.iter().position(|known| known == name).ok_or(name)).transpose();
    let class = class.map_err(|name| ClassMapError::Class {
        class: name.to_owned(),
        generation: head.generation.0,
        known: file.classes.clone(),
    })?;
    let other = |found| ClassMapError::Other { expected, found };
    let input = maps.manifest().input.image().cloned().ok_or_else(|| other(0))?;
    let map = maps.of(&Prepared::picture(picture, &input))?;
    let feature = Feature::from_raw(&map.feature())?;
    if feature.dim() != expected {
        return Err(other(feature.dim()));
    }
    let probabilities = file.head.probabilities(&feature);
    let class = class.unwrap_or_else(|| file.decision.answer(&probabilities).class);
    let gradient = file.head.gradient(&feature, &file.head.contrast(class));
    let mut places = map.contributions(&gradient);
    let scale = places.iter().fold(0.0_f64, |most, place| most.max(place.abs()));
    // Where every place adds the same, which a map of one place does, nothing is left but rounding.
    let scale = if scale.is_finite() && scale > 1e-9 { scale } else { 0.0 };
    places.mapv_inplace(|place| if scale > 0.0 { place / scale } else { 0.0 });
    let region = shown(picture.width(), picture.height(), &input);
    Ok(ClassMap { class, confidence: probabilities[class], places, scale, region })
}

/// A region within a region, both `[x, y, width, height]` in fractions of what is around them.
pub fn within(outer: [f64; 4], inner: [f64; 4]) -> [f64; 4] {
    let ([x, y, w, h], [left, top, width, height]) = (outer, inner);
    [x + left * w, y + top * h, width * w, height * h]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "halves and quarters are exact")]
    use super::*;

    #[test]
    fn regions_nest() {
        assert_eq!(within([0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.5, 0.25]), [0.25, 0.5, 0.5, 0.25]);
        assert_eq!(within([0.5, 0.25, 0.5, 0.5], [0.5, 0.0, 0.5, 1.0]), [0.75, 0.25, 0.25, 0.5]);
        assert_eq!(within([0.5, 0.5, 0.5, 0.5], [0.0, -0.5, 1.0, 2.0]), [0.5, 0.25, 0.5, 1.0]);
    }
}
