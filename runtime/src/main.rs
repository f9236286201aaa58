//! The `acclimate` binary.
fn main() {}
