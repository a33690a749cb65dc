//! The kernel's view of the network: interfaces, addresses, routes and neighbours, over rtnetlink.
//!
//! Trap: a netlink socket belongs to the network namespace that its thread was in when it was opened, and stays there.
//! Enter the namespace first (see `netns`), on the thread that later runs the (current-thread) runtime.

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use lb_common::mac::Mac;
use rtnetlink::{
    Handle,
    packet_route::{
        AddressFamily,
        link::LinkMessage,
        route::{RouteAddress, RouteAttribute, RouteMessage},
    },
};
use tokio::{task::JoinHandle, time};

use self::message::{broadcast, interface_of, own_address, route_of};

pub mod details;
pub mod ethtool;
pub mod events;
pub mod features;
mod message;
mod neighbour;

/// How long the kernel may take over one request. It answers within the system call; a longer silence means an answer
/// that could not be decoded, for which the library would wait forever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the kernel's view could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no netlink socket to be had.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// No interface has the name.
    #[error("there is no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// No interface has the index.
    #[error("there is no interface with index {0} in this network namespace")]
    NoInterfaceIndex(u32),
    /// The kernel would not send to the address.
    #[error("there is no route to {address}: {source}")]
    NoRoute {
        /// Where to.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// An entry of the neighbour table cannot be changed.
    #[error("cannot change the entry of {address} in the neighbour table: {source}")]
    Neighbour {
        /// Whose.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A request failed.
    #[error("cannot read {what} from the kernel: {source}")]
    Request {
        /// What was asked for.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What the functions of this module return.
pub type Result<T> = std::result::Result<T, Error>;

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    /// The kernel's number for it, unique within the network namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; `None` where it has none, as a tunnel.
    pub mac: Option<Mac>,
    /// The largest packet that it takes, in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether it is up administratively; the cable may be out nevertheless.
    pub up: bool,
    /// Whether it is one end of a virtual cable (veth).
    pub veth: bool,
    /// The XDP program on it.
    pub xdp: Option<XdpInfo>,
    /// The index of the interface whose VLAN it is, if it is one's.
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

/// How the kernel would send to an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The index of the interface that it would send by.
    pub interface: u32,
    /// The router; `None`: the address is on the link.
    pub gateway: Option<IpAddr>,
    /// The address is this host's own.
    pub local: bool,
}

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// Whose MAC it is about.
    pub address: IpAddr,
    /// The index of the interface on whose link it is.
    pub interface: u32,
    /// Its MAC, if the kernel vouches for one.
    pub mac: Option<Mac>,
    /// The kernel asked and had no answer.
    pub failed: bool,
    /// Somebody entered it for good: the kernel never asks.
    pub permanent: bool,
    /// The kernel keeps it alive by itself.
    pub managed: bool,
}

/// The kernel's view of one network namespace.
#[derive(Debug)]
pub struct Net {
    handle: Handle,
    connection: JoinHandle<()>,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Net {
    /// Opens the current network namespace. Must be called within a tokio runtime, which then has to run for answers to
    /// arrive.
    pub fn open() -> Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(Error::Open)?;
        Ok(Self { handle, connection: tokio::spawn(connection) })
    }

    /// The interface with this name.
    pub async fn interface(&self, name: &str) -> Result<Interface> {
        let missing = || Error::NoInterface(name.to_owned());
        // The kernel refuses these as invalid arguments; to the user they are names that no interface has.
        if name.is_empty() || name.len() >= libc::IFNAMSIZ {
            return Err(missing());
        }
        self.one_interface(self.handle.link().get().match_name(name).execute(), missing, || format!("interface {name}"))
            .await
    }

    /// The interface with this index.
    pub async fn interface_by_index(&self, index: u32) -> Result<Interface> {
        let missing = || Error::NoInterfaceIndex(index);
        // Index 0 would ask for no interface in particular, which the kernel calls an invalid argument.
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

    /// Every address of every interface of this host.
    pub async fn local_addresses(&self) -> Result<HashSet<IpAddr>> {
        let messages = all(self.handle.address().get().execute(), "this host's addresses").await?;
        Ok(messages.iter().filter_map(own_address).collect())
    }

    /// Every address of this host, and the broadcast address of each of its networks.
    pub async fn own_addresses(&self) -> Result<Vec<IpAddr>> {
        let messages = all(self.handle.address().get().execute(), "this host's addresses").await?;
        let addresses: BTreeSet<_> =
            messages.iter().flat_map(|message| [own_address(message), broadcast(message)]).flatten().collect();
        Ok(addresses.into_iter().collect())
    }

    /// How the kernel would send to `address`, all routing tables and rules considered.
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

    /// The MAC of `address` on the link of `interface`, from the neighbour table or, where it is not there, by asking
    /// for it (ARP, neighbour discovery). `None`: nobody answered within `timeout`.
    pub async fn resolve(&self, address: IpAddr, interface: u32, timeout: Duration) -> Result<Option<Mac>> {
        Ok(self.resolve_all(&[(address, interface)], timeout).await?.pop().flatten())
    }

    /// As [`Net::resolve`] for many addresses at once, each with the interface that it is to be found on, all within
    /// one `timeout`. The answers are in the order of the requests.
    ///
    /// Trap: what the kernel has no room for in its neighbour table (`net.ipv4.neigh.default.gc_thresh3`, 1024 unless
    /// set, and the same for IPv6) stays unresolved; the log says so.
    pub async fn resolve_all(&self, requests: &[(IpAddr, u32)], timeout: Duration) -> Result<Vec<Option<Mac>>> {
        neighbour::resolve_all(&self.handle, requests, timeout).await
    }

    /// Every entry of the neighbour table.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let messages = all(self.handle.neighbours().get().execute(), "the neighbour table").await?;
        Ok(messages.iter().filter_map(neighbour::read).collect())
    }

    /// Makes the kernel keep an entry alive from now on (`ip neigh add … managed`). What it knows already stays. A kernel before
    /// 5.16 takes the request and does not do it.
    pub async fn manage(&self, address: IpAddr, interface: u32) -> Result<()> {
        neighbour::manage(&self.handle, address, interface).await
    }

    /// Makes the kernel ask for a MAC, as a packet to the address would.
    pub async fn ask(&self, address: IpAddr, interface: u32) -> Result<()> {
        let source = neighbour::ask(&self.handle, address, interface).await;
        source.map_err(|source| Error::Neighbour { address, source })
    }

    /// Removes an entry.
    pub async fn forget(&self, address: IpAddr, interface: u32) -> Result<()> {
        neighbour::forget(&self.handle, address, interface).await
    }
}

/// Waits for an answer, but not forever.
async fn answered<T>(answer: impl Future<Output = std::result::Result<T, rtnetlink::Error>>) -> io::Result<T> {
    match time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(rtnetlink::Error::NetlinkError(message))) => Err(message.to_io()),
        Ok(Err(other)) => Err(io::Error::other(other)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer that could be understood")),
    }
}

/// Collects a dump.
async fn all<T>(answers: impl Stream<Item = std::result::Result<T, rtnetlink::Error>>, what: &str) -> Result<Vec<T>> {
    answered(answers.boxed_local().try_collect())
        .await
        .map_err(|source| Error::Request { what: what.to_owned(), source })
}

/// The kernel says no more than "invalid argument" of an address whose route is a blackhole.
fn explain_blackhole(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(libc::EINVAL) {
        io::Error::new(io::ErrorKind::HostUnreachable, "its route is a blackhole")
    } else {
        error
    }
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

    #[tokio::test]
    async fn nothing_to_resolve_takes_no_time() {
        let answers = Net::open().unwrap().resolve_all(&[], Duration::from_secs(1)).await.unwrap();
        assert!(answers.is_empty());
    }
}
