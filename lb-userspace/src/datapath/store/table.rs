//! Makes an instance's maps, in their sizes.

use std::os::fd::AsFd as _;

use lb_common::{
    abi::Instance,
    keep::Relay,
    limits::{MAX_INTERFACES, MAX_NIC_STATES, MAX_VALUE_BYTES, OUTCOME_COUNTERS},
    prefixes::{PrefixFilter, PrefixLengths},
    record::{DrainingRecord, HalfRecord, NicStateRecord, PortRecord, PreviousRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PackedCounter, ServiceCell, Slot},
};

use super::{counters::cpus, pins::Pins};
use crate::datapath::{
    capacities::{Capacities, HostLimits},
    error::{Error, Result},
    sys::{self, Create},
};

/// The map of devices.
pub(in crate::datapath) const DEVICES: &str = "DEVICES";

/// An array map, which user space reads and writes in its memory.
pub(in crate::datapath) struct Table {
    /// The map's name.
    pub name: &'static str,
    /// The size of a value.
    pub value_bytes: u32,
    /// The number of values.
    pub entries: u32,
}

impl Table {
    /// A table that is the only value of its map.
    const fn whole<T>(name: &'static str, length: u32) -> Self {
        Self { name, value_bytes: length * size_of::<T>() as u32, entries: 1 }
    }

    /// A map with a value for each entry.
    const fn of<T>(name: &'static str, entries: u32) -> Self {
        Self { name, value_bytes: size_of::<T>() as u32, entries }
    }

    /// The tables of an instance.
    pub const fn all(capacities: &Capacities, cpus: u32) -> [Self; 19] {
        let Capacities { services, servers, .. } = *capacities;
        [
            Self::whole::<u64>("CONTROL", 1),
            Self::whole::<ServiceCell>("CELLS", 2 * capacities.cells()),
            Self::whole::<PrefixFilter>("FILTERS", 4),
            Self::whole::<PrefixLengths>("PREFIXES", 4),
            Self::whole::<Slot>("SLOTS", 2 * capacities.slots),
            Self::whole::<Counter>("COUNTERS", cpus * capacities.counters()),
            Self::whole::<PackedCounter>("TALLIES", cpus * capacities.counters()),
            Self::whole::<Counter>("OUTCOMES", cpus * OUTCOME_COUNTERS),
            Self::whole::<Relay>("RELAYS", cpus),
            Self::whole::<Counter>("TAKEN", cpus * capacities.taken()),
            Self::of::<NextHop>("REMOTES", 2 * capacities.counters()),
            Self::of::<Instance>("INSTANCE", 1),
            Self::of::<HalfRecord>("HALVES", 2),
            Self::of::<ServiceRecord>("SERVICES", 2 * services),
            Self::of::<ServerRecord>("SERVERS", 2 * servers),
            Self::of::<PreviousRecord>("PREVIOUS", 2 * capacities.previous()),
            Self::of::<DrainingRecord>("RETIRED", 2 * capacities.draining()),
            Self::of::<NicStateRecord>("HELD", MAX_NIC_STATES),
            Self::of::<PortRecord>("PORTS", MAX_INTERFACES),
        ]
    }

    /// Makes and pins the map, unless it is there. The loader cannot set the size of a value, and it would read the
    /// object file and the kernel's types, which takes some twenty milliseconds. So it makes no map.
    pub fn make(&self, pins: &Pins) -> Result<()> {
        let array = Create {
            map_type: sys::BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: self.value_bytes,
            max_entries: self.entries,
            map_flags: sys::BPF_F_MMAPABLE,
            ..Create::default()
        };
        make(pins, self.name, array)
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
    make(pins, DEVICES, devices)
}

fn make(pins: &Pins, name: &str, map: Create) -> Result<()> {
    let pin = pins.map(name);
    if pin.exists() {
        return Ok(());
    }
    let made = sys::create(&map.named(name)).and_then(|map| sys::pin(map.as_fd(), &pin));
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
