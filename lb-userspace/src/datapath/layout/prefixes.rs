//! What makes the search for prefixes short: their lengths, a filter, and markers on the way to longer ones.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use lb_common::{
    key::{self, Kind},
    prefixes::{PrefixFilter, PrefixLengths},
};

use super::cells::{Key, Subject};

/// The families, in the order of the maps.
const FAMILIES: [bool; 2] = [false, true];

/// Whether a key is of a prefix, or of the family.
fn is_of(key: &Key, six: bool) -> bool {
    matches!(key.subject, Subject::Address(address) if address.is_ipv6() == six)
}

/// The lengths of prefixes and their kinds, of IPv4 and of IPv6. There are no markers yet.
pub fn lengths(keys: &[Key]) -> [PrefixLengths; 2] {
    FAMILIES.map(|six| {
        let prefixes = || keys.iter().filter(|key| is_of(key, six)).filter_map(|key| Some((key, key.prefix?)));
        let longest_first: BTreeSet<_> = prefixes().map(|(_, length)| Reverse(length)).collect();
        let flags = prefixes().fold(0, |flags, (key, _)| flags | PrefixLengths::flag(key.kind));
        let count = longest_first.len() as u32;
        let flags = PrefixLengths::with_first_step(flags, count);
        let mut lengths = PrefixLengths { count, flags, ..PrefixLengths::default() };
        for (entry, Reverse(length)) in lengths.lengths.iter_mut().zip(longest_first) {
            *entry = length as u8;
        }
        lengths
    })
}

/// The filters of IPv4 and of IPv6.
pub fn filters(keys: &[Key]) -> Vec<PrefixFilter> {
    FAMILIES.map(|six| filter(keys, six)).to_vec()
}

fn filter(keys: &[Key], six: bool) -> PrefixFilter {
    let mut filter = PrefixFilter::default();
    for key in keys.iter().filter(|key| key.kind == Kind::Own && is_of(key, six)) {
        filter.own |= PrefixFilter::own_bit(key.halves());
    }
    // The lengths are of the first 64 bits.
    let start = |key: &Key, length: u32| {
        (PrefixFilter::start(key.halves(), six), if six { length.min(u64::BITS) } else { length - 96 })
    };
    let prefixes = keys.iter().filter(|key| is_of(key, six)).filter_map(|key| Some(start(key, key.prefix?)));
    let prefixes: Vec<_> = prefixes.collect();
    let Some((common, shortest)) = prefixes.iter().copied().min_by_key(|(_, length)| *length) else { return filter };
    let alike = prefixes.iter().map(|(start, _)| (start ^ common).leading_zeros()).min().unwrap_or(0);
    let skip = alike.min(shortest).min(PrefixFilter::MOST_SKIPPED);
    filter.skip = skip.into();
    filter.mask = !u64::MAX.checked_shr(skip).unwrap_or(0);
    filter.common = common & filter.mask;
    for (start, length) in prefixes {
        let first = PrefixFilter::block(start, skip.into());
        let blocks = 1_usize << (skip + PrefixFilter::BITS).saturating_sub(length);
        for block in first..first + blocks {
            filter.blocks[block / 64] |= 1 << (block % 64);
        }
    }
    filter
}

/// The markers that the search needs: where it must find something to go on to longer prefixes, and no prefix is. With
/// each the key of the best prefix that is not longer.
pub fn markers(keys: &[Key], lengths: &[PrefixLengths; 2]) -> Vec<(Key, Option<Key>)> {
    let mut known: HashMap<Key, bool> = HashMap::new();
    let prefixes: Vec<_> = keys.iter().filter_map(|key| Some((key, key.prefix?))).collect();
    known.extend(prefixes.iter().map(|(key, _)| (**key, true)));
    let mut markers: BTreeMap<Key, Option<Key>> = BTreeMap::new();
    for (key, length) in prefixes {
        let lengths = &lengths[usize::from(is_of(key, true))];
        for shorter in way(lengths, length) {
            let marker = cut(key, shorter);
            if known.insert(marker, false) != Some(true) {
                markers.entry(marker).or_insert(None);
            } else {
                known.insert(marker, true);
            }
        }
    }
    for (marker, best) in &mut markers {
        let lengths = &lengths[usize::from(is_of(marker, true))];
        let shorter = in_use(lengths).iter().map(|length| u32::from(*length));
        let shorter = shorter.filter(|length| Some(*length) < marker.prefix);
        *best = shorter.map(|length| cut(marker, length)).find(|key| known.get(key) == Some(&true));
    }
    markers.into_iter().collect()
}

fn in_use(lengths: &PrefixLengths) -> &[u8] {
    &lengths.lengths[..lengths.count as usize]
}

/// The shorter lengths at which the search has to find something on its way to a length.
fn way(lengths: &PrefixLengths, wanted: u32) -> Vec<u32> {
    let (mut first, mut step, mut way) = (0, lengths.first_step() as usize, Vec::new());
    while step > 0 {
        let middle = first + step - 1;
        step /= 2;
        let Some(length) = in_use(lengths).get(middle).copied().map(u32::from) else { continue };
        if length == wanted {
            break;
        }
        if length < wanted {
            way.push(length);
        } else {
            first = middle + 1;
        }
    }
    way
}

/// The key of the same kind with a shorter prefix of the address.
fn cut(key: &Key, length: u32) -> Key {
    let [high, low] = key::mask(key.halves(), length);
    let address = match key.subject {
        Subject::Address(IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::from_bits(low as u32)),
        Subject::Address(IpAddr::V6(_)) | Subject::Peer { .. } => {
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)))
        }
    };
    Key { subject: Subject::Address(address), prefix: Some(length), ..*key }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn prefix(address: IpAddr, length: u32, kind: Kind) -> Key {
        let key = Key { kind, prefix: Some(length), ..Key::bare(Subject::Address(address), kind) };
        cut(&key, length)
    }

    fn keys() -> impl Strategy<Value = Vec<Key>> {
        let four = (0..4_u32, 1..32_u32, any::<bool>());
        let four = four.prop_map(|(bits, length, kind)| {
            (IpAddr::from(Ipv4Addr::from_bits(bits * 0x4000_4010)), 96 + length, kind)
        });
        let six = (0..4_u128, 0..128_u32, any::<bool>());
        let six = six.prop_map(|(bits, length, kind)| {
            (IpAddr::from(Ipv6Addr::from_bits((bits * 0x2000_0100_0000_0010) << 64 | bits << 40)), length, kind)
        });
        let key = prop_oneof![four, six].prop_map(|(address, length, kind)| {
            prefix(address, length, if kind { Kind::PrefixPort } else { Kind::PrefixAddress })
        });
        vec(key, 0..24)
    }

    /// The datapath's search, by keys.
    fn search(keys: &[Key], asked: &Key) -> Option<Key> {
        let lengths = lengths(keys);
        let markers: BTreeMap<_, _> = markers(keys, &lengths).into_iter().collect();
        let lengths = &lengths[usize::from(is_of(asked, true))];
        let (mut first, mut step, mut best, mut tries) = (0, lengths.first_step() as usize, None, 0);
        while step > 0 {
            let middle = first + step - 1;
            step /= 2;
            let Some(length) = in_use(lengths).get(middle) else { continue };
            let key = cut(asked, (*length).into());
            tries += 1;
            if keys.contains(&key) {
                best = Some(key);
            } else if let Some(marked) = markers.get(&key) {
                best = *marked;
            } else {
                first = middle + 1;
            }
        }
        assert!(tries <= 1 + lengths.count.checked_ilog2().unwrap_or_default(), "{tries} for {}", lengths.count);
        best
    }

    proptest! {
        /// The search by halves finds what a look at every prefix finds, and the filter lets it through.
        #[test]
        fn the_longest_prefix_is_found(keys in keys(), pick in 0..24_usize, flip in 0..128_u32) {
            let Some(key) = keys.get(pick % keys.len().max(1)) else { return Ok(()) };
            let [high, low] = key.halves();
            let bits = (u128::from(high) << 64 | u128::from(low)) ^ 1 << flip;
            let six = is_of(key, true);
            let address = if six { Ipv6Addr::from_bits(bits).into() } else { Ipv4Addr::from_bits(bits as u32).into() };
            let asked = Key { subject: Subject::Address(address), ..*key };
            let fits = keys.iter().filter(|key| key.kind == asked.kind && is_of(key, six));
            let fits = fits.filter(|key| cut(&asked, key.prefix.unwrap()) == **key);
            let wanted = fits.max_by_key(|key| key.prefix).copied();
            prop_assert_eq!(search(&keys, &asked), wanted);
            let filter = &filters(&keys)[usize::from(six)];
            prop_assert!(wanted.is_none() || filter.may_match(PrefixFilter::start(asked.halves(), six)));
        }
    }

    #[test]
    fn the_filter_ends_the_search_for_addresses_elsewhere() {
        let net = |text: &str, length| prefix(text.parse().unwrap(), length, Kind::PrefixPort);
        let keys = [net("203.0.113.0", 120), net("203.0.114.0", 119), net("2001:db8:1::", 48), net("2001:db8:2::", 64)];
        let filters = filters(&keys);
        let may_match = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            let six = address.is_ipv6();
            let key = Key::bare(Subject::Address(address), Kind::Address);
            filters[usize::from(six)].may_match(PrefixFilter::start(key.halves(), six))
        };
        for address in ["203.0.113.0", "203.0.113.255", "203.0.115.9", "2001:db8:1:ffff::", "2001:db8:2::7"] {
            assert!(may_match(address), "{address}");
        }
        for address in ["203.0.112.255", "203.0.116.0", "10.0.0.1", "2001:db8:3::", "2001:db9:1::", "fd00::"] {
            assert!(!may_match(address), "{address}");
        }
    }

    #[test]
    fn without_prefixes_nothing_is_let_through() {
        let own = Key::bare(Subject::Address([10, 0, 0, 1].into()), Kind::Own);
        for filter in filters(&[own]) {
            assert!(!filter.may_match(0) && !filter.may_match(u64::MAX));
        }
        assert!(filters(&[own])[0].may_be_own(own.halves()) && !filters(&[own])[1].may_be_own(own.halves()));
    }
}
