//! Frames that another balancer of the service sent: they are not balanced again.
//!
//! Balancers may disagree for a while about which servers are up. If each of them went on balancing what the others
//! send, a frame could travel between them for ever. So what a peer sent ends here: this host takes it as a server of
//! the service, or drops it.

use lb_common::{
    control::Control,
    key,
    outcome::Outcome,
    table::{ServiceCell, Slot},
};
use lb_ebpf::{
    headers::Ethernet,
    packet::{Context, Packet, load},
};

use super::probe::probe;

/// Whether a peer of the service sent the frame. Services without peers pay nothing: only indirect slots get here.
#[inline(always)]
pub fn sent(
    packet: &Packet<impl Context>,
    service: &ServiceCell,
    slot: Slot,
    control: Control,
) -> Result<bool, Outcome> {
    if !slot.is_indirect() || service.flags & ServiceCell::PEERS == 0 {
        return Ok(false);
    }
    let header = packet.header::<Ethernet>(0)?;
    let (head, tail): (u16, u32) = (load(&header.source_head), load(&header.source_tail));
    let key = key::peer(head as u64 | (tail as u64) << 16, service.peers);
    Ok(probe(key, 0, key::PEER_TAG, key::hash_halves(key), control) != 0)
}

/// The counter of the server that takes what a peer sent, which is this host.
///
/// # Errors
///
/// `loop`: this host is no server of the service.
#[inline(always)]
pub fn taker(service: &ServiceCell) -> Result<u64, Outcome> {
    if service.here == ServiceCell::NOT_HERE {
        return Err(Outcome::Loop);
    }
    Ok(service.first_counter as u64 + service.here as u64)
}
