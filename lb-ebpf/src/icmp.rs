//! Which ICMP messages are what.

use lb_common::flow::protocol;

/// Whether a message quotes the packet that caused it and belongs where that packet belongs: destination unreachable, too
/// big, time exceeded, parameter problem (RFC 792, RFC 4443).
#[inline(always)]
pub fn is_error(icmp: u8, kind: u8) -> bool {
    match icmp {
        protocol::ICMP => matches!(kind, 3 | 11 | 12),
        _ => matches!(kind, 1..=4),
    }
}

/// Whether a message is MLD or neighbour discovery (RFC 2710, RFC 4861, RFC 3810), which are the link's and never a
/// service's.
#[inline(always)]
pub fn is_kept(icmp: u8, kind: u8) -> bool {
    icmp == protocol::ICMPV6 && matches!(kind, 130..=137 | 143)
}
