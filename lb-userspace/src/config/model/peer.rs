//! A host that balances the same services.

use std::net::IpAddr;

use lb_common::mac::Mac;

/// A host that balances the same services as this one: what it sends is not balanced again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address, on a link of this host.
    pub address: IpAddr,
    /// The MAC that its frames come from.
    pub mac: PeerMac,
}

/// A peer's MAC, as far as it is known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PeerMac {
    /// Not known.
    #[default]
    Unresolved,
    /// Found, or that of the server with the peer's address.
    Resolved(Mac),
    /// The peer is this host: all balancers may have the same file.
    ThisHost,
}

impl PeerMac {
    /// The MAC, if it is another host's and known.
    pub const fn get(self) -> Option<Mac> {
        match self {
            Self::Resolved(mac) => Some(mac),
            Self::Unresolved | Self::ThisHost => None,
        }
    }
}
