//! Memory that is free and still ours.

/// Gives the pages that are free back to the system. Reading many objects takes several times the memory that is kept of
/// them, and the allocator holds on to it where something small lies behind; a server that lives for months should not.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes no pointers, and may be called by any thread at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
