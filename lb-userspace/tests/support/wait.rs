//! Waiting for what must happen, on a machine that may be busy with other work.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for what must happen: far longer than it takes, so that only a fault gets here.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until a condition holds and returns how long that took; panics with this message if it never does.
pub fn wait(mut holds: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{}", otherwise());
        thread::sleep(LOOK);
    }
    start.elapsed()
}
