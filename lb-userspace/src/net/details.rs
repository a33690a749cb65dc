//! Details of interfaces, addresses and neighbours that only `modlb doctor` needs.

use std::{collections::HashMap, net::IpAddr};

use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressFlags, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    neighbour::NeighbourMessage,
};

use super::{
    addresses::own_address,
    error::{Error, Result},
    interfaces::{Interface, interface_of},
    neighbours::neighbour_of,
    netlink::{Net, all, answered},
};

/// How an interface relates to others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Details {
    /// Its kind as `ip -d link` shows it: `veth`, `bond`, `vlan`, …; `None`: usually hardware.
    pub kind: Option<String>,
    /// Whether it has a carrier.
    pub carrier: bool,
    /// The index of the bridge, bond or other controller that it belongs to.
    pub controller: Option<u32>,
    /// The index of its peer (veth) or of the interface below (VLAN and others).
    pub link: Option<u32>,
    /// The id in this network namespace for that of `link`, if it is another one.
    pub link_namespace: Option<i32>,
}

/// An address of this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address {
    /// The index of the interface that has it.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix.
    pub length: u8,
    /// It is still being checked for duplicates, and not used yet.
    pub tentative: bool,
    /// Another host has it, so it is not used.
    pub duplicate: bool,
}

impl Net {
    /// How an interface relates to others.
    pub async fn details(&self, index: u32) -> Result<Details> {
        Ok(details_of(&self.link(index, None).await?))
    }

    /// An interface of another network namespace, by that one's id.
    pub async fn foreign_interface(&self, index: u32, namespace: i32) -> Result<Interface> {
        Ok(interface_of(self.link(index, Some(namespace)).await?))
    }

    async fn link(&self, index: u32, namespace: Option<i32>) -> Result<LinkMessage> {
        let mut request = self.handle.link().get().match_index(index);
        request.message_mut().attributes.extend(namespace.map(LinkAttribute::IfNetnsId));
        let mut answer = std::pin::pin!(request.execute());
        let next = answered(futures_util::TryStreamExt::try_next(&mut answer)).await;
        match next.map_err(|source| Error::Request { what: format!("interface {index}"), source })? {
            Some(message) => Ok(message),
            None => Err(Error::NoInterfaceIndex(index)),
        }
    }

    /// Every address of this host.
    pub async fn addresses(&self) -> Result<Vec<Address>> {
        let messages = all(self.handle.address().get().execute(), "this host's addresses").await?;
        Ok(messages.iter().filter_map(address_of).collect())
    }

    /// The state of every neighbour, by address and interface, as `ip neighbour` shows it.
    pub async fn neighbour_states(&self) -> Result<HashMap<(IpAddr, u32), String>> {
        let messages: Vec<NeighbourMessage> =
            all(self.handle.neighbours().get().execute(), "the neighbour table").await?;
        let states = messages
            .iter()
            .filter_map(|message| Some((neighbour_of(message)?, message.header.state.to_string().to_uppercase())));
        Ok(states.collect())
    }
}

fn details_of(message: &LinkMessage) -> Details {
    let mut details = Details { carrier: message.header.flags.contains(LinkFlags::LowerUp), ..Details::default() };
    for attribute in &message.attributes {
        if let LinkAttribute::Controller(index) = attribute {
            details.controller = Some(*index);
        } else if let LinkAttribute::Link(index) = attribute {
            details.link = Some(*index);
        } else if let LinkAttribute::LinkNetNsId(number) = attribute {
            details.link_namespace = Some(*number);
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            let kind = |info: &LinkInfo| if let LinkInfo::Kind(kind) = info { Some(kind.to_string()) } else { None };
            details.kind = infos.iter().find_map(kind);
        }
    }
    details
}

fn address_of(message: &AddressMessage) -> Option<Address> {
    let flags = message
        .attributes
        .iter()
        .find_map(|attribute| if let AddressAttribute::Flags(flags) = attribute { Some(*flags) } else { None });
    let is = |flag| flags.is_some_and(|flags| flags.contains(flag));
    Some(Address {
        interface: message.header.index,
        address: own_address(message)?,
        length: message.header.prefix_len,
        tentative: is(AddressFlags::Tentative),
        duplicate: is(AddressFlags::Dadfailed),
    })
}
