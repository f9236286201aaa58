//! Where a head looks, from outside: the picture that `classify` draws, and the process that the daemon looks with.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use acclimate_tests::device::Device;
use acclimate_tests::picture;
use serde_json::{Value, json};

use crate::json_golden::adapted;

#[test]
fn classify_draws_one_picture_with_what_speaks_for_its_answer() {
    let device = adapted();
    let (asked, seen) = (device.file("ask/one.png", &picture::draw(0, 9)), device.path("seen.png"));
    let (asked, seen) = (asked.to_str().unwrap(), seen.to_str().unwrap());
    let _ = device.run(["classify", "parts", asked, "--attention", seen]).expect(0);
    let (before, after) = (image::open(asked).unwrap().to_rgb8(), image::open(seen).unwrap().to_rgb8());
    assert_eq!(before.dimensions(), after.dimensions());
    let changed = before.pixels().zip(after.pixels()).filter(|(a, b)| a != b).count();
    assert!(changed > before.pixels().len() / 4, "{changed}");

    let two = device.run(["classify", "parts", asked, asked, "--attention", seen]).expect(1);
    assert!(
        two.stderr.contains("--attention draws one picture") && two.stderr.contains("2 were named"),
        "{}",
        two.stderr
    );
    let nowhere = device.run(["classify", "parts", asked, "--attention", "/nowhere/seen.png"]).expect(1);
    assert!(nowhere.stderr.contains("could not write /nowhere/seen.png: is its folder there"), "{}", nowhere.stderr);
}

/// Asks the process that looks; its answers.
fn look(device: &Device, questions: &[(Value, &[u8])]) -> Vec<Value> {
    let mut command = device.command(["look"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    for (question, bytes) in questions {
        to.write_all(format!("{question}\n").as_bytes()).unwrap();
        to.write_all(bytes).unwrap();
    }
    drop(to);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    String::from_utf8(ended.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_process_that_looks_answers_each_question_until_there_is_none() {
    let device = adapted();
    let sample = device.json(["sample", "list", "parts"])[0]["sample"].as_str().unwrap().to_owned();
    let of_sample = |class: Value| json!({"task": "parts", "class": class, "of": {"Sample": sample}});
    let picture = fs::read(device.file("ask/two.png", &picture::draw(1, 9))).unwrap();
    let frame = |source: &str, bytes: usize| {
        let frame = json!({"source": source, "taken": "2026-11-29T12:00:00Z", "crop": [0.5, 0.0, 0.5, 1.0], "size": null, "bytes": bytes});
        json!({"task": "parts", "class": null, "of": {"Frame": frame}})
    };
    let answers = look(
        &device,
        &[
            (of_sample(Value::Null), &[]),
            (of_sample(json!("van")), &[]),
            (frame("yard", picture.len()), &picture),
            (frame("broken", 4), b"nope"),
            (json!({"task": "other", "class": null, "of": {"Sample": sample}}), &[]),
            (of_sample(json!(picture::CLASSES[0])), &[]),
        ],
    );
    assert_eq!(answers.len(), 6);
    let (first, seen, last) = (&answers[0]["Map"], &answers[2]["Map"], &answers[5]["Map"]);
    assert_eq!((&first["sample"], &first["grid"]), (&json!(sample), &json!([16, 16])), "{first}");
    assert_eq!((&seen["source"], &seen["region"]), (&json!("yard"), &json!([0.5, 0.0, 0.5, 1.0])), "{seen}");
    assert_eq!(last["class"], picture::CLASSES[0]);
    assert!(answers[1]["NotFound"].as_str().unwrap().contains("knows no class `van`"), "{}", answers[1]);
    assert!(answers[3]["Invalid"].is_string(), "{}", answers[3]);
    assert!(answers[4]["NotFound"].as_str().unwrap().contains("other"), "{}", answers[4]);
}
