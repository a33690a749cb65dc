//! Role `member`: this host receives what every other member receives, and takes what the formula gives it, or the
//! packets of connections that it holds.
//!
//! Nearly all packets take the fast path, as in role `balancer`.
//!
//! Trap: the kernel drops frames not addressed to its own MAC (always for TCP and forwarded packets). So the program
//! rewrites the destination of frames that it accepts; the kernel checks it after the program has run.

mod accept;
mod shared;

use aya_ebpf::bindings::xdp_action;
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet,
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use self::accept::accept;
use super::{
    action::finish,
    answer, count, maps,
    network::Network,
    observer::Observer,
    orient::{self, Stage},
    rewrite, select,
};

/// Returns what becomes of the packet.
#[inline(always)]
pub fn join<C: Context, O: Observer>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let done = if O::FAST_PATH { orient::fast::<Join, _>(&mut packet, addressee(), control) } else { None };
    match done {
        Some(action) => action,
        None => join_other::<C, O>(context, control.0),
    }
}

/// What becomes of packets of services whose flows have one owner.
struct Join;

impl<C: Context> Stage<C> for Join {
    type Done = u32;

    #[inline(always)]
    fn decide<A: Address>(packet: &mut Packet<C>, flow: &Flow<A>, service: &ServiceCell) -> Option<u32> {
        if service.flags & ServiceCell::SHARED != 0 {
            return None;
        }
        let (slot, counter) = select::lookup_slot(flow, service).ok()?;
        count::server(counter, 1, packet.len());
        if !slot.is_indirect() {
            return Some(xdp_action::XDP_DROP);
        }
        rewrite::destination(packet, maps::interface_mac()).ok()?;
        Some(finish(packet.len(), Err(Outcome::Accepted)))
    }
}

#[inline(always)]
fn addressee() -> ethernet::Member {
    ethernet::Member { own: maps::interface_mac(), group: maps::group_mac() }
}

/// The general path: any packet, from the start, by the same control word.
#[inline(never)]
fn join_other<C: Context, O: Observer>(context: *mut C, control: u64) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let control = Control(control);
    let Some(observer) = O::start(context, control) else { return xdp_action::XDP_ABORTED };
    let result = take(&mut packet, control, observer);
    let action = finish(packet.len(), result);
    observer.end(context, result.err().unwrap_or(Outcome::Others), action);
    action
}

/// Takes the packet, drops it, or answers it.
#[inline(always)]
fn take(packet: &mut Packet<impl Context>, control: Control, observer: impl Observer) -> Result<u32, Outcome> {
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
fn judge(packet: &mut Packet<impl Context>, control: Control, observer: impl Observer) -> Result<u32, Outcome> {
    let frame = ethernet::read(packet, addressee())?;
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
fn judge_flow<A: Network>(
    packet: &mut Packet<impl Context>,
    control: Control,
    flow: &Flow<A>,
    observer: impl Observer,
) -> Result<u32, Outcome> {
    observer.flow(flow);
    let (flow, service) = orient::find(flow, control)?;
    observer.flow(&flow);
    observer.service(service);
    if service.flags & ServiceCell::SHARED != 0 {
        return shared::judge(packet, &flow, service, observer);
    }
    let (slot, counter) = select::lookup_slot(&flow, service)?;
    observer.server(&flow, service, counter);
    count::server(counter, packet.frames(), packet.len());
    // Only the member's own slots are indirect.
    if !slot.is_indirect() {
        return Ok(xdp_action::XDP_DROP);
    }
    accept(packet, observer)?;
    Err(Outcome::Accepted)
}
