//! Peers' keys in the service table: by MAC and the number of a set, so that a look finds out whether a sender is a
//! peer of a service. Services with the same peers share a set.

use std::collections::{BTreeSet, HashMap};

use lb_common::{limits::PEER_KEYS, mac::Mac, table::ServiceCell};

use super::{
    cells::{Key, Subject},
    ledger::Account,
};
use crate::{
    datapath::error::{Error, Result},
    decide::peers::PeerRule,
};

/// The sets of peers of a half.
#[derive(Debug, Default)]
pub struct PeerSets<'a>(HashMap<&'a BTreeSet<Mac>, u32>);

impl<'a> PeerSets<'a> {
    /// The cell of a service, with its peers.
    pub fn mark(&mut self, cell: ServiceCell, rule: &'a PeerRule, account: &Account) -> ServiceCell {
        if rule.macs.is_empty() {
            return cell;
        }
        let next = self.0.len() as u32;
        ServiceCell {
            flags: cell.flags | ServiceCell::PEERS,
            peers: *self.0.entry(&rule.macs).or_insert(next),
            here: rule.here.map_or(ServiceCell::NOT_HERE, |server| account.counters[server] - account.first),
            ..cell
        }
    }

    /// The keys of all peers.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyPeers`]: there is no room for them.
    pub fn keys(&self) -> Result<Vec<Key>> {
        let needed = self.0.keys().map(|macs| macs.len()).sum();
        if needed > PEER_KEYS as usize {
            return Err(Error::TooManyPeers { needed, sets: self.0.len(), most: PEER_KEYS });
        }
        let mut keys: Vec<_> = self.0.iter().flat_map(|(macs, set)| macs.iter().map(|mac| key(*mac, *set))).collect();
        // Hash maps have no order, and equal configurations should give equal tables.
        keys.sort_unstable();
        Ok(keys)
    }
}

fn key(mac: Mac, set: u32) -> Key {
    Key::bare(Subject::Peer { mac, set }, lb_common::key::Kind::Peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(macs: impl IntoIterator<Item = u16>, here: Option<usize>) -> PeerRule {
        let mac = |number: u16| Mac([2, 0, 0, 0, (number >> 8) as u8, number as u8]);
        PeerRule { macs: macs.into_iter().map(mac).collect(), here }
    }

    #[test]
    fn services_with_the_same_peers_share_a_set() {
        let rules = [rule([1, 2], Some(1)), rule([2, 1], None), rule([1], Some(0)), rule([], Some(0))];
        let account = Account { first: 10, counters: vec![10, 17] };
        let mut sets = PeerSets::default();
        let cells = rules.each_ref().map(|rule| sets.mark(ServiceCell::default(), rule, &account));
        let flags = ServiceCell::PEERS;
        assert_eq!(
            cells,
            [
                ServiceCell { flags, peers: 0, here: 7, ..ServiceCell::default() },
                ServiceCell { flags, peers: 0, here: ServiceCell::NOT_HERE, ..ServiceCell::default() },
                ServiceCell { flags, peers: 1, here: 0, ..ServiceCell::default() },
                ServiceCell::default(),
            ]
        );
        assert_eq!(sets.keys().unwrap().len(), 3);
    }

    #[test]
    fn more_peers_than_there_is_room_for_are_refused() {
        let rules: Vec<_> = (0..5).map(|set| rule(set..set + 1_000, None)).collect();
        let account = Account { first: 0, counters: Vec::new() };
        let mut sets = PeerSets::default();
        for rule in &rules[..4] {
            sets.mark(ServiceCell::default(), rule, &account);
        }
        assert_eq!(sets.keys().unwrap().len(), 4_000);
        sets.mark(ServiceCell::default(), &rules[4], &account);
        let error = sets.keys().unwrap_err();
        assert!(matches!(error, Error::TooManyPeers { needed: 5_000, sets: 5, most: PEER_KEYS }), "{error}");
    }
}
