//! What a person fixes of a head, and how it answers: through the command line.

use std::fs;

use acclimate_tests::device::Device;
use acclimate_tests::picture;

use crate::json_golden::adapted;

#[test]
fn what_does_not_go_together_is_said() {
    let device = Device::with_task();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let finished = device.run(["adapt", "parts"].iter().chain(arguments)).expect(code);
        assert!(words.iter().all(|word| finished.stderr.contains(word)), "{arguments:?}: {}", finished.stderr);
    };
    refused(&["--lambda", "0.1"], 2, &["--head"]);
    refused(&["--lambda", "0.1", "--head", "ridge,logistic"], 1, &["one kind", "ridge, logistic"]);
    refused(&["--lambda", "0.1", "--head", "prototype"], 1, &["one kind", "prototype"]);
    refused(&["--precision", "0.9", "--threshold", "0.5"], 2, &["--precision", "--threshold"]);
    refused(&["--threshold", "disc=often"], 1, &["disc=often", "CLASS=P"]);
    refused(&["--cost", "/nowhere.csv"], 1, &["/nowhere.csv"]);
}

#[test]
fn costs_and_thresholds_are_in_the_answers_the_evaluation_and_the_exported_head() {
    let device = adapted();
    let [first, second] = [picture::CLASSES[0], picture::CLASSES[1]];
    // Whatever it looks like: the first class is never worth answering.
    let dear = format!("label,{first},{second}\n{first},0,0\n{second},1000000000000,0\n");
    let costs = device.file("costs.csv", dear.as_bytes());
    let _ = device.run(["adapt", "parts", "--cost", costs.to_str().unwrap()]).expect(0);
    let ask = device.file("ask.png", &picture::draw(0, 9));
    let answer = |device: &Device| device.json(["classify", "parts", ask.to_str().unwrap()]);
    assert_eq!(answer(&device)["class"], second);

    let _ = device.run(["adapt", "parts", "--cost", "none", "--threshold", &format!("{first}=1")]).expect(0);
    let unsure = answer(&device);
    assert_eq!((unsure["class"].as_str(), unsure["unsure"].as_bool()), (Some(first), Some(true)));
    assert_eq!(unsure["unknown"].as_bool(), Some(true));
    let test = device.draw("test", 3, 9);
    let decided = &device.json(["evaluate", "parts", test.to_str().unwrap()])["decided"];
    assert!(decided["unsure"].as_f64().unwrap() >= 0.3, "{decided}");
    assert_eq!(device.json(["head", "show", "parts"])["decision"]["thresholds"][first], 1.0);

    let file = device.path("out.head");
    let _ = device.run(["head", "export", "parts", "--output", file.to_str().unwrap()]).expect(0);
    let elsewhere = Device::with_task();
    let import = elsewhere.json(["head", "import", "parts", file.to_str().unwrap()]);
    let generation = import["generation"].to_string();
    let _ = elsewhere.run(["head", "activate", "parts", &generation, "--force"]).expect(0);
    assert_eq!(answer(&elsewhere)["unsure"].as_bool(), Some(true));

    let onnx = device.path("out.onnx");
    let _ = device.run(["head", "export", "parts", "--onnx", onnx.to_str().unwrap()]).expect(0);
    let bytes = fs::read(onnx).unwrap();
    let key = b"acclimate.decision";
    assert!(bytes.windows(key.len()).any(|window| window == key), "whoever runs the graph must be told");
}

#[test]
fn a_hurried_adaptation_says_what_it_skipped_and_a_tuned_one_what_it_tried() {
    let device = Device::with_task();
    device.add_folders(&device.draw("first", 8, 1));
    let hurried = device.json(["adapt", "parts", "--budget-ms", "0"]);
    let skipped = |record: &serde_json::Value| {
        let candidates = record["candidates"].as_array().unwrap();
        candidates.iter().filter(|one| !one["skipped"].is_null()).count()
    };
    assert!(skipped(&hurried) > 0, "{hurried}");
    assert_eq!(device.json(["audit", "parts"])["reproduced"], true);
    let explained = device.run(["adapt", "parts", "--budget-ms", "0", "--explain"]).expect(0);
    assert!(explained.stdout.contains("skipped: needs about"), "{}", explained.stdout);

    let before = device.json(["head", "list", "parts"]);
    let tried = device.json(["tune", "parts", "--dry-run"]);
    assert!(tried["candidates"].as_array().unwrap().len() > 8 && tried["adaptation"].is_null());
    assert_eq!(device.json(["head", "list", "parts"]), before, "nothing was adapted");
}
