//! Flow → service: the most specific first.
//!
//! For nearly every packet the first cell decides: it is the service's, or it is empty and no other kind of service is
//! in use. Otherwise a search tries every kind of key. It consists of global functions, which take and return numbers;
//! see `probe`.

use lb_common::{
    control::Control,
    flow::{Address, Flow, protocol},
    key::{self, Kind, Side},
    outcome::Outcome,
    table::ServiceCell,
};
use lb_ebpf::hint::likely;

use super::{
    lookup_key::LookupKey,
    maps,
    prefix::{self, modlb_search_prefix},
    probe::probe,
};

/// The cell of the flow's service.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<&'static ServiceCell, Outcome> {
    let few = if !flow.fragment && protocol::has_ports(flow.protocol) {
        first(flow, control, Side::Destination)
    } else {
        First::Unknown
    };
    match few {
        First::Service(cell) => Ok(cell),
        First::Nothing => Err(Outcome::NoService),
        First::Prefix => numbered(search_prefix(flow, control, Side::Destination)),
        First::Unknown => numbered(search(flow, control, Side::Destination)),
    }
}

/// What few cells tell of a flow's service.
pub enum First {
    /// Its cell.
    Service(&'static ServiceCell),
    /// It has none.
    Nothing,
    /// If it has one, then that of a prefix.
    Prefix,
    /// Only a search can tell.
    Unknown,
}

impl First {
    /// The cell, if there is a service; `None`: that is not known yet.
    #[inline(always)]
    pub fn known(self) -> Option<Option<&'static ServiceCell>> {
        match self {
            Self::Service(cell) => Some(Some(cell)),
            Self::Nothing => Some(None),
            Self::Prefix | Self::Unknown => None,
        }
    }
}

/// Looks for the service of an unfragmented packet of a protocol with ports, by at most two cells: the one where its
/// most specific key belongs, and the next, which the key has if another service was there first.
#[inline(always)]
pub fn first<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> First {
    let halves = flow.destination.halves();
    let tag = key::tag(side.of(A::FAMILY), Kind::Port, flow.protocol, flow.destination_port);
    let hash = key::hash(key::hash_halves(halves), tag, control.seed());
    let number = maps::first_cell(hash, control.half());
    let is_it = |cell: &ServiceCell| likely(cell.tag == tag) && likely(flow.destination.is(cell.address));
    let cell = maps::cell(number);
    if is_it(cell) {
        return First::Service(cell);
    }
    let no_port = || {
        if !control.others() {
            First::Nothing
        } else if !control.only_prefixes() {
            First::Unknown
        } else if prefix::may_match(halves, A::FAMILY, control) {
            First::Prefix
        } else {
            First::Nothing
        }
    };
    if cell.tag == 0 {
        return no_port();
    }
    match maps::numbered_cell(maps::next_cell(number)) {
        Ok(cell) if is_it(cell) => First::Service(cell),
        Ok(cell) if cell.tag == 0 => no_port(),
        _ => First::Unknown,
    }
}

/// The number of the cell of the flow's service plus 1, or 0: none.
#[inline(always)]
pub fn search<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> u64 {
    let [high, low] = flow.destination.halves();
    modlb_search(high, low, LookupKey::of(flow, side).pack().into(), control.0)
}

/// The same for a flow whose service can only be a prefix's.
#[inline(always)]
pub fn search_prefix<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> u64 {
    let [high, low] = flow.destination.halves();
    modlb_search_prefix(high, low, LookupKey::of(flow, side).pack().into(), control.0)
}

/// The cell for a number that a search returned.
#[inline(always)]
pub fn numbered(number: u64) -> Result<&'static ServiceCell, Outcome> {
    if number == 0 { Err(Outcome::NoService) } else { maps::numbered_cell(number - 1) }
}

/// Whether this host answers for an address with the group's MAC.
#[inline(always)]
pub fn announces<A: Address>(address: A, control: Control) -> bool {
    let halves = address.halves();
    let tag = key::tag(A::FAMILY, Kind::Announced, 0, 0);
    probe(halves, 0, tag, key::hash_halves(halves), control) != 0
}

/// The whole search, prefixes included.
///
/// Trap: role `keep`, with messages, leaves 128 bytes of the stack to all that it calls. So what needs many values at a
/// time is in functions of its own.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search(high: u64, low: u64, lookup: u64, control: u64) -> u64 {
    let found = modlb_search_address(high, low, lookup, control);
    let family = key::family_of(LookupKey::unpack(lookup as u32).family);
    let word = Control(control);
    if found != 0 || !word.prefix() || !prefix::may_match([high, low], family, word) {
        return found;
    }
    modlb_search_prefix(high, low, lookup, control)
}

/// The search for services with this very address.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_address(high: u64, low: u64, lookup: u64, control: u64) -> u64 {
    let (LookupKey { family, fragment, protocol, port }, control) =
        (LookupKey::unpack(lookup as u32), Control(control));
    let hash = key::hash_halves([high, low]);
    let exact = |kind, protocol, port| probe([high, low], 0, key::tag(family, kind, protocol, port), hash, control);
    let mut found = 0;
    if fragment {
        found = exact(Kind::Fragment, protocol, 0);
    } else {
        if protocol::has_ports(protocol) {
            found = exact(Kind::Port, protocol, port);
        }
        if found == 0 && control.any_port() {
            found = exact(Kind::Protocol, protocol, 0);
        }
    }
    if found == 0 && control.any_protocol() {
        found = exact(Kind::Address, 0, 0);
    }
    found
}
