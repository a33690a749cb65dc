//! What the kernel's messages say.

use std::net::{IpAddr, Ipv4Addr};

use lb_common::mac::Mac;
use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia},
};

use super::{Interface, Route, XdpInfo, XdpMode};

pub(super) fn interface_of(link: LinkMessage) -> Interface {
    let mut interface = Interface {
        index: link.header.index,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: link.header.flags.contains(LinkFlags::Up),
        veth: false,
        xdp: None,
        vlan_of: None,
    };
    let (mut below, mut is_vlan) = (None, false);
    for attribute in link.attributes {
        if let LinkAttribute::IfName(name) = attribute {
            interface.name = name;
        } else if let LinkAttribute::Mtu(mtu) = attribute {
            interface.mtu = mtu;
        } else if let LinkAttribute::Address(bytes) = attribute {
            interface.mac = mac_of(&bytes);
        } else if let LinkAttribute::Xdp(attributes) = attribute {
            interface.xdp = xdp_of(&attributes);
        } else if let LinkAttribute::Link(index) = attribute {
            below = Some(index);
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            is_vlan = infos.contains(&LinkInfo::Kind(InfoKind::Vlan));
            interface.veth = infos.contains(&LinkInfo::Kind(InfoKind::Veth));
        }
    }
    // A veth has something below it as well: its peer, maybe that of another namespace.
    interface.vlan_of = below.filter(|_| is_vlan);
    interface
}

/// The MAC in a link-layer address; tunnels have addresses of other lengths, loopback has zeros.
pub(super) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac).filter(|mac| mac.is_unicast())
}

/// An interface may have a program in each mode. The native one is met first by a packet, so it is the one shown.
fn xdp_of(attributes: &[LinkXdp]) -> Option<XdpInfo> {
    let find = |mode, select: fn(&LinkXdp) -> Option<u32>| {
        let program_id = attributes.iter().find_map(select)?;
        Some(XdpInfo { mode, program_id })
    };
    find(XdpMode::Native, |a| if let LinkXdp::DrvProgId(id) = a { Some(*id) } else { None })
        .or_else(|| find(XdpMode::Offload, |a| if let LinkXdp::HwProgId(id) = a { Some(*id) } else { None }))
        .or_else(|| find(XdpMode::Generic, |a| if let LinkXdp::SkbProgId(id) = a { Some(*id) } else { None }))
}

/// On a point-to-point link `Address` is the peer's and `Local` our own; elsewhere `Local` may be missing.
pub(super) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let attributes = || message.attributes.iter();
    attributes().find_map(|a| if let AddressAttribute::Local(address) = a { Some(*address) } else { None }).or_else(
        || attributes().find_map(|a| if let AddressAttribute::Address(address) = a { Some(*address) } else { None }),
    )
}

/// The address by which one reaches everybody on the network of an interface's address.
pub(super) fn broadcast(message: &AddressMessage) -> Option<IpAddr> {
    let IpAddr::V4(own) = own_address(message)? else { return None };
    // Networks of one and two addresses have none (RFC 3021).
    let host_bits = 32 - u32::from(message.header.prefix_len.min(32));
    (host_bits >= 2)
        .then(|| Ipv4Addr::from_bits(own.to_bits() | u32::MAX.checked_shr(32 - host_bits).unwrap_or(0)).into())
}

/// `None`: the route leads nowhere (blackhole, unreachable, prohibit).
pub(super) fn route_of(message: &RouteMessage) -> Option<Route> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_program_comes_first() {
        let xdp = |mode, program_id| Some(XdpInfo { mode, program_id });
        assert_eq!(xdp_of(&[LinkXdp::SkbProgId(7)]), xdp(XdpMode::Generic, 7));
        assert_eq!(xdp_of(&[LinkXdp::SkbProgId(7), LinkXdp::DrvProgId(8)]), xdp(XdpMode::Native, 8));
        assert_eq!(xdp_of(&[LinkXdp::HwProgId(9)]), xdp(XdpMode::Offload, 9));
        assert_eq!(xdp_of(&[]), None);
    }

    /// A veth, too, has another interface below it, which means nothing.
    #[test]
    fn only_a_vlan_is_another_interface_s() {
        let below = |kind| {
            let mut message = LinkMessage::default();
            message.attributes = vec![LinkAttribute::Link(7), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])];
            interface_of(message).vlan_of
        };
        assert_eq!(below(InfoKind::Vlan), Some(7));
        assert_eq!(below(InfoKind::Veth), None);
    }

    #[test]
    fn our_own_address_of_a_link_to_a_peer() {
        let [own, peer] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let message = |attributes| {
            let mut message = AddressMessage::default();
            message.attributes = attributes;
            message
        };
        let both = message(vec![AddressAttribute::Address(peer), AddressAttribute::Local(own)]);
        assert_eq!(own_address(&both), Some(own));
        assert_eq!(own_address(&message(vec![AddressAttribute::Address(own)])), Some(own));
    }
}
