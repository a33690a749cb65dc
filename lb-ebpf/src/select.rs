//! Service + flow → server: the formula, one slot, one counter.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    formula,
    outcome::Outcome,
    table::{Remote, ServiceCell, Slot},
};

use crate::{count, maps};

/// Where the packet goes.
pub enum Server {
    /// Back by the interface that it came in by, to the slot's MAC.
    Near(Slot),
    /// By another interface.
    Far(&'static Remote),
}

/// The server that the formula names. Counts the packet for it, whether it is sent or belongs to this host.
#[inline(always)]
pub fn server<A: Address>(
    flow: &Flow<A>,
    service: &ServiceCell,
    control: Control,
    bytes: usize,
) -> Result<Server, Outcome> {
    let (slot, counter) = slot(flow, service, 1, bytes)?;
    if slot.is_indirect() { indirect(control, counter) } else { Ok(Server::Near(slot)) }
}

/// The same as the slot that names the server, and the number of its counter.
#[inline(always)]
pub fn slot<A: Address>(
    flow: &Flow<A>,
    service: &ServiceCell,
    frames: u64,
    bytes: usize,
) -> Result<(Slot, u32), Outcome> {
    if service.flags & ServiceCell::PASS != 0 {
        return Err(Outcome::Fragment);
    }
    let slots = service.slots;
    if slots == 0 {
        return Err(Outcome::NoServer);
    }
    let number = formula::slot(flow, service.formula(), slots, &service.powers);
    let slot = maps::slot(service.first_slot.wrapping_add(number)).ok_or(Outcome::NoServer)?;
    let counter = service.first_counter.wrapping_add(slot.counter() as u32);
    count::server(counter, frames, bytes);
    Ok((slot, counter))
}

/// The rare server that is this host or behind another interface.
#[inline(always)]
fn indirect(control: Control, counter: u32) -> Result<Server, Outcome> {
    let remote = maps::remote(control.half(), counter).ok_or(Outcome::Local)?;
    if remote.interface == 0 {
        return Err(Outcome::Local);
    }
    Ok(Server::Far(remote))
}
