//! What is known about servers before a change.

use std::{collections::HashMap, net::IpAddr};

use crate::{
    config::model::{
        ByHand, Check, Failing, Failure, Health, Initial, Peer, Positions, Server, ServerMac, Service, State,
    },
    datapath::{Location, Snapshot},
};

/// The servers and peers before the change.
pub struct Known<'a> {
    lists: HashMap<&'a str, KnownList<'a>>,
    /// The peers.
    pub peers: &'a [Peer],
    /// The services.
    pub services: &'a [Service],
}

/// A service's servers before the change.
pub struct KnownList<'a> {
    positions: Positions,
    servers: &'a [Server],
    locations: &'a [Location],
}

/// A server before the change.
#[derive(Clone, Copy)]
pub struct Before {
    /// Its MAC.
    pub mac: ServerMac,
    /// Where it was.
    pub location: Location,
    /// Whether it was taken down.
    pub down: bool,
    /// Findings about it.
    pub health: Health,
}

impl<'a> Known<'a> {
    /// Those of a snapshot.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let services = snapshot.config.services.iter().zip(&snapshot.locations);
        let lists = services.map(|(service, locations)| {
            let positions = Positions::of(service);
            (service.name.as_str(), KnownList { positions, servers: &service.servers, locations })
        });
        Self { lists: lists.collect(), peers: &snapshot.config.peers, services: &snapshot.config.services }
    }

    /// The servers of a service.
    pub fn list(&self, service: &str) -> Option<&KnownList<'a>> {
        self.lists.get(service)
    }
}

impl KnownList<'_> {
    /// A server, which often has the same number as before.
    pub fn get(&self, server: IpAddr, number: usize) -> Option<Before> {
        let position = self.positions.find(server, number)?;
        let (server, location) = (self.servers.get(position)?, self.locations.get(position)?);
        Some(Before { mac: server.mac, location: *location, down: server.is_down(), health: server.health })
    }
}

/// Carries over what is known about a server that stays. A new one begins as the check says.
pub fn inherit(server: &mut Server, check: Option<&Check>, before: Option<&Before>, now: u64) {
    let begins_down = check.is_some_and(|check| check.initial == Initial::Down);
    let not_checked = begins_down.then_some(Failing { since: now, why: Failure::NotChecked });
    let new = Health { failing: not_checked, ..Health::default() };
    let health = before.map_or(new, |before| before.health);
    if let (ServerMac::Unresolved, Some(Before { mac: found @ ServerMac::Resolved { .. }, .. })) = (server.mac, before)
    {
        server.mac = *found;
    }
    // Whoever makes the change says who is held down: see `change::by_hand`. A server that is up needs no mark.
    let lasts = |by_hand: &ByHand| !by_hand.is_over(now) && (by_hand.outlasts_files() || server.state == State::Down);
    let by_hand = server.health.by_hand.filter(lasts);
    server.health.by_hand = by_hand;
    server.health = Health {
        down_since: match (server.is_down(), before) {
            (false, _) => 0,
            (true, Some(Before { down: true, .. })) => health.down_since,
            (true, _) => now,
        },
        by_hand,
        failing: health.failing.filter(|_| check.is_some()),
        unresolved: health.unresolved,
    };
}
