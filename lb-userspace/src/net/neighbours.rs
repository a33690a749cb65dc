//! Resolves MACs: has the kernel ask for them, and reads its neighbour table.
//!
//! The kernel sends the requests (ARP, neighbour solicitations), because it knows the source addresses, retries, and
//! sees all answers. There are two ways to make it ask, and each works where the other does not:
//!
//! - A datagram to the address. In IPv6, the solicitation then has the datagram's source. Otherwise the kernel needs a
//!   link-local address, which an interface lacks for a second after it came up, or altogether.
//! - `NTF_USE`, which is not subject to routes and firewalls, but needs CAP_NET_ADMIN.
//!
//! Trap: the datagram must come first. Once the kernel is asking, the second one has no effect.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::unix::ffi::OsStrExt as _,
    time::Duration,
};

use lb_common::mac::Mac;
use nix::{
    net::if_::if_indextoname,
    sys::socket::{setsockopt, sockopt::BindToDevice},
};
use rtnetlink::{
    Handle,
    packet_route::neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
    },
};
use tokio::time::{self, Instant};

use super::{
    error::{Error, Result},
    netlink::{Net, all, answered, mac_of},
};

/// The discard service (RFC 863), where a datagram does no harm.
const DISCARD_PORT: u16 = 9;

/// The shortest and the longest pause between looks at the table. An answer on a LAN takes well under a millisecond.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest wait. The kernel repeats its request after a second, three times; a neighbour that does not answer the
/// first one is taken to be down.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);

/// An address, and the index of the interface of its link.
type Key = (IpAddr, u32);

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// The neighbour's address.
    pub address: IpAddr,
    /// The index of the interface of its link.
    pub interface: u32,
    /// Its MAC, if the entry's state is one in which the kernel uses it.
    pub mac: Option<Mac>,
    /// The kernel asked and got no answer.
    pub failed: bool,
    /// The entry is permanent: the kernel never asks.
    pub permanent: bool,
    /// The kernel keeps it alive.
    pub managed: bool,
}

/// The state of a neighbour in the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    Known(Mac),
    /// The kernel itself no longer trusts it, and does nothing to find out before it is used.
    Unsure(Mac),
    Asking,
    Failed,
}

impl Net {
    /// The MAC of `address` on the link of `interface`, from the neighbour table or by asking for it (ARP, neighbour
    /// discovery). `None`: no answer within `timeout`.
    pub async fn resolve(&self, address: IpAddr, interface: u32, timeout: Duration) -> Result<Option<Mac>> {
        Ok(self.resolve_all(&[(address, interface)], timeout).await?.pop().flatten())
    }

    /// Like [`Net::resolve`], for many addresses and interfaces at once, within one `timeout`. The answers are in the
    /// order of the requests.
    ///
    /// Trap: the kernel's neighbour table has a limit (`net.ipv4.neigh.default.gc_thresh3`, by default 1024, and the
    /// same for IPv6). Addresses beyond it stay unresolved, and a warning is logged.
    pub async fn resolve_all(&self, requests: &[(IpAddr, u32)], timeout: Duration) -> Result<Vec<Option<Mac>>> {
        resolve_all(&self.handle, requests, timeout).await
    }

    /// Every entry of the neighbour table.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let messages = all(self.handle.neighbours().get().execute(), "the neighbour table").await?;
        Ok(messages.iter().filter_map(read).collect())
    }

    /// Makes the kernel keep an entry alive (`ip neigh add … managed`). A known MAC stays. Kernels before 5.16 accept
    /// the request and ignore it.
    pub async fn manage(&self, address: IpAddr, interface: u32) -> Result<()> {
        manage(&self.handle, address, interface).await
    }

    /// Makes the kernel ask for a MAC, as a packet to the address would.
    pub async fn ask(&self, address: IpAddr, interface: u32) -> Result<()> {
        let source = ask(&self.handle, address, interface).await;
        source.map_err(|source| Error::Neighbour { address, source })
    }

    /// Removes an entry.
    pub async fn forget(&self, address: IpAddr, interface: u32) -> Result<()> {
        forget(&self.handle, address, interface).await
    }
}

async fn resolve_all(handle: &Handle, requests: &[Key], timeout: Duration) -> Result<Vec<Option<Mac>>> {
    let deadline = Instant::now() + timeout.min(LONGEST_TIMEOUT);
    let mut open: HashSet<Key> = requests.iter().copied().collect();
    let mut found = HashMap::new();
    if !open.is_empty() {
        // An old failure says nothing about now, nor does an old answer, so the kernel asks again before they count.
        let table = table(handle).await?;
        settle_known(&table, false, &mut open, &mut found);
        for &(address, interface) in &open {
            // Trap: the kernel asks only the MAC that it has, and only seconds after the entry was used.
            if matches!(table.get(&(address, interface)), Some(Entry::Unsure(_))) {
                forget(handle, address, interface).await?;
            }
        }
        ask_all(handle, &open).await;
    }

    let mut pause = FIRST_PAUSE;
    while !open.is_empty() && Instant::now() < deadline {
        time::sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let table = table(handle).await?;
        settle_known(&table, true, &mut open, &mut found);
        open.retain(|neighbour| table.get(neighbour) != Some(&Entry::Failed));
    }
    Ok(requests.iter().map(|neighbour| found.get(neighbour).copied()).collect())
}

/// Moves neighbours with a known MAC from `open` to `found`. `unsure`: also those that sent something since they were
/// asked for, which is an answer of another kind.
fn settle_known(table: &HashMap<Key, Entry>, unsure: bool, open: &mut HashSet<Key>, found: &mut HashMap<Key, Mac>) {
    open.retain(|neighbour| match table.get(neighbour) {
        Some(Entry::Known(mac)) => {
            found.insert(*neighbour, *mac);
            false
        }
        Some(Entry::Unsure(mac)) if unsure => {
            found.insert(*neighbour, *mac);
            false
        }
        Some(Entry::Unsure(_) | Entry::Asking | Entry::Failed) | None => true,
    });
}

/// The kernel's neighbour table, by one request.
async fn table(handle: &Handle) -> Result<HashMap<Key, Entry>> {
    let messages: Vec<NeighbourMessage> = all(handle.neighbours().get().execute(), "the neighbour table").await?;
    Ok(messages.iter().filter_map(|message| Some((neighbour_of(message)?, entry_of(message)))).collect())
}

/// `None` for entries of other families, such as those of bridges.
pub(super) fn neighbour_of(message: &NeighbourMessage) -> Option<Key> {
    let address = message.attributes.iter().find_map(|attribute| {
        if let NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) = attribute {
            Some(IpAddr::V4(*address))
        } else if let NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) = attribute {
            Some(IpAddr::V6(*address))
        } else {
            None
        }
    })?;
    Some((address, message.header.ifindex))
}

fn entry_of(message: &NeighbourMessage) -> Entry {
    const SURE: [NeighbourState; 3] = [NeighbourState::Reachable, NeighbourState::Permanent, NeighbourState::Noarp];
    const UNSURE: [NeighbourState; 3] = [NeighbourState::Stale, NeighbourState::Delay, NeighbourState::Probe];
    let state = message.header.state;
    let mac = message.attributes.iter().find_map(|attribute| {
        if let NeighbourAttribute::LinkLayerAddress(bytes) = attribute { mac_of(bytes) } else { None }
    });
    match mac {
        // An entry that failed may still carry the MAC that it once had.
        Some(mac) if SURE.contains(&state) => Entry::Known(mac),
        // The kernel keeps a managed entry up to date.
        Some(mac) if UNSURE.contains(&state) && is_managed(message) => Entry::Known(mac),
        Some(mac) if UNSURE.contains(&state) => Entry::Unsure(mac),
        Some(_) | None if state == NeighbourState::Failed => Entry::Failed,
        Some(_) | None => Entry::Asking,
    }
}

/// Reads an entry; `None` for those of other families, such as those of bridges.
pub(super) fn read(message: &NeighbourMessage) -> Option<Neighbour> {
    let (address, interface) = neighbour_of(message)?;
    let entry = entry_of(message);
    Some(Neighbour {
        address,
        interface,
        mac: if let Entry::Known(mac) | Entry::Unsure(mac) = entry { Some(mac) } else { None },
        failed: entry == Entry::Failed,
        permanent: [NeighbourState::Permanent, NeighbourState::Noarp].contains(&message.header.state),
        managed: is_managed(message),
    })
}

fn is_managed(message: &NeighbourMessage) -> bool {
    let managed = |attribute: &NeighbourAttribute| matches!(attribute, NeighbourAttribute::ExtFlags(flags) if flags.contains(NeighbourExtFlags::Managed));
    message.attributes.iter().any(managed)
}

/// Trap: managing a permanent entry makes it non-permanent.
async fn manage(handle: &Handle, address: IpAddr, interface: u32) -> Result<()> {
    let mut request = handle.neighbours().add(interface, address).state(NeighbourState::None).replace();
    request.message_mut().attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    let source = answered(request.execute()).await;
    source.map_err(|source| Error::Neighbour { address, source })
}

async fn forget(handle: &Handle, address: IpAddr, interface: u32) -> Result<()> {
    let mut add = handle.neighbours().add(interface, address);
    let message = add.message_mut().clone();
    match answered(handle.neighbours().del(message).execute()).await {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(source) => Err(Error::Neighbour { address, source }),
        Ok(()) => Ok(()),
    }
}

/// Makes the kernel ask for every neighbour. One that it cannot ask stays unresolved, like one that does not answer.
async fn ask_all(handle: &Handle, neighbours: &HashSet<Key>) {
    let mut full = 0_usize;
    for &(address, interface) in neighbours {
        if let Err(error) = ask(handle, address, interface).await {
            log::debug!("cannot ask for the MAC of {address} on interface {interface}: {error}");
            full += usize::from(error.raw_os_error() == Some(libc::ENOBUFS));
        }
    }
    if full > 0 {
        log::warn!(
            "the kernel's neighbour table is full, {full} servers were not asked for their MAC: raise \
             net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3, or give the MACs"
        );
    }
}

async fn ask(handle: &Handle, address: IpAddr, interface: u32) -> io::Result<()> {
    let datagram = send_datagram(address, interface);
    // `replace`, so that a failed entry is asked for again.
    let request = handle.neighbours().add(interface, address).state(NeighbourState::None).flags(NeighbourFlags::Use);
    match answered(request.replace().execute()).await {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => datagram,
        result => result,
    }
}

/// Binding to the interface keeps the datagram from a router, if the address is routed elsewhere.
fn send_datagram(address: IpAddr, interface: u32) -> io::Result<()> {
    let (any, destination): (IpAddr, SocketAddr) = match address {
        IpAddr::V4(v4) => (Ipv4Addr::UNSPECIFIED.into(), (v4, DISCARD_PORT).into()),
        IpAddr::V6(v6) => (Ipv6Addr::UNSPECIFIED.into(), SocketAddrV6::new(v6, DISCARD_PORT, 0, interface).into()),
    };
    let name = if_indextoname(interface)?;
    let socket = UdpSocket::bind((any, 0))?;
    setsockopt(&socket, BindToDevice, &OsStr::from_bytes(name.to_bytes()).to_owned())?;
    socket.set_nonblocking(true)?;
    socket.send_to(&[], destination).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: NeighbourState, mac: Option<&[u8]>) -> Entry {
        let mut message = NeighbourMessage::default();
        message.header.state = state;
        message.attributes.extend(mac.map(|bytes| NeighbourAttribute::LinkLayerAddress(bytes.to_vec())));
        entry_of(&message)
    }

    #[test]
    fn only_some_states_make_a_mac_known() {
        let bytes = [2, 0, 0, 0, 0, 0x11];
        for state in [NeighbourState::Reachable, NeighbourState::Noarp, NeighbourState::Permanent] {
            assert_eq!(entry(state, Some(&bytes)), Entry::Known(Mac(bytes)), "{state}");
        }
        for state in [NeighbourState::Stale, NeighbourState::Delay, NeighbourState::Probe] {
            assert_eq!(entry(state, Some(&bytes)), Entry::Unsure(Mac(bytes)), "{state}");
        }
        assert_eq!(entry(NeighbourState::Failed, Some(&bytes)), Entry::Failed);
        assert_eq!(entry(NeighbourState::Failed, None), Entry::Failed);
        assert_eq!(entry(NeighbourState::Incomplete, Some(&bytes)), Entry::Asking);
        assert_eq!(entry(NeighbourState::Incomplete, None), Entry::Asking);
    }

    #[test]
    fn only_unicast_macs_are_known() {
        for bytes in [&[0; 6][..], &[0xff; 6], &[10, 0, 0, 1]] {
            assert_eq!(entry(NeighbourState::Permanent, Some(bytes)), Entry::Asking, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn nothing_to_resolve_takes_no_time() {
        let answers = Net::open().unwrap().resolve_all(&[], Duration::from_secs(1)).await.unwrap();
        assert!(answers.is_empty());
    }
}
