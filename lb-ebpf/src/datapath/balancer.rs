//! Role `balancer`: each packet of a service goes to the server that the formula names.
//!
//! Nearly all packets are plain ones, of a service with a port, for a server next door. They have a way of their own. Whatever
//! is different about a packet sends it to the other way, before anything is counted or written: what rare packets need would
//! cost all packets registers, branches and so a third of their time.

use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet,
    fast_path::{self, Tagged, Untagged},
    hint::likely,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::{action::finish, count, maps, rewrite, select, select::Server, service};

/// Returns what becomes of the packet.
#[inline(always)]
pub fn balance<C: Context>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    let (control, own) = (maps::control(), maps::interface_mac());
    let mut done = None;
    if likely(!control.standby()) {
        if let Some(flow) = fast_path::v4::<Untagged>(&packet, own) {
            done = forward_fast(&packet, control, &flow);
        } else if let Some(flow) = fast_path::v6::<Untagged>(&packet, own) {
            done = forward_fast(&packet, control, &flow);
        } else if let Some(flow) = fast_path::v4::<Tagged>(&packet, own) {
            done = forward_fast(&packet, control, &flow);
        } else if let Some(flow) = fast_path::v6::<Tagged>(&packet, own) {
            done = forward_fast(&packet, control, &flow);
        }
    }
    match done {
        Some(action) => action,
        None => balance_other(context, control.0),
    }
}

/// `None`: this packet is for the other way.
#[inline(always)]
fn forward_fast<A: Address>(packet: &Packet<impl Context>, control: Control, flow: &Flow<A>) -> Option<u32> {
    let Some(service) = service::first(flow, control)? else {
        return Some(finish(packet, Err(Outcome::NoService)));
    };
    let (slot, counter) = select::named(flow, service).ok()?;
    if slot.is_indirect() {
        return None;
    }
    count::server(counter, 1, packet.len());
    rewrite::near(packet, slot).ok()
}

/// All other packets, from the start, by the same control word.
#[inline(never)]
fn balance_other<C: Context>(context: *mut C, control: u64) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    finish(&packet, forward(&packet, Control(control)))
}

#[inline(always)]
fn forward(packet: &Packet<impl Context>, control: Control) -> Result<u32, Outcome> {
    let frame = ethernet::own(packet, maps::interface_mac())?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => send(packet, control, &flow, service::find(&flow, control)?),
        Parsed::V6(flow) => send(packet, control, &flow, service::find(&flow, control)?),
    }
}

#[inline(always)]
fn send<A: Address>(
    packet: &Packet<impl Context>,
    control: Control,
    flow: &Flow<A>,
    service: &ServiceCell,
) -> Result<u32, Outcome> {
    match select::server(flow, service, control, packet.len())? {
        Server::Near(slot) => rewrite::near(packet, slot),
        Server::Far { remote, counter } => {
            let action = rewrite::far(packet, remote)?;
            count::server(counter, 1, packet.len());
            Ok(action)
        }
    }
}
