//! The runtime: everything between a labelled picture and a proved head.

pub mod cbor;
pub mod group;
pub mod head_file;
pub mod store;
