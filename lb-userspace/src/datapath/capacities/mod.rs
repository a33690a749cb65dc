//! How much an instance can hold, and what `attach` may ask for when it makes one.

use lb_common::{
    limits::{
        CELLS_PER_SERVICE, COUNTERS_PER_SERVER, DEFAULT_SERVERS, DEFAULT_SERVICES, DEFAULT_SLOTS, KEYS_PER_SERVICE,
        MAX_SERVERS, MAX_SERVICES, MAX_SLOTS, OWN_ADDRESSES, PACKED_COUNTERS_PER_LINE, PEER_KEYS,
    },
    record::{DrainingRecord, PreviousRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PackedCounter, ServiceCell, Slot},
};

use super::error::{Error, Result};
use crate::{
    config::model::{Config, Direction, Role, Service},
    decide::demand::demand,
};

/// What errors call servers of previous lists.
pub const PREVIOUS_ENTRIES: &str = "servers of previous lists";

/// The memory of an instance that needs no more. On machines with many CPUs it holds fewer servers in that.
const USUAL_BYTES: u64 = 128 << 20;

/// How much a half can hold; fixed when the instance is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capacities {
    /// Services.
    pub services: u32,
    /// Slots, over all services.
    pub slots: u32,
    /// Server entries, over all services.
    pub servers: u32,
}

impl Default for Capacities {
    fn default() -> Self {
        Self { services: DEFAULT_SERVICES, slots: DEFAULT_SLOTS, servers: DEFAULT_SERVERS }
    }
}

impl Capacities {
    /// Cells of the service table in a half, a power of two. Some are for this host's own addresses and for peers.
    pub const fn cells(&self) -> u32 {
        let keys = self.services * KEYS_PER_SERVICE + OWN_ADDRESSES + PEER_KEYS;
        (keys * CELLS_PER_SERVICE).next_power_of_two()
    }

    /// Server counters, which have no halves. They and their packed counters fill whole cache lines, so that no two
    /// CPUs share one.
    pub const fn counters(&self) -> u32 {
        (self.servers * COUNTERS_PER_SERVER).next_multiple_of(PACKED_COUNTERS_PER_LINE)
    }

    /// Draining counters in a half: at most one for every server of the previous half.
    pub const fn draining(&self) -> u32 {
        self.servers
    }

    /// Servers of previous lists in a half, over all services.
    pub const fn previous(&self) -> u32 {
        self.servers
    }

    /// Services' counters of packets that this host was the last to take: those in force, and those of new services.
    pub const fn taken(&self) -> u32 {
        2 * self.services
    }

    /// What does not fit, of a configuration and of the worst single failure.
    pub fn shortages(&self, config: &Config) -> Vec<String> {
        let Need { services, slots: _, servers, previous } = Need::of(config);
        let short = |(what, needed, capacity, option): (&str, u32, u32, &str)| {
            let text =
                format!("{what}: {needed} are needed, the instance holds {capacity}; `{option} {needed}` makes room");
            (needed > capacity).then_some(text)
        };
        let counted = [
            ("services", services, self.services, "--max-services"),
            ("server entries", servers, self.servers, "--max-servers"),
            (PREVIOUS_ENTRIES, previous, self.previous(), "--max-servers"),
        ];
        counted.into_iter().filter_map(short).chain(demand(config).warning(self.slots)).collect()
    }

    /// Text such as "room for 4,096 services, 262,144 slots and 65,536 server entries, which take 48 MiB of memory".
    pub fn summary(&self, memory: u64) -> String {
        let Self { services, slots, servers } = *self;
        format!(
            "room for {} services, {} slots and {} server entries, which take {} MiB of memory",
            grouped(services),
            grouped(slots),
            grouped(servers),
            memory.div_ceil(1 << 20)
        )
    }

    /// The memory of the tables in bytes, with this many possible CPUs. What else an instance takes is below 1 MiB.
    pub const fn memory(&self, cpus: u32) -> u64 {
        let (counters, halves) = (self.counters() as u64, 2);
        let counting = size_of::<Counter>() + size_of::<PackedCounter>();
        halves * self.cells() as u64 * size_of::<ServiceCell>() as u64
            + halves * self.slots as u64 * size_of::<Slot>() as u64
            + cpus as u64 * counters * counting as u64
            + halves * counters * size_of::<NextHop>() as u64
            + halves * self.services as u64 * size_of::<ServiceRecord>() as u64
            + halves * self.servers as u64 * size_of::<ServerRecord>() as u64
            + halves * self.previous() as u64 * size_of::<PreviousRecord>() as u64
            + halves * self.draining() as u64 * size_of::<DrainingRecord>() as u64
    }
}

/// What a configuration needs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Need {
    /// Services, those in both directions twice.
    pub services: u32,
    /// Slots, also after the worst single failure.
    pub slots: u32,
    /// Server entries.
    pub servers: u32,
    /// Servers of previous lists, for which there is as much room.
    pub previous: u32,
}

impl Need {
    /// The need of a configuration.
    pub fn of(config: &Config) -> Self {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let keys = |service: &Service| if service.direction == Direction::Both { 2 } else { 1 };
        Self {
            services: number(config.services.iter().map(keys).sum()),
            slots: number(demand(config).most()),
            servers: number(config.services.iter().map(|service| service.servers.len() as u64).sum()),
            previous: number(config.services.iter().map(Service::previous_servers).sum()),
        }
    }
}

/// What bounds an instance on this host.
#[derive(Clone, Copy, Debug)]
pub struct HostLimits {
    /// Possible CPUs, each of which has its own counters: a CPU that is added while an instance runs must have some.
    pub cpus: u32,
    /// The longest value of a map, in bytes.
    pub value_bytes: u32,
}

/// What `attach` asks for. `None` keeps what a running instance has, or takes what the configuration needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstanceOptions {
    /// As [`Capacities::services`].
    pub services: Option<u32>,
    /// As [`Capacities::slots`].
    pub slots: Option<u32>,
    /// As [`Capacities::servers`].
    pub servers: Option<u32>,
    /// The role of this host.
    pub role: Option<Role>,
    /// What the configuration needs.
    pub need: Need,
}

impl InstanceOptions {
    /// The capacities of a new instance: the defaults, or twice the need if they leave too little room to grow.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyServers`], [`Error::TooLarge`].
    pub fn capacities(&self, limits: HostLimits) -> Result<Capacities> {
        let Self { need, .. } = *self;
        let most = limits.most();
        let asked = |option, asked: Option<u32>, most, default: u32, need: u32| match asked {
            Some(want) if want > most => Err(Error::TooLarge { option, want, most }),
            Some(want) => Ok(want),
            None if with_room(need) <= default.min(most) => Ok(default.min(most)),
            None => Ok(need.saturating_mul(2).min(most)),
        };
        let services = asked("--max-services", self.services, most.services, DEFAULT_SERVICES, need.services)?;
        let slots = asked("--max-slots", self.slots, most.slots, DEFAULT_SLOTS, need.slots)?;
        let servers = match self.servers {
            Some(want) if want > most.servers => {
                return Err(Error::TooManyServers { want, most: most.servers, cpus: limits.cpus });
            }
            Some(want) => want,
            None => {
                let empty = Capacities { services, slots, servers: 0 };
                servers(need.servers.max(need.previous), empty, limits.cpus).min(most.servers)
            }
        };
        Ok(Capacities { services, slots, servers })
    }

    /// Checks that a running instance is what was asked for.
    pub fn check(&self, have: &Capacities, role: Role) -> Result<()> {
        if let Some(want) = self.role.filter(|want| *want != role) {
            return Err(Error::FixedRole { want: want.name(), have: role.name() });
        }
        for (option, want, have) in [
            ("--max-services", self.services, have.services),
            ("--max-slots", self.slots, have.slots),
            ("--max-servers", self.servers, have.servers),
        ] {
            if let Some(want) = want.filter(|want| *want != have) {
                return Err(Error::FixedCapacity { option, want, have });
            }
        }
        Ok(())
    }
}

impl HostLimits {
    /// The most that an instance can hold. Tables are one value of their map each; the counters of all CPUs are one.
    fn most(self) -> Capacities {
        let values = |bytes: usize| self.value_bytes / bytes as u32;
        let cells = values(2 * size_of::<ServiceCell>());
        let cells = if cells.is_power_of_two() { cells } else { cells.next_power_of_two() / 2 };
        let keys = (cells / CELLS_PER_SERVICE).saturating_sub(OWN_ADDRESSES + PEER_KEYS);
        let counters = values(size_of::<Counter>()) / self.cpus;
        Capacities {
            services: (keys / KEYS_PER_SERVICE).min(MAX_SERVICES),
            slots: values(2 * size_of::<Slot>()).min(MAX_SLOTS),
            servers: ((counters - counters % PACKED_COUNTERS_PER_LINE) / COUNTERS_PER_SERVER).min(MAX_SERVERS),
        }
    }
}

/// A number and a quarter of it.
const fn with_room(need: u32) -> u32 {
    need.saturating_add(need / 4)
}

/// Server entries of a new instance whose other tables are those of `empty`: as many as the memory of a usual instance
/// has room for, but not fewer than are needed.
fn servers(need: u32, empty: Capacities, cpus: u32) -> u32 {
    const STEP: u32 = 1_024;
    let bytes = |servers| Capacities { servers, ..empty }.memory(cpus);
    let each = (bytes(STEP) - bytes(0)) / u64::from(STEP);
    let affordable = (USUAL_BYTES.saturating_sub(bytes(0)) / each).min(u64::from(MAX_SERVERS)) as u32;
    let affordable = (affordable - affordable % STEP).max(STEP);
    let default = DEFAULT_SERVERS.min(affordable);
    if with_room(need) <= default { default } else { need.saturating_mul(2).min(affordable).max(with_room(need)) }
}

/// A number with a comma before each group of three digits.
fn grouped(number: u32) -> String {
    let text = number.to_string();
    let comma = |place: usize| if place > 0 && (text.len() - place).is_multiple_of(3) { "," } else { "" };
    text.char_indices().map(|(place, digit)| format!("{}{digit}", comma(place))).collect()
}

#[cfg(test)]
mod tests;
