//! Classifier heads on frozen features. Pure numbers: no files, no clock, no async; randomness is passed in.

pub mod advice;
pub mod evaluation;
pub mod interval;
pub mod judge;
