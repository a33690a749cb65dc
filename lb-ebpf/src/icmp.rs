//! The ICMP messages that are treated specially.

use lb_common::flow::protocol;

/// Whether a message quotes the packet that caused it, and goes where that packet's flow goes: destination unreachable,
/// too big, time exceeded, parameter problem (RFC 792, RFC 4443).
#[inline(always)]
pub fn is_error(icmp: u8, kind: u8) -> bool {
    match icmp {
        protocol::ICMP => matches!(kind, 3 | 11 | 12),
        _ => matches!(kind, 1..=4),
    }
}

/// Whether a message is MLD or neighbour discovery (RFC 2710, RFC 4861, RFC 3810), which concern the link and never a
/// service.
#[inline(always)]
pub fn is_kept(icmp: u8, kind: u8) -> bool {
    icmp == protocol::ICMPV6 && matches!(kind, 130..=137 | 143)
}
