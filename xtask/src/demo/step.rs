//! The steps of a demonstration.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::interrupt;

/// Prints the next step.
pub fn step(what: &str) {
    println!("\n== {what}");
}

/// Waits, but not longer than until Ctrl-C.
pub fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
