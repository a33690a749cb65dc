//! The size of each map. Tables, which programs address directly, are made here and not by the loader; so is the map of
//! devices.

use std::os::fd::AsFd as _;

use lb_common::{
    keep::Relay,
    limits::{MAX_INTERFACES, MAX_NIC_STATES, MAX_VALUE_BYTES, OUTCOME_COUNTERS},
    table::{Counter, PackedCounter, PrefixFilter, ServiceCell, Slot},
};

use super::{counters::cpus, pins::Pins};
use crate::datapath::{
    capacities::{Capacities, HostLimits},
    error::{Error, Result},
    sys::{self, Create},
};

/// The map of devices.
pub(in crate::datapath) const DEVICES: &str = "DEVICES";

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
    pub const fn all(capacities: &Capacities, cpus: u32) -> [Self; 8] {
        [
            Self::new::<u64>("CONTROL", 1),
            Self::new::<ServiceCell>("CELLS", 2 * capacities.cells()),
            Self::new::<PrefixFilter>("FILTERS", 4),
            Self::new::<Slot>("SLOTS", 2 * capacities.slots),
            Self::new::<Counter>("COUNTERS", cpus * capacities.counters()),
            Self::new::<PackedCounter>("TALLIES", cpus * capacities.counters()),
            Self::new::<Counter>("OUTCOMES", cpus * OUTCOME_COUNTERS),
            Self::new::<Relay>("RELAYS", cpus),
            Self::new::<Counter>("TAKEN", cpus * capacities.taken()),
        ]
    }

    /// Makes and pins the map, unless it is there. The loader cannot set the size of a value, so the object file does
    /// not define these maps.
    pub fn make(&self, pins: &Pins) -> Result<()> {
        let array = Create {
            map_type: sys::BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: self.bytes,
            max_entries: 1,
            map_flags: sys::BPF_F_MMAPABLE,
            ..Create::default()
        };
        make(pins, self.name, &array)
    }
}

/// Makes and pins the map of the interfaces that frames may be redirected to, unless it is there.
///
/// Trap: Linux below 5.15 attaches no program in generic mode if entries of its map of devices may have programs
/// themselves. They may if values have a second word for one, and the loader always adds that word.
pub fn make_devices(pins: &Pins) -> Result<()> {
    let devices = Create {
        map_type: sys::BPF_MAP_TYPE_DEVMAP_HASH,
        key_size: 4,
        value_size: 4,
        max_entries: MAX_INTERFACES,
        ..Create::default()
    };
    make(pins, DEVICES, &devices)
}

fn make(pins: &Pins, name: &str, map: &Create) -> Result<()> {
    let pin = pins.map(name);
    if pin.exists() {
        return Ok(());
    }
    let made = sys::create(map).and_then(|map| sys::pin(map.as_fd(), &pin));
    made.map_err(Error::io(format!("making the map {name}")))
}

/// What bounds an instance on this host.
///
/// # Errors
///
/// The number of CPUs cannot be read.
pub fn host_limits() -> Result<HostLimits> {
    Ok(HostLimits { cpus: cpus()?, value_bytes: longest_value() })
}

/// The longest value that the kernel allows. Linux below 6.0 refuses values above the largest piece of memory that it
/// allocates for itself (`KMALLOC_MAX_SIZE`), whatever the map.
fn longest_value() -> u32 {
    const OLD: u32 = 4 << 20;
    let array = Create {
        map_type: sys::BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: OLD + 8,
        max_entries: 1,
        map_flags: sys::BPF_F_MMAPABLE,
        ..Create::default()
    };
    sys::lift_memory_limit();
    match sys::create(&array) {
        Err(error) if error.raw_os_error() == Some(libc::E2BIG) => OLD,
        // Anything else is for the maps themselves to meet.
        Ok(_) | Err(_) => MAX_VALUE_BYTES,
    }
}

/// The number of entries of each map that the loader makes.
pub(in crate::datapath) const fn sizes(capacities: &Capacities) -> [(&'static str, u32); 10] {
    let Capacities { services, servers, .. } = *capacities;
    [
        ("PREFIXES", 4),
        ("REMOTES", 2 * capacities.counters()),
        ("INSTANCE", 1),
        ("HALVES", 2),
        ("SERVICES", 2 * services),
        ("SERVERS", 2 * servers),
        ("PREVIOUS", 2 * capacities.previous()),
        ("RETIRED", 2 * capacities.draining()),
        ("HELD", MAX_NIC_STATES),
        ("PORTS", MAX_INTERFACES),
    ]
}
