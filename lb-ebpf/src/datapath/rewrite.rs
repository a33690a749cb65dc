//! The only code that writes packet bytes: both MACs, for some servers the VLAN tag, then the frame is sent.
//!
//! Trap: the source must be rewritten, too. With the client's MAC left in it, switches would learn that the client is
//! behind the balancer's port, and the servers' replies would go astray.

use aya_ebpf::{bindings::xdp_action, helpers::bpf_xdp_adjust_head};
use lb_common::{
    outcome::Outcome,
    table::{Remote, Slot},
};
use lb_ebpf::{
    ethernet::ether_type::{SERVICE_VLAN, VLAN},
    headers::{Ethernet, Tag},
    packet::{Context, Packet, load, store},
};

use super::maps;

/// Addresses the frame to the slot's MAC and returns the action that sends it back.
#[inline(always)]
pub fn l2_return(packet: &Packet<impl Context>, slot: Slot) -> Result<u32, Outcome> {
    address(packet, slot.0, maps::interface_mac())?;
    Ok(xdp_action::XDP_TX)
}

/// Addresses the frame to a server that is behind another interface or in another VLAN, and returns the action that sends it.
///
/// # Errors
///
/// `unreachable`: it cannot be sent there. Then it is as it was.
#[inline(always)]
pub fn via_next_hop<C: Context>(packet: &Packet<C>, remote: &Remote) -> Result<u32, Outcome> {
    match via_next_hop_apart(packet.context(), remote) {
        xdp_action::XDP_ABORTED => Err(Outcome::Unreachable),
        action => Ok(action),
    }
}

/// A function of its own, so that what it does to the packet's bounds and to registers stays out of the path of other
/// packets. Returns an action, or `XDP_ABORTED` for an error.
#[inline(never)]
fn via_next_hop_apart<C: Context>(context: *mut C, remote: &Remote) -> u32 {
    send(context, remote).unwrap_or(xdp_action::XDP_ABORTED)
}

/// The order matters: the way first, then room for a tag, and only then is anything written.
#[inline(always)]
fn send<C: Context>(context: *mut C, remote: &Remote) -> Result<u32, Outcome> {
    let back = remote.interface == Remote::BACK;
    let action = if back || remote.interface == maps::interface() {
        xdp_action::XDP_TX
    } else {
        maps::redirect(remote.interface)?
    };
    // SAFETY: the context of the packet that the caller reads.
    let packet = unsafe { Packet::new(context) };
    match (remote.vlan, is_tagged(&packet)?) {
        (Remote::KEEP, _) | (Remote::UNTAGGED, false) => {}
        (Remote::UNTAGGED, true) => move_start(context, size_of::<Tag>() as i32)?,
        (vlan, true) => retag(&packet, vlan as u16)?,
        (vlan, false) => {
            move_start(context, -(size_of::<Tag>() as i32))?;
            // SAFETY: as before; its bounds are others now.
            tag(&unsafe { Packet::new(context) }, vlan as u16)?;
        }
    }
    let source = if back { maps::interface_mac() } else { wide(&remote.source) };
    // SAFETY: as before; its bounds may be others now.
    address(&unsafe { Packet::new(context) }, wide(&remote.destination), source)?;
    Ok(action)
}

#[inline(always)]
fn is_tagged(packet: &Packet<impl Context>) -> Result<bool, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    // SAFETY: `header` is within the packet.
    let ether_type: u16 = unsafe { load(&raw const (*header).ether_type) };
    Ok(matches!(u16::from_be(ether_type), VLAN | SERVICE_VLAN))
}

/// Moves the frame's start by so many bytes. What stands there then are no addresses yet.
///
/// Trap: every pointer into the packet is void afterwards.
#[inline(always)]
fn move_start<C: Context>(context: *mut C, by: i32) -> Result<(), Outcome> {
    // SAFETY: whatever the kernel hands to a program starts with an `xdp_md`.
    match unsafe { bpf_xdp_adjust_head(context.cast(), by) } {
        0 => Ok(()),
        _ => Err(Outcome::Unreachable),
    }
}

/// Puts another VLAN into the outer tag; priority and drop eligibility stay.
#[inline(always)]
fn retag(packet: &Packet<impl Context>, vlan: u16) -> Result<(), Outcome> {
    const VLAN_BITS: u16 = 0x0fff;
    let tag = packet.header::<Tag>(size_of::<Ethernet>())?;
    // SAFETY: `tag` is within the packet.
    unsafe {
        let control: u16 = load(&raw const (*tag).control);
        store(&raw mut (*tag).control, (u16::from_be(control) & !VLAN_BITS | vlan).to_be());
    }
    Ok(())
}

/// Fills the room that was made for a tag: the EtherType that stood behind the addresses stands behind the tag now.
#[inline(always)]
fn tag(packet: &Packet<impl Context>, vlan: u16) -> Result<(), Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    let tag = packet.header::<Tag>(size_of::<Ethernet>())?;
    // SAFETY: both are within the packet.
    unsafe {
        store(&raw mut (*header).ether_type, VLAN.to_be());
        store(&raw mut (*tag).control, vlan.to_be());
    }
    Ok(())
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
