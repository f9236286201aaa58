//! Maps behind features: their mean is the feature on every model that has one, and what has none is told why.

use std::fs;
use std::path::PathBuf;

use acclimate_backbone::{
    ActivationMaps, Backbone, EngineChoice, Library, Manifest, Picture, Pool, Prepared, builtin, shown,
};

use crate::{
    assets::{assets, chain, engines, options, small},
    shipped::{SMALL_INPUT, manifest_for, run},
};

/// Photographs of the assets, one in so many.
fn photographs(every: usize) -> Vec<Picture> {
    let Some(assets) = assets() else { return Vec::new() };
    let folder = assets.join("data/imagenet-verify/images");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().step_by(every).map(|file| Picture::decode(&fs::read(file).unwrap()).unwrap()).collect()
}

/// The largest difference between the mean of the maps and the feature, in units of the feature's norm.
fn difference(manifest: &Manifest, bytes: &[u8], picture: &Picture, engine: EngineChoice) -> f64 {
    let prepared = Prepared::picture(picture, manifest.input.image().unwrap());
    let mut backbone = Backbone::from_bytes(manifest, bytes.to_vec(), &options(engine)).unwrap();
    let feature = backbone.embed(&[&prepared]).unwrap().remove(0);
    let mut maps = ActivationMaps::open(manifest, bytes.to_vec(), &options(engine)).unwrap();
    let map = maps.of(&prepared).unwrap();
    let means = map.feature();
    assert_eq!(means.len(), feature.dim());
    let differences = means.iter().zip(feature.as_slice()).map(|(mean, unit)| {
        let norm = f64::from(feature.norm());
        (f64::from(*mean) / norm - f64::from(*unit)).abs()
    });
    differences.fold(0.0, f64::max)
}

#[test]
fn the_mean_of_the_map_is_the_feature_on_every_model_of_the_assets_and_both_engines() {
    let Some(first) = photographs(199).into_iter().next() else { return };
    let folder = assets().unwrap().join("models");
    let entries = Library::new(vec![folder]).list();
    let (mut with, mut checked) = (Vec::new(), 0);
    for entry in entries {
        let Some(file) = entry.file.filter(|_| entry.manifest.input.image().is_some()) else { continue };
        let bytes = fs::read(file).unwrap();
        let manifest = entry.manifest.resolve(&bytes).unwrap();
        for engine in engines() {
            if Backbone::from_bytes(&manifest, bytes.clone(), &options(engine)).is_err() {
                continue; // an operator that tract lacks
            }
            let found = difference(&manifest, &bytes, &first, engine);
            println!("{} on {engine}: {found:.1e}", manifest.name);
            assert!(found < 2e-6, "{} on {engine}: {found:.1e}", manifest.name);
            checked += 1;
        }
        with.push(manifest.name);
    }
    for name in ["mcunet-5fps", "mobilenetv2-1.0-224", "mobilenetv2-1.0-224-uint8", "resnet20-cifar10", "squeezenet1.0"]
    {
        assert!(with.iter().any(|known| known == name), "{name} is not among {with:?}");
    }
    assert!(checked >= with.len(), "{checked}");
}

#[test]
fn the_built_in_backbone_has_maps_too_although_it_does_arithmetic_behind_their_means() {
    let manifest = Manifest::parse(builtin::MANIFEST).unwrap();
    let pixel = |i: u32| ((i / 3 % 160 * 3 + i / 480 * 7) % 251) as u8 / if i / 3 % 160 < 80 { 1 } else { 3 };
    let drawn = Picture::from_rgb(160, 120, (0..160 * 120 * 3).map(pixel).collect()).unwrap();
    for engine in engines() {
        let found = difference(&manifest, builtin::MODEL, &drawn, engine);
        assert!(found < 1e-5, "{engine}: {found:.1e}");
        let mut maps = ActivationMaps::open(&manifest, builtin::MODEL.to_vec(), &options(engine)).unwrap();
        let map = maps.of(&Prepared::picture(&drawn, manifest.input.image().unwrap())).unwrap();
        assert_eq!(map.grid(), [16, 16]);
        let feature = map.feature();
        let gradient: Vec<f64> = (0..feature.len()).map(|j| (j as f64).sin()).collect();
        let places = map.contributions(&gradient);
        let level: f64 = gradient.iter().zip(&feature).map(|(g, &x)| g * f64::from(x)).sum();
        let size = places.iter().fold(0.0_f64, |most, place| most.max(place.abs()));
        assert!((places.mean().unwrap() - level).abs() < 1e-6 * size, "{engine}: {} {level}", places.mean().unwrap());
        // Left and right of the drawing differ, so some places speak for and others against.
        let spread = places.iter().fold(0.0_f64, |most, place| most.max((place - level).abs()));
        assert!(spread > 1e-3, "{engine}: {spread}");
    }
}

#[test]
fn without_arithmetic_the_contributions_are_the_weighted_sum_of_the_channels() {
    // `map` [1, 4, 8, 8] and its mean `feature`: a gradient of one channel gives that channel.
    let bytes = small("classifiers/gemm.onnx");
    for (tensor, pool) in [("feature", Pool::None), ("map", Pool::SpatialMean)] {
        let manifest = manifest_for(&bytes, SMALL_INPUT, tensor, pool, 4);
        for engine in engines() {
            let rgb = (0..8 * 8 * 3_u32).map(|i| (i * 37 % 251) as u8).collect();
            let prepared = Prepared::picture(&Picture::from_rgb(8, 8, rgb).unwrap(), manifest.input.image().unwrap());
            let mut maps = ActivationMaps::open(&manifest, bytes.clone(), &options(engine)).unwrap();
            let map = maps.of(&prepared).unwrap();
            let own = run(&bytes, &manifest, Some("map"), &prepared.tensor(&manifest.input), engine);
            for channel in 0..4 {
                let gradient: Vec<f64> = (0..4).map(|j| f64::from(u8::from(j == channel))).collect();
                let places = map.contributions(&gradient);
                for ((row, column), place) in places.indexed_iter() {
                    let expected = f64::from(own[[0, channel, row, column]]);
                    assert!((place - expected).abs() < 1e-5, "{tensor} {channel} {row} {column}: {place} {expected}");
                }
            }
        }
    }
}

fn refusal(name: &str, tensor: &str, pool: Pool, dim: usize) -> String {
    let bytes = small(&format!("classifiers/{name}.onnx"));
    let manifest = manifest_for(&bytes, SMALL_INPUT, tensor, pool, dim);
    chain(&ActivationMaps::open(&manifest, bytes, &options(EngineChoice::Auto)).err().unwrap())
}

#[test]
fn a_feature_that_is_no_spatial_mean_is_told_why() {
    let begins = "backbone \"test\" cannot show where a head looks: its feature is not the mean of a map over all places of \
                  the picture: ";
    for (name, tensor, pool, dim, why) in [
        ("conv-area", "map", Pool::Flatten, 256, "Conv \""),
        ("cls", "tokens", Pool::Cls, 4, "it is pooled as \"cls\" from tokens, which are no map"),
        ("token-mean", "tokens", Pool::TokenMean, 4, "it is pooled as \"token-mean\" from tokens, which are no map"),
    ] {
        let found = refusal(name, tensor, pool, dim);
        assert!(found.starts_with(&format!("{begins}{why}")), "{name}: {found}");
    }
    let manifest = builtin::SignalShape::default().manifest().unwrap();
    let error = ActivationMaps::open(&manifest, builtin::SIGNAL_MODEL.to_vec(), &options(EngineChoice::Auto));
    let error = chain(&error.err().unwrap());
    assert!(error.ends_with("it is a feature of signals, which have no places of a picture"), "{error}");
}

#[test]
fn another_file_than_the_manifests_is_refused() {
    let manifest = Manifest::parse(builtin::MANIFEST).unwrap();
    let error = ActivationMaps::open(&manifest, builtin::SIGNAL_MODEL.to_vec(), &options(EngineChoice::Auto));
    assert!(chain(&error.err().unwrap()).contains("has SHA-256"));
}

#[test]
fn what_the_tensor_shows_is_told_in_fractions_of_the_picture() {
    let close = |found: [f64; 4], expected: [f64; 4]| {
        let worst = found.iter().zip(expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 0.01, "{found:?} {expected:?}");
    };
    let input = |more: &str| {
        let keys = format!("{SMALL_INPUT}\n{more}");
        manifest_for(b"any", &keys, "map", Pool::None, 4).input.image().unwrap().clone()
    };
    close(shown(400, 200, &input("resize = \"stretch\"")), [0.0, 0.0, 1.0, 1.0]);
    // Twice as wide as high: the middle half is seen; of 10 rows 8.
    close(shown(400, 200, &input("resize = \"shortest-edge\"")), [0.25, 0.0, 0.5, 1.0]);
    close(shown(400, 400, &input("resize = \"shortest-edge\"\nresize_to = 10")), [0.1, 0.1, 0.8, 0.8]);
    // Letterbox: as much again above and below.
    close(shown(400, 200, &input("resize = \"letterbox\"")), [0.0, -0.5, 1.0, 2.0]);
}
