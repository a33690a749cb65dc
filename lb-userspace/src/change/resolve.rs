//! Finds servers' MACs and locations.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use lb_common::mac::Mac;

use crate::{
    config::model::{Config, Health, Missing, Role, Server, ServerMac, Service, State, Unresolved, Vlan, health},
    datapath::{Location, Placed, Snapshot},
    net::{self, Interface, Net},
};

/// How long servers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A configuration whose servers have been resolved, as far as possible.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration. Servers that need a MAC and have none are marked unresolved: they take no flows.
    pub placed: Placed,
    /// The unresolved servers.
    pub unresolved: Vec<UnresolvedServer>,
}

/// A server that takes no flows because its MAC is not known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnresolvedServer {
    /// The service's name.
    pub service: String,
    /// The server.
    pub server: IpAddr,
    /// A message: service, server, reason, and what helps.
    pub line: String,
}

/// Which servers are looked up again.
#[derive(Clone, Copy, Debug)]
pub enum Refresh<'a> {
    /// All of them.
    All,
    /// One server of one service.
    One(&'a str, IpAddr),
    /// Only those whose MAC is not known.
    Unknown,
}

/// Resolves every server of a configuration for a datapath on `interfaces`. `known` is the state before: a server that
/// does not answer keeps its MAC, and servers that stay keep their health.
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
    // A member sends nothing to other members: it only has to know which server it is.
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
                true => Hop { location: Location::Local, route: None },
                false if member => Hop { location: Location::SamePort, route: None },
                false => hop(&mut routes, server, before.filter(|_| !again)).await,
            };
            server.health.unresolved = match (server.health.unresolved, hop.location) {
                (_, Location::Local) => None,
                (unresolved, Location::SamePort | Location::ViaNextHop { .. }) => {
                    unresolved.filter(|_| !member && missing(server))
                }
            };
            if again && hop.location != Location::Local {
                match hop.route {
                    Some(Ok(route)) => questions.push(Question { service: index, server: number, route }),
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

/// Carries over what is known about a server that stays.
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

/// The servers before the change.
struct Known<'a>(HashMap<(&'a str, IpAddr), Before>);

/// A server before the change.
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

/// Where a server is, and how to ask for its MAC.
struct Hop {
    location: Location,
    /// The route by which to ask for its MAC, or why there is none; `None`: its MAC need not be asked for.
    route: Option<Result<Route, NoRoute>>,
}

/// How the kernel would reach a server.
#[derive(Clone, Debug)]
pub struct Route {
    /// The index of the interface that its frames leave on.
    pub egress: u32,
    /// The index of the interface on which to ask for its MAC: another one if the server is in a VLAN.
    pub ask: u32,
    /// The name of `ask`.
    pub name: String,
}

/// Why a server cannot be asked for its MAC.
#[derive(Clone, Debug)]
pub struct NoRoute {
    /// The reason.
    pub why: Missing,
    /// The index of the interface that cannot be used; 0: none.
    pub on: u32,
    /// The reason in words, and what helps.
    pub line: String,
}

/// A server to ask for its MAC.
struct Question {
    service: usize,
    server: usize,
    route: Route,
}

/// Keeps a MAC that was found before, if none is known now.
const fn remember(mac: ServerMac, before: Option<&Before>) -> ServerMac {
    match (mac, before) {
        (ServerMac::Unresolved, Some(Before { mac: ServerMac::Resolved(mac), .. })) => ServerMac::Resolved(*mac),
        (mac, _) => mac,
    }
}

/// Whether a server is looked up. One that is already unresolved is left to `apply` or the agent, so that a change to
/// another server does not wait for it.
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

/// Whether a server needs a MAC and has none.
fn missing(server: &Server) -> bool {
    server.state == State::Up && server.mac.get().is_none()
}

/// The routes to servers, each looked up once for all services.
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

    /// The route to a server.
    pub async fn get(&mut self, server: &Server) -> Result<Route, NoRoute> {
        let key = (server.address, server.vlan.map(Vlan::number));
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let route = find_route(self.net, self.interfaces, server).await;
        self.found.insert(key, route.clone());
        route
    }

    /// The location of a server with this route.
    pub fn location(&self, route: Option<&Route>) -> Location {
        match route.and_then(|route| attached(self.interfaces, route.egress)) {
            Some(interface) if self.interfaces.len() > 1 => {
                Location::ViaNextHop { interface: interface.index, source: interface.mac.unwrap_or_default() }
            }
            Some(_) | None => Location::SamePort,
        }
    }
}

/// Where a server is that is not this host. With one interface it can only be there; then the kernel's route only
/// explains why it does not answer.
async fn hop(routes: &mut Routes<'_>, server: &Server, before: Option<&Before>) -> Hop {
    let given = matches!(server.mac, ServerMac::Given(_));
    let several = routes.interfaces.len() > 1;
    match before.map(|before| before.location) {
        Some(Location::ViaNextHop { interface, .. }) if several && attached(routes.interfaces, interface).is_some() => {
            let source = attached(routes.interfaces, interface).and_then(|interface| interface.mac).unwrap_or_default();
            return Hop { location: Location::ViaNextHop { interface, source }, route: None };
        }
        Some(Location::SamePort) if !several => return Hop { location: Location::SamePort, route: None },
        _ if given && !several => return Hop { location: Location::SamePort, route: None },
        Some(_) | None => {}
    }
    let route = routes.get(server).await;
    Hop { location: routes.location(route.as_ref().ok()), route: (!given).then_some(route) }
}

fn attached(interfaces: &[Interface], index: u32) -> Option<&Interface> {
    interfaces.iter().find(|interface| interface.index == index)
}

/// The route to a server through an attached interface.
///
/// With several interfaces, a server in a VLAN is behind the interface whose VLAN the kernel's route names. With one
/// interface it is behind that, wherever its MAC is asked for.
async fn find_route(net: &Net, interfaces: &[Interface], server: &Server) -> Result<Route, NoRoute> {
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
        return Ok(Route { egress: ask, ask, name });
    }
    let below = vlan_of.filter(|index| attached(interfaces, *index).is_some());
    match (server.vlan, below, interfaces) {
        (Some(_), Some(egress), _) => Ok(Route { egress, ask, name }),
        (Some(_), None, [only]) => Ok(Route { egress: only.index, ask, name }),
        (Some(_), None, _) => {
            let line = format!(
                "it is reached by {name}, which is not a VLAN of an interface that modlb is attached to; give its mac, or add a route"
            );
            Err(no_route(Missing::NotAttached, ask, line))
        }
        (None, ..) => {
            let line = format!(
                "it is reached by {name}, to which modlb is not attached; attach to it as well, or give its mac"
            );
            Err(no_route(Missing::NotAttached, ask, line))
        }
    }
}

/// Asks all servers at once and enters their MACs. Returns the servers that need a MAC and did not answer.
async fn ask(net: &Net, config: &mut Config, questions: &[Question], now: u64) -> net::Result<Vec<UnresolvedServer>> {
    let asked =
        |question: &Question| (config.services[question.service].servers[question.server].address, question.route.ask);
    let answers = net.resolve_all(&questions.iter().map(asked).collect::<Vec<_>>(), TIMEOUT).await?;
    let mut unresolved = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        let service = &mut config.services[question.service];
        let server = &mut service.servers[question.server];
        let silent = format!("no answer on {} within {TIMEOUT:?}", question.route.name);
        let name = || format!("service {}: server {}", service.name, server.address);
        match (answer.filter(|mac| Mac::is_unicast(*mac)), server.mac) {
            (Some(mac), _) => {
                server.mac = ServerMac::Resolved(mac);
                server.health.unresolved = None;
            }
            (None, ServerMac::Resolved(mac)) => log::warn!("{}: {silent}; keeping the MAC {mac} that it had", name()),
            (None, ServerMac::Unresolved | ServerMac::Given(_)) if server.state == State::Up => {
                let line = format!("{silent}; is it up? Give its mac, or say state = \"down\"");
                unresolved.push(mark_unresolved(
                    &service.name,
                    server,
                    Missing::NoAnswer,
                    question.route.ask,
                    &line,
                    now,
                ));
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) => log::info!("{}: {silent}; it is down", name()),
        }
    }
    Ok(unresolved)
}

/// Warns about servers that take no flows because their MAC is not known.
pub fn warn(unresolved: &[UnresolvedServer]) {
    for UnresolvedServer { line, .. } in unresolved {
        log::warn!("{line}; unresolved until then: its flows go to the others");
    }
}
