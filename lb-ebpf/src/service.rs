//! Flow → service: the most specific first.
//!
//! Nearly every packet is done with the first cell that is looked at: it is the service's, or it is empty and no other kind
//! of service is in use. The search, which knows every kind, is made of functions of their own that are handed numbers and
//! return one.
//!
//! Trap: the verifier follows a function that only one program can call anew from each call, with everything that is known
//! there, and gives up at 8,192 branches that are still to be followed. One that is global it verifies once, whatever it
//! is handed.

use lb_common::{
    control::Control,
    flow::{Address, Flow, protocol},
    key::{self, Kind, Side},
    limits::MAX_PROBES,
    outcome::Outcome,
    table::ServiceCell,
};

use lb_ebpf::likely;

use crate::{maps, prefix};

/// The cell of the service that the flow belongs to.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control) -> Result<&'static ServiceCell, Outcome> {
    if !flow.fragment
        && protocol::has_ports(flow.protocol)
        && let Some(found) = first(flow, control)
    {
        return found.ok_or(Outcome::NoService);
    }
    numbered(search(flow, control, Side::Destination))
}

/// The same by two looks at most, for a whole packet of a protocol with ports: at the cell where its most specific key belongs, and at
/// the next, where it is if another service has that place. `Some(None)`: there is no such service. `None`: whether there is one takes
/// a search.
#[inline(always)]
pub fn first<A: Address>(flow: &Flow<A>, control: Control) -> Option<Option<&'static ServiceCell>> {
    let halves = flow.destination.halves();
    let tag = key::tag(A::FAMILY, Kind::Port, flow.protocol, flow.destination_port);
    let hash = key::hash(key::hash_halves(halves), tag, control.seed());
    let number = maps::first_cell(hash, control.half());
    let is_it = |cell: &ServiceCell| likely(cell.tag == tag) && likely(flow.destination.is(cell.address));
    let cell = maps::cell(number);
    if is_it(cell) {
        return Some(Some(cell));
    }
    let nothing = || (!control.others()).then_some(None);
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

/// The number of the cell of the service that the flow belongs to and 1, or 0: none.
#[inline(always)]
pub fn search<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> u64 {
    let [high, low] = flow.destination.halves();
    modlb_search(high, low, Wanted::of(flow, side).pack(), control.0)
}

/// The cell of a number that [`search`] returned.
#[inline(always)]
pub fn numbered(number: u64) -> Result<&'static ServiceCell, Outcome> {
    if number == 0 { Err(Outcome::NoService) } else { maps::numbered_cell(number - 1) }
}

/// Whether this host tells the group's MAC to who asks for an address.
#[inline(always)]
pub fn announces<A: Address>(address: A, control: Control) -> bool {
    let halves = address.halves();
    let tag = key::tag(A::FAMILY, Kind::Announced, 0, 0);
    probe(halves, 0, tag, key::hash_halves(halves), control) != 0
}

/// What a service must have, beside the address.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// With the side.
    pub family: u8,
    pub fragment: bool,
    pub protocol: u8,
    pub port: u16,
}

impl Wanted {
    #[inline(always)]
    fn of<A: Address>(flow: &Flow<A>, side: Side) -> Self {
        let Flow { fragment, protocol, destination_port: port, .. } = *flow;
        Self { family: side.of(A::FAMILY), fragment, protocol, port }
    }

    #[inline(always)]
    pub fn side(self) -> Side {
        if self.family & Side::Source as u8 != 0 { Side::Source } else { Side::Destination }
    }

    #[inline(always)]
    pub fn pack(self) -> u32 {
        (self.port as u32) << 16 | (self.protocol as u32) << 8 | (self.fragment as u32) << 4 | self.family as u32
    }

    #[inline(always)]
    pub fn unpack(packed: u32) -> Self {
        Self {
            family: packed as u8 & 0x0f,
            fragment: packed & 0x10 != 0,
            protocol: (packed >> 8) as u8,
            port: (packed >> 16) as u16,
        }
    }
}

/// The whole search, prefixes included.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search(high: u64, low: u64, wanted: u32, control: u64) -> u64 {
    let (Wanted { family, fragment, protocol, port }, control) = (Wanted::unpack(wanted), Control(control));
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
    if found == 0 && control.prefix() {
        found = prefix::search([high, low], wanted, control);
    }
    found
}

/// The number of the cell with this key and 1, or 0. A length is that of a prefix, else 0.
#[inline(always)]
pub fn probe(halves: [u64; 2], length: u32, tag: u32, hash: u64, control: Control) -> u64 {
    modlb_probe(halves[0], halves[1], (length as u64) << 32 | tag as u64, hash, control.0)
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_probe(high: u64, low: u64, key: u64, hash: u64, control: u64) -> u64 {
    let (tag, length, control) = (key as u32, (key >> 32) as u32, Control(control));
    let mut number = maps::first_cell(key::hash(hash, tag, control.seed()), control.half());
    for _ in 0..MAX_PROBES {
        // Looked at by its number: what the compiler makes of the next one's arithmetic verifiers before Linux 6.3 cannot follow.
        let Ok(cell) = maps::numbered_cell(number) else { return 0 };
        if cell.tag == tag && cell.prefix == length && cell.address == [high, low] {
            return number + 1;
        }
        if cell.tag == 0 {
            return 0;
        }
        number = maps::next_cell(number);
    }
    0
}
