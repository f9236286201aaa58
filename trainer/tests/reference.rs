//! Small cases against scikit-learn and against refits by brute force; `reference/make.py` wrote the numbers.
#![allow(clippy::needless_pass_by_value, reason = "array views are handles")]
#![allow(clippy::struct_field_names, reason = "the file's names")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "reference/case.rs"]
mod case;

use case::Case;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str::<Reference>(include_str!("reference/reference.json")).unwrap().cases
}

#[test]
fn prototype_is_the_cosine_to_class_means_refitted_without_the_sample() {
    cases().iter().for_each(Case::compare_prototype);
}

#[test]
fn ridge_agrees_with_refits_and_with_ridge_cv() {
    cases().iter().for_each(Case::compare_ridge);
}

#[test]
fn discriminant_agrees_with_linear_discriminant_analysis_refitted_without_the_sample() {
    cases().iter().for_each(Case::compare_discriminant);
}

#[test]
fn kernel_agrees_with_refits_of_kernel_ridge() {
    cases().iter().for_each(Case::compare_kernel);
}

#[test]
fn logistic_agrees_with_logistic_regression_at_the_same_penalty() {
    cases().iter().for_each(Case::compare_logistic);
}
