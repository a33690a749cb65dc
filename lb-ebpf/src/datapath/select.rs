//! Service + flow → server: the formula, one slot, one counter.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    formula,
    outcome::Outcome,
    table::{Exit, NextHop, ServiceCell, Slot},
};
use lb_ebpf::hint::likely;

use super::{count, maps};

/// How the server is reached.
pub enum Server {
    /// The frame leaves by the interface that it came in by, for the slot's MAC. Counted already.
    SameLink,
    /// By the interface that all servers of the service are behind, for the slot's MAC. Not counted yet, as below.
    Behind(Exit),
    /// By another interface or in another VLAN. Not counted yet, since this may turn out to be impossible.
    Via(&'static NextHop),
}

/// The slot that the formula names, and the number of its server's counter.
#[inline(always)]
pub fn lookup_slot<A: Address>(flow: &Flow<A>, service: &ServiceCell) -> Result<(Slot, u64), Outcome> {
    let slots = service.slots;
    if !likely(slots != 0) {
        return Err(if service.flags & ServiceCell::PASS != 0 { Outcome::Fragment } else { Outcome::NoServer });
    }
    let number = formula::slot(flow, service.formula(), slots, &service.powers);
    let slot = maps::slot(service.first_slot as u64 + number as u64).ok_or(Outcome::NoServer)?;
    let relative = if service.flags & ServiceCell::IN_ORDER != 0 { number as u64 } else { slot.counter() as u64 };
    Ok((slot, service.first_counter as u64 + relative))
}

/// How the slot's server is reached. Counts the packet for the server if nothing can go wrong any more: it is sent on
/// the same link, or the server is this host.
#[inline(always)]
pub fn server(
    service: &ServiceCell,
    slot: Slot,
    counter: u64,
    control: Control,
    bytes: usize,
) -> Result<Server, Outcome> {
    if slot.is_indirect() {
        return match service.exit() {
            Some(exit) => Ok(Server::Behind(exit)),
            None => indirect(control, counter, bytes),
        };
    }
    count::server(counter, 1, bytes);
    Ok(Server::SameLink)
}

/// The rare server that is this host, behind another interface or in another VLAN.
#[inline(always)]
fn indirect(control: Control, counter: u64, bytes: usize) -> Result<Server, Outcome> {
    match maps::next_hop(control.half(), counter) {
        Some(next_hop) if next_hop.interface != NextHop::LOCAL => Ok(Server::Via(next_hop)),
        Some(_) | None => {
            count::server(counter, 1, bytes);
            Err(Outcome::Local)
        }
    }
}
