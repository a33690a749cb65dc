//! Role `member`, noting what happens. Stage by stage what `member.rs` does beside this directory, counters included.

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

use crate::{
    action::finish,
    answer, maps,
    note::{Listener, Note},
    orient, rewrite, select,
};

/// Takes the packet, drops it, or answers it.
#[inline(always)]
pub fn join<C: Context, L: Listener>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let Some(note) = Note::start(control, packet.len(), 1) else { return xdp_action::XDP_ABORTED };
    let result = take(&packet, control, note);
    let outcome = match result {
        // What is dropped as another member's counts nowhere else.
        Ok(_) => Outcome::Others,
        Err(outcome) => outcome,
    };
    let action = finish(&packet, result);
    note.end::<C, L>(context, outcome, action);
    action
}

#[inline(always)]
fn take(packet: &Packet<impl Context>, control: Control, note: Note) -> Result<u32, Outcome> {
    match judge(packet, control, note) {
        Err(outcome @ (Outcome::NotOurs | Outcome::NotIp | Outcome::NoService)) if !control.standby() => {
            note.keep(packet.context());
            Err(answer::answer(packet, control).unwrap_or(outcome))
        }
        judged => judged,
    }
}

#[inline(always)]
fn judge(packet: &Packet<impl Context>, control: Control, note: Note) -> Result<u32, Outcome> {
    let frame = ethernet::group(packet, maps::interface_mac(), maps::group_mac())?;
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
) -> Result<u32, Outcome> {
    note.flow(flow);
    let (flow, service) = orient::find(flow, control)?;
    note.flow(&flow);
    note.service(service);
    let (_, counter) = select::named(&flow, service)?;
    note.server(&flow, service, counter);
    let slot = select::slot(&flow, service, packet.frames(), packet.len())?;
    if !slot.is_indirect() {
        return Ok(xdp_action::XDP_DROP);
    }
    note.keep(packet.context());
    rewrite::destination(packet, maps::interface_mac())?;
    Err(Outcome::Accepted)
}
