//! Keys of the service table.

use std::collections::HashSet;

use lb_common::{
    flow::{V4, V6},
    key::{Kind, first_cell, hash_address, tag},
};
use proptest::prelude::*;

const KINDS: [Kind; 4] = [Kind::Port, Kind::Protocol, Kind::Address, Kind::Fragment];

#[test]
fn tags_are_distinct_and_never_that_of_an_empty_cell() {
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
    fn a_place_is_within_the_table(address: [u32; 4], seed: u16, tag: u32, bits in 0..24_u32) {
        let mask = (1 << bits) - 1;
        prop_assert!(first_cell(hash_address(V6(address), seed), tag, mask) <= mask);
        prop_assert!(first_cell(hash_address(V4(address[0]), seed), tag, mask) <= mask);
    }

    /// A seed is worth nothing if it leaves every key where it was.
    #[test]
    fn seeds_move_keys(address: [u32; 4], seed: u16) {
        let places = |seed| (0..8).map(|tag| first_cell(hash_address(V6(address), seed), tag, 0xffff)).collect::<Vec<_>>();
        prop_assert_ne!(places(seed), places(seed.wrapping_add(1)));
    }
}
