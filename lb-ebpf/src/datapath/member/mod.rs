//! Role `member`: this host receives what every other member receives, and takes what the formula gives it, or the
//! packets of connections that it holds.
//!
//! Trap: the kernel drops frames not addressed to its own MAC (always for TCP and forwarded packets). So the program
//! rewrites the destination of frames that it accepts; the kernel checks it after the program has run.

mod shared;

use aya_ebpf::bindings::xdp_action;
use lb_common::{control::Control, flow::Flow, outcome::Outcome, table::ServiceCell};
use lb_ebpf::{
    ethernet,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::{action::finish, answer, count, maps, network::Network, observer::Observer, orient, rewrite, select};

/// What becomes of a packet that is neither passed nor answered.
enum Judged {
    /// It is another member's, and dropped.
    Others,
    /// That depended on who holds its connection. All is done but to return this action.
    Done(u32),
}

/// Returns what becomes of the packet.
#[inline(always)]
pub fn join<C: Context, O: Observer>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let Some(observer) = O::start(context, control) else { return xdp_action::XDP_ABORTED };
    let result = match take(&mut packet, control, observer) {
        Ok(Judged::Done(action)) => return action,
        Ok(Judged::Others) => Ok(xdp_action::XDP_DROP),
        Err(outcome) => Err(outcome),
    };
    let action = finish(packet.len(), result);
    observer.end(context, result.err().unwrap_or(Outcome::Others), action);
    action
}

/// Takes the packet, drops it, or answers it.
#[inline(always)]
fn take<C: Context, O: Observer>(packet: &mut Packet<C>, control: Control, observer: O) -> Result<Judged, Outcome> {
    match judge(packet, control, observer) {
        // Questions about addresses come by broadcast, multicast or the group's MAC, and belong to no service.
        Err(outcome @ (Outcome::NotOurs | Outcome::NotIp | Outcome::NoService)) if !control.standby() => {
            observer.before_write(packet.context());
            Err(answer::answer(packet, control).unwrap_or(outcome))
        }
        judged => judged,
    }
}

#[inline(always)]
fn judge<C: Context, O: Observer>(packet: &mut Packet<C>, control: Control, observer: O) -> Result<Judged, Outcome> {
    let frame = ethernet::group(packet, maps::interface_mac(), maps::group_mac())?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => judge_flow(packet, control, &flow, observer),
        Parsed::V6(flow) => judge_flow(packet, control, &flow, observer),
    }
}

/// Every packet counts for the server that the formula names. What is dropped, which is most of them, counts nowhere
/// else.
#[inline(always)]
fn judge_flow<A: Network, C: Context, O: Observer>(
    packet: &mut Packet<C>,
    control: Control,
    flow: &Flow<A>,
    observer: O,
) -> Result<Judged, Outcome> {
    observer.flow(flow);
    let (flow, service) = orient::find(flow, control)?;
    observer.flow(&flow);
    observer.service(service);
    if service.flags & ServiceCell::SHARED != 0 {
        // A copy: what is passed on by reference has its place on the stack, and other packets' flows need none.
        let flow = flow;
        return Ok(Judged::Done(shared::join::<A, C, O>(packet.context(), control.0, &flow, service)));
    }
    let (slot, counter) = select::lookup_slot(&flow, service)?;
    observer.server(&flow, service, counter);
    count::server(counter, packet.frames(), packet.len());
    // Only the member's own slots are indirect.
    if !slot.is_indirect() {
        return Ok(Judged::Others);
    }
    observer.before_write(packet.context());
    rewrite::destination(packet, maps::interface_mac())?;
    Err(Outcome::Accepted)
}
