//! The backbone that ships inside the binary. Knows its bytes and nothing else.
//!
//! `models/builtin/make_pictures.py` makes both files.

/// The manifest, as TOML.
pub const MANIFEST: &str = include_str!("../../../models/builtin-picture-1.toml");

/// The model file that the manifest's checksum speaks of.
pub const MODEL: &[u8] = include_bytes!("../../../models/builtin/builtin-picture-1.onnx");

/// Name of the backbone.
pub const NAME: &str = "builtin-picture-1";

#[cfg(all(test, feature = "tract"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use crate::{Backbone, EngineChoice, EngineOptions, Manifest, Picture};

    #[test]
    fn tract_runs_it_and_tells_pictures_apart() {
        let options = EngineOptions { engine: EngineChoice::Tract, threads: 1, ort_library: None };
        let mut backbone =
            Backbone::from_bytes(&Manifest::parse(super::MANIFEST).unwrap(), super::MODEL.to_vec(), &options).unwrap();
        let pictures = [3, 40].map(|period: u32| {
            let rgb = (0..150 * 100 * 3_u32).map(|i| if i / 3 % period < period / 2 { 60 } else { 180 }).collect();
            Picture::from_rgb(150, 100, rgb).unwrap()
        });
        let features = backbone.features(&pictures).unwrap();
        assert_eq!(features.len(), 2);
        assert_eq!(features[0].dim(), 512);
        let cosine: f32 = features[0].as_slice().iter().zip(features[1].as_slice()).map(|(a, b)| a * b).sum();
        // Measured 0.911: fine stripes and broad ones share their colours and directions.
        assert!(cosine < 0.95, "{cosine}");
        assert_eq!(backbone.features(&pictures).unwrap(), features, "the same pictures give the same features");
    }
}
