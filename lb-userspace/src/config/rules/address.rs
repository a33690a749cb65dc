//! Kinds of addresses that services, servers or balancers cannot have.

use std::net::{IpAddr, Ipv4Addr};

/// The kind of an address that no packet on the wire is sent to.
pub(super) fn never_on_the_wire(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else {
        // RFC 1122, 3.2.1.3.
        matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0).then_some("an address of this network (0.0.0.0/8)")
    }
}

/// The kind of an address that no single host has.
pub(super) fn not_of_one_host(address: IpAddr) -> Option<&'static str> {
    multicast(address).or_else(|| broadcast(address))
}

/// Whether it is a multicast address.
pub(super) fn multicast(address: IpAddr) -> Option<&'static str> {
    address.is_multicast().then_some("a multicast address")
}

/// Whether it is the address of everybody on a link.
pub(super) fn broadcast(address: IpAddr) -> Option<&'static str> {
    matches!(address, IpAddr::V4(v4) if v4 == Ipv4Addr::BROADCAST).then_some("the broadcast address")
}

/// The kind of an address that means another host on each link, and that routers do not forward.
pub(super) fn only_on_one_link(address: IpAddr) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local.then_some("a link-local address")
}

/// The kind of an IPv6 address that stands for an IPv4 one inside a host and is never on the wire (RFC 4291, 2.5.5.2).
pub(super) fn mapped(address: IpAddr) -> Option<&'static str> {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
        .then_some("an IPv4 address written as IPv6 (IPv4-mapped)")
}
