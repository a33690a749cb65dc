//! Where tests kill or stop a command: after each step that packets or other commands can see.

use std::sync::atomic::{AtomicU32, Ordering};

/// Each has the number of steps after which a process sends itself the signal.
const VARIABLES: [(&str, i32); 2] =
    [("MODLB_TEST_KILL_AFTER_STEP", libc::SIGKILL), ("MODLB_TEST_STOP_AFTER_STEP", libc::SIGSTOP)];

/// A step was made. Builds for tests end or wait here, after as many steps as a test asks for.
pub(super) fn step() {
    static STEPS: AtomicU32 = AtomicU32::new(0);
    if !cfg!(debug_assertions) {
        return;
    }
    let steps = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    for (variable, signal) in VARIABLES {
        if std::env::var(variable).is_ok_and(|wanted| wanted.parse() == Ok(steps)) {
            // SAFETY: takes numbers.
            unsafe { libc::kill(libc::getpid(), signal) };
        }
    }
}
