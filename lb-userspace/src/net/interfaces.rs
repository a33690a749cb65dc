//! Interfaces: names, MACs, states, and the XDP programs on them.

use std::collections::HashSet;

use futures_util::{Stream, TryStreamExt as _};
use lb_common::mac::Mac;
use rtnetlink::{
    packet_core::DefaultNla,
    packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp},
};

use super::{
    error::{Error, Result},
    netlink::{Net, all, answered, mac_of},
};

/// One more than the longest alternative name of an interface (`ip link property add`), in bytes.
const ALTIFNAMSIZ: usize = 128;

/// An alternative name as an attribute of a request.
const IFLA_ALT_IFNAME: u16 = 53;

/// A network interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interface {
    /// The kernel's number for it, unique within the network namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; `None`: it has none, like a tunnel.
    pub mac: Option<Mac>,
    /// The largest packet in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether it is administratively up, with or without a carrier.
    pub up: bool,
    /// Whether frames can leave it: it is up and has a carrier.
    pub running: bool,
    /// Whether it is one end of a virtual cable (veth).
    pub veth: bool,
    /// The XDP program on it.
    pub xdp: Option<XdpInfo>,
    /// If it is a VLAN, the index of the interface below.
    pub vlan_of: Option<u32>,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct XdpInfo {
    /// Where it runs.
    pub mode: XdpMode,
    /// Its id, as `bpftool prog` shows it.
    pub program_id: u32,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// In the network stack, after the driver.
    Generic,
    /// On the network card.
    Offload,
}

impl XdpMode {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offload => "offload",
        }
    }
}

impl Net {
    /// The interface with this name.
    pub async fn interface(&self, name: &str) -> Result<Interface> {
        let missing = || Error::NoInterface(name.to_owned());
        // The kernel calls these invalid arguments. To the user they are names that no interface has.
        if name.is_empty() || name.len() >= ALTIFNAMSIZ {
            return Err(missing());
        }
        let mut request = self.handle.link().get();
        if name.len() < libc::IFNAMSIZ {
            request = request.match_name(name);
        } else {
            // Only an alternative name is that long.
            request = request.match_index(0);
            let text = [name.as_bytes(), b"\0"].concat();
            request.message_mut().attributes.push(LinkAttribute::Other(DefaultNla::new(IFLA_ALT_IFNAME, text)));
        }
        let found = self.one_interface(request.execute(), missing, || format!("interface {name}")).await?;
        // The kernel also finds interfaces by their alternative names.
        if found.name != name {
            return Err(Error::AlternativeName { name: name.to_owned(), interface: found.name });
        }
        Ok(found)
    }

    /// The interface with this index.
    pub async fn interface_by_index(&self, index: u32) -> Result<Interface> {
        let missing = || Error::NoInterfaceIndex(index);
        // The kernel calls index 0 an invalid argument.
        if index == 0 {
            return Err(missing());
        }
        let what = || format!("interface {index}");
        self.one_interface(self.handle.link().get().match_index(index).execute(), missing, what).await
    }

    async fn one_interface(
        &self,
        answer: impl Stream<Item = std::result::Result<LinkMessage, rtnetlink::Error>>,
        missing: impl Fn() -> Error,
        what: impl Fn() -> String,
    ) -> Result<Interface> {
        let mut answer = std::pin::pin!(answer);
        match answered(answer.try_next()).await {
            Ok(Some(link)) => Ok(interface_of(link)),
            Ok(None) => Err(missing()),
            Err(source) if source.raw_os_error() == Some(libc::ENODEV) => Err(missing()),
            Err(source) => Err(Error::Request { what: what(), source }),
        }
    }

    /// Every interface, in the order of their indices.
    pub async fn interfaces(&self) -> Result<Vec<Interface>> {
        let links: Vec<LinkMessage> = all(self.handle.link().get().execute(), "the interfaces").await?;
        let mut interfaces: Vec<_> = links.into_iter().map(interface_of).collect();
        interfaces.sort_by_key(|interface| interface.index);
        Ok(interfaces)
    }

    /// The MACs of this host's interfaces.
    pub async fn own_macs(&self) -> Result<HashSet<Mac>> {
        Ok(self.interfaces().await?.into_iter().filter_map(|interface| interface.mac).collect())
    }
}

/// Reads the kernel's message about an interface.
pub(super) fn interface_of(link: LinkMessage) -> Interface {
    let mut interface = Interface {
        index: link.header.index,
        up: link.header.flags.contains(LinkFlags::Up),
        running: link.header.flags.contains(LinkFlags::Running),
        ..Interface::default()
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
    // A veth also has this attribute: its peer, possibly in another namespace.
    interface.vlan_of = below.filter(|_| is_vlan);
    interface
}

/// An interface may have a program in each mode. The native one is returned, as packets meet it first.
fn xdp_of(attributes: &[LinkXdp]) -> Option<XdpInfo> {
    let find = |mode, select: fn(&LinkXdp) -> Option<u32>| {
        let program_id = attributes.iter().find_map(select)?;
        Some(XdpInfo { mode, program_id })
    };
    find(XdpMode::Native, |a| if let LinkXdp::DrvProgId(id) = a { Some(*id) } else { None })
        .or_else(|| find(XdpMode::Offload, |a| if let LinkXdp::HwProgId(id) = a { Some(*id) } else { None }))
        .or_else(|| find(XdpMode::Generic, |a| if let LinkXdp::SkbProgId(id) = a { Some(*id) } else { None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finds_loopback_and_nothing_else() {
        let net = Net::open().unwrap();
        let lo = net.interface("lo").await.unwrap();
        assert_eq!((lo.name.as_str(), lo.mac), ("lo", None));
        assert_eq!(net.interface_by_index(lo.index).await.unwrap(), lo);
        assert!(net.interfaces().await.unwrap().contains(&lo));
        for name in ["no-such", "", "a-name-that-is-too-long"] {
            assert!(matches!(net.interface(name).await, Err(Error::NoInterface(culprit)) if culprit == name));
        }
        assert!(matches!(net.interface_by_index(0).await, Err(Error::NoInterfaceIndex(0))));
    }

    #[test]
    fn the_native_program_comes_first() {
        let xdp = |mode, program_id| Some(XdpInfo { mode, program_id });
        assert_eq!(xdp_of(&[LinkXdp::SkbProgId(7)]), xdp(XdpMode::Generic, 7));
        assert_eq!(xdp_of(&[LinkXdp::SkbProgId(7), LinkXdp::DrvProgId(8)]), xdp(XdpMode::Native, 8));
        assert_eq!(xdp_of(&[LinkXdp::HwProgId(9)]), xdp(XdpMode::Offload, 9));
        assert_eq!(xdp_of(&[]), None);
    }

    /// A veth has the same attribute, with another meaning.
    #[test]
    fn only_a_vlan_has_an_interface_below() {
        let below = |kind| {
            let mut message = LinkMessage::default();
            message.attributes = vec![LinkAttribute::Link(7), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])];
            interface_of(message).vlan_of
        };
        assert_eq!(below(InfoKind::Vlan), Some(7));
        assert_eq!(below(InfoKind::Veth), None);
    }
}
