//! A fuzzer on the API's own description (schemathesis), let loose on a real daemon that has learnt two classes: whatever it asks
//! for, in whatever order, nothing fails, every answer is one that is described, and the daemon still sees.
//!
//! A few examples of each operation here, 300 in `cargo xtask soak api`.

use std::process::Command;

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::program::Running;
use acclimate_tests::skip::{skip, soak};

/// What must hold of every answer. That everything the description allows is also done is no claim of it: a generation that
/// fits its type need not exist.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
    response_headers_conformance,unsupported_method";

#[test]
fn nothing_that_is_asked_of_a_daemon_fails_or_is_answered_as_is_not_described() {
    let Some(fuzzer) = std::env::var_os("ACCLIMATE_SCHEMATHESIS").filter(|path| !path.is_empty()) else {
        return skip("schemathesis", "ACCLIMATE_SCHEMATHESIS does not name it");
    };
    let examples = if soak() { 300 } else { 6 };
    let device = Device::new();
    let config = crate::daemon::config(&device);
    let mut daemon = Daemon::start(&device, &config);
    for class in ["disc", "stripes"] {
        let _ = daemon.teach(class, class, 10);
    }
    let address = daemon.address();
    // Once about what is there, once about anything.
    let sample = device.json(["sample", "list", "parts"])[0]["sample"].as_str().unwrap().to_owned();
    let there =
        format!("[parameters]\n\"path.task\" = \"parts\"\n\"path.name\" = \"disc\"\n\"path.id\" = \"{sample}\"\n");
    for (round, there) in [there.as_str(), ""].into_iter().enumerate() {
        let _ = device.file("fuzzer/schemathesis.toml", there.as_bytes());
        let mut run = Command::new(&fuzzer);
        run.arg("run").arg(format!("http://{address}/api/openapi.json"));
        run.args(["--checks", CHECKS, "--max-examples", &examples.to_string()]).arg(format!("--seed={}", 7 + round));
        // A stream of events does not end.
        run.args(["--exclude-path=/api/v1/events", "--request-timeout=60"]);
        let ran = Running::start(run.current_dir(device.path("fuzzer"))).wait();
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        let summary = ran.stdout.lines().filter(|line| line.contains("generated") || line.contains("404"));
        eprintln!("{}", summary.collect::<Vec<_>>().join("\n"));
    }
    // It may have forgotten all, and it was told to look elsewhere; it still looks and learns.
    let task = "after-the-storm";
    daemon.connect_again(&device);
    daemon.ask(&serde_json::json!({ "do": "create_task", "task": task, "from": [{ "source": "disc" }] }));
    daemon.wait_until(|view| {
        let tasks = view["tasks"].as_array().unwrap();
        tasks.iter().any(|found| found["name"] == task && found["extractor"].is_string())
    });
    let ended = daemon.end().expect(0);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
}
