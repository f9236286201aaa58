//! TrashNet through worse cameras: the same photographs darkened, blurred, tinted, cropped, or saved in poor quality, as a
//! backbone sees them. Knows no head.
//!
//! Invariant: row for row the same photographs, with the groups that they have untouched.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, imageops};
use ndarray::{Array2, Axis};

use crate::features::{Features, Labelled, target};
use crate::skip::assets;

/// What happened to the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Out of focus: Gaussian blur of 4 of 512 pixels.
    Blurred,
    /// Tinted by another lamp: green × 0.8, blue × 0.5.
    Coloured,
    /// The middle 60 % of each side, enlarged.
    Cropped,
    /// Darkened to 35 %.
    Darkened,
    /// Saved as JPEG at quality 8.
    Jpeg,
}

impl Shift {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Darkened, Self::Blurred, Self::Coloured, Self::Cropped, Self::Jpeg];

    /// A word for tables and folders.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blurred => "blurred",
            Self::Coloured => "coloured",
            Self::Cropped => "cropped",
            Self::Darkened => "darkened",
            Self::Jpeg => "jpeg",
        }
    }

    fn apply(self, picture: &DynamicImage) -> DynamicImage {
        let scaled = |by: [f32; 3]| {
            let mut picture = picture.to_rgb8();
            for pixel in picture.pixels_mut() {
                for (value, by) in pixel.0.iter_mut().zip(by) {
                    *value = (f32::from(*value) * by) as u8;
                }
            }
            DynamicImage::ImageRgb8(picture)
        };
        let (width, height) = (picture.width(), picture.height());
        match self {
            Self::Blurred => picture.fast_blur(4.0),
            Self::Coloured => scaled([1.0, 0.8, 0.5]),
            Self::Cropped => picture.crop_imm(width / 5, height / 5, width * 3 / 5, height * 3 / 5).resize_exact(
                width,
                height,
                imageops::FilterType::Triangle,
            ),
            Self::Darkened => scaled([0.35; 3]),
            Self::Jpeg => picture.clone(),
        }
    }

    fn quality(self) -> u8 {
        if self == Self::Jpeg { 8 } else { 95 }
    }
}

/// The data set on one backbone, untouched and shifted.
#[derive(Clone, Debug)]
pub struct Shifted {
    /// Untouched.
    pub plain: Features,
    /// Decoded codes `[n, dim]` of the same photographs, in the order of [`Shift::ALL`].
    pub shifts: Vec<Array2<f32>>,
    /// Where the photographs lie, below it named as the untouched ones, in the same order.
    pub folders: Vec<PathBuf>,
}

impl Shifted {
    /// TrashNet on a backbone of the catalogue; none, and skipped, without the assets. Pictures and features are kept in the
    /// target directory.
    ///
    /// # Panics
    /// When the binary refuses, or the assets are not what they should be.
    pub fn trashnet(backbone: &str) -> Option<Self> {
        let plain = Features::trashnet(backbone)?;
        let data = assets()?.join("data/trashnet");
        let models = assets()?.join("models").display().to_string();
        let shifted = |shift: Shift| -> anyhow::Result<(Array2<f32>, PathBuf)> {
            let folder = pictures(shift, &plain, &data)?;
            let file = |(source, &label): (&String, &usize)| Labelled {
                path: folder.join(source),
                class: plain.classes[label].clone(),
                domain: shift.word().to_owned(),
            };
            let files: Vec<Labelled> = plain.sources.iter().zip(&plain.labels).map(file).collect();
            let init = ["--backbone", backbone, "--models", &models];
            let features = Features::of(&format!("trashnet-{}", shift.word()), &init, &folder, &files)?;
            ensure!(features.quantisation == plain.quantisation, "codes of another kind");
            // Photographs that are the same once shifted are stored once.
            let row = |source: &String| features.sources.iter().position(|one| one == source);
            let rows: Option<Vec<usize>> = plain.sources.iter().map(row).collect();
            let rows = rows.context("a photograph is missing: two became the same")?;
            Ok((features.x.select(Axis(0), &rows), folder))
        };
        let shifts = Shift::ALL
            .map(|shift| shifted(shift).unwrap_or_else(|error| panic!("TrashNet {}: {error:#}", shift.word())));
        let (shifts, folders) = shifts.into_iter().unzip();
        Some(Self { plain, shifts, folders })
    }
}

/// The folder of shifted photographs, made if it is not there.
fn pictures(shift: Shift, plain: &Features, data: &Path) -> anyhow::Result<PathBuf> {
    let place = target().join("shifted").join(shift.word());
    if place.is_dir() {
        return Ok(place);
    }
    let parent = place.parent().context("a place in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let scratch = tempfile::tempdir_in(parent).context("making a folder for pictures")?;
    for source in &plain.sources {
        let picture = image::open(data.join(source)).with_context(|| format!("opening {source}"))?;
        let file = scratch.path().join(source);
        fs::create_dir_all(file.parent().context("a file in a folder")?).context("making a folder")?;
        let out = fs::File::create(&file).with_context(|| format!("creating {}", file.display()))?;
        let encoder = JpegEncoder::new_with_quality(std::io::BufWriter::new(out), shift.quality());
        shift.apply(&picture).to_rgb8().write_with_encoder(encoder).with_context(|| format!("writing {source}"))?;
    }
    if fs::rename(scratch.path(), &place).is_err() {
        ensure!(place.is_dir(), "could not move pictures to {}", place.display());
    }
    Ok(place)
}
