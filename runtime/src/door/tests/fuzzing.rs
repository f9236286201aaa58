//! A fuzzer on the API's own description (schemathesis): nothing fails, and everything is as described.

use std::process::Command as Program;

use super::*;

#[test]
fn schemathesis_finds_no_failure_and_nothing_that_is_not_described() {
    let Some(fuzzer) = std::env::var_os("ACCLIMATE_SCHEMATHESIS").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: ACCLIMATE_SCHEMATHESIS names no schemathesis");
        return;
    };
    let opened = Opened::new(Limits::default(), None);
    let mut run = Program::new(fuzzer);
    run.arg("run").arg(format!("http://{}/api/openapi.json", opened.address));
    let ran =
        run.args(["--exclude-path=/api/v1/events", "--max-examples=30", "--seed=7", "--no-color"]).output().unwrap();
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    opened.close();
}
