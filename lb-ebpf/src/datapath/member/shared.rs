//! Services whose connections members may hold that do not own the flows: they have `previous` lists, or a server that
//! is draining.
//!
//! All members receive everything, so nothing is handed on. Who has the socket accepts. The owner accepts what opens a
//! connection, and what nobody else may hold: to anything else its kernel would answer with a reset.
//!
//! What is looked for consists of global functions, which take and return numbers; see `probe`. The rest of the program
//! leaves too little of the stack, and of the instructions that verifiers follow, for anything else.

use aya_ebpf::bindings::{xdp_action, xdp_md};
use lb_common::{
    flow::{Address, Flow, V4, V6, protocol},
    formula::{self, Formula},
    keep::{Directory, GROUP_WORDS, LIST_WORDS, List, bit, bit_word},
    limits::MAX_PREVIOUS,
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet::{self, Everyone},
    opaque,
    packet::{Context, Packet},
    parse::Offsets,
};

use super::{
    super::{count, maps::modlb_word, network::Network, observer::Observer, select, socket},
    accept::accept,
};

/// As with other services, every packet counts for the server that the formula names. While no server takes flows, what
/// this host accepts counts for itself.
#[inline(always)]
pub fn judge<A: Network>(
    packet: &mut Packet<impl Context>,
    flow: &Flow<A>,
    service: &ServiceCell,
    observer: impl Observer,
) -> Result<u32, Outcome> {
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
    if !is_ours(packet, flow, service, own) {
        return rest;
    }
    if rest.is_err() && service.here != ServiceCell::NOT_HERE {
        count::server(service.first_counter as u64 + service.here as u64, packet.frames(), packet.len());
    }
    accept(packet, observer)?;
    Err(if own { Outcome::Accepted } else { Outcome::Kept })
}

/// Whether this host accepts the packet; `own`: it owns the flow.
#[inline(always)]
fn is_ours<A: Network>(packet: &Packet<impl Context>, flow: &Flow<A>, service: &ServiceCell, own: bool) -> bool {
    if flow.fragment || flow.protocol != protocol::TCP {
        return own;
    }
    let ([high, low], rest) = (flow.source.halves(), Rest::of(flow, service));
    if own && modlb_is_elsewhere(high, low, rest.0, service.flags as u64) == 0 {
        return true;
    }
    let context = packet.context().cast();
    let found = match A::FAMILY {
        V4::FAMILY => modlb_look_for4(context, low, rest.0),
        _ => modlb_look_for6(context, high, low, rest.0),
    };
    if found == OPENS { own } else { found == HELD }
}

/// The packet opens a connection, or is too short to tell.
const OPENS: u64 = 1;

/// A socket of this host has the packet's connection.
const HELD: u64 = 2;

/// What a flow and its service are besides the client's address, in one number: where the directory is, which has the
/// service's address, and the ports.
#[derive(Clone, Copy)]
struct Rest(u64);

impl Rest {
    #[inline(always)]
    fn of<A>(flow: &Flow<A>, service: &ServiceCell) -> Self {
        let ports = (flow.source_port as u64) << 16 | flow.destination_port as u64;
        Self((service.directory as u64) << 32 | ports)
    }

    /// The number of the directory's first word.
    #[inline(always)]
    fn directory(self) -> u64 {
        self.0 >> 32
    }

    /// The flow of a client to the service.
    #[inline(always)]
    fn flow<A>(self, source: A, destination: A) -> Flow<A> {
        Flow {
            source,
            destination,
            source_port: (self.0 >> 16) as u16,
            destination_port: self.0 as u16,
            protocol: protocol::TCP,
            fragment: false,
        }
    }

    /// The same by the halves of the client's address.
    #[inline(always)]
    fn flow6(self, high: u64, low: u64) -> Flow<V6> {
        let place = self.directory() + 1;
        self.flow(V6::from_halves([high, low]), V6::from_halves([modlb_word(place), modlb_word(place + 1)]))
    }
}

/// Whether another member may hold a flow's connection, by any of the service's lists; `flags` are the service's. An
/// IPv4 address is a number as an IPv6 address is, and has the same sum.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_is_elsewhere(high: u64, low: u64, rest: u64, flags: u64) -> u64 {
    let (flow, first) = (Rest(rest).flow6(high, low), Rest(rest).directory());
    let five = flags & ServiceCell::FIVE_TUPLE as u64 != 0;
    let formula = if five { Formula::FiveTuple } else { Formula::ThreeTuple };
    let Directory { lists, .. } = Directory::unpack(modlb_word(first));
    // The present list, and all previous ones.
    for number in 0..=MAX_PREVIOUS {
        if number as u32 >= lists {
            break;
        }
        let place = first + (GROUP_WORDS + number * LIST_WORDS) as u64;
        let list = List::unpack([modlb_word(place), modlb_word(place + 1), modlb_word(place + 2)]);
        let slots = list.slots;
        if slots == 0 {
            continue;
        }
        let slot = formula::slot(&flow, formula, slots, &list.powers);
        if bit(modlb_word(list.first as u64 + bit_word(slot) as u64), slot) {
            return 1;
        }
    }
    0
}

/// Looks for the connection of an IPv4 packet, whose client this is.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_look_for4(context: *mut xdp_md, client: u64, rest: u64) -> u64 {
    let rest = Rest(rest);
    let service = modlb_word(rest.directory() + 2);
    look_for(context, &rest.flow(V4(client as u32), V4(service as u32)))
}

/// The same for IPv6.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_look_for6(context: *mut xdp_md, high: u64, low: u64, rest: u64) -> u64 {
    look_for(context, &Rest(rest).flow6(high, low))
}

/// [`OPENS`], [`HELD`] or 0.
#[inline(always)]
fn look_for<A: Network>(context: *mut xdp_md, flow: &Flow<A>) -> u64 {
    // SAFETY: what the kernel handed to the program, also if that takes several buffers.
    let packet = unsafe { Packet::new(context) };
    let Ok(frame) = ethernet::read(&packet, Everyone).and_then(|frame| ethernet::untag(&packet, &frame)) else {
        return 0;
    };
    let ip = opaque::offset(frame.offset);
    let segment = opaque::offset(A::segment(&packet, ip));
    if segment != Offsets::QUOTED && !matches!(socket::opens(&packet, segment), Ok(false)) {
        return OPENS;
    }
    if socket::is_held(&packet, flow, socket::INTERFACES_NETNS, ip, segment) { HELD } else { 0 }
}
