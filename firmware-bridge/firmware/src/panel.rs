//! What a person has before them: buttons and a lamp. Here it is a terminal on the second UART; on a board it is pins. It knows
//! nothing of the line to the host.
//!
//! | key | what it does |
//! |---|---|
//! | `0` to `3` | switches the machine: off, normal, imbalance, bearing |
//! | `a` to `d` | a button: says that the machine is off, normal, has an imbalance, a bad bearing |
//!
//! The lamp writes a line whenever it changes: `lamp normal`, `lamp unknown`, `lamp dark`; and ` ?` behind it while somebody is
//! asked to press a button.

use crate::{machine::State, uart::Uart};

/// A lamp that was told nothing for so long goes dark, in µs: what it shows would be old.
const STALE: u64 = 5_000_000;

/// What somebody pressed.
pub enum Pressed {
    Label(State),
    Switch(State),
}

/// What the lamp shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lamp {
    Class(State),
    Dark,
    /// An answer that is none of this machine's states, or `unknown`.
    Unknown,
}

/// Buttons and lamp.
pub struct Panel {
    uart: Uart,
    shown: (Lamp, bool),
    /// When the lamp goes dark.
    dark_at: u64,
}

impl Panel {
    pub const fn new(uart: Uart) -> Self {
        Self { uart, shown: (Lamp::Dark, false), dark_at: 0 }
    }

    pub fn pressed(&mut self) -> Option<Pressed> {
        let key = self.uart.receive()?;
        let state = |first: u8| State::ALL.get(usize::from(key.wrapping_sub(first))).copied();
        state(b'0').map(Pressed::Switch).or_else(|| state(b'a').map(Pressed::Label))
    }

    /// Shows an answer.
    pub fn show(&mut self, now: u64, class: &str, known: bool, label_wanted: bool) {
        let state = State::ALL.into_iter().find(|state| known && state.class() == class);
        self.dark_at = now + STALE;
        self.set(state.map_or(Lamp::Unknown, Lamp::Class), label_wanted);
    }

    /// Goes dark when nothing was shown for long.
    pub fn age(&mut self, now: u64) {
        if now >= self.dark_at {
            self.set(Lamp::Dark, false);
        }
    }

    fn set(&mut self, lamp: Lamp, wanted: bool) {
        if self.shown != (lamp, wanted) {
            self.shown = (lamp, wanted);
            let name = match lamp {
                Lamp::Class(state) => state.class(),
                Lamp::Dark => "dark",
                Lamp::Unknown => "unknown",
            };
            for byte in ["lamp ", name, if wanted { " ?\n" } else { "\n" }].iter().flat_map(|part| part.bytes()) {
                // Short, seldom, and a terminal takes it at once.
                while !self.uart.send(byte) {}
            }
        }
    }
}
