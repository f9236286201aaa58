//! Frames on the serial line.
#![no_std]
