//! Equal tables are stored once: services whose slots would be the same share one stretch of them.
//!
//! Equality is found by what a table is made of, before it is built, so thousands of services with the same servers
//! cost one table.

use std::{collections::HashMap, net::IpAddr};

use lb_common::table::Slot;

use crate::{
    config::model::{Selection, Service},
    datapath::error::{Error, Result},
    decide::slots::{Digest, Extent, Refinement, SlotTable},
};

/// All that a stretch depends on: the selection, and for each server its address, its weight and, if it takes flows,
/// its slot. The slot stands for MAC, VLAN, location and counter.
type Key = (Selection, Vec<(IpAddr, u32, Option<Slot>)>);

/// The different tables of a configuration.
pub(super) struct Stretches<'a> {
    /// A service of each, and the slots of its servers.
    distinct: Vec<(&'a Service, Vec<Option<Slot>>)>,
    /// For each service, the index of its table.
    of: Vec<usize>,
}

/// A table as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// The first slot.
    pub first: u32,
    /// T; 0: no server takes flows, and there are no slots.
    pub slots: u32,
    /// T, of a table without slots as well.
    pub length: u32,
    /// The table's digest.
    pub digest: Digest,
    /// Whether each slot names the counter with its own number.
    pub in_order: bool,
}

impl<'a> Stretches<'a> {
    /// `slots`: for each server of each service its slot, `None` if it takes no flows.
    pub fn find(services: &'a [Service], slots: Vec<Vec<Option<Slot>>>) -> Self {
        let mut known: HashMap<Key, usize> = HashMap::new();
        let mut stretches = Self { distinct: Vec::new(), of: Vec::with_capacity(services.len()) };
        for (service, slots) in services.iter().zip(slots) {
            let servers = service.servers.iter().zip(&slots);
            let servers = servers.map(|(server, slot)| (server.address, server.weight, *slot)).collect();
            let index = *known.entry((service.selection, servers)).or_insert(stretches.distinct.len());
            if index == stretches.distinct.len() {
                stretches.distinct.push((service, slots));
            }
            stretches.of.push(index);
        }
        stretches
    }

    /// The finest tables that `capacity` slots have room for.
    ///
    /// # Errors
    ///
    /// [`Error::Capacity`]: they have no room for the coarsest.
    pub fn refinement(&self, capacity: u32) -> Result<Refinement> {
        let up = |slots: &[Option<Slot>]| slots.iter().flatten().count();
        let tables: Vec<_> = self.distinct.iter().map(|(service, slots)| (Extent::of(service), up(slots))).collect();
        let needed = |refinement: Refinement| {
            tables.iter().map(|(extent, up)| u64::from(refinement.room(*extent, *up))).sum::<u64>()
        };
        Refinement::all().find(|refinement| needed(*refinement) <= capacity.into()).ok_or_else(|| Error::Capacity {
            what: "slots",
            needed: needed(Refinement::COARSEST),
            capacity: capacity.into(),
            option: "--max-slots",
        })
    }

    /// Builds the tables. Returns where each service's table is.
    pub fn build(&self, refinement: Refinement, slots: &mut Vec<Slot>) -> Vec<Stretch> {
        let stretches: Vec<_> = self
            .distinct
            .iter()
            .map(|(service, entries)| {
                let first = slots.len();
                let table = SlotTable::refined(service, refinement);
                if !table.all_down() {
                    let entry = |index: u16| entries[usize::from(index)].unwrap_or_default();
                    slots.extend(table.iter().map(|server| server.map_or_else(Slot::default, entry)));
                }
                let built = &slots[first..];
                Stretch {
                    first: first as u32,
                    slots: built.len() as u32,
                    length: table.len(),
                    digest: table.digest(service),
                    in_order: built.iter().zip(0..).all(|(slot, number)| u32::from(slot.counter()) == number),
                }
            })
            .collect();
        self.of.iter().map(|index| stretches[*index]).collect()
    }
}
