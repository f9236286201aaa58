//! Time since the start, from the processor's own timer. It knows nothing of what is done with it.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;

/// The processor's clock after reset, as QEMU's lm3s6965evb has it.
const CLOCK_HZ: u32 = 12_500_000;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // The only writer; an M0 has no atomic addition.
    MILLISECONDS.store(MILLISECONDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// A clock that does not run backwards, nor stops after 49 days.
pub struct Clock {
    /// The milliseconds of the timer that were counted already.
    seen: u32,
    milliseconds: u64,
}

impl Clock {
    /// Starts the timer, which also wakes the processor every millisecond.
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(CLOCK_HZ / 1000 - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self { seen: 0, milliseconds: 0 }
    }

    /// µs since the start.
    pub fn now(&mut self) -> u64 {
        let count = MILLISECONDS.load(Ordering::Relaxed);
        self.milliseconds += u64::from(count.wrapping_sub(self.seen));
        self.seen = count;
        self.milliseconds * 1000
    }
}
