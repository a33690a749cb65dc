//! The one place where an outcome becomes an action.

use aya_ebpf::bindings::xdp_action;
use lb_common::outcome::Outcome;

use super::count;

/// What becomes of a packet of this length; outcomes that end before a server are counted.
#[inline(always)]
pub fn finish(bytes: usize, result: Result<u32, Outcome>) -> u32 {
    result.unwrap_or_else(|outcome| {
        count::outcome(outcome, bytes);
        action(outcome)
    })
}

/// Outcomes that end here rather than at a server: what to do with the packet.
#[inline(always)]
pub fn action(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::NoServer | Outcome::Unreachable | Outcome::Others => xdp_action::XDP_DROP,
        Outcome::Answered => xdp_action::XDP_TX,
        Outcome::Forwarded
        | Outcome::Accepted
        | Outcome::Local
        | Outcome::Standby
        | Outcome::NotOurs
        | Outcome::NotIp
        | Outcome::Malformed
        | Outcome::TooManyHeaders
        | Outcome::Fragment
        | Outcome::NoService => xdp_action::XDP_PASS,
    }
}
