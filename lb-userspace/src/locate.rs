//! Finds the servers: their MACs, and the interface that leads to each.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use lb_common::mac::Mac;

use crate::{
    config::model::{Config, Role, Server, ServerMac, Service, State},
    datapath::{Place, Placed, Snapshot},
    net::{self, Interface, Net},
};

/// How long servers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Why servers could not be found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel did not answer.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A line for each server.
    #[error("{}", .0.join("\n"))]
    NotFound(Vec<String>),
}

/// Whose MAC and place are looked up anew.
#[derive(Clone, Copy, Debug)]
pub enum Refresh<'a> {
    /// Every server's.
    All,
    /// That of one server of one service.
    One(&'a str, IpAddr),
    /// Only those that are not known.
    Unknown,
}

/// Finds every server of a configuration for a datapath on `interfaces`. What is in `known`, the state before, stands in
/// where a server does not answer now.
///
/// # Errors
///
/// [`Error::NotFound`] names each server that is up and could not be found, and what helps.
pub async fn locate(
    net: &Net,
    interfaces: &[Interface],
    mut config: Config,
    known: &Snapshot,
    refresh: Refresh<'_>,
) -> Result<Placed, Error> {
    let known = Known::new(known);
    let mut places = Vec::with_capacity(config.services.len());
    let mut questions = Vec::new();
    let mut problems = Vec::new();
    // A member sends nothing to others, so all that it has to know is which server it is.
    let member = config.role == Role::Member;
    let local = match &config.group.own[..] {
        [] => net.local_addresses().await?,
        own => own.iter().copied().collect(),
    };
    for (index, service) in config.services.iter_mut().enumerate() {
        let mut row = Vec::with_capacity(service.servers.len());
        for (number, server) in service.servers.iter_mut().enumerate() {
            let before = known.get(&service.name, server.address);
            server.mac = remember(server.mac, before);
            let again = is_due(refresh, &service.name, server);
            let hop = match local.contains(&server.address) {
                true => Hop { place: Place::Here, interface: None },
                false if member => Hop { place: Place::Back, interface: None },
                false => hop(net, interfaces, server, before.filter(|_| !again)).await,
            };
            if again && hop.place != Place::Here {
                match hop.interface {
                    Some(Ok(way)) => questions.push(Question { service: index, server: number, way }),
                    Some(Err(reason)) if missing(server) => {
                        problems.push(format!("service {}: server {}: {reason}", service.name, server.address));
                    }
                    Some(Err(_)) | None => {}
                }
            }
            row.push(hop.place);
        }
        places.push(row);
    }
    problems.extend(ask(net, &mut config, &questions).await?);
    if !problems.is_empty() {
        return Err(Error::NotFound(problems));
    }
    let prefixes = config.services.iter().any(Service::is_prefix);
    let own = if prefixes { net.own_addresses().await? } else { Vec::new() };
    Ok(Placed { config, places, own })
}

/// What was known of servers before.
struct Known<'a>(HashMap<(&'a str, IpAddr), (ServerMac, Place)>);

impl<'a> Known<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let services = snapshot.config.services.iter().zip(&snapshot.places);
        let servers = services.flat_map(|(service, places)| {
            let servers = service.servers.iter().zip(places);
            servers.map(|(server, place)| ((service.name.as_str(), server.address), (server.mac, *place)))
        });
        Self(servers.collect())
    }

    fn get(&self, service: &str, server: IpAddr) -> Option<(ServerMac, Place)> {
        self.0.get(&(service, server)).copied()
    }
}

/// The way to a server.
struct Hop {
    place: Place,
    /// The interface on which to ask for its MAC, or why there is none; `None`: nobody needs to ask.
    interface: Option<Result<Way, String>>,
}

/// How the kernel would reach a server.
struct Way {
    /// The index of the interface that its frames leave by.
    by: u32,
    /// That on which to ask for its MAC: another where the server is in a VLAN of the first.
    ask: u32,
    /// The name of that one.
    name: String,
}

/// A server whose MAC is asked for.
struct Question {
    service: usize,
    server: usize,
    way: Way,
}

/// A MAC that was found before is better than none.
const fn remember(mac: ServerMac, before: Option<(ServerMac, Place)>) -> ServerMac {
    match (mac, before) {
        (ServerMac::Unresolved, Some((ServerMac::Resolved(mac), _))) => ServerMac::Resolved(mac),
        (mac, _) => mac,
    }
}

fn is_due(refresh: Refresh<'_>, service: &str, server: &Server) -> bool {
    match (server.mac, refresh) {
        (ServerMac::Given(_), Refresh::All) | (ServerMac::Unresolved, _) => true,
        (ServerMac::Given(_) | ServerMac::Resolved(_), Refresh::One(name, address)) => {
            name == service && address == server.address
        }
        (ServerMac::Resolved(_), Refresh::All) => true,
        (ServerMac::Given(_) | ServerMac::Resolved(_), Refresh::Unknown) => false,
    }
}

/// Whether a server cannot be without the MAC that it has not.
fn missing(server: &Server) -> bool {
    server.state == State::Up && server.mac.get().is_none()
}

/// The way to a server that is not this host. With one interface there is only one, and the kernel's routes matter only
/// to tell why nobody answers on it.
async fn hop(net: &Net, interfaces: &[Interface], server: &Server, before: Option<(ServerMac, Place)>) -> Hop {
    let given = matches!(server.mac, ServerMac::Given(_));
    let several = interfaces.len() > 1;
    match before {
        Some((_, place @ Place::Behind { interface, .. })) if several && attached(interfaces, interface).is_some() => {
            return Hop { place, interface: None };
        }
        Some((_, Place::Back)) if !several => return Hop { place: Place::Back, interface: None },
        _ if given && !several => return Hop { place: Place::Back, interface: None },
        Some(_) | None => {}
    }
    let way = way(net, interfaces, server).await;
    let place = match way.as_ref().ok().and_then(|way| attached(interfaces, way.by)) {
        Some(interface) if several => {
            Place::Behind { interface: interface.index, source: interface.mac.unwrap_or_default() }
        }
        Some(_) | None => Place::Back,
    };
    Hop { place, interface: (!given).then_some(way) }
}

fn attached(interfaces: &[Interface], index: u32) -> Option<&Interface> {
    interfaces.iter().find(|interface| interface.index == index)
}

/// The attached interface on whose link the kernel would look for a server.
///
/// With several interfaces a server in a VLAN is behind the one whose VLAN the kernel's route names. With one it is behind
/// that, wherever its MAC is asked for.
async fn way(net: &Net, interfaces: &[Interface], server: &Server) -> Result<Way, String> {
    let route = net.route(server.address).await.map_err(|error| format!("{error}; give its mac, or add a route"))?;
    if let Some(gateway) = route.gateway {
        return Err(format!(
            "it is behind the router {gateway}, but must be on the same network segment as this host; give its mac if it is"
        ));
    }
    let ask = route.interface;
    let (name, vlan_of) =
        net.interface_by_index(ask).await.map_or_else(|_| (ask.to_string(), None), |i| (i.name, i.vlan_of));
    if interfaces.is_empty() || attached(interfaces, ask).is_some() {
        return Ok(Way { by: ask, ask, name });
    }
    let below = vlan_of.filter(|index| attached(interfaces, *index).is_some());
    match (server.vlan, below, interfaces) {
        (Some(_), Some(by), _) => Ok(Way { by, ask, name }),
        (Some(_), None, [only]) => Ok(Way { by: only.index, ask, name }),
        (Some(_), None, _) => Err(format!(
            "it is reached by {name}, which is no VLAN of an interface that modlb is attached to; give its mac, or add a route"
        )),
        (None, ..) => {
            Err(format!("it is reached by {name}, to which modlb is not attached; attach to it, too, or give its mac"))
        }
    }
}

/// Asks all at once, enters the answers, and returns a line for each server that needs one and gave none.
async fn ask(net: &Net, config: &mut Config, questions: &[Question]) -> Result<Vec<String>, net::Error> {
    let asked =
        |question: &Question| (config.services[question.service].servers[question.server].address, question.way.ask);
    let answers = net.resolve_all(&questions.iter().map(asked).collect::<Vec<_>>(), TIMEOUT).await?;
    let mut problems = Vec::new();
    for (question, answer) in questions.iter().zip(answers) {
        let service = &mut config.services[question.service];
        let server = &mut service.servers[question.server];
        let interface = &question.way.name;
        let silent =
            format!("service {}: server {}: no answer on {interface} within {TIMEOUT:?}", service.name, server.address);
        match (answer.filter(|mac| Mac::is_unicast(*mac)), server.mac) {
            (Some(mac), _) => server.mac = ServerMac::Resolved(mac),
            (None, ServerMac::Resolved(mac)) => log::warn!("{silent}; keeping the MAC {mac} that it had"),
            (None, ServerMac::Unresolved | ServerMac::Given(_)) if server.state == State::Up => {
                problems.push(format!("{silent}; is it up? Give its mac, or say state = \"down\""));
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) => log::info!("{silent}; it is down"),
        }
    }
    Ok(problems)
}
