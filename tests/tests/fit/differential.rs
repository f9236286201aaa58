//! Random well-posed problems, solved by scikit-learn and by us. The comparison and its tolerances are the trainer's own,
//! which has committed cases; here others are drawn.

#[allow(clippy::struct_field_names, reason = "the file's names")]
#[path = "../../../trainer/tests/reference/case.rs"]
mod case;

use acclimate_tests::python::{peer, python};
use acclimate_tests::skip::soak;
use case::Case;
use serde_json::json;

#[test]
fn heads_and_their_leave_out_predictions_are_those_of_scikit_learn_refitted() {
    let Some(python) = python("sklearn") else { return };
    let wanted = if soak() { 100 } else { 4 };
    let solved = peer(&python, "trainer/tests/reference/make.py", &json!({ "seed": 1, "cases": wanted })).unwrap();
    let cases: Vec<Case> = serde_json::from_value(solved["cases"].clone()).unwrap();
    assert_eq!(cases.len(), wanted);
    for case in &cases {
        case.compare_prototype();
        case.compare_ridge();
        case.compare_discriminant();
        case.compare_kernel();
        case.compare_logistic();
    }
    println!("{wanted} problems, the last: {}", cases[wanted - 1].name);
}
