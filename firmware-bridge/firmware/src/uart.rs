//! UARTs (PL011) of an LM3S6965, read and written without waiting. QEMU needs no set-up of clocks, pins and baud rate; a board
//! does, and takes its own manufacturer's crate for it.
//!
//! JUSTIFICATION: registers of a peripheral are addresses, and no safe crate knows this board.

use core::ptr::{read_volatile, write_volatile};

/// Of each UART's registers, in bytes from its first.
const FLAGS: usize = 0x18;
const CONTROL_OF_LINE: usize = 0x2C;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
const QUEUES_8N1: u32 = 0x70;

/// One UART. There is one of each, so that nobody else takes its bytes.
pub struct Uart {
    base: usize,
}

impl Uart {
    /// The first and the second, with queues for 16 bytes each way; for `main`, once.
    pub fn both() -> [Self; 2] {
        [0x4000_C000, 0x4000_D000].map(|base| {
            let uart = Self { base };
            uart.write(CONTROL_OF_LINE, QUEUES_8N1);
            uart
        })
    }

    /// A byte that came, if one did.
    pub fn receive(&mut self) -> Option<u8> {
        (self.read(FLAGS) & RECEIVE_EMPTY == 0).then(|| self.read(0) as u8)
    }

    /// Sends a byte unless the queue is full; whether it did.
    pub fn send(&mut self, byte: u8) -> bool {
        let has_room = self.read(FLAGS) & TRANSMIT_FULL == 0;
        if has_room {
            self.write(0, u32::from(byte));
        }
        has_room
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: `base` is a PL011 of this board, `register` one of its registers; one context uses it.
        unsafe { read_volatile((self.base + register) as *const u32) }
    }

    fn write(&self, register: usize, value: u32) {
        // SAFETY: as above; any value is a byte to send, or the line's format.
        unsafe { write_volatile((self.base + register) as *mut u32, value) }
    }
}
