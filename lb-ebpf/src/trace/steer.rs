//! Role `steer`, noting what happens. Stage by stage what `steer.rs` does beside this directory, counters included.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
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

use crate::{
    action::action,
    count, maps,
    note::{Listener, Note},
    orient, rewrite, select,
};

#[allow(dead_code, reason = "the program of every day is not among these")]
#[path = "../datapath/steer.rs"]
mod plainly;

/// Addresses the frame to the router, and lets it go where it would have gone.
#[inline(always)]
pub fn steer<L: Listener>(context: *mut __sk_buff) -> i32 {
    let control = maps::control();
    // SAFETY: the kernel hands each program a valid context.
    let (length, frames) = unsafe { (__sk_buff::length(context), __sk_buff::frames(context)) };
    let Some(note) = Note::start(control, length, frames) else { return TC_ACT_UNSPEC };
    let mut pulled = false;
    let outcome = loop {
        // SAFETY: as before. Pulling moves the packet, so it is looked up anew.
        let packet = unsafe { Packet::new(context) };
        let result = judge(&packet, control, note);
        if !matches!(result, Err(Outcome::Malformed)) || pulled || !plainly::pull(context) {
            break match result {
                Ok(()) => Outcome::Forwarded,
                Err(outcome) => {
                    count::outcome_of(outcome, packet.frames(), packet.len());
                    outcome
                }
            };
        }
        pulled = true;
    };
    let dropped = outcome != Outcome::Forwarded && action(outcome) == xdp_action::XDP_DROP;
    let action = if dropped { TC_ACT_SHOT } else { TC_ACT_UNSPEC };
    note.end::<_, L>(context, outcome, action as u32);
    action
}

#[inline(always)]
fn judge(packet: &Packet<impl Context>, control: Control, note: Note) -> Result<(), Outcome> {
    let frame = ethernet::unicast(packet)?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => judge_flow(packet, control, &flow, note),
        Parsed::V6(flow) => judge_flow(packet, control, &flow, note),
    }
}

#[inline(always)]
fn judge_flow<A: Address>(
    packet: &Packet<impl Context>,
    control: Control,
    flow: &Flow<A>,
    note: Note,
) -> Result<(), Outcome> {
    note.flow(flow);
    let (flow, service) = orient::find(flow, control)?;
    note.flow(&flow);
    note.service(service);
    let (_, counter) = select::named(&flow, service)?;
    note.server(&flow, service, counter);
    let slot = select::slot(&flow, service, packet.frames(), packet.len())?;
    if slot.is_indirect() {
        return Err(Outcome::Local);
    }
    note.keep(packet.context());
    rewrite::destination(packet, slot.0)
}
