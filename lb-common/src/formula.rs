//! The formula: which of T slots a flow belongs to.
//!
//! ```text
//! 3-tuple:  (SRC_IP + DEST_IP + DEST_PORT) % T
//! 5-tuple:  (SRC_IP + SRC_PORT + DEST_IP + DEST_PORT + PROTOCOL) % T
//! ```
//!
//! The sum is exact: an IPv6 address counts with all of its 128 bits, and nothing wraps.

use crate::flow::{Address, Flow};

/// Which fields are added up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Formula {
    /// Source address, destination address, destination port: all of a client's connections to a service go to one
    /// server.
    ThreeTuple,
    /// Both addresses, both ports and the protocol: a client's connections are spread over the servers.
    FiveTuple,
}

impl Formula {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThreeTuple => "3-tuple",
            Self::FiveTuple => "5-tuple",
        }
    }
}

/// `2^32`, `2^64` and `2^96` modulo `slots`, which must not be 0.
///
/// Kept next to T in the service's cell, so that the datapath needs only one division for an address of 128 bits.
pub const fn powers(slots: u32) -> [u32; 3] {
    let t = slots as u64;
    let first = (1 << 32) % t;
    let second = first * first % t;
    let third = second * first % t;
    [first as u32, second as u32, third as u32]
}

/// The flow's slot among `slots`, which must not be 0; `powers` is [`powers`]`(slots)`.
#[inline(always)]
pub fn slot<A: Address>(flow: &Flow<A>, formula: Formula, slots: u32, powers: &[u32; 3]) -> u32 {
    let mut sum = flow.source.sum_modulo(flow.destination, powers) + flow.destination_port as u64;
    if matches!(formula, Formula::FiveTuple) {
        sum += flow.source_port as u64 + flow.protocol as u64;
    }
    (sum % slots as u64) as u32
}
