//! The agent's memory between two changes.

/// Gives the system back what reading an instance took, tens of megabytes where there are many servers: the allocator
/// would keep it for the next time.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
