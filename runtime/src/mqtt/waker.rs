//! What wakes a thread that waits on a socket. Cheap to clone; knows nothing of who waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

#[derive(Clone, Debug)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)))
    }

    /// Whoever waits wakes; whoever does not will not wait the next time.
    pub(super) fn wake(&self) {
        // It can only be full, and then it wakes as well.
        let _full = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// From here on it has not woken anybody.
    pub(super) fn reset(&self) {
        let _not_set = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
