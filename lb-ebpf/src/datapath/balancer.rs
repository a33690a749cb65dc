//! Role `balancer`: each packet of a service goes to the server that the formula names.
//!
//! Nearly all packets are unfragmented TCP or UDP, for a service with a port and a server on the same link. They take
//! the fast path. Any other packet is handed to the general path before anything is counted or written: what rare
//! packets need would cost every packet registers and branches, a third of its time.

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    key::Side,
    outcome::Outcome,
    table::{Exit, ServiceCell, Slot},
};
use lb_ebpf::{
    ethernet::{self, Own},
    fast_path::{self, Tagged, Untagged},
    hint::likely,
    packet::{Context, MoveStart, Packet},
    parse::{self, Parsed},
};

use super::{
    action::finish,
    count, maps,
    observer::Observer,
    peers, rewrite,
    select::{self, Server},
    service,
};

/// Returns what becomes of the packet.
#[inline(always)]
pub fn balance<C: MoveStart, O: Observer>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let done = if O::FAST_PATH { balance_fast(&mut packet, control) } else { None };
    match done {
        Some(action) => action,
        None => balance_other::<C, O>(context, control.0),
    }
}

/// `None`: this packet is for the general path.
#[inline(always)]
fn balance_fast(packet: &mut Packet<impl Context>, control: Control) -> Option<u32> {
    let own = Own(maps::interface_mac());
    if !likely(!control.standby()) {
        return None;
    }
    if let Some(flow) = fast_path::v4::<Untagged>(packet, own) {
        forward_fast(packet, control, &flow)
    } else if let Some(flow) = fast_path::v6::<Untagged>(packet, own) {
        forward_fast(packet, control, &flow)
    } else if let Some(flow) = fast_path::v4::<Tagged>(packet, own) {
        forward_fast(packet, control, &flow)
    } else if let Some(flow) = fast_path::v6::<Tagged>(packet, own) {
        forward_fast(packet, control, &flow)
    } else {
        None
    }
}

/// `None`: this packet is for the general path.
#[inline(always)]
fn forward_fast<A: Address>(packet: &mut Packet<impl Context>, control: Control, flow: &Flow<A>) -> Option<u32> {
    let Some(service) = service::first(flow, control, Side::Destination)? else {
        return Some(finish(packet.len(), Err(Outcome::NoService)));
    };
    let (slot, counter) = select::lookup_slot(flow, service).ok()?;
    if !likely(!slot.is_indirect()) {
        let exit = service.exit()?;
        return Some(finish(packet.len(), leave(packet, exit, slot, counter)));
    }
    count::server(counter, 1, packet.len());
    rewrite::l2_return(packet, slot).ok()
}

/// Sends the frame by the interface that all servers of its service are behind.
#[inline(always)]
fn leave(packet: &mut Packet<impl Context>, exit: Exit, slot: Slot, counter: u64) -> Result<u32, Outcome> {
    let action = rewrite::by_exit(packet, exit, slot)?;
    count::server(counter, 1, packet.len());
    Ok(action)
}

/// The general path: any packet, from the start, by the same control word.
#[inline(never)]
fn balance_other<C: MoveStart, O: Observer>(context: *mut C, control: u64) -> u32 {
    let control = Control(control);
    let Some(observer) = O::start(context, control) else { return xdp_action::XDP_ABORTED };
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    let length = packet.len();
    let result = forward(packet, control, observer);
    let action = finish(length, result);
    observer.end(context, result.err().unwrap_or(Outcome::Forwarded), action);
    action
}

#[inline(always)]
fn forward(packet: Packet<impl MoveStart>, control: Control, observer: impl Observer) -> Result<u32, Outcome> {
    let frame = ethernet::read(&packet, Own(maps::interface_mac()))?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(&packet, &frame)? {
        Parsed::V4(flow) => forward_flow(packet, control, &flow, observer),
        Parsed::V6(flow) => forward_flow(packet, control, &flow, observer),
    }
}

#[inline(always)]
fn forward_flow<A: Address>(
    packet: Packet<impl MoveStart>,
    control: Control,
    flow: &Flow<A>,
    observer: impl Observer,
) -> Result<u32, Outcome> {
    observer.flow(flow);
    let service = service::find(flow, control)?;
    observer.service(service);
    send(packet, control, flow, service, observer)
}

#[inline(always)]
fn send<A: Address>(
    mut packet: Packet<impl MoveStart>,
    control: Control,
    flow: &Flow<A>,
    service: &ServiceCell,
    observer: impl Observer,
) -> Result<u32, Outcome> {
    let (slot, counter) = select::lookup_slot(flow, service)?;
    let length = packet.len();
    if peers::sent(&packet, service, slot, control)? {
        let counter = peers::taker(service)?;
        observer.server(flow, service, counter);
        count::server(counter, 1, length);
        return Err(Outcome::Local);
    }
    observer.server(flow, service, counter);
    match select::server(service, slot, counter, control, length)? {
        Server::SameLink => {
            observer.before_write(packet.context());
            rewrite::l2_return(&mut packet, slot)
        }
        Server::Behind(exit) => {
            observer.egress(exit.interface);
            observer.before_write(packet.context());
            leave(&mut packet, exit, slot, counter)
        }
        Server::Via(next_hop) => {
            observer.egress(next_hop.interface);
            observer.before_write(packet.context());
            let action = rewrite::via_next_hop(packet, next_hop)?;
            count::server(counter, 1, length);
            Ok(action)
        }
    }
}
