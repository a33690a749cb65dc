//! Status, counters and capacities of an instance at one moment.

use std::{
    net::IpAddr,
    time::{Instant, SystemTime},
};

use anyhow::{Context as _, Result};

use super::status;
use crate::{
    change::inspect,
    datapath::{Capacities, Datapath, Totals},
    net::Net,
    output::{OutcomesView, ServerStats, ServiceStats, StatsView, StatusView},
};

/// Status, counters and capacities of an instance at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The time, for rates.
    pub at: Instant,
    /// The time, for people.
    pub time: SystemTime,
    /// The number of publications so far: readings with different numbers may have different services.
    pub generation: u64,
    /// What is in force.
    pub status: StatusView,
    /// The counters; services and servers are those of `status`, in the same order.
    pub stats: StatsView,
    /// How much the instance can hold.
    pub capacities: Capacities,
    /// How much it holds.
    pub used: Used,
}

/// How much of its capacities an instance uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Used {
    /// Services.
    pub services: u32,
    /// Slots, over all services.
    pub slots: u32,
    /// Server entries, over all services.
    pub servers: u32,
}

impl Reading {
    /// Reads an instance. It is opened each time: it may have ended and returned meanwhile, and a reader that kept its
    /// maps open would read stale data and keep its memory from being freed.
    ///
    /// # Errors
    ///
    /// As for [`Datapath::open`].
    pub async fn take(instance: &str) -> Result<Self> {
        let instance = instance.to_owned();
        // With many servers this takes milliseconds, which would delay the agent. The new thread inherits this thread's
        // network namespace.
        let read = tokio::task::spawn_blocking(move || -> Result<_> {
            let datapath = Datapath::open(&instance)?;
            let totals = datapath.totals()?;
            let (unconfirmed, capacity) =
                (status::unconfirmed(&instance)?, status::capacity(&datapath, &totals.snapshot)?);
            Ok((datapath, totals, Instant::now(), capacity, unconfirmed))
        });
        let (datapath, totals, at, capacity, unconfirmed) = read.await.context("reading the instance")??;
        let net = Net::open()?;
        let interfaces = status::interfaces(&datapath, &net).await?;
        let problems = inspect::without_servers(&datapath, &net).await?;
        let record = &totals.snapshot.record;
        Ok(Self {
            at,
            time: SystemTime::now(),
            generation: totals.snapshot.control.generation(),
            used: Used { services: record.services, slots: record.slots, servers: record.servers },
            capacities: *datapath.capacities(),
            status: status::view(&totals.snapshot, interfaces, &problems, unconfirmed, capacity),
            stats: stats(&totals),
        })
    }

    /// The number of servers over all services.
    pub fn servers(&self) -> usize {
        self.status.services.iter().map(|service| service.servers.len()).sum()
    }

    /// The index of a service.
    pub fn service(&self, name: &str) -> Option<usize> {
        self.status.services.iter().position(|service| service.name == name)
    }

    /// The index of a server in its service.
    pub fn server(&self, service: usize, address: IpAddr) -> Option<usize> {
        self.status.services.get(service)?.servers.iter().position(|server| server.address == address)
    }
}

/// The counters, as `modlb stats` shows them.
pub fn stats(totals: &Totals) -> StatsView {
    let Totals { snapshot, outcomes, services } = totals;
    let services = snapshot.config.services.iter().zip(services).map(|(service, totals)| ServiceStats {
        name: service.name.clone(),
        total: totals.total.into(),
        servers: service
            .servers
            .iter()
            .zip(&totals.servers)
            .map(|(server, total)| ServerStats { address: server.address, total: (*total).into() })
            .collect(),
        taken_last: totals.taken_last.map(Into::into),
    });
    StatsView {
        outcomes: OutcomesView::new(|outcome| outcomes[outcome.index() as usize].into()),
        services: services.collect(),
    }
}
