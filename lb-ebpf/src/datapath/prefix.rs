//! Flow → prefix service: the longest prefix with a service for the packet.
//!
//! Only for packets that no exact service takes, so not on the fast path. Every length in use is tried, the longest
//! first. Prefixes lie in the same table as all services and are published by the same store.

use lb_common::{
    control::Control,
    flow::{Address as _, V6, protocol},
    key::{self, Kind, Side},
    table::PrefixLengths,
};

use super::{lookup_key::LookupKey, maps, probe::probe};

/// The number of the cell plus 1, or 0: none.
#[inline(always)]
pub fn search([high, low]: [u64; 2], lookup: u32, control: Control) -> u64 {
    let side = LookupKey::unpack(lookup).side();
    let family = key::family_of(LookupKey::unpack(lookup).family);
    let six = family == V6::FAMILY;
    // Packets *from* an own address are what a steering host sends, so only destinations are excluded.
    let to_own = matches!(side, Side::Destination) && is_own([high, low], family, control);
    if to_own || is_special(high, low, six) {
        return 0;
    }
    let Some(lengths) = maps::prefix_lengths(control.half(), six) else { return 0 };
    for index in 0..PrefixLengths::MOST {
        if index as u32 >= lengths.count {
            break;
        }
        let found = modlb_search_length(high, low, lengths.lengths[index] as u32, lookup, control.0);
        if found != 0 {
            return found;
        }
    }
    0
}

/// The search among services of one length: the number of the cell plus 1, or 0. Global: see `probe`.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_search_length(high: u64, low: u64, length: u32, lookup: u32, control: u64) -> u64 {
    let (LookupKey { family, fragment, protocol, port }, control) = (LookupKey::unpack(lookup), Control(control));
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
