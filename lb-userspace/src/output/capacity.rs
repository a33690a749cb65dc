//! How much an instance holds and can hold, in `status`.

use serde::Serialize;

use crate::{config::model::count, decide::slots::Refinement};

/// How much an instance holds and can hold.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CapacityView {
    /// Services.
    pub services: UseView,
    /// Slots of all different tables.
    pub slots: UseView,
    /// Server entries, over all services.
    pub servers: UseView,
    /// The memory that its tables take.
    pub memory_bytes: u64,
    /// Tables with a server down have at least this many slots; fewer than usual for want of room.
    pub refined_slots: u32,
    /// Servers whose findings are not in force for want of room.
    pub left_out: u32,
}

/// How much of one capacity is in use.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct UseView {
    /// In use.
    pub used: u32,
    /// Free.
    pub free: u32,
}

impl UseView {
    /// Of a capacity.
    pub const fn new(used: u32, capacity: u32) -> Self {
        Self { used, free: capacity.saturating_sub(used) }
    }

    const fn all(self) -> u32 {
        self.used + self.free
    }
}

impl CapacityView {
    /// One line, and one for each lack of room.
    pub fn render(&self) -> String {
        let Self { services, slots, servers, memory_bytes, refined_slots, left_out } = self;
        let of = |it: &UseView| format!("{} of {}", it.used, it.all());
        let (services, slots, servers) = (of(services), of(slots), of(servers));
        let memory = memory_bytes.div_ceil(1 << 20);
        let mut text =
            format!("in use: {services} services, {slots} slots, {servers} server entries; {memory} MiB of memory\n");
        let refinement = Refinement::from_slots(*refined_slots);
        if refinement != Refinement::default() {
            text += &format!("no room: {refinement}\n");
        }
        if *left_out > 0 {
            let servers = count(*left_out as usize, "server");
            text += &format!("no room: the state of {servers} is not in force; the agent's log names them\n");
        }
        text + "\n"
    }
}
