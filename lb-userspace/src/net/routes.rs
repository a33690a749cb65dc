//! Asks how the kernel would send to an address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::{
    AddressFamily,
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia},
};

use super::{
    error::{Error, Result},
    netlink::{Net, answered},
};

/// How the kernel would send to an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The index of the interface that it would send on.
    pub interface: u32,
    /// The router; `None`: the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The address is this host's own.
    pub local: bool,
}

impl Net {
    /// How the kernel would send to `address`, by all routing tables and rules.
    pub async fn route(&self, address: IpAddr) -> Result<Route> {
        let mut question = RouteMessage::default();
        let (family, length, destination) = match address {
            IpAddr::V4(v4) => (AddressFamily::Inet, Ipv4Addr::BITS, RouteAddress::Inet(v4)),
            IpAddr::V6(v6) => (AddressFamily::Inet6, Ipv6Addr::BITS, RouteAddress::Inet6(v6)),
        };
        question.header.address_family = family;
        question.header.destination_prefix_length = length as u8;
        question.attributes.push(RouteAttribute::Destination(destination));

        let mut answer = std::pin::pin!(self.handle.route().get(question).execute());
        let unreachable = |source| Error::NoRoute { address, source: explain_blackhole(source) };
        let message = answered(answer.try_next()).await.map_err(unreachable)?;
        message.as_ref().and_then(route_of).ok_or_else(|| unreachable(io::ErrorKind::HostUnreachable.into()))
    }
}

/// `None`: the route leads nowhere (blackhole, unreachable, prohibit).
fn route_of(message: &RouteMessage) -> Option<Route> {
    let local = message.header.kind == RouteType::Local;
    if !local && message.header.kind != RouteType::Unicast {
        return None;
    }
    let mut interface = None;
    let mut gateway = None;
    for attribute in &message.attributes {
        if let RouteAttribute::Oif(index) = attribute {
            interface = Some(*index);
        } else if let RouteAttribute::Gateway(RouteAddress::Inet(address)) = attribute {
            gateway = Some(IpAddr::V4(*address));
        } else if let RouteAttribute::Gateway(RouteAddress::Inet6(address)) = attribute {
            gateway = Some(IpAddr::V6(*address));
        } else if let RouteAttribute::Via(RouteVia::Inet6(address)) = attribute {
            // An IPv4 destination behind an IPv6 router (RFC 5549).
            gateway = Some(IpAddr::V6(*address));
        }
    }
    Some(Route { interface: interface?, gateway, local })
}

/// For a blackhole route, the kernel only says "invalid argument".
fn explain_blackhole(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(libc::EINVAL) {
        io::Error::new(io::ErrorKind::HostUnreachable, "its route is a blackhole")
    } else {
        error
    }
}
