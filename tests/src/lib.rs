//! The binary from outside: how tests find it, run it, feed it and measure it. It knows the command line and the JSON
//! that it prints, and nothing of what is inside.
//!
//! A test that lacks something calls [`skip::skip`], so that a run says what it did not check.

pub mod device;
pub mod picture;
pub mod program;
pub mod reference;
pub mod skip;
pub mod trashnet;
