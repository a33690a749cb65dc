//! `modlb stats`.

use std::{
    io,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    cli::Stats,
    datapath::Datapath,
    observe::stats,
    output::{StatsView, emit, end_waits_on, print},
};

pub async fn run(instance: &str, options: &Stats) -> Result<()> {
    let now = read(instance)?;
    match options.watch {
        None => Ok(print(&now, options.format.json)?),
        Some(interval) => watch(instance, now, interval, options.format.json).await,
    }
}

/// The pins are opened each time: an instance may end and another take its place.
fn read(instance: &str) -> Result<StatsView> {
    Ok(stats(&Datapath::open(instance)?.totals()?))
}

/// Prints until it is interrupted or standard output is closed. Both are a success. While there is no instance it waits
/// for one.
async fn watch(instance: &str, first: StatsView, interval: Duration, json: bool) -> Result<()> {
    let mut ticks = tokio::time::interval(interval);
    ticks.tick().await;
    // One future for the whole loop: between two calls of `ctrl_c` a signal would be lost.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    end_waits_on(&[libc::SIGINT])?;
    let mut before = Some((first, Instant::now()));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            result = &mut interrupted => return Ok(result?),
        }
        let now = match read(instance) {
            Ok(now) => (now, Instant::now()),
            Err(error) if before.is_none() => {
                log::debug!("{error:#}");
                continue;
            }
            Err(error) => {
                log::warn!("{error:#}; waiting for it");
                before = None;
                continue;
            }
        };
        if let Some((before, then)) = &before {
            match show(&now.0, before, now.1.duration_since(*then).as_secs_f64(), json) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            }
        }
        before = Some(now);
    }
}

fn show(now: &StatsView, before: &StatsView, seconds: f64, json: bool) -> io::Result<()> {
    emit(&now.since(before, seconds), json)?;
    // An empty line between two readings. JSON has one reading on each line.
    if json { Ok(()) } else { crate::output::emit_line("") }
}
