//! The only code that writes packet bytes: both MACs, then the frame is sent.
//!
//! Trap: the source must be rewritten, too. With the client's MAC left in it, switches would learn that the client is
//! behind the balancer's port, and the servers' replies would go astray.

use aya_ebpf::{bindings::xdp_action, helpers::bpf_redirect};
use lb_common::outcome::Outcome;
use lb_ebpf::{
    headers::Ethernet,
    packet::{Context, Packet, store},
};

use crate::{maps, select::Server};

/// Addresses the frame to the server and returns the action that sends it.
#[inline(always)]
pub fn send(packet: &Packet<impl Context>, server: &Server) -> Result<u32, Outcome> {
    match server {
        Server::Near(slot) => {
            address(packet, slot.0, maps::interface_mac())?;
            Ok(xdp_action::XDP_TX)
        }
        Server::Far(remote) => {
            address(packet, wide(&remote.destination), wide(&remote.source))?;
            if remote.interface == maps::interface() {
                return Ok(xdp_action::XDP_TX);
            }
            // SAFETY: the helper takes numbers.
            Ok(unsafe { bpf_redirect(remote.interface, 0) } as u32)
        }
    }
}

/// Addresses the frame to the MAC in the first six bytes of `destination` in memory; it still comes from who sent it.
#[inline(always)]
pub fn destination(packet: &Packet<impl Context>, destination: u64) -> Result<(), Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    // SAFETY: `header` is within the packet.
    unsafe {
        store(&raw mut (*header).destination_head, destination as u32);
        store(&raw mut (*header).destination_tail, (destination >> 32) as u16);
    }
    Ok(())
}

const _: () = assert!(cfg!(target_endian = "little"), "the halves of a MAC are taken in little-endian order");

/// Writes destination and source, each a number whose first six bytes in memory are the MAC.
#[inline(always)]
pub fn address(packet: &Packet<impl Context>, destination: u64, source: u64) -> Result<(), Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    // SAFETY: `header` is within the packet.
    unsafe {
        store(&raw mut (*header).destination_head, destination as u32);
        store(&raw mut (*header).destination_tail, (destination >> 32) as u16);
        store(&raw mut (*header).source_head, source as u16);
        store(&raw mut (*header).source_tail, (source >> 16) as u32);
    }
    Ok(())
}

#[inline(always)]
fn wide(mac: &[u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = *mac;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}
