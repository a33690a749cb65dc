//! What a server of role `keep` does with a packet of a connection.

use std::net::IpAddr;

use lb_common::keep::{FIRST_TTL, MAX_HAND_ONS};

use super::ring::Ring;

/// Who may hold a flow's connection, as one host sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidates {
    /// The flow's hash.
    pub flow: u64,
    /// Who takes the flow's new connections; `None`: nobody does.
    pub owner: Option<IpAddr>,
    /// The servers that may hold it.
    pub holders: Vec<IpAddr>,
}

/// A packet as it arrives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// How often it was handed on.
    pub hand_ons: u32,
    /// Whether it opens a connection.
    pub syn: bool,
    /// Whether this host holds its connection, or its ACK is a valid SYN cookie.
    pub found: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// This host takes it: it holds the connection, or nobody else may, or the packet opens one and was handed on.
    Pass,
    /// This host takes it: the packet opens a connection, and the host owns its flow.
    Owner,
    /// It goes to this server.
    HandOn(IpAddr),
    /// This host takes it, after everyone who may hold the connection was asked.
    TakenLast,
}

impl Candidates {
    /// What a host does with a packet.
    pub fn step(&self, host: IpAddr, arrival: Arrival) -> Step {
        let Arrival { hand_ons, syn, found } = arrival;
        match (syn, self.owner) {
            (true, Some(owner)) if owner == host => return Step::Owner,
            (true, Some(owner)) if hand_ons == 0 => return Step::HandOn(owner),
            (true, _) => return Step::Pass,
            (false, _) if found => return Step::Pass,
            (false, _) => {}
        }
        let ring = Ring::new(self.flow, self.holders.iter().copied().chain([host]));
        match ring.after(host) {
            None => Step::Pass,
            Some(next) if hand_ons < limit(ring.members().len()) => Step::HandOn(next),
            Some(_) => Step::TakenLast,
        }
    }
}

/// How often a frame is handed on in a ring of so many: one and a half rounds.
fn limit(members: usize) -> u32 {
    (3 * members as u32 / 2).min(MAX_HAND_ONS)
}

/// How often a frame was handed on. `from_server`: its L2 source is the MAC of a server.
pub fn hand_ons(from_server: bool, ttl: u8) -> u32 {
    match from_server {
        true if ttl <= FIRST_TTL => u32::from(FIRST_TTL - ttl) + 1,
        _ => 0,
    }
}
