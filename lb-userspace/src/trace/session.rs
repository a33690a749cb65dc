//! A time during which packets are told of.

use std::{
    io,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use lb_common::trace::{Filter, TraceCounters};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::guard::Guard;
use crate::{
    commands::attached,
    datapath::{
        Datapath, Writer,
        tracing::{Claim, Manner, Teller},
    },
    net::{Interface, Net},
};

/// How often it is looked whether the programs are still in their place.
const LOOK: Duration = Duration::from_millis(500);

/// Programs that were swapped in. Dropped, they are swapped out.
#[derive(Debug)]
pub struct Session {
    instance: String,
    /// The programs, one for each interface.
    pub tellers: Vec<Teller>,
    /// Whose programs others have replaced.
    replaced: Vec<bool>,
    /// Ctrl-C, and what asks to terminate. Listened to all the time: between two calls of `ctrl_c` a signal would go unheard.
    signals: [Signal; 2],
    guard: Guard,
    claim: Option<Claim>,
}

impl Session {
    /// Swaps programs in on the interfaces of these names; none: on all.
    ///
    /// # Errors
    ///
    /// Another command traces; an interface is not attached; the kernel refuses a program; signals cannot be listened to. Then nothing
    /// is changed.
    pub async fn start(instance: &str, names: &[String], filter: &Filter, manner: Manner) -> Result<Self> {
        let claim = Claim::take(instance)?;
        let writer = Writer::open(instance)?;
        // From before the first program is swapped: whoever sees one may end this.
        let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let mut session = Self {
            instance: instance.to_owned(),
            tellers: Vec::new(),
            replaced: Vec::new(),
            signals,
            guard: Guard::start(instance)?,
            claim: Some(claim),
        };
        session.swap_in(writer, names, filter, manner).await?;
        Ok(session)
    }

    /// Trap: whoever ends a session waits for its guard, which waits for the writer's lock. So the writer goes first, whatever happens.
    async fn swap_in(&mut self, writer: Writer, names: &[String], filter: &Filter, manner: Manner) -> Result<()> {
        // What a killed command left, if its guard was killed, too.
        writer.swap_out()?;
        let group = writer.snapshot().config.group;
        for interface in chosen(&writer, names).await? {
            self.tellers.push(writer.swap_in(&interface, &group, filter, manner)?);
            self.replaced.push(false);
        }
        Ok(())
    }

    /// Fetches what the programs tell, again and again, until one of these ends it: `fetch`, the time, a signal, or that no
    /// program is in its place any more.
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

    /// Whether some program is still in its place; says which are not any more.
    fn is_live(&mut self, datapath: &Datapath) -> bool {
        for (teller, replaced) in self.tellers.iter().zip(&mut self.replaced) {
            if !*replaced && !datapath.has(teller.interface.index, teller.program) {
                *replaced = true;
                let name = &teller.interface.name;
                log::warn!("{name}: another command replaced the program or detached it; it is traced no more");
            }
        }
        self.replaced.iter().any(|replaced| !replaced)
    }

    /// Swaps out. When this returns, the ordinary programs are back.
    ///
    /// # Errors
    ///
    /// They cannot be put back.
    pub fn end(&mut self) -> Result<()> {
        if self.claim.take().is_some() && !self.guard.finish() {
            // Somebody killed it. Whoever opens an instance to write puts it right.
            match Writer::open(&self.instance) {
                Ok(_) | Err(crate::datapath::Error::NotRunning(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What all programs counted.
    ///
    /// # Errors
    ///
    /// A map cannot be read.
    pub fn told(&self) -> Result<TraceCounters> {
        let mut all = TraceCounters::default();
        for teller in &self.tellers {
            let TraceCounters { seen, fit, lost } = teller.told()?;
            all = TraceCounters { seen: all.seen + seen, fit: all.fit + fit, lost: all.lost + lost };
        }
        Ok(all)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            log::error!("the ordinary program is not back: {error}; `modlb upgrade` puts one in");
        }
    }
}

async fn chosen(writer: &Writer, names: &[String]) -> Result<Vec<Interface>> {
    let all = attached(writer, &Net::open()?).await?;
    if let Some(name) = names.iter().find(|name| all.iter().all(|interface| interface.name != **name)) {
        let attached: Vec<_> = all.iter().map(|interface| interface.name.as_str()).collect();
        bail!("{name} is not attached; the instance is attached to: {}", attached.join(", "));
    }
    Ok(all.into_iter().filter(|interface| names.is_empty() || names.contains(&interface.name)).collect())
}
