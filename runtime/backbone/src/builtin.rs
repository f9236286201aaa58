//! The backbones that ship inside the binary: one for pictures, one for signals. Knows their bytes and nothing else.
//!
//! `models/builtin/make_pictures.py` and `make_signals.py` make them and their manifests.

use crate::manifest::{Manifest, ManifestError, SignalInput};

/// The manifest of the backbone for pictures, as TOML.
pub const MANIFEST: &str = include_str!("../../../models/builtin-picture-1.toml");

/// The model file that the manifest's checksum speaks of.
pub const MODEL: &[u8] = include_bytes!("../../../models/builtin/builtin-picture-1.onnx");

/// Name of the backbone for pictures.
pub const NAME: &str = "builtin-picture-1";

/// The manifest of the backbone for signals, for windows of 3 channels and 96 readings; see [`SignalShape::manifest`].
pub const SIGNAL_MANIFEST: &str = include_str!("../../../models/builtin-signal-1.toml");

/// Its model file.
pub const SIGNAL_MODEL: &[u8] = include_bytes!("../../../models/builtin/builtin-signal-1.onnx");

/// Name of the backbone for signals.
pub const SIGNAL_NAME: &str = "builtin-signal-1";

/// Whether a backbone of this name is in the binary.
pub fn is_builtin(name: &str) -> bool {
    [NAME, SIGNAL_NAME].contains(&name)
}

/// The model file of a built-in backbone's manifest.
pub fn model(manifest: &Manifest) -> &'static [u8] {
    if manifest.name == SIGNAL_NAME { SIGNAL_MODEL } else { MODEL }
}

/// Windows that the backbone for signals is to take.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalShape {
    /// Numbers in one reading.
    pub channels: usize,
    /// Readings in one window.
    pub length: usize,
    /// Readings a second, for people.
    pub rate_hz: Option<f32>,
    /// What the numbers are, for people.
    pub unit: Option<String>,
}

/// Why there is no backbone for such windows.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// More channels than its features are made for.
    #[error("{SIGNAL_NAME} takes 1 to {most} channels, not {0}: choose those that tell most", most = SignalShape::MOST_CHANNELS)]
    Channels(usize),
    /// A window in which there is no spectrum, or one that is a recording.
    #[error(
        "{SIGNAL_NAME} takes windows of {least} to {most} readings, not {0}: a window should hold the event, or a few of its periods",
        least = SignalShape::LEAST_LENGTH,
        most = SignalShape::MOST_LENGTH
    )]
    Length(usize),
    /// Rate or unit cannot stand in a manifest.
    #[error("rate or unit cannot be used")]
    Manifest(#[from] ManifestError),
}

impl Default for SignalShape {
    /// That of the manifest in the catalogue: three channels, 96 readings.
    fn default() -> Self {
        Self { channels: 3, length: 96, rate_hz: None, unit: None }
    }
}

impl From<&SignalInput> for SignalShape {
    /// The windows that another backbone takes.
    fn from(input: &SignalInput) -> Self {
        let SignalInput { channels, length, rate_hz, unit, tensor: _, layout: _, mean: _, std: _ } = input;
        Self { channels: *channels, length: *length, rate_hz: *rate_hz, unit: unit.clone() }
    }
}

impl SignalShape {
    /// Most channels: pairs of channels have features of their own.
    pub const MOST_CHANNELS: usize = 16;
    /// Shortest window.
    pub const LEAST_LENGTH: usize = 16;
    /// Longest window.
    pub const MOST_LENGTH: usize = 1 << 16;

    /// The manifest of the backbone for such windows. The graph takes every shape; what differs is what it is opened for.
    ///
    /// # Errors
    /// The graph is not made for such windows.
    pub fn manifest(&self) -> Result<Manifest, ShapeError> {
        let Self { channels, length, rate_hz, unit } = self;
        if !(1..=Self::MOST_CHANNELS).contains(channels) {
            return Err(ShapeError::Channels(*channels));
        }
        if !(Self::LEAST_LENGTH..=Self::MOST_LENGTH).contains(length) {
            return Err(ShapeError::Length(*length));
        }
        let dim = 42 * (channels + 1) + 2 * (channels + 1).pow(2) + 18;
        let rate = rate_hz.map(|rate| format!("\nrate_hz = {rate:?}")).unwrap_or_default();
        let unit = unit.as_deref().map(|unit| format!("\nunit = {}", toml::Value::from(unit))).unwrap_or_default();
        let words = format!("channels = {channels}\nlength = {length}{rate}{unit}");
        let text =
            SIGNAL_MANIFEST.replace("channels = 3\nlength = 96", &words).replace("dim = 218", &format!("dim = {dim}"));
        Ok(Manifest::parse(&text)?)
    }
}

#[cfg(all(test, feature = "tract"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::SignalShape;
    use crate::{Backbone, EngineChoice, EngineOptions, Manifest, Picture, Prepared, signal::Window};

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

    fn windows(channels: usize, length: usize) -> [Window; 2] {
        [2.0, 5.0].map(|pitch| {
            let number = |i: usize| {
                let (at, channel) = ((i / channels) as f32, (i % channels) as f32);
                9.81 + (1.0 + channel) * (at * pitch / length as f32 * std::f32::consts::TAU + channel).sin()
            };
            Window::new(channels, (0..channels * length).map(number).collect()).unwrap()
        })
    }

    fn features(channels: usize, length: usize, windows: &[Window]) -> Vec<Vec<f32>> {
        let options = EngineOptions { engine: EngineChoice::Tract, threads: 1, ort_library: None };
        let shape = SignalShape { channels, length, rate_hz: Some(32.0), unit: Some("\"g\"".to_owned()) };
        let manifest = shape.manifest().unwrap();
        assert_eq!(manifest.input.signal().unwrap().unit.as_deref(), Some("\"g\""));
        let mut backbone = Backbone::from_bytes(&manifest, super::SIGNAL_MODEL.to_vec(), &options).unwrap();
        let input = manifest.input.signal().unwrap();
        let prepared: Vec<_> = windows.iter().map(|window| Prepared::window(window, input)).collect();
        let features = backbone.embed(&prepared.iter().collect::<Vec<_>>()).unwrap();
        features.iter().map(|feature| feature.as_slice().to_vec()).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn windows_of_any_shape_have_features_of_the_dimension_that_the_manifest_says() {
        for (channels, length) in [(1, 16), (1, 1024), (3, 96), (6, 50), (16, 17)] {
            let features = features(channels, length, &windows(channels, length));
            let alike = cosine(&features[0], &features[1]);
            // Measured 0.40 (3 channels) to 0.88 (16 channels, 17 readings).
            assert!(alike < 0.95, "{channels} channels, {length} readings: {alike}");
        }
    }

    #[test]
    fn another_unit_moves_the_level_alone() {
        let [g, _] = windows(3, 96);
        let milli = Window::new(3, g.readings().iter().map(|number| 1000.0 * number).collect()).unwrap();
        let twice = Window::new(3, g.readings().iter().map(|number| 2.0 * number).collect()).unwrap();
        let features = features(3, 96, &[g, milli, twice]);
        let (unit, level) = (cosine(&features[0], &features[1]), cosine(&features[0], &features[2]));
        assert!((0.7..0.98).contains(&unit) && (0.7..0.98).contains(&level), "{unit} {level}");
    }

    #[test]
    fn the_manifest_in_the_catalogue_is_that_of_the_default_shape() {
        let manifest = SignalShape::default().manifest().unwrap();
        assert_eq!(manifest.text, super::SIGNAL_MANIFEST);
        assert_eq!(SignalShape::from(manifest.input.signal().unwrap()), SignalShape::default());
    }

    #[test]
    fn both_together_stay_small() {
        assert!(super::MODEL.len() + super::SIGNAL_MODEL.len() < 4_000_000);
    }

    #[test]
    fn shapes_outside_its_range_are_refused() {
        let shape = |channels, length| SignalShape { channels, length, rate_hz: None, unit: None }.manifest();
        assert!(shape(17, 96).unwrap_err().to_string().contains("1 to 16 channels, not 17"));
        assert!(shape(3, 15).unwrap_err().to_string().contains("16 to 65536 readings, not 15"));
    }
}
