//! A fuzzer on the API's own description (schemathesis): nothing fails, and everything is as described.

use std::process::Command as Program;

use super::*;

/// What must hold of every answer. That everything the description allows is also done is no claim of it: a generation that
/// fits its type need not exist.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
    response_headers_conformance,unsupported_method";

#[test]
fn schemathesis_finds_no_failure_and_nothing_that_is_not_described() {
    let Some(fuzzer) = std::env::var_os("ACCLIMATE_SCHEMATHESIS").filter(|path| !path.is_empty()) else {
        return skip("schemathesis: ACCLIMATE_SCHEMATHESIS does not name it");
    };
    let opened = Opened::on(looking::learnt(), Limits::default(), None);
    let mut run = Program::new(fuzzer);
    run.arg("run").arg(format!("http://{}/api/openapi.json", opened.address));
    // A stream of events does not end.
    run.args(["--exclude-path=/api/v1/events", "--max-examples=20", "--seed=7", "--checks", CHECKS]);
    let ran = run.current_dir(opened.dir.path()).output().unwrap();
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    opened.close();
}

/// Says so to who reads, and to `cargo xtask test`.
fn skip(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os("ACCLIMATE_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{why}").unwrap();
    }
}
