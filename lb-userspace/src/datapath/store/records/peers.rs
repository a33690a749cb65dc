//! A balancer's peers ↔ [`PeerRecord`]s.

use std::net::{IpAddr, Ipv6Addr};

use lb_common::{limits::MAX_PEERS, mac::Mac, record::PeerRecord};

use crate::config::model::{Peer, PeerMac};

/// The records, and how many there are.
pub(in crate::datapath) fn peer_records(peers: &[Peer]) -> ([PeerRecord; MAX_PEERS], u32) {
    let mut records = [PeerRecord::default(); MAX_PEERS];
    for (record, Peer { address, mac }) in records.iter_mut().zip(peers) {
        *record = PeerRecord {
            address: match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            },
            mac: mac.get().unwrap_or_default().0,
            here: (*mac == PeerMac::ThisHost).into(),
            reserved: 0,
        };
    }
    (records, peers.len() as u32)
}

/// The reverse.
pub(in crate::datapath) fn peers(records: &[PeerRecord; MAX_PEERS], count: u32) -> Vec<Peer> {
    let peer = |record: &PeerRecord| {
        let PeerRecord { address, mac, here, reserved: _ } = *record;
        Peer {
            address: Ipv6Addr::from(address).to_canonical(),
            mac: match Mac(mac) {
                _ if here == 1 => PeerMac::ThisHost,
                Mac::ZERO => PeerMac::Unresolved,
                mac => PeerMac::Resolved(mac),
            },
        }
    };
    records.iter().take(count as usize).map(peer).collect()
}
