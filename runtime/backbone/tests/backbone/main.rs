//! Tests of the crate from outside: real models where assets are found, small ones of `models/make.py` always.
//!
//! One binary, to link the engines once.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod activation;
mod assets;
mod catalogue;
mod cuts;
mod engines;
mod fallback;
mod golden;
mod huggingface;
mod ids;
mod inspection;
mod library;
mod looking;
mod manifests;
mod merged;
mod npz;
mod refusals;
mod shipped;
mod torchvision;
mod verified;
