//! The host end of the serial line.
