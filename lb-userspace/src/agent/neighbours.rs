//! Keeps servers' MACs up to date.
//!
//! Frames that XDP sends do not refresh the kernel's neighbour entries, so these would expire. Since Linux 5.16 the
//! kernel keeps *managed* entries alive; on older kernels the agent has it resolve each one again at intervals.
//! Changes arrive as events. Trap: managing a permanent entry makes it non-permanent, so permanent entries are left
//! alone.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry as Slot},
    net::IpAddr,
};

use lb_common::mac::Mac;

use crate::{
    change::resolve::{Egress, Form, Route, Routes},
    config::model::{Config, Peer, PeerMac, Role, Server, ServerMac, Vlan},
    datapath::{Location, Snapshot},
    decide::peers::adopt_servers_macs,
    net::{Interface, Neighbour, Net},
};

/// A neighbour entry: an address, and the index of its interface.
type Entry = (IpAddr, u32);

/// What the route to a server depends on: its address and VLAN.
type RouteKey = (IpAddr, Option<u16>);

/// What the agent knows about an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// The MAC that the kernel last reported.
    mac: Option<Mac>,
    /// The server did not answer, and that was reported.
    silent: bool,
    /// The agent made the entry, or had the kernel manage it.
    made: bool,
}

/// The neighbour entries of servers.
#[derive(Debug, Default)]
pub struct Neighbours {
    routes: HashMap<RouteKey, Route>,
    entries: HashMap<Entry, Watched>,
    /// There is a server without a known route.
    pub lacks_routes: bool,
}

/// What an event means for servers.
#[derive(Debug, Eq, PartialEq)]
pub enum News {
    /// It is not about a server.
    None,
    /// Nothing new about a server.
    Known,
    /// A server has a new MAC.
    Mac,
    /// A server no longer answers.
    Silent,
    /// The kernel removed a server's entry.
    Forgotten,
}

fn route_key(server: &Server) -> RouteKey {
    (server.address, server.vlan.map(Vlan::number))
}

/// Whether a server's MAC is to be kept up to date. A server that is down and was never found is left alone, unless
/// this host is a server of the same service: then what it sends must be known. It may still hold connections, too.
fn is_watched(role: Role, server: &Server, location: Location, locations: &[Location]) -> bool {
    role != Role::Member
        && location != Location::Local
        && match server.mac {
            ServerMac::Given(_) => false,
            ServerMac::Resolved { .. } => true,
            ServerMac::Unresolved => {
                !server.is_down()
                    || (matches!(role, Role::Balancer | Role::Keep) && locations.contains(&Location::Local))
            }
        }
}

/// The servers whose MACs are to be kept up to date.
fn watched(snapshot: &Snapshot) -> impl Iterator<Item = &Server> {
    let role = snapshot.config.role;
    let services = snapshot.config.services.iter().zip(&snapshot.locations);
    services.flat_map(move |(service, locations)| {
        let servers = service.servers.iter().zip(locations);
        let servers = servers.filter(move |(server, location)| is_watched(role, server, **location, locations));
        servers.map(|(server, _)| server)
    })
}

/// The peers whose MACs are to be kept up to date.
fn watched_peers(config: &Config) -> impl Iterator<Item = &Peer> {
    config.peers.iter().filter(|peer| peer.mac != PeerMac::ThisHost)
}

impl Neighbours {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Watches the servers in force, and no others. `reroute`: the routes to them may have changed.
    pub async fn set(&mut self, net: &Net, interfaces: &[Interface], snapshot: &Snapshot, reroute: bool) {
        let servers = watched(snapshot).map(|server| (server.address, server.vlan, server.mac.get()));
        let peers = watched_peers(&snapshot.config).map(|peer| (peer.address, None, peer.mac.get()));
        let mut known = if reroute { HashMap::new() } else { std::mem::take(&mut self.routes) };
        let egress = Egress::new(net, interfaces, Form::Shortest);
        let (mut asked, mut routes) = (Routes::new(net, &egress), HashMap::new());
        let mut wanted: HashMap<Entry, Option<Mac>> = HashMap::new();
        self.lacks_routes = false;
        for (address, vlan, mac) in servers.chain(peers) {
            let key = (address, vlan.map(Vlan::number));
            let route = match routes.entry(key) {
                Slot::Occupied(there) => &*there.into_mut(),
                Slot::Vacant(free) => match known.remove(&key) {
                    Some(route) => &*free.insert(route),
                    None => match asked.to(address, vlan).await {
                        Ok(route) => &*free.insert(route),
                        // `Agent::inspect` tries again.
                        Err(_) => {
                            self.lacks_routes = true;
                            continue;
                        }
                    },
                },
            };
            wanted.entry((address, route.ask)).or_insert(mac);
        }
        self.routes = routes;
        self.change(net, &wanted).await;
    }

    /// Adds wanted entries, and removes others that the agent made.
    async fn change(&mut self, net: &Net, wanted: &HashMap<Entry, Option<Mac>>) {
        let gone: Vec<_> = self.entries.keys().filter(|entry| !wanted.contains_key(entry)).copied().collect();
        for entry in gone {
            if self.entries.remove(&entry).is_some_and(|watched| watched.made)
                && let Err(error) = net.forget(entry.0, entry.1).await
            {
                log::debug!("{error}");
            }
        }
        let new: Vec<_> = wanted.iter().filter(|(entry, _)| !self.entries.contains_key(entry)).collect();
        if new.is_empty() {
            return;
        }
        for (entry, mac) in new {
            self.entries.insert(*entry, Watched { mac: *mac, ..Watched::default() });
        }
        self.look(net).await;
    }

    /// Reads the kernel's whole table, adds missing entries, and keeps those alive that the kernel would not. Returns
    /// whether some server has a new MAC.
    pub async fn look(&mut self, net: &Net) -> bool {
        let table = match net.neighbours().await {
            Ok(table) => table,
            Err(error) => {
                log::warn!("{error}");
                return false;
            }
        };
        let mut left: HashSet<Entry> = self.entries.keys().copied().collect();
        let mut news = false;
        for found in &table {
            let entry = (found.address, found.interface);
            news |= self.event(found) == News::Mac;
            if found.permanent || found.managed {
                left.remove(&entry);
            }
        }
        for entry in left {
            self.keep(net, entry).await;
        }
        news
    }

    /// Has the kernel keep an entry alive. If it was asked to before and does not, it is made to probe the neighbour.
    async fn keep(&mut self, net: &Net, entry: Entry) {
        let Some(watched) = self.entries.get_mut(&entry) else { return };
        let result = if watched.made { net.ask(entry.0, entry.1).await } else { net.manage(entry.0, entry.1).await };
        match result {
            Ok(()) => watched.made = true,
            Err(error) => log::debug!("{error}"),
        }
    }

    /// What a neighbour entry means for servers.
    pub fn event(&mut self, found: &Neighbour) -> News {
        let Some(watched) = self.entries.get_mut(&(found.address, found.interface)) else { return News::None };
        match found.mac {
            Some(mac) => {
                watched.silent = false;
                if watched.mac.replace(mac) == Some(mac) { News::Known } else { News::Mac }
            }
            None if found.failed && !std::mem::replace(&mut watched.silent, true) => News::Silent,
            None => News::Known,
        }
    }

    /// Adds an entry again that the kernel removed.
    pub async fn gone(&mut self, net: &Net, found: &Neighbour) -> News {
        let entry = (found.address, found.interface);
        let Some(watched) = self.entries.get_mut(&entry) else { return News::None };
        watched.made = false;
        self.keep(net, entry).await;
        News::Forgotten
    }

    /// Enters known MACs into a configuration, and the locations of servers that had none. A MAC of this host's own
    /// cannot be a server's.
    pub fn enter(
        &self,
        net: &Net,
        interfaces: &[Interface],
        own: &HashSet<Mac>,
        config: &mut Config,
        locations: &mut [Vec<Location>],
    ) {
        let role = config.role;
        let egress = Egress::new(net, interfaces, Form::Shortest);
        for (service, locations) in config.services.iter_mut().zip(locations) {
            let before = locations.clone();
            for (server, location) in service.servers.iter_mut().zip(locations) {
                let watched = is_watched(role, server, *location, &before);
                let found = self.mac(route_key(server)).filter(|(mac, _)| watched && !own.contains(mac));
                let Some((mac, route)) = found else { continue };
                let usable = egress.attached(route.egress).is_some() && egress.trouble(route.egress).is_none();
                if !usable {
                    continue;
                }
                if server.mac == ServerMac::Unresolved {
                    *location = egress.location(route.egress);
                }
                server.mac = ServerMac::Resolved { mac, on: route.ask };
                server.health.unresolved = None;
            }
        }
        for peer in config.peers.iter_mut().filter(|peer| peer.mac != PeerMac::ThisHost) {
            peer.mac = self.mac((peer.address, None)).map_or(peer.mac, |(mac, _)| PeerMac::Resolved(mac));
        }
        adopt_servers_macs(config);
    }

    /// The MAC behind a route that the kernel last reported, and the route.
    fn mac(&self, key: RouteKey) -> Option<(Mac, &Route)> {
        let route = self.routes.get(&key)?;
        Some((self.entries.get(&(key.0, route.ask))?.mac?, route))
    }

    /// Whether a known MAC is not in force.
    pub fn differs(&self, snapshot: &Snapshot) -> bool {
        let server = |server: &Server| {
            let found = self.mac(route_key(server));
            found.is_some_and(|(mac, route)| server.mac != ServerMac::Resolved { mac, on: route.ask })
        };
        // A peer that is a server has the server's MAC, which may be another.
        let servers: HashSet<_> =
            snapshot.config.services.iter().flat_map(|service| &service.servers).map(|server| server.address).collect();
        let peer = |peer: &Peer| {
            !servers.contains(&peer.address)
                && self.mac((peer.address, None)).is_some_and(|(mac, _)| peer.mac != PeerMac::Resolved(mac))
        };
        watched(snapshot).any(server) || watched_peers(&snapshot.config).any(peer)
    }
}
