//! Role `member`: this host receives what every other member receives, and takes what the formula gives it.
//!
//! Trap: the kernel drops what is not addressed to the host's own MAC, TCP and forwarded packets in any case. So what is
//! accepted is addressed anew, and the kernel looks at the address after the program.

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
};
use lb_ebpf::{
    ethernet,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::{answer, maps, orient, rewrite, select};

/// Takes the packet, drops it, or answers it.
#[inline(always)]
pub fn take(packet: &Packet<impl Context>) -> Result<u32, Outcome> {
    let control = maps::control();
    match judge(packet, control) {
        // Questions about addresses are no service's packets, and come by broadcast, multicast or the group's MAC.
        Err(outcome @ (Outcome::NotOurs | Outcome::NotIp | Outcome::NoService)) if !control.standby() => {
            Err(answer::answer(packet, control).unwrap_or(outcome))
        }
        judged => judged,
    }
}

#[inline(always)]
fn judge(packet: &Packet<impl Context>, control: Control) -> Result<u32, Outcome> {
    let frame = ethernet::group(packet, maps::interface_mac(), maps::group_mac())?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => judge_flow(packet, control, &flow),
        Parsed::V6(flow) => judge_flow(packet, control, &flow),
    }
}

/// Every packet counts for the server that the formula names, and what is dropped nowhere else: that is most of them.
#[inline(always)]
fn judge_flow<A: Address>(packet: &Packet<impl Context>, control: Control, flow: &Flow<A>) -> Result<u32, Outcome> {
    let (flow, service) = orient::find(flow, control)?;
    let slot = select::slot(&flow, service, packet.frames(), packet.len())?;
    // Of a member's slots only its own are marked.
    if !slot.is_indirect() {
        return Ok(xdp_action::XDP_DROP);
    }
    rewrite::destination(packet, maps::interface_mac())?;
    Err(Outcome::Accepted)
}
