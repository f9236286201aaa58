//! Fuzzes messages with right checksums, for the host.
#![no_main]

#[path = "../../tests/link/anything.rs"]
mod anything;

libfuzzer_sys::fuzz_target!(|data: &[u8]| anything::host(data));
