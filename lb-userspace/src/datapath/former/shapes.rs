//! What the maps of ABI 6 hold. None of this changes any more.

use lb_common::limits::{MAX_CHECK_TEXT_BYTES, MAX_NAME_BYTES, MAX_SELF_ADDRESSES};

use crate::datapath::store::maps::Plain;

/// The most server counters that share a cache line with one CPU's packed counters.
const PACKED_COUNTERS_PER_LINE: u32 = 16;

/// Counters for each server entry.
const COUNTERS_PER_SERVER: u32 = 3;

/// Counters of outcomes for each CPU.
pub const OUTCOME_COUNTERS: u32 = 16;

/// In [`Draining::service`]: the service is no longer configured.
pub const NO_SERVICE: u32 = u32::MAX;

/// In [`Server::reasons`]: down by command or configuration.
pub const DOWN: u8 = 1;
/// In [`Server::reasons`]: its check fails.
pub const FAILING: u8 = 1 << 1;
/// In [`Server::reasons`]: it has no MAC and needs one.
pub const UNRESOLVED: u8 = 1 << 2;

/// In [`Group::flags`]: interfaces are promiscuous.
pub const PROMISCUOUS: u32 = 1;
/// In [`Group::flags`]: ARP requests and neighbour solicitations are answered.
pub const ANSWER_ARP: u32 = 1 << 1;

/// In [`Server::vlan`]: tags stay as they are.
pub const KEEP: u32 = u32::MAX;

/// How many counters of servers each CPU has, for an instance with room for so many server entries.
pub const fn counters(servers: u32) -> u32 {
    (servers * COUNTERS_PER_SERVER).next_multiple_of(PACKED_COUNTERS_PER_LINE)
}

/// Packets and bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// What is not added to a counter yet: 22 bits of bytes above 10 bits of packets.
pub const fn unpacked(packed: u32) -> Counter {
    Counter { packets: (packed & 0x3ff) as u64, bytes: (packed >> 10) as u64 }
}

/// A half.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Half {
    pub services: u32,
    pub servers: u32,
    pub slots: u32,
    pub draining: u32,
    pub former: Counter,
    pub group: Group,
    pub source: u64,
}

const _: () = assert!(size_of::<Half>() == 184);

/// A member and its group.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Group {
    pub own: [[u8; 16]; MAX_SELF_ADDRESSES],
    pub own_count: u32,
    pub flags: u32,
    pub mac: [u8; 6],
    pub reserved: [u8; 2],
}

/// A service.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Service {
    pub name: [u8; MAX_NAME_BYTES],
    pub address: [u8; 16],
    pub former: Counter,
    pub digest: u64,
    pub resilient_slots: u32,
    pub n: u32,
    pub slots: u32,
    pub first_slot: u32,
    pub first_server: u32,
    pub servers: u32,
    pub first_counter: u32,
    pub protocol: i16,
    pub port: u16,
    pub family: u8,
    pub prefix: u8,
    pub formula: u8,
    pub fragments: u8,
    pub direction: u8,
    pub reserved: [u8; 3],
    pub check: Check,
}

const _: () = assert!(size_of::<Service>() == 440);

/// A service's health check.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Check {
    pub path: [u8; MAX_CHECK_TEXT_BYTES],
    pub host: [u8; MAX_CHECK_TEXT_BYTES],
    pub source: [u8; 16],
    pub interval_ms: u32,
    pub timeout_ms: u32,
    pub rise: u16,
    pub fall: u16,
    pub port: u16,
    pub expect_first: u16,
    pub expect_last: u16,
    pub kind: u8,
    pub verify: u8,
    pub min_up: u32,
}

/// A server.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Server {
    pub address: [u8; 16],
    pub mac: [u8; 6],
    pub mac_given: u8,
    pub up: u8,
    pub weight: u32,
    pub counter: u32,
    pub location: u32,
    pub vlan: u32,
    pub down_since: u64,
    pub failing_since: u64,
    pub unresolved_since: u64,
    pub failing_detail: u32,
    pub unresolved_on: u32,
    pub reasons: u8,
    pub failing_why: u8,
    pub unresolved_why: u8,
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<Server>() == 80);

/// The counter of a server that left.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Draining {
    pub counter: u32,
    pub service: u32,
}

/// How to reach a server.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NextHop {
    pub interface: u32,
    pub vlan: u32,
    pub destination: [u8; 6],
    pub source: [u8; 6],
    pub reserved: u32,
}

const _: () = assert!(size_of::<NextHop>() == 24);

/// A setting of an interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NicState {
    pub netns_cookie: u64,
    pub interface: u32,
    pub kind: u32,
    pub mac: [u8; 6],
    pub priority: u16,
    pub handle: u32,
    pub reserved: u32,
}

const _: () = assert!(size_of::<NicState>() == 32);

macro_rules! plain {
    ($($type:ty),+) => {
        $(
            // SAFETY: the type is `repr(C)`, made of numbers, and without padding.
            unsafe impl Plain for $type {}
        )+
    };
}

plain!(Half, Service, Server, Draining, NextHop, NicState, Counter, u32);
