//! Builds the open-addressing hash table of services.
//!
//! The datapath looks at no more than [`MAX_PROBES`] cells, so every key must lie that close to its home cell. Robin
//! Hood hashing (Celis, 1986) keeps distances short: the key farther from home gets the cell. If a key still ends up
//! too far away, another seed is tried.

use std::{iter, mem, net::IpAddr};

use lb_common::{
    flow::{Address as _, V4, V6},
    key::{self, Kind, Side},
    limits::MAX_PROBES,
    mac::Mac,
};

use crate::datapath::error::{Error, Result};

/// What a packet is compared with.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// An address, or the first of a prefix.
    Address(IpAddr),
    /// The sender of the frame.
    Peer {
        /// Its MAC.
        mac: Mac,
        /// The number of the set of peers.
        set: u32,
    },
}

/// The key of a service, or of something else that is found in the same table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// The service's address, or the like.
    pub subject: Subject,
    /// The length of the prefix, of 128 bits; `None`: a single address.
    pub prefix: Option<u32>,
    /// Which end of a packet the address is compared with.
    pub side: Side,
    /// What else the key has.
    pub kind: Kind,
    /// The IP protocol number; 0 with [`Kind::Address`].
    pub protocol: u8,
    /// The port; 0 except with [`Kind::Port`] and [`Kind::PrefixPort`].
    pub port: u16,
}

impl Key {
    /// A key without prefix, protocol and port.
    pub const fn bare(subject: Subject, kind: Kind) -> Self {
        Self { subject, prefix: None, side: Side::Destination, kind, protocol: 0, port: 0 }
    }

    /// The address as stored in a cell.
    pub fn halves(&self) -> [u64; 2] {
        match self.subject {
            Subject::Address(IpAddr::V4(address)) => V4(address.to_bits()).halves(),
            Subject::Address(IpAddr::V6(address)) => digits(address.to_bits()).halves(),
            Subject::Peer { mac, set } => key::peer(mac.wide(), set),
        }
    }

    /// The tag as stored in a cell.
    pub const fn tag(&self) -> u32 {
        let family = match self.subject {
            Subject::Address(IpAddr::V4(_)) => V4::FAMILY,
            Subject::Address(IpAddr::V6(_)) => V6::FAMILY,
            Subject::Peer { .. } => return key::PEER_TAG,
        };
        key::tag(self.side.of(family), self.kind, self.protocol, self.port)
    }

    /// The home cell, where the search starts.
    fn home(&self, seed: u16, bits: u32) -> u32 {
        let hash = match self.prefix {
            None => key::hash_halves(self.halves()),
            Some(length) => key::hash_prefix(self.halves(), length),
        };
        key::first_cell(key::hash(hash, self.tag(), seed), bits)
    }
}

/// An IPv6 address in the datapath's form.
const fn digits(bits: u128) -> V6 {
    V6([(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32])
}

/// A table in which every key is found.
#[derive(Debug)]
pub struct Cells {
    /// The seed of the hash.
    pub seed: u16,
    /// For each cell the index of its key.
    pub cells: Vec<Option<usize>>,
}

/// How many seeds are tried to find one that gives every key of [`Kind::Port`] its home cell.
const SEEDS: u16 = 16;

/// Places distinct keys in a table of `length` cells, a power of two. Takes the seed, of the first few, that keeps the
/// fewest keys of [`Kind::Port`] from their home cells; if that fails, the first that works.
///
/// # Errors
///
/// [`Error::Unplaceable`]: no seed works.
pub fn place(keys: &[Key], length: u32) -> Result<Cells> {
    iter::once(best_seed(keys, length))
        .chain(0..=u16::MAX)
        .find_map(|seed| Some(Cells { seed, cells: place_with(keys, length, seed)? }))
        .ok_or(Error::Unplaceable)
}

fn best_seed(keys: &[Key], length: u32) -> u16 {
    let mut best = (usize::MAX, 0);
    for seed in 0..SEEDS {
        best = best.min((collisions(keys, length, seed), seed));
        if best.0 == 0 {
            break;
        }
    }
    best.1
}

/// How many keys of [`Kind::Port`] have the same home cell as another one.
fn collisions(keys: &[Key], length: u32, seed: u16) -> usize {
    let mut taken = vec![false; length as usize];
    let ports = keys.iter().filter(|key| key.kind == Kind::Port);
    ports.filter(|key| mem::replace(&mut taken[key.home(seed, length.ilog2()) as usize], true)).count()
}

/// Keys of [`Kind::Port`] come first, as the datapath looks for them first.
fn place_with(keys: &[Key], length: u32, seed: u16) -> Option<Vec<Option<usize>>> {
    let mut cells: Vec<Option<(usize, u32)>> = vec![None; length as usize];
    let (ports, others): (Vec<usize>, Vec<usize>) = (0..keys.len()).partition(|index| keys[*index].kind == Kind::Port);
    for index in ports.into_iter().chain(others) {
        insert(&mut cells, index, keys[index].home(seed, length.ilog2()))?;
    }
    Some(cells.into_iter().map(|cell| cell.map(|(index, _)| index)).collect())
}

/// A cell holds the index of a key and its distance from home. `None`: a key would lie too far from home.
fn insert(cells: &mut [Option<(usize, u32)>], index: usize, home: u32) -> Option<()> {
    let mask = cells.len() - 1;
    let (mut cell, mut key) = (home as usize, (index, 0));
    while key.1 < MAX_PROBES {
        match &mut cells[cell] {
            Some(occupant) if occupant.1 < key.1 => mem::swap(occupant, &mut key),
            Some(_) => {}
            empty @ None => {
                *empty = Some(key);
                return Some(());
            }
        }
        (cell, key.1) = ((cell + 1) & mask, key.1 + 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use lb_common::limits::{CELLS_PER_SERVICE, DEFAULT_SERVICES, KEYS_PER_SERVICE, PEER_KEYS};

    use super::*;
    use crate::datapath::capacities::Capacities;

    /// The datapath's search.
    fn find(table: &Cells, keys: &[Key], wanted: &Key) -> Option<usize> {
        let mask = table.cells.len() - 1;
        let home = wanted.home(table.seed, table.cells.len().ilog2()) as usize;
        (0..MAX_PROBES as usize)
            .map_while(|step| table.cells[(home + step) & mask])
            .find(|index| keys[*index].tag() == wanted.tag() && keys[*index].halves() == wanted.halves())
    }

    fn assert_all_found(keys: &[Key], length: u32) {
        let table = place(keys, length).unwrap();
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(find(&table, keys, key), Some(index), "{key:?}");
        }
    }

    /// As many services as fit, each with two keys.
    fn full(address: impl Fn(u32) -> (IpAddr, u16)) -> Vec<Key> {
        (0..DEFAULT_SERVICES)
            .flat_map(|number| {
                let (address, port) = address(number);
                [
                    Key { protocol: 6, port, ..Key::bare(Subject::Address(address), Kind::Port) },
                    Key {
                        protocol: (number % 251) as u8,
                        port,
                        ..Key::bare(Subject::Address(address), Kind::Fragment)
                    },
                ]
            })
            .collect()
    }

    #[test]
    fn a_full_table_of_adjacent_addresses_has_a_cell_for_each() {
        let length = (DEFAULT_SERVICES * KEYS_PER_SERVICE * CELLS_PER_SERVICE).next_power_of_two();
        assert_all_found(&full(|n| (Ipv4Addr::from_bits(0xcb00_7100 + n).into(), 443)), length);
        assert_all_found(&full(|n| (Ipv4Addr::new(203, 0, 113, 10).into(), n as u16)), length);
        assert_all_found(&full(|n| (Ipv6Addr::from_bits(u128::from(n) << 64 | 1).into(), 443)), length);
        assert_all_found(&full(|n| (Ipv6Addr::from_bits(u128::from(n) << 96 | 7).into(), 443)), length);
    }

    #[test]
    fn the_smallest_table_works() {
        let address = IpAddr::from([203, 0, 113, 10]);
        let keys = [Kind::Port, Kind::Fragment].map(|kind| Key {
            protocol: 6,
            port: 80,
            ..Key::bare(Subject::Address(address), kind)
        });
        assert_all_found(&keys, KEYS_PER_SERVICE * CELLS_PER_SERVICE);
        assert_eq!(find(&place(&[], 8).unwrap(), &[], &keys[0]), None);
    }

    #[test]
    fn a_few_services_are_all_in_their_home_cells() {
        let length = (DEFAULT_SERVICES * KEYS_PER_SERVICE * CELLS_PER_SERVICE).next_power_of_two();
        let keys = &full(|n| (Ipv4Addr::from_bits(0xcb00_7100 + n).into(), 443))[..200];
        let table = place(keys, length).unwrap();
        for (index, key) in keys.iter().enumerate().filter(|(_, key)| key.kind == Kind::Port) {
            assert_eq!(table.cells[key.home(table.seed, length.ilog2()) as usize], Some(index));
        }
    }

    /// As many peers as fit, besides all services, with MACs that differ little.
    #[test]
    fn peers_are_found_by_mac_and_set() {
        let length = Capacities::default().cells();
        let peer = |number: u32| {
            let [.., a, b] = number.to_be_bytes();
            Key::bare(Subject::Peer { mac: Mac([2, 0, 0, 0, a % 4, b]), set: number >> 10 }, Kind::Peer)
        };
        let mut keys = full(|n| (Ipv4Addr::from_bits(0xcb00_7100 + n).into(), 443));
        keys.extend((0..PEER_KEYS).map(peer));
        assert_all_found(&keys, length);
        let table = place(&keys, length).unwrap();
        assert_eq!(
            find(&table, &keys, &Key { subject: Subject::Peer { mac: Mac([2, 0, 0, 0, 0, 1]), set: 4 }, ..peer(0) }),
            None
        );
    }

    #[test]
    fn a_table_that_is_too_small_is_refused() {
        let keys = full(|n| (Ipv4Addr::from_bits(n).into(), 443));
        assert!(matches!(place(&keys[..9], 8), Err(Error::Unplaceable)));
    }

    #[test]
    fn an_ipv4_key_is_not_an_ipv6_key() {
        let (four, six) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::from_bits(0x0a00_0001));
        let key = |address| Key::bare(Subject::Address(address), Kind::Address);
        let keys = [key(four.into())];
        assert_eq!(find(&place(&keys, 8).unwrap(), &keys, &key(six.into())), None);
    }
}
