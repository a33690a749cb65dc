//! Keys of the service table.

use std::collections::HashSet;

use lb_common::{
    flow::{Address as _, V4, V6},
    key::{Kind, first_cell, hash, hash_halves, tag},
};
use proptest::prelude::*;

const KINDS: [Kind; 4] = [Kind::Port, Kind::Protocol, Kind::Address, Kind::Fragment];

#[test]
fn tags_are_distinct_and_never_zero() {
    let mut seen = HashSet::new();
    for family in [4, 6] {
        for kind in KINDS {
            for protocol in [0, 1, 6, 17, 255] {
                for port in [0, 1, 80, 443, 65_535] {
                    let tag = tag(family, kind, protocol, port);
                    assert_ne!(tag, 0);
                    assert!(seen.insert(tag), "{family} {kind:?} {protocol} {port}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn first_cells_are_within_the_table(address: [u32; 4], seed: u16, tag: u32, bits in 1..=24_u32) {
        for halves in [V6(address).halves(), V4(address[0]).halves()] {
            prop_assert!(first_cell(hash(hash_halves(halves), tag, seed), bits) < 1 << bits);
        }
    }

    /// A new seed must change the distances between keys, of one address as well as of neighbouring ones.
    #[test]
    fn seeds_change_the_distances_between_keys(address: [u32; 4], seed: u16, port in 0..u16::MAX) {
        let tag = |port| tag(4, Kind::Port, 6, port);
        let place = |address, port, seed| first_cell(hash(hash_halves(V4(address).halves()), tag(port), seed), 16);
        let (one, next) = (address[0], address[0] ^ 1);
        let distances = |(other, other_port): (u32, u16)| {
            (0..8).map(|more: u16| seed.wrapping_add(more)).map(move |seed| {
                place(other, other_port, seed).wrapping_sub(place(one, port, seed)) & 0xffff
            }).collect::<HashSet<_>>().len()
        };
        prop_assert!(distances((one, port + 1)) > 1);
        prop_assert!(distances((next, port)) > 1);
    }
}
