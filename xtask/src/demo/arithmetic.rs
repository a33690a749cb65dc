//! The formula again, with big integers and without any of modlb's code.

use std::net::IpAddr;

use num_bigint::BigUint;

use super::family::{Family, PORT, SERVERS};

/// SRC_IP + DEST_IP + DEST_PORT.
pub fn sum(client: IpAddr) -> BigUint {
    number(client) + number(Family::of(client).service_address()) + BigUint::from(PORT)
}

/// The number of the server: the sum modulo the number of servers.
pub fn server(client: IpAddr) -> usize {
    let remainder = sum(client) % SERVERS.len();
    remainder.iter_u64_digits().next().unwrap_or_default() as usize
}

fn number(address: IpAddr) -> BigUint {
    match address {
        IpAddr::V4(address) => BigUint::from_bytes_be(&address.octets()),
        IpAddr::V6(address) => BigUint::from_bytes_be(&address.octets()),
    }
}
