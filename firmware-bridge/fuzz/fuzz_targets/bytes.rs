//! Fuzzes whatever comes down a line, for both of its ends.
#![no_main]

#[path = "../../tests/link/anything.rs"]
mod anything;

libfuzzer_sys::fuzz_target!(|data: &[u8]| anything::bytes(data));
