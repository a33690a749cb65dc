//! Finds the servers: their MACs, and the interface that leads to each.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use lb_common::mac::Mac;

use crate::{
    config::model::{Config, Health, Missing, Role, Server, ServerMac, Service, State, Unresolved, Vlan, health},
    datapath::{Location, Placed, Snapshot},
    net::{self, Interface, Net},
};

/// How long servers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A configuration whose servers were looked for.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration. Servers that were not found and need to be are marked: they take no flows.
    pub placed: Placed,
    /// Those servers.
    pub unresolved: Vec<UnresolvedServer>,
}

/// A server that takes no flows because its MAC is not known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnresolvedServer {
    /// The service's name.
    pub service: String,
    /// The server.
    pub server: IpAddr,
    /// Who, where, why, and what helps.
    pub line: String,
}

/// Whose MAC and location are looked up anew.
#[derive(Clone, Copy, Debug)]
pub enum Refresh<'a> {
    /// Every server's.
    All,
    /// That of one server of one service.
    One(&'a str, IpAddr),
    /// Only those that are not known.
    Unknown,
}

/// Finds every server of a configuration for a datapath on `interfaces`. What is in `known`, the state before, stands
/// in where a server does not answer now, and says what was found out about servers that stay.
pub async fn resolve(
    net: &Net,
    interfaces: &[Interface],
    mut config: Config,
    known: &Snapshot,
    refresh: Refresh<'_>,
) -> net::Result<Resolved> {
    let known = Known::new(known);
    let mut locations = Vec::with_capacity(config.services.len());
    let mut questions = Vec::new();
    let mut unresolved = Vec::new();
    // A member sends nothing to others, so all that it has to know is which server it is.
    let member = config.role == Role::Member;
    let local = match &config.group.own[..] {
        [] => net.local_addresses().await?,
        own => own.iter().copied().collect(),
    };
    let mut routes = Routes { net, interfaces, found: HashMap::new() };
    let now = health::now();
    for (index, service) in config.services.iter_mut().enumerate() {
        let mut row = Vec::with_capacity(service.servers.len());
        let checked = service.check.is_some();
        for (number, server) in service.servers.iter_mut().enumerate() {
            let before = known.get(&service.name, server.address);
            inherit(server, checked, before, now);
            let again = is_due(refresh, &service.name, server, before);
            let hop = match local.contains(&server.address) {
                true => Hop { location: Location::Local, interface: None },
                false if member => Hop { location: Location::SamePort, interface: None },
                false => hop(&mut routes, server, before.filter(|_| !again)).await,
            };
            server.health.unresolved = match (server.health.unresolved, hop.location) {
                (_, Location::Local) => None,
                (unresolved, Location::SamePort | Location::ViaNextHop { .. }) => {
                    unresolved.filter(|_| !member && missing(server))
                }
            };
            if again && hop.location != Location::Local {
                match hop.interface {
                    Some(Ok(way)) => questions.push(Question { service: index, server: number, way }),
                    Some(Err(no_route)) if missing(server) => {
                        unresolved.push(mark_unresolved(
                            &service.name,
                            server,
                            no_route.why,
                            no_route.on,
                            &no_route.line,
                            now,
                        ));
                    }
                    Some(Err(_)) | None => {}
                }
            }
            row.push(hop.location);
        }
        locations.push(row);
    }
    unresolved.extend(ask(net, &mut config, &questions, now).await?);
    let prefixes = config.services.iter().any(Service::is_prefix);
    let own = if prefixes { net.own_addresses().await? } else { Vec::new() };
    Ok(Resolved { placed: Placed { config, locations, own }, unresolved })
}

/// What is known of a server that stays goes on to be known.
fn inherit(server: &mut Server, checked: bool, before: Option<&Before>, now: u64) {
    let health = before.map_or(Health::default(), |before| before.health);
    server.mac = remember(server.mac, before);
    server.health = Health {
        down_since: match (server.state, before) {
            (State::Up, _) => 0,
            (State::Down, Some(Before { state: State::Down, .. })) => health.down_since,
            (State::Down, _) => now,
        },
        failing: health.failing.filter(|_| checked),
        unresolved: health.unresolved.filter(|_| server.mac.get().is_none()),
    };
}

/// Marks a server that needs a MAC and has none.
fn mark_unresolved(
    service: &str,
    server: &mut Server,
    why: Missing,
    on: u32,
    line: &str,
    now: u64,
) -> UnresolvedServer {
    let since = server.health.unresolved.map_or(now, |unresolved| unresolved.since);
    server.health.unresolved = Some(Unresolved { since, why, on });
    UnresolvedServer {
        service: service.to_owned(),
        server: server.address,
        line: format!("service {service}: server {}: {line}", server.address),
    }
}

/// What was known of servers before.
struct Known<'a>(HashMap<(&'a str, IpAddr), Before>);

/// What was known of a server before.
#[derive(Clone, Copy)]
struct Before {
    mac: ServerMac,
    location: Location,
    state: State,
    health: Health,
}

impl<'a> Known<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let services = snapshot.config.services.iter().zip(&snapshot.locations);
        let servers = services.flat_map(|(service, locations)| {
            let servers = service.servers.iter().zip(locations);
            servers.map(|(server, location)| {
                let before =
                    Before { mac: server.mac, location: *location, state: server.state, health: server.health };
                ((service.name.as_str(), server.address), before)
            })
        });
        Self(servers.collect())
    }

    fn get<'b>(&'b self, service: &'b str, server: IpAddr) -> Option<&'b Before> {
        self.0.get(&(service, server))
    }
}

/// The way to a server.
struct Hop {
    location: Location,
    /// The interface on which to ask for its MAC, or why there is none; `None`: nobody needs to ask.
    interface: Option<Result<Route, NoRoute>>,
}

/// How the kernel would reach a server.
#[derive(Clone, Debug)]
pub struct Route {
    /// The index of the interface that its frames leave by.
    pub by: u32,
    /// That on which to ask for its MAC: another where the server is in a VLAN of the first.
    pub ask: u32,
    /// The name of that one.
    pub name: String,
}

/// Why a server cannot be asked for its MAC.
#[derive(Clone, Debug)]
pub struct NoRoute {
    /// In a word.
    pub why: Missing,
    /// The index of the interface that does not do; 0: there is none.
    pub on: u32,
    /// In words, and what helps.
    pub line: String,
}

/// A server whose MAC is asked for.
struct Question {
    service: usize,
    server: usize,
    way: Route,
}

/// A MAC that was found before is better than none.
const fn remember(mac: ServerMac, before: Option<&Before>) -> ServerMac {
    match (mac, before) {
        (ServerMac::Unresolved, Some(Before { mac: ServerMac::Resolved(mac), .. })) => ServerMac::Resolved(*mac),
        (mac, _) => mac,
    }
}

/// Whether a server is looked for. One that is known to be unresolved is left to `apply`, or to the agent: a change to
/// another server must not wait for it.
fn is_due(refresh: Refresh<'_>, service: &str, server: &Server, before: Option<&Before>) -> bool {
    let new = || before.is_none_or(|before| server.state == State::Up && before.health.unresolved.is_none());
    match (server.mac, refresh) {
        (ServerMac::Given(_) | ServerMac::Resolved(_) | ServerMac::Unresolved, Refresh::All) => true,
        (ServerMac::Given(_) | ServerMac::Resolved(_) | ServerMac::Unresolved, Refresh::One(name, address))
            if name == service && address == server.address =>
        {
            true
        }
        (ServerMac::Unresolved, Refresh::One(..) | Refresh::Unknown) => new(),
        (ServerMac::Given(_) | ServerMac::Resolved(_), Refresh::One(..) | Refresh::Unknown) => false,
    }
}

/// Whether a server cannot be without the MAC that it has not.
fn missing(server: &Server) -> bool {
    server.state == State::Up && server.mac.get().is_none()
}

/// The routes to servers, each asked for once however many services it is in.
pub struct Routes<'a> {
    net: &'a Net,
    interfaces: &'a [Interface],
    found: HashMap<(IpAddr, Option<u16>), Result<Route, NoRoute>>,
}

impl<'a> Routes<'a> {
    /// For a datapath on these interfaces.
    pub fn new(net: &'a Net, interfaces: &'a [Interface]) -> Self {
        Self { net, interfaces, found: HashMap::new() }
    }

    /// The way to a server.
    pub async fn get(&mut self, server: &Server) -> Result<Route, NoRoute> {
        let key = (server.address, server.vlan.map(Vlan::number));
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let way = way(self.net, self.interfaces, server).await;
        self.found.insert(key, way.clone());
        way
    }

    /// Where that way leads.
    pub fn location(&self, way: Option<&Route>) -> Location {
        match way.and_then(|way| attached(self.interfaces, way.by)) {
            Some(interface) if self.interfaces.len() > 1 => {
                Location::ViaNextHop { interface: interface.index, source: interface.mac.unwrap_or_default() }
            }
            Some(_) | None => Location::SamePort,
        }
    }
}

/// The way to a server that is not this host. With one interface there is only one, and the kernel's routes matter only
/// to tell why nobody answers on it.
async fn hop(routes: &mut Routes<'_>, server: &Server, before: Option<&Before>) -> Hop {
    let given = matches!(server.mac, ServerMac::Given(_));
    let several = routes.interfaces.len() > 1;
    match before.map(|before| before.location) {
        Some(Location::ViaNextHop { interface, .. }) if several && attached(routes.interfaces, interface).is_some() => {
            let source = attached(routes.interfaces, interface).and_then(|interface| interface.mac).unwrap_or_default();
            return Hop { location: Location::ViaNextHop { interface, source }, interface: None };
        }
        Some(Location::SamePort) if !several => return Hop { location: Location::SamePort, interface: None },
        _ if given && !several => return Hop { location: Location::SamePort, interface: None },
        Some(_) | None => {}
    }
    let way = routes.get(server).await;
    Hop { location: routes.location(way.as_ref().ok()), interface: (!given).then_some(way) }
}

fn attached(interfaces: &[Interface], index: u32) -> Option<&Interface> {
    interfaces.iter().find(|interface| interface.index == index)
}

/// The attached interface on whose link the kernel would look for a server.
///
/// With several interfaces a server in a VLAN is behind the one whose VLAN the kernel's route names. With one it is
/// behind that, wherever its MAC is asked for.
async fn way(net: &Net, interfaces: &[Interface], server: &Server) -> Result<Route, NoRoute> {
    let no_route = |why, on, line| NoRoute { why, on, line };
    let route = net
        .route(server.address)
        .await
        .map_err(|error| no_route(Missing::NoRoute, 0, format!("{error}; give its mac, or add a route")))?;
    let ask = route.interface;
    if let Some(gateway) = route.gateway {
        let line = format!(
            "it is behind the router {gateway}, but must be on the same network segment as this host; give its mac if it is"
        );
        return Err(no_route(Missing::Router, ask, line));
    }
    let (name, vlan_of) =
        net.interface_by_index(ask).await.map_or_else(|_| (ask.to_string(), None), |i| (i.name, i.vlan_of));
    if interfaces.is_empty() || attached(interfaces, ask).is_some() {
        return Ok(Route { by: ask, ask, name });
    }
    let below = vlan_of.filter(|index| attached(interfaces, *index).is_some());
    match (server.vlan, below, interfaces) {
        (Some(_), Some(by), _) => Ok(Route { by, ask, name }),
        (Some(_), None, [only]) => Ok(Route { by: only.index, ask, name }),
        (Some(_), None, _) => {
            let line = format!(
                "it is reached by {name}, which is no VLAN of an interface that modlb is attached to; give its mac, or add a route"
            );
            Err(no_route(Missing::NotAttached, ask, line))
        }
        (None, ..) => {
            let line =
                format!("it is reached by {name}, to which modlb is not attached; attach to it, too, or give its mac");
            Err(no_route(Missing::NotAttached, ask, line))
        }
    }
}

/// Asks all at once, enters the answers, and returns each server that needs one and gave none.
async fn ask(net: &Net, config: &mut Config, questions: &[Question], now: u64) -> net::Result<Vec<UnresolvedServer>> {
    let asked =
        |question: &Question| (config.services[question.service].servers[question.server].address, question.way.ask);
    let answers = net.resolve_all(&questions.iter().map(asked).collect::<Vec<_>>(), TIMEOUT).await?;
    let mut unresolved = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        let service = &mut config.services[question.service];
        let server = &mut service.servers[question.server];
        let silent = format!("no answer on {} within {TIMEOUT:?}", question.way.name);
        let who = || format!("service {}: server {}", service.name, server.address);
        match (answer.filter(|mac| Mac::is_unicast(*mac)), server.mac) {
            (Some(mac), _) => {
                server.mac = ServerMac::Resolved(mac);
                server.health.unresolved = None;
            }
            (None, ServerMac::Resolved(mac)) => log::warn!("{}: {silent}; keeping the MAC {mac} that it had", who()),
            (None, ServerMac::Unresolved | ServerMac::Given(_)) if server.state == State::Up => {
                let line = format!("{silent}; is it up? Give its mac, or say state = \"down\"");
                unresolved.push(mark_unresolved(
                    &service.name,
                    server,
                    Missing::NoAnswer,
                    question.way.ask,
                    &line,
                    now,
                ));
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) => log::info!("{}: {silent}; it is down", who()),
        }
    }
    Ok(unresolved)
}

/// Warns of servers that take no flows for want of a MAC.
pub fn warn(unresolved: &[UnresolvedServer]) {
    for UnresolvedServer { line, .. } in unresolved {
        log::warn!("{line}; unresolved until then: its flows go to the others");
    }
}
