//! The loaded program, frame by frame: verdict, every byte, and every counter.

#[path = "../support/mod.rs"]
mod support;

mod counters;
mod formula;
mod fragments;
mod icmp;
mod ipv4;
mod ipv6;
mod jumbo;
mod limits;
mod link_layer;
mod member;
mod neighbours;
mod odd;
mod peers;
mod prefix;
mod second_interface;
mod services;
mod shared;
mod steer;
mod verifier;
mod vlan;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use lb_common::outcome::Outcome;
use num_bigint::BigUint;
use support::{
    bench::{Bench, Expect, XDP_DROP, XDP_REDIRECT, XDP_TX},
    frame::*,
};

const WEB: &str = "203.0.113.10";
const WEB6: &str = "2001:db8:f00::10";

/// The protocol and port of a web service.
const HTTPS: &str = "protocol = \"tcp\"\nport = 443";

/// A service with servers of these numbers.
fn service(name: &str, address: &str, what: &str, servers: Range<u8>) -> String {
    let mut text = format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\n{what}\n");
    for number in servers {
        let address = server(address, number);
        text += &format!("[[service.server]]\naddress = \"{address}\"\nmac = \"02:00:00:00:01:{number:02x}\"\n");
    }
    text
}

/// A server's address, of the same family as the service.
fn server(service: &str, number: u8) -> String {
    if service.contains(':') { format!("fd00::{number:x}") } else { format!("10.0.0.{number}") }
}

fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, number]
}

/// The exact sum, by big integers.
fn sum(from: IpAddr, to: IpAddr, rest: &[u16]) -> BigUint {
    let number = |address| match address {
        IpAddr::V4(address) => BigUint::from_bytes_be(&Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => BigUint::from_bytes_be(&Ipv6Addr::octets(&address)),
    };
    rest.iter().fold(number(from) + number(to), |sum, addend| sum + BigUint::from(*addend))
}

fn remainder(sum: &BigUint, modulus: u32) -> u32 {
    (sum % modulus).iter_u32_digits().next().unwrap_or(0)
}

/// The number of the server that a sum names.
fn chosen(sum: &BigUint, servers: &Range<u8>) -> u8 {
    servers.start + remainder(sum, u32::from(servers.end - servers.start)) as u8
}

/// Checks that a frame is sent to the server that a sum names; `service` is a name and an address.
fn sent(bench: &Bench, what: &str, frame: &[u8], service: (&str, &str), sum: &BigUint, servers: Range<u8>) {
    let number = chosen(sum, &servers);
    let address = server(service.1, number);
    bench.check(what, frame, Expect::Sent { service: service.0, server: &address, mac: mac(number) });
}

fn passes(bench: &Bench, what: &str, frame: &[u8], outcome: Outcome) {
    bench.check(what, frame, Expect::Passed(outcome));
}

/// Client addresses of the same family as the service.
fn clients(service: &str) -> Vec<IpAddr> {
    let texts: &[&str] = if service.contains(':') {
        &[
            "2001:db8::7",
            "fd00::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::2",
            "8000::",
            "0:0:0:1::",
            "1:2:3:4:5:6:7:8",
        ]
    } else {
        &["198.51.100.7", "255.255.255.254", "0.0.0.1", "10.0.0.200", "192.0.2.255"]
    };
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A frame to a service from its first client.
fn to_service(service: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    to_gateway(&ip(clients(service)[0], service.parse().unwrap(), protocol, payload))
}
