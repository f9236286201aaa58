//! `bench`: this machine's numbers, measured now. What holds elsewhere are the ratios between them.

mod daemon;
mod fit;
mod hook;

use std::io::Cursor;
use std::time::Instant;

use acclimate::comparison::peak;
use acclimate::embedding::embed_bytes;
use acclimate::record::{BenchRecord, FitTimeRecord, SpreadRecord};
use acclimate_backbone::builtin::{SIGNAL_NAME, SignalShape};
use acclimate_backbone::{Backbone, Picture};
use acclimate_trainer::Kind;
use anyhow::Context as _;
use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::choose::{Chosen, choose};
use super::{Context, Outcome, args};

/// Size of the picture, as a small camera gives it.
const WIDTH: u32 = 512;
const HEIGHT: u32 = 384;

/// Classes of the made-up problem that is fitted.
const CLASSES: usize = 10;

/// Runs `acclimate bench`.
pub fn run(context: &Context, args: &args::Bench) -> anyhow::Result<Outcome> {
    match &args.what {
        Some(args::BenchWhat::Daemon(args)) => return daemon::run(context, args),
        Some(args::BenchWhat::Fit(args)) => return fit::run(context, args),
        None => {}
    }
    let shape = (args.backbone.as_deref() == Some(SIGNAL_NAME)).then(SignalShape::default);
    let Chosen { manifest, model, .. } = choose(context, args.backbone.as_deref(), None, shape)?;
    let opener = context.opener();
    // Once before the clock runs: the trial of a model that is new here, and the engine's library.
    drop(opener.open(&manifest, &model)?);
    let start = Instant::now();
    let mut backbone = opener.open(&manifest, &model)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let count = usize::from(args.pictures);

    let engine_ms = spread(context, count, "running the engine", || Ok(backbone.try_out()?))?;
    let (sample_ms, samples_per_second) = match manifest.input.image() {
        Some(_) => {
            let (jpeg, picture) = photograph()?;
            let embed = |backbone: &mut Backbone| embed_bytes(backbone, jpeg.clone()).map(drop);
            embed(&mut backbone)?;
            let sample_ms = spread(context, count, "embedding pictures", || Ok(embed(&mut backbone)?))?;
            (Some(sample_ms), Some(throughput(&mut backbone, &picture, count)?))
        }
        None => (None, None),
    };
    let threads = context.engine_options().threads;
    let mut fits = Vec::new();
    for (head, kinds, samples) in
        [("ridge", vec![Kind::Ridge], 200), ("ridge", vec![Kind::Ridge], 2000), ("all", Kind::ALL.to_vec(), 200)]
    {
        let milliseconds = 1e3 * fit::seconds(samples, backbone.dim(), CLASSES, kinds, threads)?;
        fits.push(FitTimeRecord { head: head.to_owned(), samples, classes: CLASSES, milliseconds });
    }
    let record = BenchRecord {
        backbone: manifest.name.clone(),
        extractor: backbone.extractor().to_string(),
        threads,
        dim: backbone.dim(),
        model_bytes: manifest.file.bytes,
        load_ms,
        fit_per_engine_run: fits[0].milliseconds / engine_ms.p50,
        sample_per_engine_run: sample_ms.as_ref().map(|sample_ms| sample_ms.p50 / engine_ms.p50),
        engine_ms,
        sample_ms,
        samples_per_second,
        fits,
        peak_memory_bytes: peak(),
    };
    context.print(&record, || record.words())?;
    Ok(Outcome::Done)
}

/// Runs something a number of times, and says how long one run takes.
fn spread(
    context: &Context,
    count: usize,
    what: &'static str,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<SpreadRecord> {
    let bar = context.progress(count, what);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        bar.inc(1);
    }
    bar.finish_and_clear();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Ok(SpreadRecord { runs: count, p50: at(0.5), p99: at(0.99) })
}

/// A picture with edges, colours and noise, also as a JPEG file.
fn photograph() -> anyhow::Result<(Vec<u8>, Picture)> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut rgb = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let shade = if (x / 37 + y / 53) % 2 == 0 { 60 } else { 170 };
            rgb.extend([x, y, x + y].map(|at| (shade + at / 8 + random.random_range(0..24)) as u8));
        }
    }
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, 90)
        .write_image(&rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8)
        .context("could not write the picture that is measured with")?;
    Ok((jpeg.into_inner(), Picture::from_rgb(WIDTH, HEIGHT, rgb)?))
}

/// Decoded pictures a second, prepared on all threads.
fn throughput(backbone: &mut Backbone, picture: &Picture, count: usize) -> anyhow::Result<f64> {
    let pictures = vec![picture.clone(); count.min(64)];
    let start = Instant::now();
    backbone.features(&pictures)?;
    Ok(pictures.len() as f64 / start.elapsed().as_secs_f64())
}
