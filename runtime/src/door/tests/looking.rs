//! Where the head looks: of samples and of what is seen now, with the built-in backbone behind the door.

use acclimate_backbone::{Backbone, Manifest, builtin};

use super::*;
use crate::embedding::embed_bytes;

const SIDE: u32 = 128;

/// Grey ground with a fine pattern; of class `part` with a chequered part in one of the quarters.
fn scene(part: Option<u32>, number: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let ground = 90 + ((x * 7 + y * 13 + number * 31) % 17) as u8;
        let quarter = x / (SIDE / 2) + 2 * (y / (SIDE / 2));
        let (inner_x, inner_y) = (x % (SIDE / 2), y % (SIDE / 2));
        let inside = (10..54).contains(&inner_x) && (10..54).contains(&inner_y);
        match part {
            Some(part) if part == quarter && inside => {
                let bright = (inner_x / 5 + inner_y / 5 + number).is_multiple_of(2);
                image::Rgb(if bright { [230, 60, 40] } else { [40, 20, 20] })
            }
            _ => image::Rgb([ground; 3]),
        }
    };
    let mut file = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(SIDE, SIDE, pixel).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A store whose task `gate` tells a part from none, on the built-in backbone.
pub(super) fn learnt() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = Tasks::open(dir.path(), &Access::Write { command: "acclimate test".into() }).unwrap();
    let manifest = Manifest::parse(builtin::MANIFEST).unwrap();
    let mut backbone = Backbone::builtin(&opener(dir.path()).options).unwrap();
    let new = NewBackbone {
        name: manifest.name.clone(),
        id: backbone.id().0,
        manifest: manifest.text.clone(),
        model: Model::Builtin,
        dim: backbone.dim(),
        quantisation: backbone.quantisation(),
    };
    let (classes, group_by) = (vec!["none".into(), "part".into()], GroupBy::None);
    let task = NewTask { name: "gate".into(), backbone: new, group_by, classes, classes_only: false, shipped: None };
    tasks.create_task(&task, at(0)).unwrap();
    for number in 0..24 {
        let part = (number % 2 == 0).then_some(number / 2 % 4);
        let embedded = embed_bytes(&mut backbone, scene(part, number)).unwrap();
        let encoded = backbone.quantisation().encode(&embedded.feature);
        let sample = NewSample {
            payload: &embedded.payload.bytes,
            media: "image/png",
            source: "yard",
            taken: Some(at(1_000_000 + 60 * i64::from(number))),
            group_key: None,
            phash: None,
            thumbnail: None,
            codes: &encoded.codes,
            saturated: 0,
            norm: embedded.feature.norm(),
            extractor: "test",
            label: Some(if part.is_some() { "part" } else { "none" }),
            who: "alice",
        };
        tasks.add_sample("gate", &sample, at(1)).unwrap();
    }
    adaptation::adapt(&mut tasks, "gate", &options()).unwrap();
    dir
}

/// The quarter of the strongest place.
fn quarter(found: &Value) -> u32 {
    let [rows, columns] = [0, 1].map(|axis| found["grid"][axis].as_u64().unwrap() as usize);
    let values: Vec<f64> = found["values"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(values.len(), rows * columns);
    assert!(values.iter().all(|value| value.abs() <= 1.0) && values.iter().any(|value| value.abs() >= 0.999));
    let strongest = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
    u32::from(strongest % columns * 2 >= columns) + 2 * u32::from(strongest / columns * 2 >= rows)
}

#[test]
fn of_a_sample_it_is_where_what_was_taught_is() {
    let opened = Opened::on(learnt(), Limits::default(), None);
    for number in [0, 2, 4, 6] {
        let id = SampleId::of(&scene(Some(number / 2), number)).to_string();
        let found = opened.get(&format!("/api/v1/tasks/gate/samples/{id}/attention?class=part")).json();
        assert_eq!((&found["class"], &found["sample"]), (&"part".into(), &id.as_str().into()), "{found}");
        assert_eq!(found["region"], serde_json::json!([0.0, 0.0, 1.0, 1.0]));
        assert!(found["scale"].as_f64().unwrap() > 0.0 && found["confidence"].as_f64().unwrap() > 0.5, "{found}");
        assert_eq!(quarter(&found), number / 2, "{found}");
    }
    // Without a class it is what the head takes it for; of two, one speaks against where the other speaks for.
    let id = SampleId::of(&scene(Some(0), 0)).to_string();
    let of = |query: &str| opened.get(&format!("/api/v1/tasks/gate/samples/{}/attention{query}", &id[..12])).json();
    assert_eq!(of(""), of("?class=part"));
    let (part, none) = (of("?class=part"), of("?class=none"));
    for (part, none) in part["values"].as_array().unwrap().iter().zip(none["values"].as_array().unwrap()) {
        assert!((part.as_f64().unwrap() + none.as_f64().unwrap()).abs() < 2e-3, "{part} {none}");
    }
    opened.close();
}

#[test]
fn of_what_is_seen_now_it_is_in_the_frame_within_the_region_that_the_task_looks_at() {
    let opened = Opened::on(learnt(), Limits::default(), None);
    // The look is the middle half of a frame twice as large.
    let mut whole = image::RgbImage::from_pixel(2 * SIDE, 2 * SIDE, image::Rgb([90; 3]));
    let scene = image::load_from_memory(&scene(Some(3), 6)).unwrap().to_rgb8();
    image::imageops::replace(&mut whole, &scene, i64::from(SIDE / 2), i64::from(SIDE / 2));
    let content = Content::Rgb { width: 2 * SIDE, height: 2 * SIDE, pixels: whole.into_raw() };
    opened.newest.keep(Arc::new(Frame { source: "yard".into(), taken: at(7), content }));
    let found = opened.get("/api/v1/tasks/gate/attention?source=yard&look=0").json();
    assert_eq!((&found["source"], &found["taken"]), (&"yard".into(), &at(7).to_string().into()), "{found}");
    assert_eq!(found["region"], serde_json::json!([0.25, 0.25, 0.5, 0.5]));
    assert_eq!((&found["class"], quarter(&found)), (&"part".into(), 3));
    assert_eq!(found, opened.get("/api/v1/tasks/gate/attention").json(), "the first look is meant");
    opened.close();
}

#[test]
fn what_cannot_be_shown_is_refused_in_words() {
    let opened = Opened::on(learnt(), Limits::default(), None);
    let id = SampleId::of(&scene(Some(0), 0)).to_string();
    let sample = format!("/api/v1/tasks/gate/samples/{id}/attention");
    let said = opened.get(&format!("{sample}?class=van")).refused(404, "not_found");
    assert!(said.contains("knows no class `van`: its classes are none, part"), "{said}");
    opened.get(&format!("{sample}?klass=van")).refused(400, "invalid");
    opened.get("/api/v1/tasks/gate/samples/0000/attention").refused(404, "not_found");
    opened.get("/api/v1/tasks/nothing/attention").refused(404, "not_found");
    for query in ["?source=door", "?look=1", "?source=door&look=0"] {
        let said = opened.get(&format!("/api/v1/tasks/gate/attention{query}")).refused(404, "not_found");
        assert!(said.contains("task `gate` looks at"), "{query}: {said}");
    }
    opened.close();

    // Without a head there is nothing to look with.
    let dir = tempfile::tempdir().unwrap();
    let opened = Opened::on(dir, Limits::default(), None);
    opened.get("/api/v1/tasks/gate/attention").refused(404, "not_found");
    opened.close();
}
