//! How much an instance can hold, and what `attach` may ask for when it makes one.

use lb_common::{
    limits::{
        CELLS_PER_SERVICE, COUNTERS_PER_SERVER, DEFAULT_SERVERS, DEFAULT_SERVICES, DEFAULT_SLOTS, KEYS_PER_SERVICE,
        MAX_SERVERS, MAX_VALUE_BYTES, OWN_ADDRESSES, PACKED_COUNTERS_PER_LINE,
    },
    table::Counter,
};

use super::error::{Error, Result};
use crate::config::model::Role;

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
    /// Cells of the service table in a half, a power of two. Some are for this host's own addresses.
    pub const fn cells(&self) -> u32 {
        ((self.services * KEYS_PER_SERVICE + OWN_ADDRESSES) * CELLS_PER_SERVICE).next_power_of_two()
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
}

/// What `attach` asks for. `None` keeps what a running instance has, or takes the default.
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
}

impl InstanceOptions {
    /// # Errors
    ///
    /// [`Error::TooManyServers`].
    pub(in crate::datapath) fn capacities(&self, cpus: u32) -> Result<Capacities> {
        let default = Capacities::default();
        let most = most_servers(cpus);
        let servers = self.servers.unwrap_or(default.servers.min(most));
        if servers > most {
            return Err(Error::TooManyServers { want: servers, most, cpus });
        }
        Ok(Capacities {
            services: self.services.unwrap_or(default.services),
            slots: self.slots.unwrap_or(default.slots),
            servers,
        })
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

/// How many servers can have counters with this many possible CPUs: the counters of all CPUs are one map value.
const fn most_servers(cpus: u32) -> u32 {
    let counters = MAX_VALUE_BYTES / size_of::<Counter>() as u32 / cpus;
    let most = (counters - counters % PACKED_COUNTERS_PER_LINE) / COUNTERS_PER_SERVER;
    if most < MAX_SERVERS { most } else { MAX_SERVERS }
}

#[cfg(test)]
mod tests {
    use lb_common::table::PackedCounter;

    use super::*;

    #[test]
    fn counters_of_all_cpus_are_one_value_and_share_no_line() {
        const LINE: u32 = 64;
        for servers in 1..=100 {
            let counters = Capacities { servers, ..Capacities::default() }.counters();
            assert!(
                (counters * size_of::<PackedCounter>() as u32).is_multiple_of(LINE),
                "{servers} servers: {counters}"
            );
        }
        for cpus in [1, 2, 7, 64, 171, 256, 4_096] {
            let servers = most_servers(cpus);
            let capacities = Capacities { servers, ..Capacities::default() };
            let bytes = u64::from(capacities.counters()) * u64::from(cpus) * size_of::<Counter>() as u64;
            assert!(bytes <= u64::from(MAX_VALUE_BYTES), "{cpus} CPUs: {bytes}");
            assert!(
                InstanceOptions { servers: Some(servers + 1), ..InstanceOptions::default() }.capacities(cpus).is_err()
            );
            assert_eq!(InstanceOptions::default().capacities(cpus).unwrap().servers, servers.min(DEFAULT_SERVERS));
        }
    }
}
