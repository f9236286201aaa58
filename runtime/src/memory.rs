//! Memory that was freed goes back to the system. Knows nothing of who freed it.
//!
//! The C library's allocator keeps what is freed for later: an arena for each few threads, and, once one large block was freed, blocks up
//! to that size among the small ones for good. A backbone is read, cut and handed to an engine in blocks of its own size, and a
//! fit uses as much as its samples: a daemon that runs for years beside little else gives that back.
//!
//! JUSTIFICATION for unsafe code: `mallopt` has no safe form in any crate, and an allocator of another make (jemalloc, mimalloc) would
//! serve Rust alone, not the engine, whose memory it is for the most part.

/// Arenas; threads that allocate at once wait for one another beyond that.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;
/// Larger blocks are mapped alone, bytes; and so much free memory at the end of an arena is given back.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 256 << 10;

/// Has the allocator give back. To be called before other threads are started. Nothing is lost where it is refused.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "mallopt has no safe form; glibc sets three of its own numbers, under its lock")]
pub fn give_back() {
    for (what, number) in
        [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)]
    {
        // SAFETY: no pointer is passed, and any two numbers are.
        if unsafe { libc::mallopt(what, number) } == 0 {
            tracing::debug!(what, number, "the allocator keeps its ways");
        }
    }
}

/// Has the allocator give back: others than glibc's are as they are.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
