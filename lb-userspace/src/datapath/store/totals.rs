//! Sums of counters for services, servers and outcomes.

use lb_common::{outcome::Outcome, record::DrainingRecord, table::Counter};

use super::{instance::Datapath, snapshot::Snapshot};
use crate::{config::model::Role, datapath::error::Result};

/// All counters of an instance.
#[derive(Clone, Debug)]
pub struct Totals {
    /// The configuration in force at the time.
    pub snapshot: Snapshot,
    /// For each outcome, in the order of [`Outcome::ALL`].
    pub outcomes: Vec<Counter>,
    /// For each service, in the order of the configuration.
    pub services: Vec<ServiceTotals>,
}

/// The counters of a service.
#[derive(Clone, Debug)]
pub struct ServiceTotals {
    /// The total of all its servers, former ones included.
    pub total: Counter,
    /// For each server, in the order of the configuration.
    pub servers: Vec<Counter>,
    /// Role `keep`: what this host was the last to take, which is no server's.
    pub taken_last: Option<Counter>,
}

impl Datapath {
    /// Reads all counters.
    pub fn totals(&self) -> Result<Totals> {
        loop {
            let snapshot = self.snapshot();
            let generation = snapshot.control.generation();
            let totals = self.read_totals(snapshot)?;
            // A publication in between may have given counters to other servers.
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
        let formers = snapshot.servers.iter().map(|server| server.former);
        let mut servers: Vec<_> = servers.into_iter().zip(formers).map(|(value, former)| plus(value, former)).collect();
        for (record, value) in snapshot.draining.iter().zip(&draining) {
            if let Some(server) = servers.get_mut(record.server as usize) {
                *server += *value;
            }
        }
        let mut services = Vec::with_capacity(snapshot.services.len());
        for service in &snapshot.services {
            let first = service.first_server as usize;
            let servers = servers.get(first..first + service.servers as usize).unwrap_or_default().to_vec();
            let mut total = service.former;
            servers.iter().for_each(|server| total += *server);
            let taken_last = (snapshot.config.role == Role::Keep).then(|| self.taken.get(service.taken));
            services.push(ServiceTotals { total, servers, taken_last });
        }
        for (record, value) in snapshot.draining.iter().zip(draining) {
            match services.get_mut(record.service as usize) {
                // It is in the server's sum.
                _ if record.server != DrainingRecord::NO_SERVER => {}
                Some(service) if record.service != DrainingRecord::NO_SERVICE => service.total += value,
                _ => sum += value,
            }
        }
        services.iter().for_each(|service| sum += service.total);
        // A server's counter also has the packets that this host kept, as the datapath adds to one counter only.
        let (kept, rest) = match snapshot.config.role {
            Role::Keep => return Ok(Totals { snapshot, outcomes, services }),
            Role::Balancer | Role::Steer => (&[Outcome::Local][..], Outcome::Forwarded),
            Role::Member => (&[Outcome::Accepted, Outcome::Kept][..], Outcome::Others),
        };
        let mut here = Counter::default();
        kept.iter().for_each(|outcome| here += outcomes[outcome.index() as usize]);
        outcomes[rest.index() as usize] =
            Counter { packets: sum.packets.saturating_sub(here.packets), bytes: sum.bytes.saturating_sub(here.bytes) };
        Ok(Totals { snapshot, outcomes, services })
    }
}

fn plus(mut a: Counter, b: Counter) -> Counter {
    a += b;
    a
}
