//! The daemon, as its doors see it: what can be asked of it, what it shows, what it announces.
//!
//! | file | what |
//! |---|---|
//! | [`command`] | what a person or an automation asks for, and the answers: one closed list |
//! | [`view`] | one moment of the daemon, immutable |
//! | [`notice`] | what it announces |
//! | [`handle`] | how the page, the socket and the network reach it |
//!
//! Knows nothing of HTTP, MQTT or pages.

pub mod command;
pub mod handle;
pub mod notice;
pub mod view;
