//! What was counted, for services, servers and outcomes.

use lb_common::{outcome::Outcome, record::DrainingRecord, table::Counter};

use super::{instance::Datapath, snapshot::Snapshot};
use crate::{config::model::Role, datapath::error::Result};

/// Everything that an instance counted.
#[derive(Clone, Debug)]
pub struct Totals {
    /// What was in force at the time.
    pub snapshot: Snapshot,
    /// For each outcome, in the order of [`Outcome::ALL`].
    pub outcomes: Vec<Counter>,
    /// For each service, in the order of the configuration.
    pub services: Vec<ServiceTotals>,
}

/// What a service counted.
#[derive(Clone, Debug)]
pub struct ServiceTotals {
    /// All of its servers, those that are configured no more included.
    pub total: Counter,
    /// For each server, in the order of the configuration.
    pub servers: Vec<Counter>,
}

impl Datapath {
    /// Reads all counters.
    pub fn totals(&self) -> Result<Totals> {
        loop {
            let snapshot = self.snapshot();
            let generation = snapshot.control.generation();
            let totals = self.read_totals(snapshot)?;
            // Counters may have changed hands in between.
            if self.maps.control.load().generation() == generation {
                return Ok(totals);
            }
        }
    }

    fn read_totals(&self, snapshot: Snapshot) -> Result<Totals> {
        let mut outcomes = self.outcomes.all();
        let servers = self.servers.get(&snapshot.servers.iter().map(|server| server.counter).collect::<Vec<_>>());
        let draining = self.servers.get(&snapshot.draining.iter().map(|draining| draining.counter).collect::<Vec<_>>());

        let mut sum = snapshot.record.former;
        let mut services = Vec::with_capacity(snapshot.services.len());
        for service in &snapshot.services {
            let first = service.first_server as usize;
            let servers = servers.get(first..first + service.servers as usize).unwrap_or_default().to_vec();
            let mut total = service.former;
            servers.iter().for_each(|server| total += *server);
            services.push(ServiceTotals { total, servers });
        }
        for (record, value) in snapshot.draining.iter().zip(draining) {
            match services.get_mut(record.service as usize) {
                Some(service) if record.service != DrainingRecord::NO_SERVICE => service.total += value,
                _ => sum += value,
            }
        }
        services.iter().for_each(|service| sum += service.total);
        // Packets for this host count for their server, too, but were not sent, or not left to others.
        let (kept, rest) = match snapshot.config.role {
            Role::Balancer | Role::Steer => (Outcome::Local, Outcome::Forwarded),
            Role::Member => (Outcome::Accepted, Outcome::Others),
        };
        let kept = outcomes[kept.index() as usize];
        outcomes[rest.index() as usize] =
            Counter { packets: sum.packets.saturating_sub(kept.packets), bytes: sum.bytes.saturating_sub(kept.bytes) };
        Ok(Totals { snapshot, outcomes, services })
    }
}
