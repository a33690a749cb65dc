//! The regular programs: one entry point for each role.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

mod datapath;
mod unobserved;

use aya_ebpf::{
    bindings::xdp_action,
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use lb_ebpf::packet::MultiBuffer;

use crate::{
    datapath::{balancer, keep, member, steer},
    unobserved::Unobserved,
};

lb_ebpf::object!();

/// Role `balancer`: sends each packet of a service to the server that the formula names.
#[xdp]
pub fn balancer(context: XdpContext) -> u32 {
    balancer::balance::<_, Unobserved>(context.ctx)
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn balancer_frags(context: XdpContext) -> u32 {
    balancer::balance::<_, Unobserved>(context.ctx.cast::<MultiBuffer>())
}

/// Role `member`: takes each packet of a service that the formula gives to this host, and drops those of other members.
#[xdp]
pub fn member(context: XdpContext) -> u32 {
    member::join::<_, Unobserved>(context.ctx)
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn member_frags(context: XdpContext) -> u32 {
    member::join::<_, Unobserved>(context.ctx.cast::<MultiBuffer>())
}

/// Role `steer`: addresses what this host sends to the router that the formula names.
#[classifier]
pub fn steer(context: TcContext) -> i32 {
    steer::steer::<Unobserved>(context.skb.skb)
}

/// Role `keep`: hands packets of connections that this host does not hold to the server that may.
#[classifier]
pub fn keep(context: TcContext) -> i32 {
    keep::keep::<Unobserved>(context.skb.skb)
}

/// Passes every packet. A veth delivers frames that XDP sends to it only if its end has a program as well.
#[xdp]
pub fn pass(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn pass_frags(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}
