//! Services whose connections members may hold that do not own the flows: they have `previous` lists, or a server that is
//! draining.
//!
//! All members receive everything, so nothing is handed on. Who has the socket accepts. The owner accepts what opens a
//! connection, and what nobody else may hold: to anything else its kernel would answer with a reset.

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    control::Control,
    flow::{Flow, protocol},
    formula,
    keep::{Directory, LIST_WORDS, List, bit, bit_word},
    limits::MAX_PREVIOUS,
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet,
    packet::{Context, Packet},
    parse::Offsets,
};

use super::super::{
    action::finish,
    count,
    maps::{self, modlb_word},
    network::Network,
    observer::Observer,
    opaque, rewrite, select, socket,
};

/// Returns what becomes of a packet of such a service. Not inlined, so that packets of other services do not pay for it.
#[inline(never)]
pub fn join<A: Network, C: Context, O: Observer>(
    context: *mut C,
    control: u64,
    flow: &Flow<A>,
    service: &ServiceCell,
) -> u32 {
    let Some(observer) = O::start(context, Control(control)) else { return xdp_action::XDP_ABORTED };
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    observer.flow(flow);
    observer.service(service);
    let result = judge(&mut packet, flow, service, observer);
    let action = finish(packet.len(), result);
    observer.end(context, result.err().unwrap_or(Outcome::Others), action);
    action
}

/// As in the other path, every packet counts for the server that the formula names. While no server takes flows, what
/// this host accepts counts for itself.
#[inline(always)]
fn judge<A: Network>(
    packet: &mut Packet<impl Context>,
    flow: &Flow<A>,
    service: &ServiceCell,
    observer: impl Observer,
) -> Result<u32, Outcome> {
    let ip = opaque::offset(ethernet::any(packet).and_then(|frame| ethernet::untag(packet, &frame))?.offset);
    let segment = opaque::offset(A::segment(packet, ip));
    let mut own = false;
    let rest = match select::lookup_slot(flow, service) {
        Ok((slot, counter)) => {
            observer.server(flow, service, counter);
            count::server(counter, packet.frames(), packet.len());
            own = slot.is_indirect();
            Ok(xdp_action::XDP_DROP)
        }
        Err(outcome) => Err(outcome),
    };
    let outcome = if by_formula(packet, flow, segment) || own && !others_may_hold(flow, service) {
        if !own {
            return rest;
        }
        Outcome::Accepted
    } else if socket::is_held(packet, flow, ip, segment) {
        if own { Outcome::Accepted } else { Outcome::Kept }
    } else {
        return rest;
    };
    if rest.is_err() && service.here != ServiceCell::NOT_HERE {
        count::server(service.first_counter as u64 + service.here as u64, packet.frames(), packet.len());
    }
    observer.before_write(packet.context());
    rewrite::destination(packet, maps::interface_mac())?;
    Err(outcome)
}

/// Whether the packet belongs to no connection yet: it opens one, has none, or is too short to tell.
#[inline(always)]
fn by_formula<A: Network>(packet: &Packet<impl Context>, flow: &Flow<A>, segment: usize) -> bool {
    if flow.fragment || flow.protocol != protocol::TCP {
        return true;
    }
    segment != Offsets::QUOTED && !matches!(socket::opens(packet, segment), Ok(false))
}

/// Whether another member may hold the flow's connection, by any of the service's lists.
#[inline(always)]
fn others_may_hold<A: Network>(flow: &Flow<A>, service: &ServiceCell) -> bool {
    let first = service.directory as u64;
    let Directory { lists, .. } = Directory::unpack(modlb_word(first));
    // The present list, and all previous ones.
    for number in 0..=MAX_PREVIOUS {
        if number as u32 >= lists {
            break;
        }
        let place = first + 1 + (number * LIST_WORDS) as u64;
        let list = List::unpack([modlb_word(place), modlb_word(place + 1), modlb_word(place + 2)]);
        let slots = list.slots;
        if slots == 0 {
            continue;
        }
        let slot = formula::slot(flow, service.formula(), slots, &list.powers);
        if bit(modlb_word(list.first as u64 + bit_word(slot) as u64), slot) {
            return true;
        }
    }
    false
}
