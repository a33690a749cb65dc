//! The ring in which servers hand a connection on, as [`lb_common::ring`] orders it.

use std::net::IpAddr;

use lb_common::{
    flow::{Address, Flow, V4, V6},
    ring,
};

/// The servers that may hold a flow's connection, in the order in which they hand it on. The first follows the last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ring {
    members: Vec<IpAddr>,
}

impl Ring {
    /// The ring of these servers, each once. Servers at the same place, which are rare, stand by address.
    pub fn new(flow: u64, members: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable_by_key(|address| (ring::place(flow, hash(*address)), *address));
        members.dedup();
        Self { members }
    }

    /// The servers in order.
    pub fn members(&self) -> &[IpAddr] {
        &self.members
    }

    /// The server behind another; `None`: that one is alone, or not in the ring.
    pub fn after(&self, server: IpAddr) -> Option<IpAddr> {
        let place = self.members.iter().position(|member| *member == server)?;
        let next = self.members[(place + 1) % self.members.len()];
        (next != server).then_some(next)
    }
}

/// The hash of a flow, by which its ring is ordered; `None`: its ends are of different address families.
pub fn flow(source: (IpAddr, u16), destination: (IpAddr, u16), protocol: u8) -> Option<u64> {
    let (source_port, destination_port, fragment) = (source.1, destination.1, false);
    match (source.0, destination.0) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (source, destination) = (V4(source.to_bits()), V4(destination.to_bits()));
            Some(ring::flow(&Flow { source, destination, source_port, destination_port, protocol, fragment }))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (source, destination) = (v6(source.to_bits()), v6(destination.to_bits()));
            Some(ring::flow(&Flow { source, destination, source_port, destination_port, protocol, fragment }))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// The hash of a server.
pub fn hash(address: IpAddr) -> u32 {
    ring::server(match address {
        IpAddr::V4(address) => V4(address.to_bits()).halves(),
        IpAddr::V6(address) => v6(address.to_bits()).halves(),
    })
}

fn v6(bits: u128) -> V6 {
    V6([96, 64, 32, 0].map(|shift| (bits >> shift) as u32))
}
