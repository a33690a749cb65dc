//! What user space keeps in maps besides the datapath's tables: names, addresses and everything else that `status`,
//! `export` and the next change need. These records are written with the half that they describe, and published by
//! the same store.

use crate::{
    limits::{MAX_CHECK_TEXT_BYTES, MAX_NAME_BYTES, MAX_NETNS_BYTES, MAX_PEERS, MAX_PREVIOUS, MAX_SELF_ADDRESSES},
    table::Counter,
};

/// What one half holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HalfRecord {
    /// Services in use, from the half's first.
    pub services: u32,
    /// Server entries in use, from the half's first.
    pub servers: u32,
    /// Slots in use, from the half's first.
    pub slots: u32,
    /// Draining counters in use, from the half's first.
    pub draining: u32,
    /// Tables with a server down are refined to at least this many slots; fewer than
    /// [`crate::limits::REFINED_SLOTS`] if there was no room for that.
    pub refined_slots: u32,
    /// Servers whose finding is not in force, as there was no room for their services' new tables.
    pub left_out: u32,
    /// The sum of the counters of former services, which are no longer configured.
    pub former: Counter,
    /// A member's configuration of itself and its group.
    pub group: GroupRecord,
    /// The digest of the file that the agent put in force last; 0: none. Every other change keeps it, so that an agent
    /// that restarts knows whether the file has changed.
    pub source: u64,
    /// The digest of the addresses that prefix services leave alone; 0: there are none.
    pub own: u64,
    /// A balancer's peers.
    pub peers: [PeerRecord; MAX_PEERS],
    /// How many there are.
    pub peer_count: u32,
    /// 1: `former`, here and of services, has what a former ABI counted for servers that were no longer configured.
    /// Only while an upgrade is made.
    pub carried: u32,
    /// Servers of previous lists in use, from the half's first.
    pub previous: u32,
    /// Role `keep`: one more than the limit of hand-ons per second on each CPU; 0: it is not configured.
    pub max_hand_ons: u32,
}

const _: () = assert!(size_of::<HalfRecord>() == 984);

/// A host that balances the same services.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeerRecord {
    /// In network byte order; IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2).
    pub address: [u8; 16],
    /// Its MAC; zero: not known.
    pub mac: [u8; 6],
    /// 1: it is this host.
    pub here: u8,
    /// Zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<PeerRecord>() == 24);

/// A member's configuration of itself and its group.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GroupRecord {
    /// The member's own addresses among the servers, in network byte order; IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2).
    pub own: [[u8; 16]; MAX_SELF_ADDRESSES],
    /// How many there are.
    pub own_count: u32,
    /// [`GroupRecord::PROMISCUOUS`], [`GroupRecord::ANSWER_ARP`].
    pub flags: u32,
    /// The group's MAC; zero: none.
    pub mac: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<GroupRecord>() == 144);

impl GroupRecord {
    /// Interfaces are put into promiscuous mode.
    pub const PROMISCUOUS: u32 = 1;
    /// ARP requests and neighbour solicitations for services' addresses are answered with the group's MAC.
    pub const ANSWER_ARP: u32 = 1 << 1;
}

/// A service as configured, and where its slots, servers and counters are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServiceRecord {
    /// UTF-8, padded with zeros.
    pub name: [u8; MAX_NAME_BYTES],
    /// The network namespace of its sockets; UTF-8, padded with zeros; empty: that of the interfaces.
    pub netns: [u8; MAX_NETNS_BYTES],
    /// The address in network byte order; IPv4 in the first four bytes.
    pub address: [u8; 16],
    /// The sum of the counters of former servers, which are no longer configured.
    pub former: Counter,
    /// The digest of the slot table.
    pub digest: u64,
    /// Since when it has had these previous lists, in seconds since the epoch; 0: it has none.
    pub transition_since: u64,
    /// The number of slots that `selection = "resilient"` asks for; 0 for `modulo`.
    pub resilient_slots: u32,
    /// N, the sum of the weights.
    pub n: u32,
    /// T, the number of slots of the table.
    pub slots: u32,
    /// The first of its slots, relative to the half.
    pub first_slot: u32,
    /// The first of its server records, relative to the half.
    pub first_server: u32,
    /// How many servers it has.
    pub servers: u32,
    /// The first counter of its window.
    pub first_counter: u32,
    /// The first server of its previous lists, relative to the half.
    pub first_previous: u32,
    /// How many servers each of its previous lists has, the newest first; 0: there is no such list.
    pub previous: [u32; MAX_PREVIOUS],
    /// The id of `netns`; [`ServiceRecord::NO_NETNS_ID`]: it was not found, or there is none.
    pub netns_id: u32,
    /// Role `keep`: the number of its counter in the map `TAKEN`.
    pub taken: u32,
    /// -1: any, else the IP protocol number.
    pub protocol: i16,
    /// 0: any.
    pub port: u16,
    /// 4 or 6.
    pub family: u8,
    /// The length of the prefix; 32 or 128 for an address.
    pub prefix: u8,
    /// 3 or 5.
    pub formula: u8,
    /// 0: pass, 1: balance.
    pub fragments: u8,
    /// 1: packets to it, 2: packets from it, 3: both.
    pub direction: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// How its servers are checked.
    pub check: CheckRecord,
}

const _: () = assert!(size_of::<ServiceRecord>() == 888);

impl ServiceRecord {
    /// The namespace has no id that is known.
    pub const NO_NETNS_ID: u32 = u32::MAX;
}

/// The health check of a service's servers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckRecord {
    /// The path that is requested; UTF-8, padded with zeros.
    pub path: [u8; MAX_CHECK_TEXT_BYTES],
    /// The `Host` header; UTF-8, padded with zeros; empty: the server's address.
    pub host: [u8; MAX_CHECK_TEXT_BYTES],
    /// The DNS name in TLS; UTF-8, padded with zeros; empty: that of `host`.
    pub sni: [u8; MAX_CHECK_TEXT_BYTES],
    /// The text that the answer must contain; UTF-8, padded with zeros; empty: any answer will do.
    pub body: [u8; MAX_CHECK_TEXT_BYTES],
    /// The source address of attempts, in the format of [`ServerRecord::address`]; zeros: the kernel chooses.
    pub source: [u8; 16],
    /// From the start of one attempt to the start of the next, in milliseconds.
    pub interval_ms: u32,
    /// The longest that an attempt may take, in milliseconds.
    pub timeout_ms: u32,
    /// How many attempts in a row must succeed before a server passes.
    pub rise: u16,
    /// How many attempts in a row must fail before it no longer passes.
    pub fall: u16,
    /// The port that is checked; 0: the service's.
    pub port: u16,
    /// The lowest HTTP status that passes.
    pub expect_first: u16,
    /// The highest HTTP status that passes.
    pub expect_last: u16,
    /// 0: there are no checks; 1: tcp, 2: http, 3: https, 4: icmp.
    pub kind: u8,
    /// 1: the certificate is verified.
    pub verify: u8,
    /// With fewer passing servers than this, checks are ignored.
    pub min_up: u32,
    /// The method of requests; 0: GET, 1: HEAD, 2: OPTIONS.
    pub method: u8,
    /// What counts for a new server before its first check; 0: it passes, 1: it fails.
    pub initial: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<CheckRecord>() == 560);

impl CheckRecord {
    /// There are no checks.
    pub const NONE: Self = Self {
        path: [0; MAX_CHECK_TEXT_BYTES],
        host: [0; MAX_CHECK_TEXT_BYTES],
        sni: [0; MAX_CHECK_TEXT_BYTES],
        body: [0; MAX_CHECK_TEXT_BYTES],
        source: [0; 16],
        interval_ms: 0,
        timeout_ms: 0,
        rise: 0,
        fall: 0,
        port: 0,
        expect_first: 0,
        expect_last: 0,
        kind: 0,
        verify: 0,
        min_up: 0,
        method: 0,
        initial: 0,
        reserved: [0; 6],
    };
}

/// A server of a service.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServerRecord {
    /// The address in network byte order; IPv4 in the first four bytes.
    pub address: [u8; 16],
    /// Its MAC, given or found.
    pub mac: [u8; 6],
    /// 1: the MAC was given by the configuration, 0: it was found through the neighbour table.
    pub mac_given: u8,
    /// 1: it takes flows, 0: it does not, whatever the reason.
    pub up: u8,
    /// Its weight: how many consecutive slots it has in the unrefined table.
    pub weight: u32,
    /// Its counter in the map of counters.
    pub counter: u32,
    /// Where it is, as [`crate::table::NextHop::interface`].
    pub location: u32,
    /// As [`crate::table::NextHop::vlan`].
    pub vlan: u32,
    /// Since when it has been down by command or configuration, in seconds since the epoch.
    pub down_since: u32,
    /// When a server that was taken down by command comes back, in seconds since the epoch;
    /// [`ServerRecord::DOWN_UNTIL_NEXT_FILE`], [`ServerRecord::DOWN_UNTIL_SERVER_UP`]; 0: it was not.
    pub down_until: u32,
    /// Since when its check has been failing, in seconds since the epoch.
    pub failing_since: u64,
    /// Since when it has been without the MAC that it needs, in seconds since the epoch.
    pub unresolved_since: u64,
    /// What it counted by counters that it had before this one.
    pub former: Counter,
    /// A number that details `failing_why`.
    pub failing_detail: u32,
    /// The interface on which the MAC was looked for; 0: none.
    pub unresolved_on: u32,
    /// [`ServerRecord::DOWN`], [`ServerRecord::FAILING`], [`ServerRecord::UNRESOLVED`], any of them at once.
    pub reasons: u8,
    /// Why its check fails.
    pub failing_why: u8,
    /// Why it has no MAC.
    pub unresolved_why: u8,
    /// Zero.
    pub reserved: u8,
    /// The index of the interface on which the MAC was found; 0: it was given, or is not known.
    pub found_on: u32,
}

const _: () = assert!(size_of::<ServerRecord>() == 96);

impl ServerRecord {
    /// Down by command or configuration.
    pub const DOWN: u8 = 1;
    /// Its check fails. It may take flows nevertheless, if too many servers fail.
    pub const FAILING: u8 = 1 << 1;
    /// Taken down by command, until another configuration is put in force.
    pub const DOWN_UNTIL_NEXT_FILE: u32 = 1;
    /// Taken down by command, until `modlb server up`.
    pub const DOWN_UNTIL_SERVER_UP: u32 = u32::MAX;
    /// It has no MAC and needs one.
    pub const UNRESOLVED: u8 = 1 << 2;
}

/// A server of a list that a service had before.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PreviousRecord {
    /// The address, as [`ServerRecord::address`].
    pub address: [u8; 16],
    /// The MAC that it was given; zero: none.
    pub mac: [u8; 6],
    /// 1: it was given a MAC.
    pub mac_given: u8,
    /// 1: it took no flows then.
    pub idle: u8,
    /// Its weight then.
    pub weight: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<PreviousRecord>() == 32);

/// A counter that no slot names any more: that of a server that is no longer configured, or that has another counter
/// now. A program may still add to it by the half before while this half is written, so its last value is taken over
/// only with the next publication.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DrainingRecord {
    /// The counter.
    pub counter: u32,
    /// The index of its service in the same half; [`DrainingRecord::NO_SERVICE`]: no longer configured either.
    pub service: u32,
    /// The index of its server's record in the same half; [`DrainingRecord::NO_SERVER`]: no longer configured.
    pub server: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<DrainingRecord>() == 16);

impl DrainingRecord {
    /// The service is no longer configured either.
    pub const NO_SERVICE: u32 = u32::MAX;
    /// The server is no longer configured.
    pub const NO_SERVER: u32 = u32::MAX;
}

/// A change to an interface that outlives links and commands, so that `detach` must undo it. Written before the change
/// is made, cleared after it is undone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NicStateRecord {
    /// The cookie of the network namespace in which the interface has its index.
    pub netns_cookie: u64,
    /// The interface's index.
    pub interface: u32,
    /// 0: nothing, or one of the constants.
    pub kind: u32,
    /// Of [`NicStateRecord::MULTICAST`].
    pub mac: [u8; 6],
    /// Of a filter.
    pub priority: u16,
    /// Of a filter.
    pub handle: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<NicStateRecord>() == 32);

impl NicStateRecord {
    /// The interface receives a multicast MAC.
    pub const MULTICAST: u32 = 1;
    /// The interface receives every frame.
    pub const PROMISCUOUS: u32 = 2;
    /// A filter of the clsact queueing discipline runs the program on what the interface sends.
    pub const FILTER: u32 = 3;
    /// The same on what it receives.
    pub const INGRESS_FILTER: u32 = 4;
}

/// An interface that the instance is attached to, and what its program was made for. Written before the program is
/// attached and whenever another one replaces it; cleared after it is detached.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct PortRecord {
    /// The cookie of the network namespace in which the interface has its index.
    pub netns_cookie: u64,
    /// The interface's index; 0: the record is free.
    pub interface: u32,
    /// The id of the regular program; 0: none is attached yet.
    pub program: u32,
    /// The interface's name when it was attached, padded with zeros.
    pub name: [u8; 16],
    /// The MAC that the program takes for the interface's.
    pub mac: [u8; 6],
    /// [`PortRecord::NATIVE`], [`PortRecord::GENERIC`], [`PortRecord::TCX`] or [`PortRecord::CLSACT`].
    pub mode: u8,
    /// Zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<PortRecord>() == 40);

impl PortRecord {
    /// XDP in the driver.
    pub const NATIVE: u8 = 1;
    /// XDP in the network stack.
    pub const GENERIC: u8 = 2;
    /// Traffic control by a TCX link.
    pub const TCX: u8 = 3;
    /// Traffic control by a clsact filter.
    pub const CLSACT: u8 = 4;
}
