//! Another backbone for a live task, and another engine under it: proved or refused, together with the head, and back.

use std::path::PathBuf;

use acclimate_tests::device::Device;
use acclimate_tests::skip::skip;
use acclimate_tests::trashnet::onnx_runtime;
use rusqlite::Connection;

use crate::json_golden::adapted;

/// The built-in backbone as a file with another scale of its codes, which is another backbone, or one that sees
/// pictures as a few grey dots.
pub(crate) fn other_backbone(device: &Device, name: &str, change: impl Fn(&str) -> String) -> PathBuf {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let model =
        device.file(format!("{name}.onnx"), &std::fs::read(models.join("builtin/builtin-picture-1.onnx")).unwrap());
    let manifest = std::fs::read_to_string(models.join("builtin-picture-1.toml")).unwrap();
    let renamed = manifest.replace("\"builtin-picture-1\"", &format!("\"{name}\""));
    assert_ne!(manifest, renamed);
    device.file(format!("{name}.toml"), change(&renamed).as_bytes());
    model
}

/// With a coarser scale of its codes.
pub(crate) fn coarser(manifest: &str) -> String {
    assert!(manifest.contains("[feature]\n") && !manifest.contains("full_scale"));
    manifest.replace("[feature]\n", "[feature]\nfull_scale = 0.9\n")
}

fn in_use(device: &Device) -> String {
    device.json(["task", "list"])[0]["backbone"].as_str().unwrap().to_owned()
}

#[test]
fn a_live_task_changes_its_backbone_and_goes_back() {
    let device = adapted();
    let model = other_backbone(&device, "coarser", coarser);
    let switch = ["task", "set-backbone", "parts", "--model", model.to_str().unwrap()];
    let record = device.json(switch);
    assert_eq!((&record["verdict"], record["generation"].as_u64()), (&"activated".into(), Some(2)), "{record}");
    assert!(record["comparison"]["samples"].as_u64() >= Some(20), "judged on the same samples: {record}");
    assert_eq!((in_use(&device).as_str(), device.in_service()), ("coarser", vec![2]));
    let again = device.run(switch).expect(1);
    assert!(again.stderr.contains("uses backbone `coarser` already"), "{}", again.stderr);

    // An earlier head answers on the backbone that it was fitted on.
    let picture = device.draw("unseen", 1, 8);
    for generation in [1, 2] {
        let answers = device.run([
            "classify",
            "parts",
            picture.to_str().unwrap(),
            "--generation",
            &generation.to_string(),
            "--json",
        ]);
        let answers = answers.expect(0).json_lines();
        assert!(answers.iter().all(|answer| answer["generation"] == generation) && answers.len() == 2, "{answers:?}");
    }

    // What came since has no feature of the first backbone: going back computes it.
    device.add_folders(&device.draw("later", 2, 7));
    let back = device.json(["head", "rollback", "parts"]);
    assert_eq!(back["generation"], 1);
    assert_eq!((in_use(&device).as_str(), device.in_service()), ("builtin-picture-1", vec![1]));
    let forth = device.json(["head", "activate", "parts", "2"]);
    assert_eq!(forth["generation"], 2);
    let _ = device.run(["adapt", "parts"]).expect(0);
    let audit = device.json(["audit", "parts"]);
    assert_eq!(audit["reproduced"], true, "{audit}");
}

#[test]
fn a_worse_backbone_is_refused_and_the_old_one_serves_on() {
    let device = adapted();
    // White and black are one: it sees next to nothing.
    let blind = other_backbone(&device, "blind", |manifest| {
        manifest.replace("range = 1\n", "range = 1\nmean = [0.5, 0.5, 0.5]\nstd = [1e6, 1e6, 1e6]\n")
    });
    let refused = device.run(["task", "set-backbone", "parts", "--model", blind.to_str().unwrap(), "--json"]).expect(3);
    assert_eq!(refused.json()["verdict"], "rejected");
    assert_eq!((in_use(&device).as_str(), device.in_service()), ("builtin-picture-1", vec![1]));
}

#[test]
fn a_task_without_a_head_changes_at_once_and_one_without_payloads_not_at_all() {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 2, 1));
    let model = other_backbone(&device, "coarser", coarser);
    let model = model.to_str().unwrap();
    let _ = device.run(["task", "set-backbone", "parts", "--model", model]).expect(0);
    assert_eq!(in_use(&device), "coarser");

    let device = adapted();
    let model = other_backbone(&device, "coarser", coarser);
    let database = Connection::open(device.data_dir().join("acclimate.db")).unwrap();
    database.execute("DELETE FROM payloads WHERE sample = 3", []).unwrap();
    drop(database);
    let refused = device.run(["task", "set-backbone", "parts", "--model", model.to_str().unwrap()]).expect(1);
    assert!(refused.stderr.contains("is no longer kept, only its features are"), "{}", refused.stderr);
    assert_eq!((in_use(&device).as_str(), device.in_service()), ("builtin-picture-1", vec![1]));
}

fn database(device: &Device) -> Connection {
    Connection::open(device.data_dir().join("acclimate.db")).unwrap()
}

#[test]
fn another_engine_is_checked_against_kept_payloads_and_noted() {
    if let Err(why) = onnx_runtime() {
        return skip("ort", &why);
    }
    let device = Device::with_task();
    let add = |seed: u64, engine: &str| {
        let folder = device.draw(&format!("by-{engine}"), 6, seed);
        device.run(["add", "parts", folder.to_str().unwrap(), "--labels-from-folders", "--engine", engine, "-v"])
    };
    let _ = add(1, "ort").expect(0);
    let second = add(2, "tract").expect(0);
    assert!(second.stderr.contains("8 kept payloads agree to"), "{}", second.stderr);
    let known: Vec<(String, i64, Option<f64>)> = database(&device)
        .prepare("SELECT extractor, checked, difference FROM extractors ORDER BY checked")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(known[0].0.starts_with("ort") && known[1].0.starts_with("tract"), "{known:?}");
    assert!(known[1].1 == 8 && known[1].2.is_some_and(|difference| difference < 1e-5), "{known:?}");
    // Both are known now: nothing is embedded again.
    assert!(!add(3, "ort").expect(0).stderr.contains("payloads agree"));
}

#[test]
fn where_features_differ_all_are_computed_again_or_nothing_is_added() {
    let device = adapted();
    let whole = device.digest();
    let doctor = |device: &Device| {
        let database = database(device);
        // As if another engine had computed them, and one of the handful badly.
        database
            .execute_batch(
                "UPDATE features SET extractor = 'elsewhere 1.0 (cpu, f32)';
             UPDATE extractors SET extractor = 'elsewhere 1.0 (cpu, f32)';
             UPDATE features SET codes = zeroblob(length(codes))
             WHERE sample = (SELECT seq FROM samples ORDER BY id LIMIT 1);",
            )
            .unwrap();
    };
    doctor(&device);
    assert_ne!(device.digest(), whole);
    let refused = device.copy();
    database(&refused).execute("DELETE FROM payloads WHERE sample = (SELECT max(seq) FROM samples)", []).unwrap();

    let more = device.draw("more", 1, 9);
    let more = more.to_str().unwrap();
    let unlike = device.run(["classify", "parts", more]).expect(1);
    assert!(unlike.stderr.contains("gives others (they differ by"), "{}", unlike.stderr);
    let added = device.run(["add", "parts", more, "--labels-from-folders"]).expect(0);
    assert!(added.stderr.contains("were computed again from the kept payloads"), "{}", added.stderr);
    let wrong: i64 = database(&device)
        .query_row("SELECT count(*) FROM features WHERE extractor LIKE 'elsewhere%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(wrong, 0);

    let kept = refused.run(["add", "parts", more, "--labels-from-folders"]).expect(1);
    assert!(kept.stderr.contains("were computed by elsewhere 1.0 (cpu, f32)"), "{}", kept.stderr);
    assert!(kept.stderr.contains("they cannot all be computed again"), "{}", kept.stderr);
    let samples = refused.json(["sample", "list", "parts"]);
    assert_eq!(samples.as_array().map(Vec::len), Some(24), "nothing was added");
}
