//! A tracing session: programs swapped in, events fetched, programs swapped out.

use std::{
    io,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use lb_common::trace::{Filter, TraceCounters};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::watchdog::Watchdog;
use crate::{
    datapath::{
        Datapath, Writer, attached,
        tracing::{Claim, TraceOutput, Tracer},
    },
    net::{self, Interface, Net},
};

/// How often to check that the programs are still in place.
const LOOK: Duration = Duration::from_millis(500);

/// Tracing programs that were swapped in; dropping this swaps them out.
#[derive(Debug)]
pub struct Session {
    instance: String,
    /// The programs, one for each interface.
    pub tracers: Vec<Tracer>,
    /// For each program, whether another command has replaced it.
    replaced: Vec<bool>,
    /// SIGINT and SIGTERM. Registered for the whole session: a signal between two calls of `ctrl_c` would be lost.
    signals: [Signal; 2],
    watchdog: Watchdog,
    claim: Option<Claim>,
}

impl Session {
    /// Swaps programs in on the named interfaces, or on all if there are no names.
    ///
    /// # Errors
    ///
    /// Another command traces; an interface is not attached; the kernel refuses a program; signal handlers cannot be
    /// set up. Then nothing is changed.
    pub async fn start(instance: &str, names: &[String], filter: &Filter, output: TraceOutput) -> Result<Self> {
        let claim = Claim::take(instance)?;
        let writer = Writer::open(instance)?;
        // Before the first program is swapped: from then on a signal may arrive.
        let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let mut session = Self {
            instance: instance.to_owned(),
            tracers: Vec::new(),
            replaced: Vec::new(),
            signals,
            watchdog: Watchdog::start(instance)?,
            claim: Some(claim),
        };
        session.swap_in(writer, names, filter, output).await?;
        Ok(session)
    }

    /// Trap: ending a session waits for its watchdog, which waits for the writer's lock. So the writer is dropped first
    /// in any case.
    async fn swap_in(&mut self, writer: Writer, names: &[String], filter: &Filter, output: TraceOutput) -> Result<()> {
        // Left over by a killed command whose watchdog was killed as well.
        writer.swap_out()?;
        let group = writer.snapshot().config.group;
        for interface in chosen(&writer, names).await? {
            self.tracers.push(writer.swap_in(&interface, &group, filter, output)?);
            self.replaced.push(false);
        }
        Ok(())
    }

    /// Calls `fetch` repeatedly until it breaks, the time is over, a signal arrives, or no program is in place any
    /// more.
    ///
    /// # Errors
    ///
    /// Those of `fetch`.
    pub async fn watch(
        &mut self,
        datapath: &Datapath,
        every: Duration,
        most: Option<Duration>,
        mut fetch: impl FnMut() -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        let mut ticks = tokio::time::interval(every);
        let start = Instant::now();
        let mut looked = start;
        loop {
            let [interrupted, terminated] = &mut self.signals;
            tokio::select! {
                _ = ticks.tick() => {}
                _ = interrupted.recv() => return Ok(()),
                _ = terminated.recv() => return Ok(()),
            }
            if fetch()?.is_break() || most.is_some_and(|most| start.elapsed() >= most) {
                return Ok(());
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if !self.is_live(datapath) {
                    return Ok(());
                }
            }
        }
    }

    /// Whether any program is still in place; warns about each that is not.
    fn is_live(&mut self, datapath: &Datapath) -> bool {
        for (tracer, replaced) in self.tracers.iter().zip(&mut self.replaced) {
            if !*replaced && !datapath.has(tracer.interface.index, tracer.program) {
                *replaced = true;
                let name = &tracer.interface.name;
                log::warn!("{name}: another command replaced the program or detached it; its trace ends");
            }
        }
        self.replaced.iter().any(|replaced| !replaced)
    }

    /// Swaps out. When this returns, the regular programs are back.
    ///
    /// # Errors
    ///
    /// They cannot be put back.
    pub fn end(&mut self) -> Result<()> {
        if self.claim.take().is_some() && !self.watchdog.finish() {
            // The watchdog was killed. Opening an instance for writing restores the programs.
            match Writer::open(&self.instance) {
                Ok(_) | Err(crate::datapath::Error::NotRunning(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The sum of all programs' counters.
    ///
    /// # Errors
    ///
    /// A map cannot be read.
    pub fn counters(&self) -> Result<TraceCounters> {
        let mut all = TraceCounters::default();
        for tracer in &self.tracers {
            let TraceCounters { seen, fit, lost } = tracer.counters()?;
            all = TraceCounters { seen: all.seen + seen, fit: all.fit + fit, lost: all.lost + lost };
        }
        Ok(all)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            log::error!("the regular program is not back: {error}; `modlb upgrade` installs one");
        }
    }
}

async fn chosen(writer: &Writer, names: &[String]) -> Result<Vec<Interface>> {
    let net = Net::open()?;
    let all = attached(writer, &net).await?;
    if let Some(name) = names.iter().find(|name| all.iter().all(|interface| interface.name != **name)) {
        if let Err(error @ net::Error::AlternativeName { .. }) = net.interface(name).await {
            return Err(error.into());
        }
        let attached: Vec<_> = all.iter().map(|interface| interface.name.as_str()).collect();
        bail!("{name} is not attached; the instance is attached to: {}", attached.join(", "));
    }
    Ok(all.into_iter().filter(|interface| names.is_empty() || names.contains(&interface.name)).collect())
}
