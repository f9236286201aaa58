//! What a backbone looks at, whatever it is: a picture or a window of readings. Knows no task.
//!
//! Invariant: the feature of a sight is that of the bytes that would be stored of it, for windows; pictures that are encoded
//! for the store are looked at again.

use acclimate_backbone::{Input, Picture, Prepared, SignalInput, Thumbnail};

use super::region::{cropped, encoded, picture};
use crate::causes;
use crate::loading::{Payload, start_of_sum};
use crate::source::{Content, Readings};

/// Rates that differ by less are one.
const SAME_RATE: f64 = 0.05;

/// Pixels of the picture that is drawn of a window.
pub(crate) const DRAWN: [u32; 2] = [640, 240];

/// What is looked at.
#[derive(Clone, Debug)]
pub(in crate::daemon) enum Sight {
    Picture(Picture),
    Window(Readings),
}

impl Sight {
    /// What was sensed, decoded.
    pub(in crate::daemon) fn of(content: &Content) -> Result<Self, String> {
        match content {
            Content::Window(readings) => Ok(Self::Window(readings.clone())),
            Content::File(_) | Content::Rgb { .. } => {
                picture(content).map(Self::Picture).map_err(|error| causes(&error))
            }
        }
    }

    /// Width and height, as somebody sees it.
    pub(super) fn size(&self) -> [u32; 2] {
        match self {
            Self::Picture(picture) => [picture.width(), picture.height()],
            Self::Window(_) => DRAWN,
        }
    }

    /// A region of it; all of it where none is said.
    pub(super) fn region(&self, crop: Option<[f64; 4]>) -> Result<Self, String> {
        match (self, crop) {
            (_, None) => Ok(self.clone()),
            (Self::Picture(picture), Some(crop)) => {
                cropped(picture, crop).map(Self::Picture).map_err(|error| causes(&error))
            }
            (Self::Window(_), Some(_)) => Err("a window of readings has no region: take `crop` out".to_owned()),
        }
    }

    /// What tells it from others at a glance.
    pub(super) fn marks(&self) -> (u64, Option<Thumbnail>) {
        match self {
            Self::Picture(picture) => {
                let thumbnail = picture.thumbnail();
                (thumbnail.perceptual_hash(), Some(thumbnail))
            }
            Self::Window(readings) => (start_of_sum(&readings.npy), None),
        }
    }

    /// The bytes that would be stored, where nobody has them yet.
    pub(super) fn encoded(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Picture(picture) => encoded(picture).map_err(|error| causes(&error)),
            Self::Window(readings) => Ok(readings.npy.clone()),
        }
    }

    /// What goes into a network.
    pub(super) fn prepared(&self, input: &Input) -> Result<Prepared, String> {
        match (self, input) {
            (Self::Picture(picture), Input::Image(image)) => Ok(Prepared::picture(picture, image)),
            (Self::Picture(_), Input::Signal(_)) => Err("its backbone takes signals: a picture is none".to_owned()),
            (Self::Window(_), Input::Image(_)) => {
                Err("its backbone takes pictures, and the source gives readings: a task for those has a backbone for signals"
                    .to_owned())
            }
            (Self::Window(readings), Input::Signal(signal)) => {
                if let Some(misfit) = misfit(readings, signal) {
                    return Err(misfit);
                }
                let payload = Payload::of_sample(input, readings.npy.clone()).map_err(|error| causes(&error))?;
                let cut = payload.window.ok_or_else(|| "the window has no readings; this is a bug in acclimate".to_owned())?;
                Ok(Prepared::window(&cut.window, signal))
            }
        }
    }
}

/// Why a window is none for a backbone, and what to do.
fn misfit(readings: &Readings, signal: &SignalInput) -> Option<String> {
    let Readings { npy: _, channels, length, rate_hz, unit } = readings;
    if *channels != signal.channels {
        let expected = signal.channels;
        return Some(format!(
            "the source gives {channels} channels, the backbone takes {expected}: choose them with `channels` of the source"
        ));
    }
    if *length != signal.length {
        let expected = signal.length;
        return Some(format!(
            "the source gives windows of {length} readings, the backbone takes {expected}: window = {expected} in [[source]]"
        ));
    }
    if let (Some(found), Some(expected)) = (rate_hz, signal.rate_hz.map(f64::from))
        && (found / expected - 1.0).abs() > SAME_RATE
    {
        return Some(format!(
            "the source gives {found:.1} readings a second, the backbone takes {expected}: rate_hz = {expected} in [[source]]"
        ));
    }
    match (unit, &signal.unit) {
        (Some(found), Some(expected)) if found != expected => Some(format!(
            "the source gives readings in {found}, the backbone takes {expected}: have the device send those"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use acclimate_backbone::{SignalLayout, signal};

    use super::*;

    fn readings() -> Readings {
        let npy = signal::Window::new(2, vec![1.0; 8]).unwrap().to_npy();
        Readings { npy, channels: 2, length: 4, rate_hz: Some(50.0), unit: Some("g".to_owned()) }
    }

    fn input(rate_hz: Option<f32>, unit: Option<&str>) -> SignalInput {
        SignalInput {
            tensor: "x".into(),
            layout: SignalLayout::Ncl,
            channels: 2,
            length: 4,
            mean: vec![0.0; 2],
            std: vec![1.0; 2],
            rate_hz,
            unit: unit.map(str::to_owned),
        }
    }

    #[test]
    fn a_window_fits_a_backbone_or_it_is_said_why_not_and_what_to_do() {
        let misfit = |readings: Readings, input: &SignalInput| misfit(&readings, input).unwrap_or_default();
        let any = input(None, None);
        assert_eq!(misfit(readings(), &any), "");
        assert_eq!(misfit(readings(), &input(Some(51.0), Some("g"))), "");
        assert!(misfit(Readings { channels: 3, ..readings() }, &any).contains("3 channels"));
        assert!(misfit(Readings { length: 5, ..readings() }, &any).contains("window = 4 in [[source]]"));
        assert!(misfit(readings(), &input(Some(32.0), None)).contains("rate_hz = 32 in [[source]]"));
        assert!(misfit(readings(), &input(None, Some("m/s²"))).contains("in g, the backbone takes m/s²"));
    }

    #[test]
    fn a_window_is_prepared_for_signals_alone_and_has_no_regions() {
        let window = Sight::of(&Content::Window(readings())).unwrap();
        assert!(window.prepared(&Input::Signal(input(None, None))).is_ok());
        assert!(window.region(Some([0.0, 0.0, 0.5, 0.5])).unwrap_err().contains("`crop`"));
        assert_eq!((window.region(None).unwrap().encoded().unwrap(), window.size()), (readings().npy, DRAWN));
        let picture = Sight::Picture(Picture::from_rgb(2, 2, vec![9; 12]).unwrap());
        assert!(picture.prepared(&Input::Signal(input(None, None))).is_err_and(|why| why.contains("signals")));
        assert_eq!(picture.size(), [2, 2]);
    }
}
