//! Everything that a replay counts.
//!
//! Memory use depends on the number of distinct flows (about a hundred bytes each), not on the capture's size.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
};

use lb_common::{outcome::Outcome, table::Counter};

use super::{
    engine::{Outcomes, Taken},
    error::Error,
    scenario::Change,
    setting::Setting,
};
use crate::{
    config::model::{Config, Formula},
    decide::judge::Tuple,
};

/// The figures of a replay: of the configuration in force, and of those that it is compared with.
#[derive(Debug)]
pub struct ReplayStats {
    /// All frames that could be read.
    pub frames: Counter,
    /// Of these, truncated frames with everything that decides.
    pub filled: Counter,
    /// Of these, frames truncated too early to judge.
    pub undecided: Counter,
    /// The counter of each outcome.
    pub outcomes: Outcomes,
    /// For each service, in the order of the configuration.
    pub services: Vec<ServiceLoad>,
    /// For each scenario.
    pub moves: Vec<Moves>,
    formulas: Vec<Formula>,
    /// The addresses of the servers of each configuration, by service.
    servers: Vec<Vec<Vec<IpAddr>>>,
    downs: Vec<Option<IpAddr>>,
    own_addresses: Vec<IpAddr>,
    seen: HashMap<(u32, Tuple), Marks>,
}

/// The load of a service's servers.
#[derive(Clone, Debug, Default)]
pub struct ServiceLoad {
    /// For each server, in the order of the configuration.
    pub servers: Vec<ServerLoad>,
}

/// The load of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerLoad {
    /// Packets and bytes.
    pub total: Counter,
    /// Distinct flows.
    pub flows: u64,
}

/// A number of flows, and of their packets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flows {
    /// Distinct tuples, as far as the service's formula counts them.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
}

/// What another configuration would change.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moves {
    /// Everything that servers take now.
    pub of: Flows,
    /// What another server would take, or none.
    pub moved: Flows,
    /// Of these, what does not belong to the server that would be down.
    pub moved_of_others: Flows,
    /// Of these, what no server would take.
    pub unserved: Flows,
    /// Packets that no server takes now and one would.
    pub taken_anew: u64,
}

/// What is remembered of a flow: a bit for each scenario.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    moved: u32,
    unserved: u32,
}

impl ReplayStats {
    /// The maximum number of scenarios.
    pub const MOST: usize = u32::BITS as usize;

    /// Starts with zero.
    ///
    /// # Errors
    ///
    /// [`Error::Changes`]: more than [`ReplayStats::MOST`] scenarios.
    pub fn new(setting: &Setting) -> Result<Self, Error> {
        let Setting { config, scenarios, own_addresses, .. } = setting;
        if scenarios.len() > Self::MOST {
            return Err(Error::Changes(scenarios.len(), Self::MOST));
        }
        let service = |servers: usize| ServiceLoad { servers: vec![ServerLoad::default(); servers] };
        let down = |change: &Change| match change {
            Change::Down(server) => Some(*server),
            Change::Against(_) => None,
        };
        Ok(Self {
            frames: Counter::default(),
            filled: Counter::default(),
            undecided: Counter::default(),
            outcomes: Outcomes::default(),
            services: config.services.iter().map(|found| service(found.servers.len())).collect(),
            moves: vec![Moves::default(); scenarios.len()],
            formulas: config.services.iter().map(|service| service.formula).collect(),
            servers: [config].into_iter().chain(scenarios.iter().map(|other| &other.config)).map(addresses).collect(),
            downs: scenarios.iter().map(|scenario| down(&scenario.change)).collect(),
            own_addresses: own_addresses.clone(),
            seen: HashMap::new(),
        })
    }

    /// Counts a truncated frame of this length that can be judged.
    pub fn filled(&mut self, length: u32) {
        self.filled += one(length);
    }

    /// Counts a frame of this length that cannot be judged.
    pub fn undecided(&mut self, length: u32) {
        self.frames += one(length);
        self.undecided += one(length);
    }

    /// Counts a judged frame. `taken`: the servers that take it, by the configuration in force and then by each of the
    /// others.
    pub fn packet(&mut self, length: u32, tuple: Option<&Tuple>, taken: &[Taken]) {
        self.frames += one(length);
        let Some((now, then)) = taken.split_first() else { return };
        let Some((service, server)) = *now else {
            for (moves, taken) in self.moves.iter_mut().zip(then) {
                moves.taken_anew += u64::from(taken.is_some());
            }
            return;
        };
        let address = self.servers[0][service][server];
        let mut marks = Marks::default();
        for (scenario, taken) in then.iter().enumerate() {
            let other = taken.map(|(service, server)| self.servers[scenario + 1][service][server]);
            let (moved, unserved) = (other != Some(address), other.is_none());
            marks.moved |= u32::from(moved) << scenario;
            marks.unserved |= u32::from(unserved) << scenario;
        }
        let total = &mut self.services[service].servers[server];
        total.total += one(length);
        let Some(tuple) = tuple else { return };
        let (new, first) = match self.seen.entry((service as u32, counted(self.formulas[service], tuple))) {
            Entry::Vacant(entry) => (*entry.insert(marks), true),
            Entry::Occupied(mut entry) => (entry.get_mut().add(marks), false),
        };
        total.flows += u64::from(first);
        for (scenario, moves) in self.moves.iter_mut().enumerate() {
            let own = self.downs[scenario] == Some(address);
            moves.packet(marks.of(scenario), own);
            moves.flow(new.of(scenario), own, first);
        }
    }

    /// Adds the outcomes, and separates `local` from `forwarded`.
    pub fn finish(&mut self, outcomes: Outcomes) {
        self.outcomes = outcomes;
        let mut local = Counter::default();
        for (addresses, service) in self.servers[0].iter().zip(&self.services) {
            for (address, server) in addresses.iter().zip(&service.servers) {
                if self.own_addresses.contains(address) {
                    local += server.total;
                }
            }
        }
        self.outcomes[Outcome::Local.index() as usize] += local;
        let forwarded = &mut self.outcomes[Outcome::Forwarded.index() as usize];
        forwarded.packets -= local.packets;
        forwarded.bytes -= local.bytes;
    }
}

impl Marks {
    /// Adds another packet's marks; returns those that are new for the flow.
    const fn add(&mut self, other: Self) -> Self {
        let new = Self { moved: other.moved & !self.moved, unserved: other.unserved & !self.unserved };
        self.moved |= other.moved;
        self.unserved |= other.unserved;
        new
    }

    /// Whether the flow is moved, and whether unserved, in one scenario.
    const fn of(self, scenario: usize) -> (bool, bool) {
        (self.moved >> scenario & 1 != 0, self.unserved >> scenario & 1 != 0)
    }
}

impl Moves {
    fn packet(&mut self, (moved, unserved): (bool, bool), own: bool) {
        self.of.packets += 1;
        self.moved.packets += u64::from(moved);
        self.moved_of_others.packets += u64::from(moved && !own);
        self.unserved.packets += u64::from(unserved);
    }

    fn flow(&mut self, (moved, unserved): (bool, bool), own: bool, first: bool) {
        self.of.flows += u64::from(first);
        self.moved.flows += u64::from(moved);
        self.moved_of_others.flows += u64::from(moved && !own);
        self.unserved.flows += u64::from(unserved);
    }
}

const fn one(length: u32) -> Counter {
    Counter { packets: 1, bytes: length as u64 }
}

fn addresses(config: &Config) -> Vec<Vec<IpAddr>> {
    config.services.iter().map(|service| service.servers.iter().map(|server| server.address).collect()).collect()
}

/// The part of the tuple that the formula counts.
const fn counted(formula: Formula, tuple: &Tuple) -> Tuple {
    let tuple = Tuple { fragment: false, ..*tuple };
    match formula {
        Formula::ThreeTuple => Tuple { source_port: 0, protocol: 0, ..tuple },
        Formula::FiveTuple => tuple,
    }
}
