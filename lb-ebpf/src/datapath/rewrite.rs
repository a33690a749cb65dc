//! Writes packet bytes (both MACs and, for some servers, the VLAN tag), then sends the frame.
//!
//! Trap: the source must be rewritten as well. Otherwise switches would learn the client's MAC on the balancer's port
//! and deliver the servers' replies there.

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    outcome::Outcome,
    table::{Exit, NextHop, Slot},
};
use lb_ebpf::{
    ethernet::ether_type::{SERVICE_VLAN, VLAN},
    headers::{Ethernet, Tag, TaggedEthernet},
    packet::{Context, MoveStart, Packet, load, store},
};

use super::maps;

/// Addresses the frame to the slot's MAC and returns the action that sends it out of the interface that it came in by.
#[inline(always)]
pub fn l2_return(packet: &mut Packet<impl Context>, slot: Slot) -> Result<u32, Outcome> {
    address(packet, slot.0, maps::interface_mac())?;
    Ok(xdp_action::XDP_TX)
}

/// Addresses the frame to the MAC of a slot whose service has an exit, and returns the action that sends it by that.
///
/// # Errors
///
/// `unreachable`: frames cannot be sent by that interface. Then it is unchanged.
#[inline(always)]
pub fn by_exit(packet: &mut Packet<impl Context>, exit: Exit, slot: Slot) -> Result<u32, Outcome> {
    let action = send_by(exit.interface)?;
    address(packet, slot.exit_mac(), exit.source)?;
    Ok(action)
}

/// The action that sends a frame by an interface, which may be that which it came in by.
#[inline(always)]
fn send_by(interface: u32) -> Result<u32, Outcome> {
    if interface as u64 == maps::interface() { Ok(xdp_action::XDP_TX) } else { maps::redirect(interface) }
}

/// Addresses the frame to a server that is behind another interface or in another VLAN, and returns the action that
/// sends it. Consumes the packet, whose start may move.
///
/// # Errors
///
/// `unreachable`: it cannot be sent there. Then it is unchanged.
#[inline(always)]
#[expect(clippy::needless_pass_by_value, reason = "the packet's bounds are void afterwards")]
pub fn via_next_hop<C: MoveStart>(packet: Packet<C>, next_hop: &NextHop) -> Result<u32, Outcome> {
    match via_next_hop_apart(packet.context(), next_hop) {
        xdp_action::XDP_ABORTED => Err(Outcome::Unreachable),
        action => Ok(action),
    }
}

/// Not inlined, so that what it does to the packet's bounds and to registers stays out of the path of other packets.
/// Returns an action, or `XDP_ABORTED` for an error.
#[inline(never)]
fn via_next_hop_apart<C: MoveStart>(context: *mut C, next_hop: &NextHop) -> u32 {
    send(context, next_hop).unwrap_or(xdp_action::XDP_ABORTED)
}

/// The order matters: what can fail comes first, the redirection and the room for a tag; only then is anything written.
#[inline(always)]
fn send<C: MoveStart>(context: *mut C, next_hop: &NextHop) -> Result<u32, Outcome> {
    let same_port = next_hop.interface == NextHop::SAME_PORT;
    let action = if same_port { xdp_action::XDP_TX } else { send_by(next_hop.interface)? };
    // SAFETY: the context of a packet that the caller has given up.
    let mut packet = unsafe { Packet::new(context) };
    match (next_hop.vlan, is_tagged(&packet)?) {
        (NextHop::KEEP, _) | (NextHop::UNTAGGED, false) => {}
        (NextHop::UNTAGGED, true) => packet.move_start(size_of::<Tag>() as i32)?,
        (vlan, true) => retag(&mut packet, vlan as u16)?,
        (vlan, false) => {
            packet.move_start(-(size_of::<Tag>() as i32))?;
            tag(&mut packet, vlan as u16)?;
        }
    }
    let source = if same_port { maps::interface_mac() } else { wide(&next_hop.source) };
    address(&mut packet, wide(&next_hop.destination), source)?;
    Ok(action)
}

#[inline(always)]
fn is_tagged(packet: &Packet<impl Context>) -> Result<bool, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    Ok(matches!(u16::from_be(load(&header.ether_type)), VLAN | SERVICE_VLAN))
}

/// Puts another VLAN into the outer tag; priority and drop eligibility stay.
#[inline(always)]
fn retag(packet: &mut Packet<impl Context>, vlan: u16) -> Result<(), Outcome> {
    const VLAN_BITS: u16 = 0x0fff;
    let mut tag = packet.header_mut::<Tag>(size_of::<Ethernet>())?;
    let control = u16::from_be(load(&tag.control));
    store(&mut tag.control, (control & !VLAN_BITS | vlan).to_be());
    Ok(())
}

/// Fills the room that was made for a tag. The EtherType that stood behind the addresses now stands behind the tag.
#[inline(always)]
fn tag(packet: &mut Packet<impl Context>, vlan: u16) -> Result<(), Outcome> {
    let mut header = packet.header_mut::<TaggedEthernet>(0)?;
    store(&mut header.ethernet.ether_type, VLAN.to_be());
    store(&mut header.tag.control, vlan.to_be());
    Ok(())
}

/// Addresses the frame to the MAC in the first six bytes of `destination` in memory; its source stays.
#[inline(always)]
pub fn destination(packet: &mut Packet<impl Context>, destination: u64) -> Result<(), Outcome> {
    let mut header = packet.header_mut::<Ethernet>(0)?;
    store(&mut header.destination_head, destination as u32);
    store(&mut header.destination_tail, (destination >> 32) as u16);
    Ok(())
}

const _: () = assert!(cfg!(target_endian = "little"), "the halves of a MAC are taken in little-endian order");

/// Writes destination and source, each a number whose first six bytes in memory are the MAC.
#[inline(always)]
pub fn address(packet: &mut Packet<impl Context>, destination: u64, source: u64) -> Result<(), Outcome> {
    let mut header = packet.header_mut::<Ethernet>(0)?;
    store(&mut header.destination_head, destination as u32);
    store(&mut header.destination_tail, (destination >> 32) as u16);
    store(&mut header.source_head, source as u16);
    store(&mut header.source_tail, (source >> 16) as u32);
    Ok(())
}

/// A MAC as a number whose first six bytes in memory are the MAC.
#[inline(always)]
pub fn wide(mac: &[u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = *mac;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}
