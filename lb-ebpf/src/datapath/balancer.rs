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
    fast_path::{self, Stage},
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
    service::{self, First},
};

/// Returns what becomes of the packet.
#[inline(always)]
pub fn balance<C: MoveStart, O: Observer>(context: *mut C) -> u32 {
    let control = maps::control();
    let mut action = if O::FAST_PATH { balance_fast(context, control, Few { control }) } else { UNDECIDED };
    if action == SEARCH || action == SEARCH_PREFIX {
        action = balance_searched(context, control.0, action);
    }
    // One call for all: verifiers go through a function again at each.
    if action == UNDECIDED { balance_other::<C, O>(context, control.0) } else { action }
}

/// No action: this packet is for the general path.
///
/// Trap: were it an option, the compiler would load a number that was never stored, which verifiers before Linux 6.3
/// refuse.
const UNDECIDED: u32 = u32::MAX;

/// No action: only a search can tell the packet's service.
const SEARCH: u32 = u32::MAX - 1;

/// No action: the packet's service can only be a prefix's.
const SEARCH_PREFIX: u32 = u32::MAX - 2;

#[inline(always)]
fn balance_fast<C: MoveStart>(context: *mut C, control: Control, stage: impl Stage<C, Done = u32>) -> u32 {
    if !likely(!control.standby()) {
        return UNDECIDED;
    }
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    fast_path::decide(&mut packet, Own(maps::interface_mac()), stage).unwrap_or(UNDECIDED)
}

/// Finds the service by few cells; see [`service::first`].
struct Few {
    control: Control,
}

impl<C: Context> Stage<C> for Few {
    type Done = u32;

    #[inline(always)]
    fn decide<A: Address>(self, packet: &mut Packet<C>, flow: &Flow<A>) -> Option<u32> {
        match service::first(flow, self.control, Side::Destination) {
            First::Service(service) => forward_fast(packet, flow, Some(service)),
            First::Nothing => forward_fast(packet, flow, None),
            First::Prefix => Some(SEARCH_PREFIX),
            First::Unknown => Some(SEARCH),
        }
    }
}

/// The fast path once more, for a packet whose service is found by a search only. Not inlined: what is kept during a
/// search would cost every packet.
#[inline(never)]
fn balance_searched<C: MoveStart>(context: *mut C, control: u64, search: u32) -> u32 {
    let control = Control(control);
    balance_fast(context, control, Searched { control, prefix: search == SEARCH_PREFIX })
}

/// Finds the service by a search.
struct Searched {
    control: Control,
    /// Only among prefixes.
    prefix: bool,
}

impl<C: Context> Stage<C> for Searched {
    type Done = u32;

    #[inline(always)]
    fn decide<A: Address>(self, packet: &mut Packet<C>, flow: &Flow<A>) -> Option<u32> {
        let number = if self.prefix {
            service::search_prefix(flow, self.control, Side::Destination)
        } else {
            service::search(flow, self.control, Side::Destination)
        };
        forward_fast(packet, flow, service::numbered(number).ok())
    }
}

/// `None`: this packet is for the general path.
#[inline(always)]
fn forward_fast<A: Address>(
    packet: &mut Packet<impl Context>,
    flow: &Flow<A>,
    service: Option<&ServiceCell>,
) -> Option<u32> {
    let Some(service) = service else { return Some(finish(packet.len(), Err(Outcome::NoService))) };
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
