//! `modlb connections`.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval_at, sleep},
};

use super::exit_status::ExitStatus;
use crate::{
    cli,
    observe::connections::Connections,
    output::{Render as _, emit, emit_line, end_waits_on, print},
};

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_secs(1);

/// As shells have it: ended by SIGINT.
const INTERRUPTED: u8 = 130;

pub async fn run(instance: &str, options: &cli::Connections) -> Result<()> {
    let first = Connections::read(instance, &options.services)?;
    if options.wait {
        return wait(instance, first, options).await;
    }
    if let Some(interval) = options.watch {
        return watch(instance, first, interval, options).await;
    }
    sleep(options.interval).await;
    let view = Connections::read(instance, &options.services)?.view(&first);
    Ok(print(&view, options.format.json)?)
}

/// Hears SIGINT from now on. Trap: `ctrl_c` would hear it only once it is polled, and lose one that comes before.
fn interruptions() -> io::Result<Signal> {
    let interrupted = signal(SignalKind::interrupt())?;
    end_waits_on(&[libc::SIGINT])?;
    Ok(interrupted)
}

/// Prints until it is interrupted or standard output is closed. Both are a success.
async fn watch(instance: &str, mut before: Connections, interval: Duration, options: &cli::Connections) -> Result<()> {
    let mut ticks = interval_at(tokio::time::Instant::now() + interval, interval);
    // Rates are of the time between two readings, however long one takes.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = interruptions()?;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = interrupted.recv() => return Ok(()),
        }
        let now = Connections::read(instance, &options.services)?;
        let shown = emit(&now.view(&before), options.format.json);
        // An empty line between two readings. JSON has one reading on each line.
        match shown.and_then(|()| if options.format.json { Ok(()) } else { emit_line("") }) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result?,
        }
        before = now;
    }
}

/// Waits until no connection is left here. Interrupted, it is no success: a script must not go on and stop the server.
async fn wait(instance: &str, mut now: Connections, options: &cli::Connections) -> Result<()> {
    if let Some((service, address)) = now.takes_flows() {
        log::warn!(
            "{address} takes flows of {service}, so new connections arrive; on every balancer and server, `modlb server down \
             {service} {address}` ends that"
        );
    }
    let start = Instant::now();
    let mut interrupted = interruptions()?;
    let mut shown = None;
    loop {
        let view = now.left_view();
        if shown.as_ref() != Some(&view) {
            print(&view, options.format.json)?;
        }
        if view.left == 0 {
            return Ok(());
        }
        let rest = options.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        if rest.is_some_and(|rest| rest.is_zero()) {
            bail!("{} after {} s; what they are: `modlb connections`", view.render(), start.elapsed().as_secs());
        }
        shown = Some(view);
        tokio::select! {
            () = sleep(rest.unwrap_or(LOOK).min(LOOK)) => {}
            _ = interrupted.recv() => return Err(ExitStatus(INTERRUPTED).into()),
        }
        now = Connections::read(instance, &options.services)?;
    }
}
