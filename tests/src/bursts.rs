//! TrashNet as a careless camera takes it: each picture several times over, hardly changed. What a ridge then says of itself.
//!
//! Invariant: a burst is one picture and its copies, in a row; copies depend on the seed and the pictures alone.

use acclimate_trainer::{FitOptions, Kind, Samples, fit};
use anyhow::Context as _;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use ndarray::Axis;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::draws::Draw;
use crate::features::{Features, Labelled};
use crate::skip::assets;

/// Copies of each picture.
pub const COPIES: usize = 5;

/// How copies differ from their picture and from one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Cut by up to 2 % at each side, up to 8 % brighter or darker.
    Cut,
    /// A window of 94 % of each side anywhere in the picture, up to 15 % brighter or darker.
    Moved,
    /// Turned by up to 3° about the middle, of which 90 % of each side are kept.
    Turned,
    /// Out of focus by up to 2 pixels, and saved as JPEG at a quality from 25 to 80.
    Worse,
}

impl Jitter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Moved, Self::Turned, Self::Worse];

    /// A word for tables and folders.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Moved => "moved",
            Self::Turned => "turned",
            Self::Worse => "worse",
        }
    }

    fn copy(self, picture: &RgbImage, random: &mut ChaCha8Rng) -> anyhow::Result<RgbImage> {
        let (width, height) = picture.dimensions();
        Ok(match self {
            Self::Cut => {
                let mut cut = |length: u32| random.random_range(0..=length / 50);
                let (left, top) = (cut(width), cut(height));
                let (right, bottom) = (cut(width), cut(height));
                let gain = random.random_range(0.92..1.08_f32);
                let part = imageops::crop_imm(picture, left, top, width - left - right, height - top - bottom);
                brighter(part.to_image(), gain)
            }
            Self::Moved => {
                let mut place = |length: u32| random.random_range(0..=length - length * 94 / 100);
                let (left, top) = (place(width), place(height));
                let gain = random.random_range(0.85..1.15_f32);
                let part = imageops::crop_imm(picture, left, top, width * 94 / 100, height * 94 / 100);
                brighter(part.to_image(), gain)
            }
            Self::Turned => turned(picture, random.random_range(-3.0..3.0_f32)),
            Self::Worse => {
                let blurred = imageops::blur(picture, random.random_range(0.1..2.0_f32));
                let mut jpeg = Vec::new();
                JpegEncoder::new_with_quality(&mut jpeg, random.random_range(25..=80)).encode_image(&blurred)?;
                image::load_from_memory(&jpeg)?.to_rgb8()
            }
        })
    }
}

fn brighter(mut picture: RgbImage, gain: f32) -> RgbImage {
    for channel in picture.iter_mut() {
        *channel = (f32::from(*channel) * gain).round().clamp(0.0, 255.0) as u8;
    }
    picture
}

/// The middle nine tenths of each side after a turn, between the four pixels around each place.
fn turned(picture: &RgbImage, degrees: f32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = [width, height].map(|length| (length - 1) as f32 / 2.0);
    RgbImage::from_fn(width * 9 / 10, height * 9 / 10, |x, y| {
        let from_middle = [(x, width * 9 / 10), (y, height * 9 / 10)].map(|(at, of)| at as f32 - (of - 1) as f32 / 2.0);
        let at = [cos * from_middle[0] - sin * from_middle[1], sin * from_middle[0] + cos * from_middle[1]];
        let at = [(at[0] + middle[0] + 0.5) / width as f32, (at[1] + middle[1] + 0.5) / height as f32];
        imageops::sample_bilinear(picture, at[0].clamp(0.0, 1.0), at[1].clamp(0.0, 1.0)).unwrap_or(image::Rgb([0; 3]))
    })
}

/// Features of some pictures, each followed by its copies, through the binary.
fn burst(trash: &Features, rows: &[usize], jitter: Jitter, seed: u64) -> anyhow::Result<Features> {
    let assets = assets().context("the pictures are needed")?;
    let folder = tempfile::tempdir()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut files = Vec::new();
    for (at, &row) in rows.iter().enumerate() {
        let picture = image::open(assets.join("data/trashnet").join(&trash.sources[row]))?.to_rgb8();
        for copy in 0..=COPIES {
            let path = folder.path().join(format!("{at:03}-{copy}.png"));
            if copy == 0 { picture.save(&path) } else { jitter.copy(&picture, &mut random)?.save(&path) }?;
            files.push(Labelled { path, class: trash.classes[trash.labels[row]].clone(), domain: String::new() });
        }
    }
    let models = assets.join("models").display().to_string();
    let backbone = trash.name.rsplit(", ").next().unwrap_or_default();
    let set = format!("trashnet-bursts-{}", jitter.word());
    let init = ["--backbone", backbone, "--models", &models];
    Features::of(&set, &init, folder.path(), &files)
}

/// What leaving out says of a ridge fitted on bursts, beside what is so.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The share of bursts that are one group.
    pub whole: f64,
    /// Accuracy with the groups that were found left out.
    pub grouped: f64,
    /// Accuracy with the bursts left out, as who made them knows them.
    pub bursts: f64,
    /// Accuracy with single pictures left out.
    pub single: f64,
    /// Accuracy on other pictures.
    pub test: f64,
}

impl Told {
    /// Teaches so many pictures of each class of a draw, with their copies, and asks about its test part.
    ///
    /// # Errors
    /// When the binary or the trainer refuses.
    pub fn on(trash: &Features, per_class: usize, jitter: Jitter, seed: u64) -> anyhow::Result<Self> {
        let draw = Draw::all(trash, seed).few(trash, per_class);
        let burst = burst(trash, &draw.train, jitter, seed)?;
        let rows = 0..burst.labels.len();
        let [bursts, single] = [rows.clone().map(|row| row / (COPIES + 1)).collect(), rows.collect::<Vec<usize>>()];
        let mut test = 0.0;
        let mut left_out = |groups: &[usize]| -> anyhow::Result<f64> {
            let samples = Samples::new(burst.x.view(), &burst.labels, groups, burst.classes.len())?;
            let options = FitOptions { kinds: vec![Kind::Ridge], ..FitOptions::default() };
            let candidate = fit(&samples, &options)?.into_iter().next().context("a head of one kind")?;
            let p = candidate.head.batch(trash.x.select(Axis(0), &draw.test).view(), None);
            let right = p.rows().into_iter().zip(&draw.test).filter(|(row, test)| {
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                best.is_some_and(|class| burst.classes[class] == trash.classes[trash.labels[**test]])
            });
            test = right.count() as f64 / draw.test.len() as f64;
            Ok(candidate.accuracy)
        };
        let (single, bursts) = (left_out(&single)?, left_out(&bursts)?);
        // The last, so that the test is that of its head.
        let grouped = left_out(&burst.groups)?;
        Ok(Self { whole: whole(&burst.groups), grouped, bursts, single, test })
    }
}

/// The share of bursts that are one group.
fn whole(groups: &[usize]) -> f64 {
    let bursts = groups.chunks(COPIES + 1);
    let of = bursts.len() as f64;
    bursts.filter(|groups| groups.iter().all(|group| group == &groups[0])).count() as f64 / of
}
