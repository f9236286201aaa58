//! The host's end of the serial line to a microcontroller. It does no I/O and reads no clock: bytes go in, readings and
//! counted losses come out; opening ports and waiting is `runtime`'s.
//!
//! Two kinds of line: [`text`], what most sketches print already, and [`link`], the frames of `acclimate-wire`.

pub mod clock;
pub mod link;
pub mod text;
