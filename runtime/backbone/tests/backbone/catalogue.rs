//! The catalogue's models on photographs: dimension, sign and full scale are as their manifests say.

use std::{collections::BTreeSet, fs};

use acclimate_backbone::{Backbone, EngineChoice, Library, Picture};

use crate::assets::{assets, engines, model, options};

/// The models of the catalogue that are among the assets.
const MODELS: [&str; 19] = [
    "mcunet-5fps",
    "mcunet-5fps-int8",
    "mcunet-mbv2-w0.35",
    "mcunet-mbv2-w0.35-int8",
    "mcunet-proxyless-w0.3",
    "mcunet-proxyless-w0.3-int8",
    "mlperf-tiny-resnet8",
    "mlperf-tiny-vww",
    "mlperf-tiny-vww-int8",
    "mobilenetv1-0.25-128",
    "mobilenetv1-0.5-160",
    "mobilenetv2-0.35-224",
    "mobilenetv2-1.0-224",
    "mobilenetv2-1.0-224-uint8",
    "mobilenetv2-12-int8",
    "resnet20-cifar10",
    "resnet56-cifar10",
    "squeezenet1.0",
    "yolox-nano",
];

#[test]
fn hardly_a_component_saturates_and_none_has_the_wrong_sign() {
    let Some(folder) = assets() else { return };
    let files = |folder: std::path::PathBuf| -> BTreeSet<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let photographs = files(folder.join("data/imagenet-verify/images")).into_iter().step_by(10);
    let pictures: Vec<_> = photographs.filter_map(|path| Picture::decode(&fs::read(path).ok()?).ok()).collect();
    assert_eq!(pictures.len(), 20);
    for name in MODELS {
        let (manifest, file) = model(name).unwrap();
        let Some(&engine) =
            engines().iter().find(|&&engine| engine == EngineChoice::Ort || name != "mobilenetv2-12-int8")
        else {
            continue;
        };
        let mut backbone = Backbone::open(&manifest, &file, &options(engine)).unwrap();
        let features = backbone.features(&pictures).unwrap();
        let quantisation = backbone.quantisation();
        let (mut saturated, mut components, mut largest) = (0, 0, 0.0_f32);
        for feature in &features {
            assert_eq!(feature.dim(), backbone.dim());
            saturated += quantisation.encode(feature).saturated;
            components += feature.dim();
            largest = feature.as_slice().iter().fold(largest, |largest, component| largest.max(component.abs()));
            assert!(quantisation.signed || feature.as_slice().iter().all(|&component| component >= 0.0), "{name}");
        }
        println!(
            "{name}: {saturated} of {components} components saturate at {}, the largest is {largest}",
            quantisation.full_scale
        );
        assert!(saturated * 1000 < components, "{name}: {saturated} of {components}");
    }
}

#[test]
fn every_model_of_the_catalogue_is_among_the_assets_or_has_an_address() {
    let mut lacking: Vec<String> = Library::new(Vec::new())
        .list()
        .into_iter()
        .map(|entry| entry.manifest)
        .filter(|manifest| manifest.file.url.is_none() && !MODELS.contains(&manifest.name.as_str()))
        .map(|manifest| manifest.name)
        .collect();
    lacking.retain(|name| !name.starts_with("builtin-"));
    assert_eq!(lacking, Vec::<String>::new(), "neither checked here nor to be had elsewhere");
}
