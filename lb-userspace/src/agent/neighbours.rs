//! Keeps servers' MACs true.
//!
//! Traffic that XDP sends makes the kernel ask for nobody's MAC, so entries would age and be forgotten. From 5.16 on
//! the kernel keeps those alive that are *managed*; before that the agent asks for each again and again. What the
//! kernel finds out comes as an event. Trap: a managed entry that was permanent is so no longer; what somebody entered
//! for good is left alone.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry as Slot},
    net::IpAddr,
};

use lb_common::mac::Mac;

use crate::{
    change::resolve::{Route, Routes},
    config::model::{Config, Role, Server, ServerMac, State, Vlan},
    datapath::{Location, Snapshot},
    net::{Interface, Neighbour, Net},
};

/// An address, and the index of the interface on whose link it is.
type Entry = (IpAddr, u32);

/// What the way to a server depends on.
type Who = (IpAddr, Option<u16>);

/// What the agent has to do with an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// What the kernel said last.
    mac: Option<Mac>,
    /// The kernel had no answer, and it was said.
    silent: bool,
    /// The agent made the kernel keep it.
    made: bool,
}

/// The neighbours that are servers.
#[derive(Debug, Default)]
pub struct Neighbours {
    routes: HashMap<Who, Route>,
    entries: HashMap<Entry, Watched>,
    /// There is a server to which no way is known.
    pub lacks_routes: bool,
}

/// What an event means.
#[derive(Debug, Eq, PartialEq)]
pub enum News {
    /// Nothing.
    None,
    /// It is no server, or it is one and nothing new about it.
    Known,
    /// A server has a MAC that it had not.
    Mac,
    /// A server does not answer any more.
    Silent,
    /// The kernel knows nothing of a server any more.
    Forgotten,
}

fn who(server: &Server) -> Who {
    (server.address, server.vlan.map(Vlan::number))
}

/// Whether a server is one whose MAC is to be found. One that is down and was never found is left alone.
fn is_watched(role: Role, server: &Server, location: Location) -> bool {
    role != Role::Member
        && location != Location::Local
        && match server.mac {
            ServerMac::Given(_) => false,
            ServerMac::Resolved(_) => true,
            ServerMac::Unresolved => server.state == State::Up,
        }
}

impl Neighbours {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Watches the servers of what is in force, and no others. `again`: the routes to them may have changed.
    pub async fn set(&mut self, net: &Net, interfaces: &[Interface], snapshot: &Snapshot, again: bool) {
        let role = snapshot.config.role;
        let services = snapshot.config.services.iter().zip(&snapshot.locations);
        let servers = services.flat_map(|(service, locations)| service.servers.iter().zip(locations));
        let mut known = if again { HashMap::new() } else { std::mem::take(&mut self.routes) };
        let (mut asked, mut routes) = (Routes::new(net, interfaces), HashMap::new());
        let mut wanted: HashMap<Entry, Option<Mac>> = HashMap::new();
        self.lacks_routes = false;
        for (server, _) in servers.filter(|(server, location)| is_watched(role, server, **location)) {
            let who = who(server);
            let way = match routes.entry(who) {
                Slot::Occupied(there) => &*there.into_mut(),
                Slot::Vacant(free) => match known.remove(&who) {
                    Some(way) => &*free.insert(way),
                    None => match asked.get(server).await {
                        Ok(way) => &*free.insert(way),
                        // It is tried again with the next look around.
                        Err(_) => {
                            self.lacks_routes = true;
                            continue;
                        }
                    },
                },
            };
            wanted.entry((server.address, way.ask)).or_insert(server.mac.get());
        }
        self.routes = routes;
        self.change(net, &wanted).await;
    }

    /// Makes entries, and takes back those that the agent made.
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

    /// Looks at the kernel's whole table, makes entries that are missing and keeps those alive that the kernel would
    /// not. Returns whether some server has another MAC than was known.
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

    /// Makes the kernel keep an entry alive; one that was told before and does not is asked to ask.
    async fn keep(&mut self, net: &Net, entry: Entry) {
        let Some(watched) = self.entries.get_mut(&entry) else { return };
        let result = if watched.made { net.ask(entry.0, entry.1).await } else { net.manage(entry.0, entry.1).await };
        match result {
            Ok(()) => watched.made = true,
            Err(error) => log::debug!("{error}"),
        }
    }

    /// What is new by an entry as it is now.
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

    /// An entry went: it is made anew.
    pub async fn gone(&mut self, net: &Net, found: &Neighbour) -> News {
        let entry = (found.address, found.interface);
        let Some(watched) = self.entries.get_mut(&entry) else { return News::None };
        watched.made = false;
        self.keep(net, entry).await;
        News::Forgotten
    }

    /// Enters into a configuration what is known of the servers' MACs, and where those are that had none.
    pub async fn enter(
        &self,
        net: &Net,
        interfaces: &[Interface],
        config: &mut Config,
        locations: &mut [Vec<Location>],
    ) {
        let role = config.role;
        let mut routes = Routes::new(net, interfaces);
        for (service, locations) in config.services.iter_mut().zip(locations) {
            for (server, location) in service.servers.iter_mut().zip(locations) {
                let Some(mac) = self.mac(server).filter(|_| is_watched(role, server, *location)) else { continue };
                if server.mac == ServerMac::Unresolved {
                    let way = routes.get(server).await;
                    *location = routes.location(way.as_ref().ok());
                }
                server.mac = ServerMac::Resolved(mac);
                server.health.unresolved = None;
            }
        }
    }

    /// The MAC of a server, as far as the kernel said.
    fn mac(&self, server: &Server) -> Option<Mac> {
        let way = self.routes.get(&who(server))?;
        self.entries.get(&(server.address, way.ask))?.mac
    }

    /// Whether something is known that is not in force.
    pub fn differs(&self, snapshot: &Snapshot) -> bool {
        let role = snapshot.config.role;
        let services = snapshot.config.services.iter().zip(&snapshot.locations);
        let mut servers = services.flat_map(|(service, locations)| service.servers.iter().zip(locations));
        servers.any(|(server, location)| {
            is_watched(role, server, *location)
                && self.mac(server).is_some_and(|mac| server.mac != ServerMac::Resolved(mac))
        })
    }
}
