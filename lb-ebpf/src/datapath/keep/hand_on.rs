//! Sends a packet to the next server.

use aya_ebpf::{bindings::__sk_buff, helpers::bpf_redirect};
use lb_common::{
    control::Control,
    flow::Flow,
    keep::next_ttl,
    outcome::Outcome,
    table::{NextHop, ServiceCell},
};
use lb_ebpf::packet::Packet;

use super::super::{count, maps, network::Network, observer::Observer, rewrite};

/// Addresses the frame to the server, and has `TC_ACT_REDIRECT` send it by the interface that leads there.
///
/// # Errors
///
/// `taken_last`: it is not known how to reach the server. Then the packet is unchanged.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "all that is known of the packet")]
pub fn send<A: Network>(
    packet: &mut Packet<__sk_buff>,
    offset: usize,
    control: Control,
    flow: &Flow<A>,
    service: &ServiceCell,
    next: u16,
    ttl: u8,
    observer: impl Observer,
) -> Result<(), Outcome> {
    let counter = service.first_counter as u64 + next as u64;
    let next_hop = maps::next_hop(control.half(), counter).ok_or(Outcome::TakenLast)?;
    if next_hop.is_here() {
        return Err(Outcome::Local);
    }
    observer.server(flow, service, counter);
    observer.egress(next_hop.interface);
    let (frames, bytes) = (packet.frames(), packet.len());
    observer.before_write(packet.context());
    A::set_ttl(packet, offset, next_ttl(ttl))?;
    let same_port = next_hop.interface == NextHop::SAME_PORT;
    let (interface, source) = if same_port {
        (maps::interface() as u32, maps::interface_mac())
    } else {
        (next_hop.interface, rewrite::wide(&next_hop.source))
    };
    rewrite::address(packet, rewrite::wide(&next_hop.destination), source)?;
    count::server(counter, frames, bytes);
    count::outcome_of(Outcome::HandedOn, frames, bytes);
    // Without flags it always returns `TC_ACT_REDIRECT`.
    // SAFETY: a helper that takes numbers.
    unsafe { bpf_redirect(interface, 0) };
    Ok(())
}
