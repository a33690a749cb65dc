//! Finding MACs: the kernel asks, we read its table.
//!
//! The kernel sends the requests (ARP, neighbour solicitations), since it alone knows the source address, the retries
//! and the answers of the whole host. Two things make it ask, and each works where the other does not:
//!
//! - A datagram to the address. In IPv6 the solicitation's source is then the datagram's; without one the kernel
//!   insists on a link-local address, which is missing for a second after the interface has come up, or altogether.
//! - `NTF_USE`, which needs neither a route nor a firewall's consent, but CAP_NET_ADMIN.
//!
//! Trap: the datagram must be the first of the two. Who comes second finds the question asked and adds nothing to it.

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

/// The discard service (RFC 863): nobody minds a datagram there.
const DISCARD_PORT: u16 = 9;

/// An answer on a local network takes well under a millisecond; the pauses grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest wait. The kernel repeats its question after a second, three times; who has not answered the first is
/// taken to be down.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);

/// An address, and the index of the interface on whose link it is.
type Key = (IpAddr, u32);

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

/// What the neighbour table says about a neighbour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    Known(Mac),
    Asking,
    Failed,
}

impl Net {
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
        resolve_all(&self.handle, requests, timeout).await
    }

    /// Every entry of the neighbour table.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let messages = all(self.handle.neighbours().get().execute(), "the neighbour table").await?;
        Ok(messages.iter().filter_map(read).collect())
    }

    /// Makes the kernel keep an entry alive from now on (`ip neigh add … managed`). What it knows already stays. A
    /// kernel before 5.16 takes the request and does not do it.
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
        // Entries that failed earlier say nothing about now, hence the question before they are believed.
        settle_known(&table(handle).await?, &mut open, &mut found);
        ask_all(handle, &open).await;
    }

    let mut pause = FIRST_PAUSE;
    while !open.is_empty() && Instant::now() < deadline {
        time::sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let table = table(handle).await?;
        settle_known(&table, &mut open, &mut found);
        open.retain(|neighbour| table.get(neighbour) != Some(&Entry::Failed));
    }
    Ok(requests.iter().map(|neighbour| found.get(neighbour).copied()).collect())
}

/// Moves what the table knows from `open` to `found`.
fn settle_known(table: &HashMap<Key, Entry>, open: &mut HashSet<Key>, found: &mut HashMap<Key, Mac>) {
    open.retain(|neighbour| match table.get(neighbour) {
        Some(Entry::Known(mac)) => {
            found.insert(*neighbour, *mac);
            false
        }
        Some(Entry::Asking | Entry::Failed) | None => true,
    });
}

/// The kernel's neighbour table, in one request whatever the number of neighbours.
async fn table(handle: &Handle) -> Result<HashMap<Key, Entry>> {
    let messages: Vec<NeighbourMessage> = all(handle.neighbours().get().execute(), "the neighbour table").await?;
    Ok(messages.iter().filter_map(|message| Some((neighbour_of(message)?, entry_of(message)))).collect())
}

/// `None` for entries of other families, as those of bridges.
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
    const HAVE_MAC: [NeighbourState; 6] = [
        NeighbourState::Reachable,
        NeighbourState::Stale,
        NeighbourState::Delay,
        NeighbourState::Probe,
        NeighbourState::Permanent,
        NeighbourState::Noarp,
    ];
    let state = message.header.state;
    let mac = message.attributes.iter().find_map(|attribute| {
        if let NeighbourAttribute::LinkLayerAddress(bytes) = attribute { mac_of(bytes) } else { None }
    });
    match mac {
        // An entry that failed may still carry the MAC that it once had.
        Some(mac) if HAVE_MAC.contains(&state) => Entry::Known(mac),
        Some(_) | None if state == NeighbourState::Failed => Entry::Failed,
        Some(_) | None => Entry::Asking,
    }
}

/// An entry as others see it; `None` for those of other families, as those of bridges.
pub(super) fn read(message: &NeighbourMessage) -> Option<Neighbour> {
    let (address, interface) = neighbour_of(message)?;
    let entry = entry_of(message);
    let managed = |attribute: &NeighbourAttribute| matches!(attribute, NeighbourAttribute::ExtFlags(flags) if flags.contains(NeighbourExtFlags::Managed));
    Some(Neighbour {
        address,
        interface,
        mac: if let Entry::Known(mac) = entry { Some(mac) } else { None },
        failed: entry == Entry::Failed,
        permanent: [NeighbourState::Permanent, NeighbourState::Noarp].contains(&message.header.state),
        managed: message.attributes.iter().any(managed),
    })
}

/// Trap: the kernel makes a permanent entry an ordinary one if asked to manage it.
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

/// Makes the kernel ask for every neighbour. What cannot be asked for stays unresolved, like what does not answer.
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
    // `replace`, since an entry that failed is asked for again in the same way.
    let request = handle.neighbours().add(interface, address).state(NeighbourState::None).flags(NeighbourFlags::Use);
    match answered(request.replace().execute()).await {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => datagram,
        result => result,
    }
}

/// Bound to the interface, the datagram goes to no router that would have the address elsewhere.
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
    fn only_states_that_vouch_for_a_mac_make_it_known() {
        let bytes = [2, 0, 0, 0, 0, 0x11];
        for state in [NeighbourState::Reachable, NeighbourState::Stale, NeighbourState::Permanent] {
            assert_eq!(entry(state, Some(&bytes)), Entry::Known(Mac(bytes)), "{state}");
        }
        assert_eq!(entry(NeighbourState::Failed, Some(&bytes)), Entry::Failed);
        assert_eq!(entry(NeighbourState::Failed, None), Entry::Failed);
        assert_eq!(entry(NeighbourState::Incomplete, Some(&bytes)), Entry::Asking);
        assert_eq!(entry(NeighbourState::Incomplete, None), Entry::Asking);
    }

    #[test]
    fn what_is_no_servers_mac_is_not_known() {
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
