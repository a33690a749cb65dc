//! Role `steer`: what this host sends goes through the router or proxy that the formula names.
//!
//! Nearly all packets take the fast path, as in role `balancer`.
//!
//! Trap: a large packet's payload may lie outside the linear part of its socket buffer, and in rare cases so do its
//! headers. Then the headers are pulled into the linear part, and the packet is read again.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use lb_common::{
    control::Control,
    flow::{Address, Flow},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::{
    ethernet::{self, Unicast},
    packet::{Context, Packet},
    parse::{self, Parsed},
};

use super::{
    action::action,
    count, maps,
    observer::Observer,
    orient::{self, Stage},
    rewrite, select,
};

/// More bytes than all headers that are read, quoted ones included.
pub const HEADERS: u32 = 512;

/// Addresses the frame to the router; it still leaves by its own interface.
#[inline(always)]
pub fn steer<O: Observer>(context: *mut __sk_buff) -> i32 {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let control = maps::control();
    let done = if O::FAST_PATH { orient::fast::<Steer, _>(&mut packet, Unicast, control) } else { None };
    match done {
        Some(action) => action,
        None => steer_other::<O>(context, control.0),
    }
}

/// What is done with packets of services whose router is another host.
struct Steer;

impl<C: Context> Stage<C> for Steer {
    type Done = i32;

    #[inline(always)]
    fn decide<A: Address>(packet: &mut Packet<C>, flow: &Flow<A>, service: &ServiceCell) -> Option<i32> {
        let (slot, counter) = select::lookup_slot(flow, service).ok()?;
        if slot.is_indirect() {
            return None;
        }
        count::server(counter, packet.frames(), packet.len());
        rewrite::destination(packet, slot.0).ok()?;
        Some(TC_ACT_UNSPEC)
    }
}

/// The general path: any packet, from the start, by the same control word.
#[inline(never)]
fn steer_other<O: Observer>(context: *mut __sk_buff, control: u64) -> i32 {
    let control = Control(control);
    let Some(observer) = O::start(context, control) else { return TC_ACT_UNSPEC };
    let outcome = judge_pulled(context, control, observer);
    let action = if action(outcome) == xdp_action::XDP_DROP { TC_ACT_SHOT } else { TC_ACT_UNSPEC };
    observer.end(context, outcome, action as u32);
    action
}

/// Any outcome but `forwarded` is counted.
#[inline(always)]
fn judge_pulled(context: *mut __sk_buff, control: Control, observer: impl Observer) -> Outcome {
    // SAFETY: the kernel hands each program a valid context.
    let mut packet = unsafe { Packet::new(context) };
    let mut pulled = false;
    loop {
        let result = judge(&mut packet, control, observer);
        if !matches!(result, Err(Outcome::Malformed)) || pulled || !packet.pull(HEADERS) {
            return match result {
                Ok(()) => Outcome::Forwarded,
                Err(outcome) => {
                    count::outcome_of(outcome, packet.frames(), packet.len());
                    outcome
                }
            };
        }
        pulled = true;
    }
}

#[inline(always)]
fn judge(packet: &mut Packet<impl Context>, control: Control, observer: impl Observer) -> Result<(), Outcome> {
    let frame = ethernet::read(packet, Unicast)?;
    if control.standby() {
        return Err(Outcome::Standby);
    }
    match parse::network(packet, &frame)? {
        Parsed::V4(flow) => judge_flow(packet, control, &flow, observer),
        Parsed::V6(flow) => judge_flow(packet, control, &flow, observer),
    }
}

#[inline(always)]
fn judge_flow<A: Address>(
    packet: &mut Packet<impl Context>,
    control: Control,
    flow: &Flow<A>,
    observer: impl Observer,
) -> Result<(), Outcome> {
    observer.flow(flow);
    let (flow, service) = orient::find(flow, control)?;
    observer.flow(&flow);
    observer.service(service);
    let (slot, counter) = select::lookup_slot(&flow, service)?;
    observer.server(&flow, service, counter);
    count::server(counter, packet.frames(), packet.len());
    // A host steers by one interface, so an indirect slot means that the router is this host.
    if slot.is_indirect() {
        return Err(Outcome::Local);
    }
    observer.before_write(packet.context());
    rewrite::destination(packet, slot.0)
}
