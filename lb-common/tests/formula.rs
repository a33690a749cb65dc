//! The formula against big integers, and against numbers that were computed independently of any implementation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::{
    flow::{Address, Flow, V4, V6, protocol},
    formula::{Formula, powers, slot},
};
use num_bigint::BigUint;
use proptest::prelude::*;

const MODULI: [u32; 5] = [3, 7, 10, 1_000, 65_521];

/// Packets, and for each of [`MODULI`] the remainders of their 3-tuple and 5-tuple sums.
type Vector = (&'static str, u16, &'static str, u16, u8, [(u32, u32); 5]);

#[rustfmt::skip]
const VECTORS: [Vector; 7] = [
    ("198.51.100.7", 51_234, "203.0.113.10", 443, protocol::TCP,
        [(0, 0), (2, 2), (0, 0), (940, 180), (23_089, 8_808)]),
    ("255.255.255.255", 65_535, "255.255.255.254", 65_535, protocol::UDP,
        [(2, 1), (6, 3), (4, 6), (124, 676), (461, 492)]),
    ("10.0.0.1", 1, "10.0.0.2", 80, protocol::TCP,
        [(1, 2), (5, 5), (3, 0), (403, 410), (11_362, 11_369)]),
    ("192.0.2.1", 0, "203.0.113.10", 0, protocol::ESP,
        [(2, 1), (5, 6), (1, 1), (771, 821), (39_268, 39_318)]),
    ("2001:db8::7", 51_234, "2001:db8:f00::10", 443, protocol::TCP,
        [(2, 2), (0, 0), (6, 6), (426, 666), (48_413, 34_132)]),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65_535, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65_535, protocol::UDP,
        [(2, 1), (6, 3), (4, 6), (444, 996), (7_910, 7_941)]),
    ("fd00::1", 40_000, "fd00::2", 53, protocol::UDP,
        [(1, 1), (2, 0), (2, 9), (512, 529), (49_069, 23_565)]),
];

fn v6(bits: u128) -> V6 {
    V6([(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32])
}

fn flow<A>(source: A, source_port: u16, destination: A, destination_port: u16, protocol: u8) -> Flow<A> {
    Flow { source, destination, source_port, destination_port, protocol, fragment: false }
}

fn slots<A: Address>(flow: &Flow<A>, slots: u32) -> (u32, u32) {
    let powers = powers(slots);
    (slot(flow, Formula::ThreeTuple, slots, &powers), slot(flow, Formula::FiveTuple, slots, &powers))
}

#[test]
fn known_packets_have_known_remainders() {
    for (source, source_port, destination, destination_port, protocol, expected) in VECTORS {
        for (modulus, expected) in MODULI.into_iter().zip(expected) {
            let found = match (source.parse().unwrap(), destination.parse().unwrap()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    slots(&flow(V4(from.to_bits()), source_port, V4(to.to_bits()), destination_port, protocol), modulus)
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    slots(&flow(v6(from.to_bits()), source_port, v6(to.to_bits()), destination_port, protocol), modulus)
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => unreachable!(),
            };
            assert_eq!(found, expected, "{source} → {destination} % {modulus}");
        }
    }
}

/// The remainders of the 3-tuple and the 5-tuple, by big integers.
fn oracle(addresses: [BigUint; 2], ports: [u16; 2], protocol: u8, modulus: u32) -> (u32, u32) {
    let [source, destination] = addresses;
    let three = source + destination + BigUint::from(ports[1]);
    let five = &three + BigUint::from(ports[0]) + BigUint::from(protocol);
    let remainder = |sum: BigUint| (sum % modulus).iter_u32_digits().next().unwrap_or(0);
    (remainder(three), remainder(five))
}

/// Any modulus, critical ones often.
fn moduli() -> impl Strategy<Value = u32> {
    prop_oneof![1..=65_536_u32, Just(1), Just(2), Just(65_535), Just(65_536), Just(65_521)]
}

/// Any address, extreme ones often.
fn addresses() -> impl Strategy<Value = u128> {
    prop_oneof![
        any::<u128>(),
        Just(u128::MAX),
        Just(u128::MAX - 1),
        Just(0),
        Just(u128::MAX << 32),
        Just(u128::MAX >> 32)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn ipv4_remainders_are_exact(from: u32, to: u32, ports: [u16; 2], protocol: u8, modulus in moduli()) {
        let found = slots(&flow(V4(from), ports[0], V4(to), ports[1], protocol), modulus);
        prop_assert_eq!(found, oracle([from.into(), to.into()], ports, protocol, modulus));
    }

    #[test]
    fn ipv6_remainders_are_exact(
        from in addresses(), to in addresses(), ports: [u16; 2], protocol: u8, modulus in moduli()
    ) {
        let found = slots(&flow(v6(from), ports[0], v6(to), ports[1], protocol), modulus);
        prop_assert_eq!(found, oracle([from.into(), to.into()], ports, protocol, modulus));
    }

    #[test]
    fn powers_of_two_are_exact(modulus in moduli()) {
        let power = |bits: u32| (BigUint::from(1_u32) << bits) % modulus;
        let found = powers(modulus).map(BigUint::from);
        prop_assert_eq!(found, [power(32), power(64), power(96)]);
    }

    /// A refined table sends a flow to a copy of the server that the unrefined one names.
    #[test]
    fn refining_keeps_the_remainder(from in addresses(), to in addresses(), n in 1..=4_096_u32, times in 1..=16_u32) {
        let flow = flow(v6(from), 1, v6(to), 2, 6);
        let (coarse, fine) = (slots(&flow, n), slots(&flow, n * times));
        prop_assert_eq!((fine.0 % n, fine.1 % n), coarse);
    }
}

#[test]
fn the_largest_sums_do_not_wrap() {
    let flow = flow(v6(u128::MAX), u16::MAX, v6(u128::MAX), u16::MAX, u8::MAX);
    let widest = BigUint::from(u128::MAX);
    for modulus in [1, 2, 3, 65_535, 65_536] {
        let expected = oracle([widest.clone(), widest.clone()], [u16::MAX; 2], u8::MAX, modulus);
        assert_eq!(slots(&flow, modulus), expected);
    }
    let expected = oracle([BigUint::from(u32::MAX), BigUint::from(u32::MAX)], [u16::MAX; 2], u8::MAX, 65_521);
    let flow = self::flow(V4(u32::MAX), u16::MAX, V4(u32::MAX), u16::MAX, u8::MAX);
    assert_eq!(slots(&flow, 65_521), expected);
}

#[test]
fn addresses_are_numbers_in_network_byte_order() {
    assert_eq!(V4(Ipv4Addr::new(1, 2, 3, 4).to_bits()).halves(), [0, 0x0102_0304]);
    let address: Ipv6Addr = "0102:0304:0506:0708:090a:0b0c:0d0e:0f10".parse().unwrap();
    assert_eq!(v6(address.to_bits()).halves(), [0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0f10]);
}
