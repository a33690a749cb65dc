//! Real clients and servers on a real segment, through a gateway in native and in generic mode.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod balancers;
mod change;
mod cluster;
mod disagreement;
mod fragments;
mod jumbo;
mod path_mtu;
mod routers;
mod second_interface;
mod upgrade;
mod vlan;

use std::net::IpAddr;

use num_bigint::BigUint;
use support::network::TCP_PORT;

/// The protocol and port of the servers' TCP service.
const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// The number of the server that the formula names, by big integers.
fn expected(client: IpAddr, source_port: u16, service: IpAddr, formula: &str, servers: u8) -> u8 {
    let number = |address| match address {
        IpAddr::V4(address) => BigUint::from_bytes_be(&std::net::Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => BigUint::from_bytes_be(&std::net::Ipv6Addr::octets(&address)),
    };
    let three = number(client) + number(service) + BigUint::from(TCP_PORT);
    let sum = match formula {
        "3-tuple" => three,
        _ => three + BigUint::from(source_port) + BigUint::from(6_u8),
    };
    (sum % servers).iter_u32_digits().next().unwrap_or(0) as u8
}
