//! Records of ABI 6, made from those of this version. The product reads them by definitions of its own.

use lb_common::{
    limits::{MAX_CHECK_TEXT_BYTES, MAX_NAME_BYTES},
    record::{CheckRecord, DrainingRecord, GroupRecord, HalfRecord, ServerRecord, ServiceRecord},
    table::Counter,
};

/// `HALVES`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Half {
    services: u32,
    servers: u32,
    slots: u32,
    draining: u32,
    former: Counter,
    group: GroupRecord,
    source: u64,
}

const _: () = assert!(size_of::<Half>() == 184);

/// `SERVERS`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Server {
    address: [u8; 16],
    mac: [u8; 6],
    mac_given: u8,
    up: u8,
    weight: u32,
    counter: u32,
    location: u32,
    vlan: u32,
    down_since: u64,
    failing_since: u64,
    unresolved_since: u64,
    failing_detail: u32,
    unresolved_on: u32,
    reasons: u8,
    failing_why: u8,
    unresolved_why: u8,
    reserved: [u8; 5],
}

const _: () = assert!(size_of::<Server>() == 80);

/// `RETIRED`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Draining {
    counter: u32,
    service: u32,
}

/// `SERVICES`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Service {
    name: [u8; MAX_NAME_BYTES],
    address: [u8; 16],
    former: Counter,
    digest: u64,
    resilient_slots: u32,
    n: u32,
    slots: u32,
    first_slot: u32,
    first_server: u32,
    servers: u32,
    first_counter: u32,
    protocol: i16,
    port: u16,
    family: u8,
    prefix: u8,
    formula: u8,
    fragments: u8,
    direction: u8,
    reserved: [u8; 3],
    check: Check,
}

const _: () = assert!(size_of::<Service>() == 440);

/// How a service's servers are checked.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Check {
    path: [u8; MAX_CHECK_TEXT_BYTES],
    host: [u8; MAX_CHECK_TEXT_BYTES],
    source: [u8; 16],
    interval_ms: u32,
    timeout_ms: u32,
    rise: u16,
    fall: u16,
    port: u16,
    expect_first: u16,
    expect_last: u16,
    kind: u8,
    verify: u8,
    min_up: u32,
}

pub fn half(now: &HalfRecord) -> Half {
    let HalfRecord { services, servers, slots, draining, former, group, source, .. } = *now;
    Half { services, servers, slots, draining, former, group, source }
}

pub fn server(now: &ServerRecord) -> Server {
    Server {
        address: now.address,
        mac: now.mac,
        mac_given: now.mac_given,
        up: now.up,
        weight: now.weight,
        counter: now.counter,
        location: now.location,
        vlan: now.vlan,
        down_since: now.down_since.into(),
        failing_since: now.failing_since,
        unresolved_since: now.unresolved_since,
        failing_detail: now.failing_detail,
        unresolved_on: now.unresolved_on,
        reasons: now.reasons,
        failing_why: now.failing_why,
        unresolved_why: now.unresolved_why,
        reserved: [0; 5],
    }
}

pub fn service(now: &ServiceRecord) -> Service {
    Service {
        name: now.name,
        address: now.address,
        former: now.former,
        digest: now.digest,
        resilient_slots: now.resilient_slots,
        n: now.n,
        slots: now.slots,
        first_slot: now.first_slot,
        first_server: now.first_server,
        servers: now.servers,
        first_counter: now.first_counter,
        protocol: now.protocol,
        port: now.port,
        family: now.family,
        prefix: now.prefix,
        formula: now.formula,
        fragments: now.fragments,
        direction: now.direction,
        reserved: [0; 3],
        check: check(&now.check),
    }
}

fn check(now: &CheckRecord) -> Check {
    Check {
        path: now.path,
        host: now.host,
        source: now.source,
        interval_ms: now.interval_ms,
        timeout_ms: now.timeout_ms,
        rise: now.rise,
        fall: now.fall,
        port: now.port,
        expect_first: now.expect_first,
        expect_last: now.expect_last,
        kind: now.kind,
        verify: now.verify,
        min_up: now.min_up,
    }
}

pub fn draining(now: &DrainingRecord) -> Draining {
    Draining { counter: now.counter, service: now.service }
}
