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

use super::{lookup_key::LookupKey, maps, prefix, probe::probe};

/// The cell of the flow's service.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<&'static ServiceCell, Outcome> {
    if !flow.fragment
        && protocol::has_ports(flow.protocol)
        && let Some(found) = first(flow, control, Side::Destination)
    {
        return found.ok_or(Outcome::NoService);
    }
    numbered(search(flow, control, Side::Destination))
}

/// The same for an unfragmented packet of a protocol with ports, by at most two cells: the one where its most specific
/// key belongs, and the next, which the key has if another service was there first. `Some(None)`: there is no service.
/// `None`: only a search can tell.
#[inline(always)]
pub fn first<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Option<Option<&'static ServiceCell>> {
    let halves = flow.destination.halves();
    let tag = key::tag(side.of(A::FAMILY), Kind::Port, flow.protocol, flow.destination_port);
    let hash = key::hash(key::hash_halves(halves), tag, control.seed());
    let number = maps::first_cell(hash, control.half());
    let is_it = |cell: &ServiceCell| likely(cell.tag == tag) && likely(flow.destination.is(cell.address));
    let cell = maps::cell(number);
    if is_it(cell) {
        return Some(Some(cell));
    }
    let nothing = || {
        let other = control.others() && (!control.only_prefixes() || prefix::may_match(halves, A::FAMILY, control));
        (!other).then_some(None)
    };
    if cell.tag == 0 {
        return nothing();
    }
    let cell = maps::numbered_cell(maps::next_cell(number)).ok()?;
    match cell {
        cell if is_it(cell) => Some(Some(cell)),
        cell if cell.tag == 0 => nothing(),
        _ => None,
    }
}

/// The number of the cell of the flow's service plus 1, or 0: none.
#[inline(always)]
pub fn search<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> u64 {
    let [high, low] = flow.destination.halves();
    modlb_search(high, low, LookupKey::of(flow, side).pack(), control.0)
}

/// The cell for a number that [`search`] returned.
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
extern "C" fn modlb_search(high: u64, low: u64, lookup: u32, control: u64) -> u64 {
    let found = modlb_search_address(high, low, lookup, control);
    if found != 0 || !Control(control).prefix() {
        return found;
    }
    prefix::search([high, low], lookup, Control(control))
}

/// The search for services with this very address.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_address(high: u64, low: u64, lookup: u32, control: u64) -> u64 {
    let (LookupKey { family, fragment, protocol, port }, control) = (LookupKey::unpack(lookup), Control(control));
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
