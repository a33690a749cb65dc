//! Flow → prefix service: the longest prefix that has a service for the packet.
//!
//! For packets that no exact service takes, which are none of the hot ones. Every length that is in use is tried, the
//! longest first, in the same table as everything else, so that prefixes change with the same store.
//!
//! Trap: unrolled into the program the search would multiply what the verifier has to follow, so it is a function of its
//! own that is handed numbers and returns one.

use lb_common::{
    control::Control,
    flow::{Address, Flow, V6, protocol},
    key::{self, Kind, Side},
    limits::MAX_PROBES,
    outcome::Outcome,
    table::{PrefixLengths, ServiceCell},
};

use crate::maps;

/// The cell of the service that the flow belongs to.
#[inline(always)]
pub fn find<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Result<&'static ServiceCell, Outcome> {
    find_number(flow, control, side).and_then(maps::numbered_cell).ok_or(Outcome::NoService)
}

/// The same as the cell's number.
#[inline(always)]
pub fn find_number<A: Address>(flow: &Flow<A>, control: Control, side: Side) -> Option<u32> {
    if !control.prefix() {
        return None;
    }
    let [high, low] = flow.destination.halves();
    match search(high, low, Wanted::of(flow, side).pack(), control.0) {
        0 => None,
        number => Some(number as u32 - 1),
    }
}

/// What a service must have, beside the address.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// With the side.
    pub family: u8,
    fragment: bool,
    protocol: u8,
    port: u16,
}

impl Wanted {
    #[inline(always)]
    pub fn of<A: Address>(flow: &Flow<A>, side: Side) -> Self {
        let Flow { fragment, protocol, destination_port: port, .. } = *flow;
        Self { family: side.of(A::FAMILY), fragment, protocol, port }
    }

    #[inline(always)]
    pub fn side(self) -> Side {
        if self.family & Side::Source as u8 != 0 { Side::Source } else { Side::Destination }
    }

    /// A flow that wants it; its source is no part of it.
    #[inline(always)]
    pub fn flow<A: Address>(self, destination: A) -> Flow<A> {
        let Self { fragment, protocol, port: destination_port, .. } = self;
        Flow { source: destination, destination, source_port: 0, destination_port, protocol, fragment }
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

/// The number of a cell and 1, or 0: none.
#[inline(never)]
fn search(high: u64, low: u64, wanted: u32, control: u64) -> u64 {
    let (side, control) = (Wanted::unpack(wanted).side(), Control(control));
    let family = key::family_of(Wanted::unpack(wanted).family);
    let six = family == V6::FAMILY;
    // What comes from an address of this host's is what a steering host sends.
    let to_own = matches!(side, Side::Destination) && is_own([high, low], family, control);
    if to_own || is_special(high, low, six) {
        return 0;
    }
    let Some(lengths) = maps::prefix_lengths(control.half(), six) else { return 0 };
    for index in 0..PrefixLengths::MOST {
        if index as u32 >= lengths.count {
            break;
        }
        let found = modlb_search_length(high, low, lengths.lengths[index] as u32, wanted, control.0);
        if found != 0 {
            return found;
        }
    }
    0
}

/// Where services of one prefix are.
struct Place {
    halves: [u64; 2],
    length: u32,
    hash: u64,
}

/// The search among services of one length: the number of a cell and 1, or 0.
///
/// Trap: the verifier follows a function that only this program can call anew from each call, and gives up at 8,192
/// branches that are still to be followed. One that is global it verifies once, whatever it is handed.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_length(high: u64, low: u64, length: u32, wanted: u32, control: u64) -> u64 {
    let (wanted, control) = (Wanted::unpack(wanted), Control(control));
    let halves = key::mask([high, low], length);
    let place = Place { halves, length, hash: key::hash_prefix(halves, length, control.seed()) };
    let Wanted { protocol, port, .. } = wanted;
    let first = match (wanted.fragment, protocol::has_ports(protocol)) {
        (true, _) => probe(&place, tag(wanted, Kind::PrefixFragment, protocol, 0), control),
        (false, true) => probe(&place, tag(wanted, Kind::PrefixPort, protocol, port), control),
        (false, false) => 0,
    };
    if first != 0 {
        return first;
    }
    if !wanted.fragment {
        let second = probe(&place, tag(wanted, Kind::PrefixProtocol, protocol, 0), control);
        if second != 0 {
            return second;
        }
    }
    probe(&place, tag(wanted, Kind::PrefixAddress, 0, 0), control)
}

#[inline(always)]
fn tag(wanted: Wanted, kind: Kind, protocol: u8, port: u16) -> u32 {
    key::tag(wanted.family, kind, protocol, port)
}

/// The number of the cell with this key and 1, or 0.
#[inline(always)]
fn probe(place: &Place, tag: u32, control: Control) -> u64 {
    let mask = maps::cell_mask();
    let mut at = key::first_cell(place.hash, tag, mask);
    for _ in 0..MAX_PROBES {
        let number = maps::cell_number(control.half(), at);
        let Some(cell) = maps::numbered_cell(number) else { return 0 };
        if cell.tag == tag && cell.prefix == place.length && cell.address == place.halves {
            return number as u64 + 1;
        }
        if cell.tag == 0 {
            return 0;
        }
        at = (at + 1) & mask;
    }
    0
}

/// Whether the address is this host's, or one of its networks' broadcast addresses.
#[inline(always)]
fn is_own(halves: [u64; 2], family: u8, control: Control) -> bool {
    let place = Place { halves, length: 0, hash: key::hash_halves(halves, control.seed()) };
    probe(&place, key::tag(family, Kind::Own, 0, 0), control) != 0
}

/// Multicast, broadcast, link-local, loopback and unspecified addresses, which no prefix service takes.
#[inline(always)]
fn is_special(high: u64, low: u64, six: bool) -> bool {
    if !six {
        let address = low as u32;
        return matches!(address, 0 | u32::MAX)
            || address >> 24 == 127
            || address >> 28 == 0xe
            || address >> 16 == 0xa9fe;
    }
    (high == 0 && low <= 1) || high >> 56 == 0xff || high >> 54 == 0xfe80 >> 6
}
