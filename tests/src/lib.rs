//! Helpers for tests of the binary from outside.
