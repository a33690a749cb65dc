//! The programs that tell what happens to packets: to `modlb trace` by events, to `modlb logs` by messages.
//!
//! They are swapped in while somebody watches, and out again. What they do to packets is what the programs of every day do, by
//! the same stages; only the short cut for plain packets is left out. They are a file of their own, so that nothing of this
//! costs those programs an instruction.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

#[path = "../datapath/action.rs"]
mod action;
#[path = "../datapath/answer.rs"]
mod answer;
mod balancer;
#[path = "../datapath/count.rs"]
mod count;
mod log;
#[path = "../datapath/lookup_key.rs"]
mod lookup_key;
#[allow(dead_code, reason = "what the short cut for plain packets uses")]
#[path = "../datapath/maps.rs"]
mod maps;
mod member;
mod note;
#[path = "../datapath/orient.rs"]
mod orient;
#[path = "../datapath/prefix.rs"]
mod prefix;
#[path = "../datapath/probe.rs"]
mod probe;
#[path = "../datapath/rewrite.rs"]
mod rewrite;
#[allow(dead_code, reason = "what counts at once what is told of later here")]
#[path = "../datapath/select.rs"]
mod select;
#[allow(dead_code, reason = "what the short cut for plain packets uses")]
#[path = "../datapath/service.rs"]
mod service;
mod steer;

use aya_ebpf::{
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use lb_ebpf::packet::MultiBuffer;

use crate::{log::Messages, note::Events};

lb_ebpf::object!();

/// `balancer`, telling by events. The kernel keeps 15 bytes of a name: they begin with what is different.
#[xdp]
pub fn trace_balancer(context: XdpContext) -> u32 {
    balancer::balance::<_, Events>(context.ctx)
}

/// `balancer_frags`, telling by events.
#[xdp(frags)]
pub fn trace_balancer_frags(context: XdpContext) -> u32 {
    balancer::balance::<_, Events>(context.ctx.cast::<MultiBuffer>())
}

/// `member`, telling by events.
#[xdp]
pub fn trace_member(context: XdpContext) -> u32 {
    member::join::<_, Events>(context.ctx)
}

/// `member_frags`, telling by events.
#[xdp(frags)]
pub fn trace_member_frags(context: XdpContext) -> u32 {
    member::join::<_, Events>(context.ctx.cast::<MultiBuffer>())
}

/// `steer`, telling by events.
#[classifier]
pub fn trace_steer(context: TcContext) -> i32 {
    steer::steer::<Events>(context.skb.skb)
}

/// `balancer`, telling by messages.
#[xdp]
pub fn log_balancer(context: XdpContext) -> u32 {
    balancer::balance::<_, Messages>(context.ctx)
}

/// `balancer_frags`, telling by messages.
#[xdp(frags)]
pub fn log_balancer_frags(context: XdpContext) -> u32 {
    balancer::balance::<_, Messages>(context.ctx.cast::<MultiBuffer>())
}

/// `member`, telling by messages.
#[xdp]
pub fn log_member(context: XdpContext) -> u32 {
    member::join::<_, Messages>(context.ctx)
}

/// `member_frags`, telling by messages.
#[xdp(frags)]
pub fn log_member_frags(context: XdpContext) -> u32 {
    member::join::<_, Messages>(context.ctx.cast::<MultiBuffer>())
}

/// `steer`, telling by messages.
#[classifier]
pub fn log_steer(context: TcContext) -> i32 {
    steer::steer::<Messages>(context.skb.skb)
}
