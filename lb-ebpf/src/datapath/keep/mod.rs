//! Role `keep`: a packet of a connection that this server does not hold goes to the server that does.
//!
//! Balancers remember nothing, so after a change of servers they may send a connection's packets to another server than
//! the one that holds it. Every server can compute who else may hold it: those that the formula named before. So each
//! hands such a packet on to the next of them, until one finds the connection among its sockets.
//!
//! Only TCP has connections to look for. Whatever else comes passes.

mod hand_on;
mod holders;

use aya_ebpf::bindings::{__sk_buff, TC_ACT_REDIRECT, TC_ACT_UNSPEC};
use lb_common::{
    control::Control,
    flow::{Flow, protocol},
    keep::{FIRST_TTL, LAST_TTL, NONE},
    key,
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet::{self, Own},
    headers::Ethernet,
    packet::{Packet, load},
    parse::{self, Offsets, Parsed},
};

use super::{count, maps, network::Network, observer::Observer, probe::probe, service, socket, steer::HEADERS};

/// Passes the packet, or hands it on.
#[inline(always)]
pub fn keep<O: Observer>(context: *mut __sk_buff) -> i32 {
    let control = maps::control();
    let Some(observer) = O::start(context, control) else { return TC_ACT_UNSPEC };
    let outcome = judge_pulled(context, control, observer);
    let action = if matches!(outcome, Outcome::HandedOn) { TC_ACT_REDIRECT } else { TC_ACT_UNSPEC };
    observer.end(context, outcome, action as u32);
    action
}

/// Any outcome but `handed_on` is counted here.
///
/// Trap: packets are as in role `steer`, and so is this. Were it one function for both, which calls a closure, LLVM
/// would shift the end of the packet, a pointer, and verifiers refuse that.
#[inline(always)]
fn judge_pulled(context: *mut __sk_buff, control: Control, observer: impl Observer) -> Outcome {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let mut pulled = false;
    loop {
        let result = judge(&mut packet, control, observer);
        if !matches!(result, Err(Outcome::Malformed)) || pulled || !packet.pull(HEADERS) {
            return match result {
                Ok(()) => Outcome::HandedOn,
                Err(outcome) => {
                    count::outcome_of(outcome, packet.frames(), packet.len());
                    outcome
                }
            };
        }
        pulled = true;
    }
}

/// Hands the packet on, or says why not.
#[inline(always)]
fn judge(packet: &mut Packet<__sk_buff>, control: Control, observer: impl Observer) -> Result<(), Outcome> {
    let frame = ethernet::read(packet, Own(maps::interface_mac()))?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    let mut offsets = Offsets { ip: 0, upper: Offsets::QUOTED };
    match parse::located(packet, &frame, &mut offsets)? {
        Parsed::V4(flow) => judge_flow(packet, offsets.opaque(), control, &flow, observer),
        Parsed::V6(flow) => judge_flow(packet, offsets.opaque(), control, &flow, observer),
    }
}

/// The offsets are those of the IP header and, unless the flow is that of a packet that an ICMP error quotes, of the
/// transport header.
#[inline(always)]
fn judge_flow<A: Network>(
    packet: &mut Packet<__sk_buff>,
    Offsets { ip: offset, upper: segment }: Offsets,
    control: Control,
    flow: &Flow<A>,
    observer: impl Observer,
) -> Result<(), Outcome> {
    observer.flow(flow);
    let service = service::find(flow, control)?;
    observer.service(service);
    let result = judge_service(packet, Offsets { ip: offset, upper: segment }, control, flow, service, observer);
    if matches!(result, Err(Outcome::TakenLast)) {
        modlb_count_taken(service.directory as u64, packet.frames(), packet.len() as u64);
    }
    result
}

/// Counts a packet that this host was the last to take, for its service.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_count_taken(directory: u64, frames: u64, bytes: u64) -> u64 {
    let Some(counter) = maps::taken_counter(maps::modlb_word(directory + 1)) else { return 0 };
    // SAFETY: this CPU's value, which nothing else writes while the program runs.
    unsafe {
        (*counter).packets += frames;
        (*counter).bytes += bytes;
    }
    1
}

/// The same for a packet whose service is known.
#[inline(always)]
fn judge_service<A: Network>(
    packet: &mut Packet<__sk_buff>,
    Offsets { ip: offset, upper: segment }: Offsets,
    control: Control,
    flow: &Flow<A>,
    service: &ServiceCell,
    observer: impl Observer,
) -> Result<(), Outcome> {
    if flow.fragment || flow.protocol != protocol::TCP || service.flags & ServiceCell::ALONE != 0 {
        return Err(Outcome::Local);
    }
    let ttl = A::ttl(packet, offset)?;
    let hand_ons = hand_ons(packet, ttl, service, control)?;
    let next = if segment != Offsets::QUOTED && socket::opens(packet, segment)? {
        owner(flow, service, hand_ons)?
    } else if socket::is_held(packet, flow, service.netns(), offset, segment) {
        return Err(kept(packet, service));
    } else {
        holders::next(flow, service, control, hand_ons)?
    };
    if ttl <= LAST_TTL {
        return Err(Outcome::TakenLast);
    }
    hand_on::send::<A>(packet, offset, control, flow, service, next, ttl, observer)
}

/// Counts the packet for this host.
#[inline(always)]
fn kept(packet: &Packet<__sk_buff>, service: &ServiceCell) -> Outcome {
    if service.here != ServiceCell::NOT_HERE {
        count::server(service.first_counter as u64 + service.here as u64, packet.frames(), packet.len());
    }
    Outcome::Kept
}

/// The server that a new connection belongs to, by its counter relative to the service's first.
///
/// # Errors
///
/// `local`: it is this host; or the packet was handed on, and so another server thinks that it is.
#[inline(always)]
fn owner<A: Network>(flow: &Flow<A>, service: &ServiceCell, hand_ons: u32) -> Result<u16, Outcome> {
    if hand_ons > 0 {
        return Err(Outcome::Local);
    }
    let owner = holders::owner(flow, service);
    if owner == NONE || owner as u32 == service.here { Err(Outcome::Local) } else { Ok(owner) }
}

/// How often servers of the service have handed the packet on.
#[inline(always)]
fn hand_ons(packet: &Packet<__sk_buff>, ttl: u8, service: &ServiceCell, control: Control) -> Result<u32, Outcome> {
    if ttl > FIRST_TTL {
        return Ok(0);
    }
    let header = packet.header::<Ethernet>(0)?;
    let (head, tail): (u16, u32) = (load(&header.source_head), load(&header.source_tail));
    let key = key::peer(head as u64 | (tail as u64) << 16, service.peers);
    let is_servers = probe(key, 0, key::PEER_TAG, key::hash_halves(key), control) != 0;
    Ok(if is_servers { 1 + FIRST_TTL as u32 - ttl as u32 } else { 0 })
}
