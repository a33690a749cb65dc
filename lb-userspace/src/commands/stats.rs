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
    output::{StatsView, emit, print},
};

pub async fn run(instance: &str, options: &Stats) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    match options.watch {
        None => Ok(print(&stats(&datapath.totals()?), options.format.json)?),
        Some(interval) => watch(&datapath, interval, options.format.json).await,
    }
}

/// Prints until it is interrupted or standard output is closed. Both are a success.
async fn watch(datapath: &Datapath, interval: Duration, json: bool) -> Result<()> {
    let mut ticks = tokio::time::interval(interval);
    ticks.tick().await;
    // One future for the whole loop: between two calls of `ctrl_c` a signal would be lost.
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let (mut before, mut then) = (stats(&datapath.totals()?), Instant::now());
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            result = &mut interrupted => return Ok(result?),
        }
        let (now, time) = (stats(&datapath.totals()?), Instant::now());
        match show(&now, &before, time.duration_since(then).as_secs_f64(), json) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result?,
        }
        (before, then) = (now, time);
    }
}

fn show(now: &StatsView, before: &StatsView, seconds: f64, json: bool) -> io::Result<()> {
    emit(&now.since(before, seconds), json)?;
    // An empty line between two readings. JSON has one reading on each line.
    if json { Ok(()) } else { crate::output::emit_line("") }
}
