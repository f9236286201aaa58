//! `acclimate` as a user meets it: commands, files, exit codes, and what it promises when things go wrong. One program for
//! all, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod aarch64;
mod accuracy;
mod add_model;
mod add_on;
mod adjust;
mod api;
mod attention;
mod bad_folder;
mod bursts;
mod check_us;
mod daemon;
mod deciding;
mod disk_full;
mod drift;
mod exit_codes;
mod exported;
mod features;
mod firmware;
mod fit;
mod forget;
mod heads_travel;
mod json_golden;
mod kill;
mod learning_curve;
mod models;
mod mqtt;
mod offered;
mod page;
mod page_states;
mod power;
mod pull;
mod serial;
mod service;
mod set_backbone;
mod shipped;
mod signals;
mod sinks;
mod slow_connections;
mod trashnet;
mod two_processes;
mod verdict;
