//! The host's end of the serial line to a microcontroller. It does no I/O and reads no clock: bytes go in, readings and
//! counted losses come out; opening ports and waiting is `runtime`'s.
//!
//! Two kinds of line: plain text ([`plain`] on [`text`]), what most sketches print already, and [`link`], the frames of
//! `acclimate-wire`; [`detect`] tells them apart, and a [`listener`] speaks either. Whichever it is, [`window`] cuts what is
//! [`heard`] into windows.

pub mod answer;
pub mod clock;
pub mod detect;
pub mod heard;
pub mod link;
pub mod listener;
pub mod plain;
pub mod rate;
pub mod resample;
pub mod shape;
pub mod text;
pub mod window;
