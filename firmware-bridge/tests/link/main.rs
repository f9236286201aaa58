//! The host's half of the line against the device's, over lines that lose, double and flip bytes, in virtual time; and
//! against whatever else may come. `ACCLIMATE_SOAK` plays more of it.

mod anything;
mod corpus;
mod hostile;
mod lossy;
mod reopened;
mod throughput;
mod world;

/// As often as stated under `ACCLIMATE_SOAK`, else a part of it.
fn times(soak: u64, part: u64) -> u64 {
    if std::env::var_os("ACCLIMATE_SOAK").is_some_and(|value| !value.is_empty()) { soak } else { part }
}
