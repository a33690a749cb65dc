//! Turns an outcome into what a program returns.

use aya_ebpf::bindings::xdp_action;
use lb_common::outcome::{Action, Outcome};

use super::count;

/// What becomes of a packet of this length; outcomes that end before a server are counted.
#[inline(always)]
pub fn finish(bytes: usize, result: Result<u32, Outcome>) -> u32 {
    result.unwrap_or_else(|outcome| {
        count::outcome(outcome, bytes);
        action(outcome)
    })
}

/// What an XDP program returns for an outcome. What it returns for a packet that goes to a server is [`super::rewrite`]'s to say.
#[inline(always)]
pub fn action(outcome: Outcome) -> u32 {
    match outcome.action() {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Drop => xdp_action::XDP_DROP,
        Action::Transmit => xdp_action::XDP_TX,
    }
}
