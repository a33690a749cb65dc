//! modlb's datapath: the programs.
//!
//! The packet's way: `parse` → `service` → `select` → `rewrite`. Each stage takes what the stage before returns, so none
//! can be left out, and nothing is written to a packet before it is certain that it will be sent.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry points are documented; what the macro makes of them is not")]

mod datapath;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use lb_ebpf::packet::{Context, MultiBuffer, Packet};

use crate::datapath::{
    action::{action, finish},
    balancer, member, steer,
};

lb_ebpf::object!();

/// Role `balancer`: sends each packet of a service to the server that the formula names.
#[xdp]
pub fn balancer(context: XdpContext) -> u32 {
    balancer::balance(context.ctx)
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn balancer_frags(context: XdpContext) -> u32 {
    balancer::balance(context.ctx.cast::<MultiBuffer>())
}

/// Role `member`: takes each packet of a service that the formula gives to this host, and drops those of other members.
#[xdp]
pub fn member(context: XdpContext) -> u32 {
    join(context.ctx)
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn member_frags(context: XdpContext) -> u32 {
    join(context.ctx.cast::<MultiBuffer>())
}

/// Role `steer`: what this host sends goes to the router that the formula names, and then where it would have gone.
#[classifier]
pub fn steer(context: TcContext) -> i32 {
    match steer::steer(context.skb.skb).map_err(action) {
        Err(xdp_action::XDP_DROP) => TC_ACT_SHOT,
        Ok(()) | Err(_) => TC_ACT_UNSPEC,
    }
}

/// Takes every packet as if there were no program. A veth hands frames that XDP sends to its peer only when the peer has
/// a program, too.
#[xdp]
pub fn pass(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// The same for frames that need more than one buffer.
#[xdp(frags)]
pub fn pass_frags(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[inline(always)]
fn join<C: Context>(context: *mut C) -> u32 {
    // SAFETY: the kernel hands each program a valid context.
    let packet = unsafe { Packet::new(context) };
    finish(&packet, member::take(&packet))
}
