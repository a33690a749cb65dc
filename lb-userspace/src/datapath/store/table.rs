//! The size of each map. Tables, which programs address directly, are made here and not by the loader.

use std::os::fd::AsFd as _;

use lb_common::{
    limits::{MAX_INTERFACES, MAX_NIC_STATES, OUTCOME_COUNTERS},
    table::{Counter, PackedCounter, ServiceCell, Slot},
};

use super::pins::Pins;
use crate::datapath::{
    capacities::Capacities,
    error::{Error, Result},
    sys::{self, Create},
};

/// A table that is the only value of its map.
pub(in crate::datapath) struct Table {
    /// The map's name.
    pub name: &'static str,
    /// The size of the whole table.
    bytes: u32,
}

impl Table {
    const fn new<T>(name: &'static str, length: u32) -> Self {
        Self { name, bytes: length * size_of::<T>() as u32 }
    }

    /// The tables of an instance.
    pub const fn all(capacities: &Capacities, cpus: u32) -> [Self; 6] {
        [
            Self::new::<u64>("CONTROL", 1),
            Self::new::<ServiceCell>("CELLS", 2 * capacities.cells()),
            Self::new::<Slot>("SLOTS", 2 * capacities.slots),
            Self::new::<Counter>("COUNTERS", cpus * capacities.counters()),
            Self::new::<PackedCounter>("TALLIES", cpus * capacities.counters()),
            Self::new::<Counter>("OUTCOMES", cpus * OUTCOME_COUNTERS),
        ]
    }

    /// Makes and pins the map, unless it is there. The loader cannot set the size of a value, so the object file does
    /// not define these maps.
    pub fn make(&self, pins: &Pins) -> Result<()> {
        let pin = pins.map(self.name);
        if pin.exists() {
            return Ok(());
        }
        let array = Create {
            map_type: sys::BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: self.bytes,
            max_entries: 1,
            map_flags: sys::BPF_F_MMAPABLE,
            ..Create::default()
        };
        let made = sys::create(&array).and_then(|map| sys::pin(map.as_fd(), &pin));
        made.map_err(Error::io(format!("making the map {}", self.name)))
    }
}

/// The number of entries of each other map.
pub(in crate::datapath) const fn sizes(capacities: &Capacities) -> [(&'static str, u32); 9] {
    let Capacities { services, servers, .. } = *capacities;
    [
        ("PREFIXES", 4),
        ("REMOTES", 2 * capacities.counters()),
        ("DEVICES", MAX_INTERFACES),
        ("INSTANCE", 1),
        ("HALVES", 2),
        ("SERVICES", 2 * services),
        ("SERVERS", 2 * servers),
        ("RETIRED", 2 * capacities.draining()),
        ("HELD", MAX_NIC_STATES),
    ]
}
