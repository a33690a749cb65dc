//! The traced programs: they record what happens to packets, for `modlb trace` as events, for `modlb logs` as messages.
//!
//! They replace the regular programs while somebody watches. They consist of the same stages and do the same to
//! packets, but have no fast path. They are a separate object file, so that the regular programs pay for none of
//! this.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

mod datapath;
mod trace;

use aya_ebpf::{
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use lb_ebpf::packet::MultiBuffer;

use crate::{
    datapath::{balancer, keep, member, steer},
    trace::{events, messages, recorder::Recorder},
};

type Events = Recorder<events::Events>;
type Messages = Recorder<messages::Messages>;

lb_ebpf::object!();

/// `balancer`, emitting events. The kernel keeps 15 bytes of a name: they begin with what is different.
#[xdp]
pub fn trace_balancer(context: XdpContext) -> u32 {
    balancer::balance::<_, Events>(context.ctx)
}

/// `balancer_frags`, emitting events.
#[xdp(frags)]
pub fn trace_balancer_frags(context: XdpContext) -> u32 {
    balancer::balance::<_, Events>(context.ctx.cast::<MultiBuffer>())
}

/// `member`, emitting events.
#[xdp]
pub fn trace_member(context: XdpContext) -> u32 {
    member::join::<_, Events>(context.ctx)
}

/// `member_frags`, emitting events.
#[xdp(frags)]
pub fn trace_member_frags(context: XdpContext) -> u32 {
    member::join::<_, Events>(context.ctx.cast::<MultiBuffer>())
}

/// `steer`, emitting events.
#[classifier]
pub fn trace_steer(context: TcContext) -> i32 {
    steer::steer::<Events>(context.skb.skb)
}

/// `keep`, emitting events.
#[classifier]
pub fn trace_keep(context: TcContext) -> i32 {
    keep::keep::<Events>(context.skb.skb)
}

/// `balancer`, emitting messages.
#[xdp]
pub fn log_balancer(context: XdpContext) -> u32 {
    balancer::balance::<_, Messages>(context.ctx)
}

/// `balancer_frags`, emitting messages.
#[xdp(frags)]
pub fn log_balancer_frags(context: XdpContext) -> u32 {
    balancer::balance::<_, Messages>(context.ctx.cast::<MultiBuffer>())
}

/// `member`, emitting messages.
#[xdp]
pub fn log_member(context: XdpContext) -> u32 {
    member::join::<_, Messages>(context.ctx)
}

/// `member_frags`, emitting messages.
#[xdp(frags)]
pub fn log_member_frags(context: XdpContext) -> u32 {
    member::join::<_, Messages>(context.ctx.cast::<MultiBuffer>())
}

/// `steer`, emitting messages.
#[classifier]
pub fn log_steer(context: TcContext) -> i32 {
    steer::steer::<Messages>(context.skb.skb)
}

/// `keep`, emitting messages.
#[classifier]
pub fn log_keep(context: TcContext) -> i32 {
    keep::keep::<Messages>(context.skb.skb)
}
