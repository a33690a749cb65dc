//! The version before: reads the pins of an instance of [`FORMER_ABI`](lb_common::abi::FORMER_ABI), so that it can be
//! upgraded while it runs.
//!
//! ```text
//! shapes  what its maps hold        model  its records → the model        counted  what it has counted
//! state   what is in force
//! ```
//!
//! Nothing here depends on what maps hold now. When the ABI number is raised, this is replaced by the reading of the
//! version that is then the former one.

use lb_common::{abi::Instance, mac::Mac, record::NicStateRecord};

use super::{
    capacities::Capacities,
    error::Result,
    place::Location,
    store::{
        maps::{ControlWord, Mapped},
        pins::Pins,
        records,
    },
};
use crate::config::model::{Config, Role};

mod counted;
mod model;
mod shapes;
mod state;

pub use counted::Counted;
pub use state::State;

use state::servers_of;

/// A running instance of the former ABI.
pub struct Former {
    pins: Pins,
    record: Instance,
    control: ControlWord,
    halves: Mapped<shapes::Half>,
    services: Mapped<shapes::Service>,
    servers: Mapped<shapes::Server>,
    draining: Mapped<shapes::Draining>,
    next_hops: Mapped<shapes::NextHop>,
    nic_states: Mapped<shapes::NicState>,
    counters: counted::Counters,
}

impl Former {
    /// Opens it. The caller holds its lock, and has checked its record.
    pub fn open(pins: &Pins, record: Instance) -> Result<Self> {
        Ok(Self {
            pins: pins.clone(),
            record,
            control: ControlWord::open(pins)?,
            halves: Mapped::open(pins, "HALVES")?,
            services: Mapped::open(pins, "SERVICES")?,
            servers: Mapped::open(pins, "SERVERS")?,
            draining: Mapped::open(pins, "RETIRED")?,
            next_hops: Mapped::open(pins, "REMOTES")?,
            nic_states: Mapped::open(pins, "HELD")?,
            counters: counted::Counters::open(pins, shapes::counters(record.servers))?,
        })
    }

    /// Its pins.
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The role of this host.
    pub fn role(&self) -> Role {
        records::role(self.record.role).unwrap_or_default()
    }

    /// Its capacities.
    pub const fn capacities(&self) -> Capacities {
        let Instance { services, slots, servers, .. } = self.record;
        Capacities { services, slots, servers }
    }

    /// Whether it is on standby.
    pub fn standby(&self) -> bool {
        self.control.load().standby()
    }

    /// Reads what is in force. The lock keeps others from publishing meanwhile.
    pub fn state(&self) -> State {
        let half = self.control.load().half() as usize;
        let record = self.halves.get(half);
        let Instance { services: most_services, servers: most_servers, .. } = self.record;
        let read = |count: u32, most: u32| (half * most as usize, count.min(most) as usize);
        let (first, count) = read(record.services, most_services);
        let services = self.services.read(first, count);
        let (first, count) = read(record.servers, most_servers);
        let servers = self.servers.read(first, count);
        let (first, count) = read(record.draining, most_servers);
        let draining = self.draining.read(first, count);
        let config = Config {
            role: self.role(),
            group: model::group(&record.group),
            services: services.iter().map(|record| model::service(record, servers_of(&servers, record))).collect(),
            ..Config::default()
        };
        let location = |server: &shapes::Server| self.location(half, server);
        let locations =
            services.iter().map(|record| servers_of(&servers, record).iter().map(location).collect()).collect();
        State { config, locations, source: record.source, half: record, services, servers, draining }
    }

    fn location(&self, half: usize, server: &shapes::Server) -> Location {
        let counters = shapes::counters(self.record.servers) as usize;
        let next_hop = || self.next_hops.get(half * counters + (server.counter as usize).min(counters - 1));
        Location::from_number(server.location, || Mac(next_hop().source))
    }

    /// The settings of interfaces that no link holds.
    pub fn nic_states(&self) -> Vec<NicStateRecord> {
        let used = |state: shapes::NicState| {
            let shapes::NicState { netns_cookie, interface, kind, mac, priority, handle, reserved: _ } = state;
            (kind != 0).then_some(NicStateRecord { netns_cookie, interface, kind, mac, priority, handle, reserved: 0 })
        };
        self.nic_states.read(0, self.nic_states.len()).into_iter().filter_map(used).collect()
    }

    /// What it has counted. Final only when none of its programs runs any more.
    pub fn counted(&self, state: &State) -> Counted {
        self.counters.read(state)
    }
}
