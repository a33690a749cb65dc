//! Loads the object files with an instance's maps.

use aya::EbpfLoader;
use lb_common::{keep::UNKNOWN_ISN, limits::OUTCOME_COUNTERS, mac::Mac};

use super::{
    kernel_types::sent_isn,
    object::{self, Programs},
};
use crate::{
    config::model::{Group, Role},
    datapath::{
        capacities::Capacities,
        error::Result,
        store::{
            counters::cpus,
            pins::Pins,
            table::{DEVICES, Table, make_devices},
        },
        sys,
    },
};

/// Constants of a program.
#[derive(Clone, Copy, Debug)]
pub(in crate::datapath) struct Constants {
    /// The index of its interface.
    pub interface: u32,
    /// Its MAC.
    pub mac: Mac,
    /// Its group's MAC, for a member.
    pub group: u64,
    /// Where the kernel has the sequence number of a SYN-ACK, for roles that keep connections; else 0.
    pub sent_isn: u32,
}

impl Constants {
    /// Those of a role's program on an interface with this MAC.
    ///
    /// # Errors
    ///
    /// The kernel's types cannot be read.
    pub fn new(role: Role, interface: u32, mac: Mac, group: &Group) -> Result<Self> {
        let sent_isn = match role {
            Role::Balancer | Role::Steer => 0,
            Role::Keep => sent_isn()?,
            // It has always run without.
            Role::Member => sent_isn().unwrap_or(UNKNOWN_ISN),
        };
        Ok(Self { interface, mac, group: group_mac(group), sent_isn })
    }
}

/// Makes and pins the maps of an instance, as far as they are not there.
pub(in crate::datapath) fn make_maps(pins: &Pins, capacities: &Capacities) -> Result<()> {
    sys::lift_memory_limit();
    Table::all(capacities, cpus()?).iter().try_for_each(|table| table.make(pins))?;
    make_devices(pins)
}

/// Further constants of traced programs.
#[derive(Clone, Debug)]
pub(in crate::datapath) struct TraceSettings {
    /// A [`lb_common::trace::Filter`].
    pub filter: Vec<u8>,
    /// The most verbose level of messages, in aya-log's numbers.
    pub level: u8,
    /// The size of the buffer of events, in bytes: a power of two.
    pub room: u32,
}

/// Loads the regular programs, with the pinned maps or, where there are none, new ones.
pub(in crate::datapath) fn load(pins: &Pins, capacities: &Capacities, constants: Constants) -> Result<Programs> {
    load_traced(pins, capacities, constants, None)
}

/// The same, or the traced programs if `tracing` is given.
pub(in crate::datapath) fn load_traced(
    pins: &Pins,
    capacities: &Capacities,
    constants: Constants,
    tracing: Option<&TraceSettings>,
) -> Result<Programs> {
    let Constants { interface, mac, group, sent_isn } = constants;
    make_maps(pins, capacities)?;
    let cpus = cpus()?;
    let (cells, counters) = (capacities.cells(), u64::from(capacities.counters()));
    let numbers = [
        ("INTERFACE", u64::from(interface)),
        ("INTERFACE_MAC", wide(mac)),
        ("CELL_SHIFT", u64::from(64 - cells.ilog2())),
        ("CELLS", u64::from(cells)),
        ("SLOTS", 2 * u64::from(capacities.slots)),
        ("COUNTERS", counters),
        ("ALL_COUNTERS", u64::from(cpus) * counters),
        ("ALL_OUTCOMES", u64::from(cpus * OUTCOME_COUNTERS)),
        ("TAKEN", capacities.taken().into()),
        ("CPUS", u64::from(cpus)),
        ("SENT_ISN", sent_isn.into()),
    ];
    let mut loader = EbpfLoader::new();
    loader.override_global("GROUP_MAC", &group, true);
    for name in Table::all(capacities, cpus).iter().map(|table| table.name).chain([DEVICES]) {
        loader.map_pin_path(name, pins.map(name));
    }
    let Some(TraceSettings { filter, level, room }) = tracing else { return object::read(&mut loader, pins, &numbers) };
    loader
        .override_global("FILTER", &filter[..], true)
        .override_global("AYA_LOG_LEVEL", level, true)
        .map_max_entries("EVENTS", *room);
    object::read_traced(&mut loader, pins, &numbers)
}

/// A MAC as the datapath stores it: in the first six bytes of a number in memory.
const fn wide(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}

/// The group's MAC for a member's program: zero without one, all ones if it takes every frame.
fn group_mac(group: &Group) -> u64 {
    match group.mac {
        Some(mac) => wide(mac),
        None if group.promiscuous => u64::MAX,
        None => 0,
    }
}
