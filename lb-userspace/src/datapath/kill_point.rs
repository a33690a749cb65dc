//! Where tests kill a command: after each step that packets or other commands can see.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of steps after which the process is killed.
const VARIABLE: &str = "MODLB_TEST_KILL_AFTER_STEP";

/// A step was made. Builds for tests end here, with SIGKILL, after as many steps as a test asks for.
pub(super) fn step() {
    static STEPS: AtomicU32 = AtomicU32::new(0);
    if !cfg!(debug_assertions) {
        return;
    }
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<u32>().ok());
    if wanted == Some(STEPS.fetch_add(1, Ordering::Relaxed) + 1) {
        // SAFETY: takes numbers.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}
