//! Accepts a packet.

use lb_common::outcome::Outcome;
use lb_ebpf::packet::{Context, Packet};

use super::super::{maps, observer::Observer, rewrite};

/// Addresses the frame to this host.
#[inline(always)]
pub fn accept(packet: &mut Packet<impl Context>, observer: impl Observer) -> Result<(), Outcome> {
    observer.before_write(packet.context());
    rewrite::destination(packet, maps::interface_mac())
}
