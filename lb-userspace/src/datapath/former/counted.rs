//! What an instance of the former ABI has counted.

use lb_common::table::Counter;

use super::{
    shapes,
    state::{State, servers_of},
};
use crate::datapath::{
    error::Result,
    store::{counters::cpus, maps::Mapped, pins::Pins},
};

/// Its counters: a range for each CPU.
pub struct Counters {
    servers: Mapped<shapes::Counter>,
    packed: Mapped<u32>,
    outcomes: Mapped<shapes::Counter>,
    /// How many counters of servers a CPU has.
    length: usize,
    cpus: usize,
}

/// Everything that was counted.
#[derive(Debug)]
pub struct Counted {
    /// By the number of the outcome.
    pub outcomes: Vec<Counter>,
    /// By service and server.
    pub servers: Vec<Vec<Counter>>,
    /// For servers that were no longer configured, by service.
    pub services: Vec<Counter>,
    /// For services that were no longer configured.
    pub former: Counter,
}

impl Counters {
    pub fn open(pins: &Pins, length: u32) -> Result<Self> {
        Ok(Self {
            servers: Mapped::open_table(pins, "COUNTERS")?,
            packed: Mapped::open_table(pins, "TALLIES")?,
            outcomes: Mapped::open_table(pins, "OUTCOMES")?,
            length: length as usize,
            cpus: cpus()? as usize,
        })
    }

    pub fn read(&self, state: &State) -> Counted {
        let server = |server: &shapes::Server| self.server(server.counter);
        let mut services: Vec<_> = state.services.iter().map(|service| current(service.former)).collect();
        let mut former = current(state.half.former);
        for draining in &state.draining {
            let value = self.server(draining.counter);
            match services.get_mut(draining.service as usize) {
                Some(service) if draining.service != shapes::NO_SERVICE => *service += value,
                _ => former += value,
            }
        }
        Counted {
            outcomes: (0..shapes::OUTCOME_COUNTERS as usize).map(|number| self.outcome(number)).collect(),
            servers: state
                .services
                .iter()
                .map(|service| servers_of(&state.servers, service).iter().map(server).collect())
                .collect(),
            services,
            former,
        }
    }

    fn outcome(&self, number: usize) -> Counter {
        let outcomes = shapes::OUTCOME_COUNTERS as usize;
        sum((0..self.cpus).map(|cpu| self.outcomes.get(cpu * outcomes + number)))
    }

    fn server(&self, number: u32) -> Counter {
        let indices = || (0..self.cpus).map(|cpu| cpu * self.length + (number as usize).min(self.length - 1));
        let packed = |index: usize| shapes::unpacked(self.packed.get(index));
        sum(indices().map(|index| self.servers.get(index)).chain(indices().map(packed)))
    }
}

fn current(counter: shapes::Counter) -> Counter {
    Counter { packets: counter.packets, bytes: counter.bytes }
}

fn sum(counters: impl Iterator<Item = shapes::Counter>) -> Counter {
    let mut sum = Counter::default();
    counters.for_each(|counter| sum += current(counter));
    sum
}
