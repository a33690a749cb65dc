//! Flow → prefix service: the longest prefix with a service for the packet.
//!
//! Only for packets that no exact service takes. A filter ends the search for most of those that no prefix takes
//! either. Prefixes lie in the same table as all services and are published by the same store.

use lb_common::{
    control::Control,
    flow::{Address as _, V6, protocol},
    key::{self, Kind, Side},
    prefixes::{PrefixFilter, PrefixLengths},
};
use lb_ebpf::opaque;

use super::{lookup_key::LookupKey, maps, probe::probe};

/// `false`: no prefix has the address, which needs no search.
#[inline(always)]
pub fn may_match(halves: [u64; 2], family: u8, control: Control) -> bool {
    let six = family == V6::FAMILY;
    maps::filter(control.half(), six).may_match(PrefixFilter::start(halves, six))
}

/// The number of the cell plus 1, or 0: none. For addresses that [`may_match`]. Global: see `probe`.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn modlb_search_prefix(high: u64, low: u64, lookup: u64, control: u64) -> u64 {
    let (key, control, halves) = (LookupKey::unpack(lookup as u32), Control(control), [high, low]);
    let family = key::family_of(key.family);
    let six = family == V6::FAMILY;
    if is_special(high, low, six) {
        return 0;
    }
    // Packets *from* an own address are what a steering host sends, so only destinations are excluded.
    let may_be_own = matches!(key.side(), Side::Destination) && maps::filter(control.half(), six).may_be_own(halves);
    if may_be_own && is_own(halves, family, control) {
        return 0;
    }
    let lengths = maps::prefix_lengths(control.half(), six);
    if lengths.flags & PrefixLengths::MARKED == 0 {
        return one_by_one(halves, lookup, lengths, control);
    }
    let of = |kind, protocol, port| {
        if lengths.flags & PrefixLengths::flag(kind) == 0 {
            return 0;
        }
        modlb_longest(high, low, key::tag(key.family, kind, protocol, port).into(), control.0)
    };
    let found = if key.fragment {
        of(Kind::PrefixFragment, key.protocol, 0)
    } else {
        let with_port =
            if protocol::has_ports(key.protocol) { of(Kind::PrefixPort, key.protocol, key.port) } else { 0 };
        longer(with_port, of(Kind::PrefixProtocol, key.protocol, 0))
    };
    longer(found, of(Kind::PrefixAddress, 0, 0)) as u32 as u64
}

/// The longer prefix of two; of equal ones the first, which is more specific.
#[inline(always)]
const fn longer(one: u64, other: u64) -> u64 {
    if other >> 32 > one >> 32 { other } else { one }
}

/// The longest prefix with this tag: its length plus 1 above the number of its cell plus 1; or 0. Global: see `probe`.
///
/// Each try halves the lengths that are left; see [`PrefixLengths`].
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_longest(high: u64, low: u64, tag: u64, control: u64) -> u64 {
    let (tag, control) = (tag as u32, Control(control));
    let six = key::family_of(tag as u8 & 0x0f) == V6::FAMILY;
    let lengths = maps::prefix_lengths(control.half(), six);
    let (mut first, mut step, mut best) = (0, lengths.first_step(), 0);
    for _ in 0..PrefixLengths::TRIES {
        if step == 0 {
            break;
        }
        let middle = first + step - 1;
        step >>= 1;
        if middle < lengths.count {
            let length = lengths.lengths[middle as usize % PrefixLengths::MOST] as u32;
            let halves = key::mask([high, low], length);
            let number = probe(halves, length, tag, key::hash_prefix(halves, length), control);
            if number == 0 {
                // Verifiers would follow every combination of turns.
                first = opaque::number(middle as u64 + 1) as u32;
            } else if let Ok(cell) = maps::numbered_cell(number - 1) {
                best = cell.best_prefix(number - 1);
            }
        }
    }
    best
}

/// The search where there was no room for markers: every length, the longest first.
#[inline(always)]
fn one_by_one([high, low]: [u64; 2], lookup: u64, lengths: &PrefixLengths, control: Control) -> u64 {
    for index in 0..PrefixLengths::MOST {
        if index as u32 >= lengths.count {
            break;
        }
        let found = modlb_search_length(high, low, lengths.lengths[index].into(), lookup, control.0);
        if found != 0 {
            return found;
        }
    }
    0
}

/// The search among services of one length: the number of the cell plus 1, or 0. Global: see `probe`.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_length(high: u64, low: u64, length: u64, lookup: u64, control: u64) -> u64 {
    let (LookupKey { family, fragment, protocol, port }, control) =
        (LookupKey::unpack(lookup as u32), Control(control));
    let length = length as u32;
    let halves = key::mask([high, low], length);
    let hash = key::hash_prefix(halves, length);
    let of = |kind, protocol, port| probe(halves, length, key::tag(family, kind, protocol, port), hash, control);
    let mut found = 0;
    if fragment {
        found = of(Kind::PrefixFragment, protocol, 0);
    } else {
        if protocol::has_ports(protocol) {
            found = of(Kind::PrefixPort, protocol, port);
        }
        if found == 0 {
            found = of(Kind::PrefixProtocol, protocol, 0);
        }
    }
    if found == 0 {
        found = of(Kind::PrefixAddress, 0, 0);
    }
    found
}

/// Whether the address is this host's, or one of its networks' broadcast addresses.
#[inline(always)]
fn is_own(halves: [u64; 2], family: u8, control: Control) -> bool {
    let hash = key::hash_halves(halves);
    probe(halves, 0, key::tag(family, Kind::Own, 0, 0), hash, control) != 0
}

/// Multicast, broadcast, link-local, loopback and unspecified addresses: prefix services leave them alone.
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
