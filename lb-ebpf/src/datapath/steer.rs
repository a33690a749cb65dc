//! Role `steer`: what this host sends goes through the router or proxy that the formula names.
//!
//! Trap: a large packet's payload need not be in the packet's linear part, and sometimes not even its headers are. Only
//! then, which is rare, they are moved there and the packet is looked at again.

use aya_ebpf::{bindings::__sk_buff, helpers::bpf_skb_pull_data};
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

use super::{count, maps, orient, rewrite, select};

/// More than any headers that are looked through, quoted ones included.
const HEADERS: u32 = 512;

/// Addresses the frame to the router. Whatever else becomes of it is counted.
#[inline(always)]
pub fn steer(context: *mut __sk_buff) -> Result<(), Outcome> {
    let mut pulled = false;
    loop {
        // SAFETY: the kernel hands each program a valid context. Pulling moves the packet, so it is looked up anew.
        let packet = unsafe { Packet::new(context) };
        let result = judge(&packet);
        if !matches!(result, Err(Outcome::Malformed)) || pulled || !pull(context) {
            return result.inspect_err(|outcome| count::outcome_of(*outcome, packet.frames(), packet.len()));
        }
        pulled = true;
    }
}

/// Moves headers into the linear part; `false`: they were there.
#[inline(always)]
pub fn pull(context: *mut __sk_buff) -> bool {
    // SAFETY: the context is valid.
    let (data, end, length) = unsafe { ((*context).data, (*context).data_end, (*context).len) };
    let wanted = if length < HEADERS { length } else { HEADERS };
    // SAFETY: the same; the caller looks up the packet anew.
    end - data < wanted && unsafe { bpf_skb_pull_data(context, wanted) } == 0
}

#[inline(always)]
fn judge(packet: &Packet<impl Context>) -> Result<(), Outcome> {
    let control = maps::control();
    let frame = ethernet::unicast(packet)?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => judge_flow(packet, control, &flow),
        Parsed::V6(flow) => judge_flow(packet, control, &flow),
    }
}

#[inline(always)]
fn judge_flow<A: Address>(packet: &Packet<impl Context>, control: Control, flow: &Flow<A>) -> Result<(), Outcome> {
    let (flow, service) = orient::find(flow, control)?;
    let slot = select::slot(&flow, service, packet.frames(), packet.len())?;
    // This host steers by one interface, so a mark means that it is the router itself.
    if slot.is_indirect() {
        return Err(Outcome::Local);
    }
    rewrite::destination(packet, slot.0)
}
