//! The steps of a demonstration.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::interrupt;

/// Says what comes next.
pub fn step(what: &str) {
    println!("\n== {what}");
}

/// Lets time go by, until the user wants to stop.
pub fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
