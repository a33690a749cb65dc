//! Reads this host's addresses.

use std::{
    collections::{BTreeSet, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};

use super::{
    error::Result,
    netlink::{Net, all},
};

impl Net {
    /// Every address of this host.
    pub async fn local_addresses(&self) -> Result<HashSet<IpAddr>> {
        let messages = all(self.handle.address().get().execute(), "this host's addresses").await?;
        Ok(messages.iter().filter_map(own_address).collect())
    }

    /// Every address of this host, and the broadcast addresses of its networks.
    pub async fn own_addresses(&self) -> Result<Vec<IpAddr>> {
        let messages = all(self.handle.address().get().execute(), "this host's addresses").await?;
        let addresses: BTreeSet<_> =
            messages.iter().flat_map(|message| [own_address(message), broadcast(message)]).flatten().collect();
        Ok(addresses.into_iter().collect())
    }
}

/// On a point-to-point link `Address` is the peer's and `Local` our own; elsewhere `Local` may be missing.
pub(super) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let attributes = || message.attributes.iter();
    attributes().find_map(|a| if let AddressAttribute::Local(address) = a { Some(*address) } else { None }).or_else(
        || attributes().find_map(|a| if let AddressAttribute::Address(address) = a { Some(*address) } else { None }),
    )
}

/// The broadcast address of an address's network.
fn broadcast(message: &AddressMessage) -> Option<IpAddr> {
    let IpAddr::V4(own) = own_address(message)? else { return None };
    // Networks of one and two addresses have none (RFC 3021).
    let host_bits = 32 - u32::from(message.header.prefix_len.min(32));
    (host_bits >= 2)
        .then(|| Ipv4Addr::from_bits(own.to_bits() | u32::MAX.checked_shr(32 - host_bits).unwrap_or(0)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_address_of_a_point_to_point_link() {
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
