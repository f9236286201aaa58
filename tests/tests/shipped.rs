//! The classifier that comes in a model: kept, adapted, and taken out again in one file.

use std::collections::BTreeMap;
use std::path::Path;

use acclimate_tests::device::Device;
use acclimate_tests::skip::assets;
use acclimate_tests::trashnet::{BACKBONE, Photograph, TrashNet, csv};
use image::ImageFormat;
use serde_json::Value;

/// Top-1 of the whole model on the same photographs through the same preprocessing (`backbone/tests/verified.rs`).
const WHOLE_MODEL: f64 = 0.845;

fn evaluate(device: &Device, task: &str, table: &str, photographs: &[Photograph]) -> Value {
    let table = device.file(table, csv(photographs).as_bytes());
    device.json(["evaluate", task, "/", "--labels-from-csv", table.to_str().unwrap()])["evaluation"].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn generation_0_is_the_model_itself() {
    let Some(assets) = assets() else { return };
    let device = Device::new();
    let models = assets.join("models");
    let models = models.to_str().unwrap();
    let init = ["init", "inet", "--backbone", BACKBONE, "--models", models, "--keep-head", "--classes-only"];
    let task = device.json(init);
    assert_eq!((task["in_service"].as_u64(), task["classes"].as_array().map(Vec::len)), (Some(0), Some(1001)));
    let heads = device.json(["head", "list", "inet"]);
    assert_eq!((&heads[0]["head"], &heads[0]["origin"]), (&"shipped".into(), &"shipped".into()));

    let folder = assets.join("data/imagenet-verify");
    let manifest = std::fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let photograph = |line: &str| {
        let [path, index, ..] = line.split(',').collect::<Vec<_>>()[..] else { panic!("columns of {line}") };
        // Its class 0 is the background.
        Photograph { path: folder.join(path), class: format!("class-{}", index.parse::<u32>().unwrap() + 1) }
    };
    let photographs: Vec<Photograph> = manifest.lines().skip(1).map(photograph).collect();
    assert_eq!(photographs.len(), 200);
    let accuracy = number(&evaluate(&device, "inet", "imagenet.csv", &photographs)["accuracy"]);
    assert!((accuracy - WHOLE_MODEL).abs() < 1e-9, "top-1 {accuracy}, the whole model's {WHOLE_MODEL}");

    let path = photographs[0].path.to_str().unwrap();
    let refused = device.run(["add", "inet", path, "--label", "fish"]).expect(1);
    assert!(refused.stderr.contains("--classes-only and has no class \"fish\""), "{}", refused.stderr);
}

/// The photographs as they would be at dusk, half as large.
fn darkened(device: &Device, photographs: &[Photograph]) -> Vec<Photograph> {
    let dark = |photograph: &Photograph| {
        let mut picture = image::open(&photograph.path).unwrap().thumbnail(256, 256).to_rgb8();
        for value in picture.iter_mut() {
            *value = (255.0 * 0.2 * (f32::from(*value) / 255.0).powf(2.2)).round() as u8;
        }
        let name = Path::new("dark").join(photograph.path.file_name().unwrap()).with_extension("png");
        let path = device.file(name, b"");
        picture.save_with_format(&path, ImageFormat::Png).unwrap();
        Photograph { path, class: photograph.class.clone() }
    };
    photographs.iter().map(dark).collect()
}

#[test]
fn an_exported_file_comes_back_and_learns_the_dark_without_forgetting_the_light() {
    let Some(assets) = assets() else { return };
    let trashnet = TrashNet::read(&assets);
    let split = trashnet.split(0);
    let mut classes = BTreeMap::<&str, usize>::new();
    let (light, dark): (Vec<_>, Vec<_>) = split.train.iter().cloned().partition(|photograph| {
        let seen = classes
            .entry(split.train.iter().find(|p| p.class == photograph.class).unwrap().class.as_str())
            .or_default();
        *seen += 1;
        *seen <= 60
    });
    assert_eq!((light.len(), dark.len()), (360, 180));

    let device = trashnet.device();
    trashnet.add(&device, "light.csv", &light);
    // One that comes back: a kernel head, which is better here, is no layer that others could start from.
    let _ = device.run(["adapt", "waste", "--head", "logistic"]).expect(0);
    let exported = device.path("waste.onnx");
    let exported = exported.to_str().unwrap();
    let record = device.json(["head", "export", "waste", "--onnx", exported]);
    assert!(number(&record["check"]["difference"]) <= 1e-5, "{record}");

    let _ = device.run(["init", "dusk", "--model", exported, "--keep-head", "--classes-only"]).expect(0);
    let test = darkened(&device, &split.test);
    let figures = || {
        let of = |name: &str, photographs: &[Photograph]| {
            let evaluation = evaluate(&device, "dusk", name, photographs);
            let interval = &evaluation["accuracy_interval"];
            (number(&evaluation["accuracy"]), number(&evaluation["log_loss"]), number(&interval[0]))
        };
        (of("dark-test.csv", &test), of("light-test.csv", &split.test))
    };
    let (dark_before, light_before) = figures();
    // The file gives the answers of the head that is in it.
    let own = number(&evaluate(&device, "waste", "own.csv", &split.test)["accuracy"]);
    assert!((light_before.0 - own).abs() < 1e-9, "{light_before:?} {own}");

    let table = device.file("dark.csv", csv(&darkened(&device, &dark)).as_bytes());
    let _ = device.run(["add", "dusk", "/", "--labels-from-csv", table.to_str().unwrap()]).expect(0);
    let adapted = device.json(["adapt", "dusk"]);
    assert_eq!(adapted["verdict"], "activated", "{adapted}");
    let (dark_after, light_after) = figures();
    println!("{}: dark {dark_before:?} → {dark_after:?}, light {light_before:?} → {light_after:?}", adapted["head"]);
    assert!(dark_after.0 > dark_before.0 + 0.03, "dark {dark_before:?} → {dark_after:?}");
    assert!(dark_after.1 < dark_before.1 - 0.1, "dark log-loss {dark_before:?} → {dark_after:?}");
    assert!(light_after.0 >= light_before.2, "light {light_before:?} → {light_after:?}, below its interval");

    let audit = device.json(["audit", "dusk"]);
    assert_eq!(audit["reproduced"], true, "{audit}");
    let back = device.json(["head", "rollback", "dusk"]);
    assert_eq!(back["generation"], 0);

    // Labels of some classes only: the others are kept, and it is said that nothing was shown of them.
    let _ = device.run(["init", "half", "--model", exported, "--keep-head", "--classes-only"]).expect(0);
    let three: Vec<_> =
        dark.into_iter().filter(|photograph| ["glass", "metal", "paper"].contains(&&*photograph.class)).collect();
    let table = device.file("half.csv", csv(&darkened(&device, &three)).as_bytes());
    let _ = device.run(["add", "half", "/", "--labels-from-csv", table.to_str().unwrap()]).expect(0);
    let half = device.run(["adapt", "half", "--json"]).json();
    assert_eq!((half["classes"].as_array().unwrap().len(), &half["unproved"]), (6, &true.into()), "{half}");
    let next = half["next"].to_string();
    assert!(next.contains("cardboard, plastic, trash: the task keeps the model's classes"), "{next}");
}
