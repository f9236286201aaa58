//! Memory that was freed goes back to the system, but not at once. Knows nothing of who freed it.
//!
//! The C library's allocator keeps what is freed for later: an arena for each few threads, and what is free among blocks in use
//! for good. A backbone is read, cut and handed to an engine in blocks of its own size, and a fit uses as much as its samples:
//! a daemon that runs for years beside little else gives that back. Block by block as they are freed would be dear: every page
//! that is asked for again is a fault, which made a fit of 2,000 samples take a third longer.
//!
//! JUSTIFICATION for unsafe code: `mallopt` and `malloc_trim` have no safe form in any crate, and an allocator of another make
//! (jemalloc, mimalloc) would serve Rust alone, not the engine, whose memory it is for the most part.

use std::time::Duration;

/// How often a daemon gives back what is free.
pub(crate) const GIVE_BACK_EVERY: Duration = Duration::from_secs(5);

/// Arenas; threads that allocate at once wait for one another beyond that.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;
/// Larger blocks are mapped alone, bytes; and so much free memory at the end of an arena is given back at once.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 8 << 20;

/// Has the allocator keep few arenas. To be called before other threads are started. Nothing is lost where it is refused.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "mallopt has no safe form; glibc sets three of its own numbers, under its lock")]
pub fn keep_little() {
    for (what, number) in
        [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)]
    {
        // SAFETY: no pointer is passed, and any two numbers are.
        if unsafe { libc::mallopt(what, number) } == 0 {
            tracing::debug!(what, number, "the allocator keeps its ways");
        }
    }
}

/// Has the allocator give back every page that is free.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "malloc_trim has no safe form; glibc looks at its own arenas, under their locks")]
pub(crate) fn give_back() {
    // SAFETY: no pointer is passed, and any number is.
    unsafe { libc::malloc_trim(0) };
}

/// Has the allocator keep few arenas: others than glibc's are as they are.
#[cfg(not(target_env = "gnu"))]
pub fn keep_little() {}

/// Has the allocator give back: others than glibc's are as they are.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
