//! Service + flow → server: the formula, one slot, one counter.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    formula,
    outcome::Outcome,
    table::{Remote, ServiceCell, Slot},
};
use lb_ebpf::hint::likely;

use super::{count, maps};

/// Where the packet goes.
pub enum Server {
    /// Back by the interface that it came in by, to the slot's MAC. Counted already.
    Near(Slot),
    /// By another interface or in another VLAN. This may yet turn out to be impossible, so it is to be counted when it is
    /// sent.
    Far {
        /// How to reach it.
        remote: &'static Remote,
        /// The number of its counter.
        counter: u64,
    },
}

/// The server that the formula names. Counts the packet for it if nothing can stop it any more, whether it is sent or
/// belongs to this host.
#[inline(always)]
pub fn server<A: Address>(
    flow: &Flow<A>,
    service: &ServiceCell,
    control: Control,
    bytes: usize,
) -> Result<Server, Outcome> {
    let (slot, counter) = named(flow, service)?;
    if slot.is_indirect() {
        return indirect(control, counter, bytes);
    }
    count::server(counter, 1, bytes);
    Ok(Server::Near(slot))
}

/// The slot that names the server. Counts the packet for it.
#[inline(always)]
pub fn slot<A: Address>(flow: &Flow<A>, service: &ServiceCell, frames: u64, bytes: usize) -> Result<Slot, Outcome> {
    let (slot, counter) = named(flow, service)?;
    count::server(counter, frames, bytes);
    Ok(slot)
}

/// The slot that names the server, and the number of the server's counter.
#[inline(always)]
pub fn named<A: Address>(flow: &Flow<A>, service: &ServiceCell) -> Result<(Slot, u64), Outcome> {
    let slots = service.slots;
    if !likely(slots != 0) {
        return Err(if service.flags & ServiceCell::PASS != 0 { Outcome::Fragment } else { Outcome::NoServer });
    }
    let number = formula::slot(flow, service.formula(), slots, &service.powers);
    let slot = maps::slot(service.first_slot as u64 + number as u64).ok_or(Outcome::NoServer)?;
    let relative = if service.flags & ServiceCell::IN_ORDER != 0 { number as u64 } else { slot.counter() as u64 };
    Ok((slot, service.first_counter as u64 + relative))
}

/// The rare server that is this host, behind another interface or in a VLAN of its own.
#[inline(always)]
fn indirect(control: Control, counter: u64, bytes: usize) -> Result<Server, Outcome> {
    match maps::remote(control.half(), counter) {
        Some(remote) if remote.interface != Remote::HERE => Ok(Server::Far { remote, counter }),
        Some(_) | None => {
            count::server(counter, 1, bytes);
            Err(Outcome::Local)
        }
    }
}
