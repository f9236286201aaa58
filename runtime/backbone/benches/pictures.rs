//! JPEG file → input tensor, one thread, beside Pillow + numpy on the same files in the same run.
//!
//! `ACCLIMATE_PYTHON=… cargo bench -p acclimate-backbone --no-default-features --bench pictures -- FOLDER`: a Python with
//! pillow and numpy, a folder of pictures (default: TrashNet's cardboard in `ACCLIMATE_ASSETS`). Prints both and the ratio.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use acclimate_backbone::{Manifest, Picture, preprocess};

const MANIFEST: &str = include_str!("../../../models/mobilenetv2-1.0-224.toml");

/// The same work as [`main`]'s, printing seconds of the best of five rounds.
const PILLOW: &str = r"
import io, sys, time, pathlib, numpy as np
from PIL import Image
files = [p.read_bytes() for p in sorted(pathlib.Path(sys.argv[1]).iterdir())]
def tensor(data):
    image = Image.open(io.BytesIO(data)).convert('RGB')
    w, h = image.size
    image = image.resize((256, int(256 * h / w)) if w < h else (int(256 * w / h), 256), Image.BILINEAR)
    left, top = (image.size[0] - 224) // 2, (image.size[1] - 224) // 2
    array = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return np.ascontiguousarray(((array / np.float32(127.5)) - 1).transpose(2, 0, 1))
best = 1e9
for _ in range(5):
    start = time.perf_counter()
    for data in files: tensor(data)
    best = min(best, time.perf_counter() - start)
print(best)
";

fn main() {
    let assets = std::env::var("ACCLIMATE_ASSETS").unwrap_or_else(|_| "../shared/assets".to_owned());
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(|| PathBuf::from(assets).join("data/trashnet/images/cardboard"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no pictures in {}", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let files: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let input = manifest.input.image().unwrap();
    let mut tensor = Vec::new();
    let (mut decoding, mut best) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        let start = Instant::now();
        for file in &files {
            black_box(Picture::decode(file).unwrap());
        }
        decoding = decoding.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        for file in &files {
            preprocess(&Picture::decode(file).unwrap(), input, &mut tensor);
            black_box(&tensor);
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let each = 1e3 / files.len() as f64;
    println!(
        "acclimate: {:.2} ms a picture, of it {:.2} ms decoding ({} pictures)",
        best * each,
        decoding * each,
        files.len()
    );
    let python = std::env::var("ACCLIMATE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match Command::new(&python).args(["-c", PILLOW]).arg(&folder).output() {
        Ok(output) if output.status.success() => {
            let pillow: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            println!("Pillow + numpy: {:.2} ms a picture; ratio {:.2}", pillow * each, pillow / best);
        }
        _ => println!("skipped the comparison: {python} has no pillow and numpy (set ACCLIMATE_PYTHON)"),
    }
}
