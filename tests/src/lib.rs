//! The binary from outside: how tests find it, run it, feed it and measure it. It knows the command line and the JSON
//! that it prints, and nothing of what is inside.
//!
//! A test that lacks something calls [`skip::skip`], so that a run says what it did not check.

pub mod board;
pub mod broker;
pub mod browser;
pub mod bursts;
pub mod camera;
pub mod curves;
pub mod daemon;
pub mod device;
pub mod disk;
pub mod draws;
pub mod features;
pub mod heads;
pub mod home_assistant;
pub mod http;
pub mod line;
pub mod mosquitto;
pub mod mutation;
pub mod npz;
pub mod picture;
pub mod program;
pub mod publisher;
pub mod python;
pub mod readme;
pub mod reference;
pub mod scripted;
pub mod server;
pub mod shifted;
pub mod signals;
pub mod site;
pub mod skip;
pub mod small_disk;
pub mod table;
pub mod trashnet;

/// The checkout that these tests belong to. Told by cargo at every start: a target directory that several checkouts share
/// may hold another one's test program.
pub fn checkout() -> std::path::PathBuf {
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    std::path::Path::new(&tests).join("..")
}
