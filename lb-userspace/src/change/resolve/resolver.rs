//! Places servers one after the other.

use std::{collections::HashSet, net::IpAddr};

use lb_common::mac::Mac;

use super::{
    egress::Egress,
    known::Before,
    refresh::{Refresh, TIMEOUT},
    routes::{NoRoute, Route, Routes},
    unresolved::{UnresolvedServer, trouble_line},
};
use crate::{
    config::model::{Config, Missing, Server, ServerMac, Service, Unresolved},
    datapath::Location,
    net::{self, Net},
};

/// A server to ask for its MAC.
pub(super) struct Question {
    service: usize,
    server: usize,
    route: Route,
}

/// Places servers one after the other, and collects those to ask for their MAC.
pub(super) struct Resolver<'a> {
    /// A member sends nothing to other members: it only has to know which server it is.
    pub member: bool,
    /// The addresses that are this host.
    pub local: HashSet<IpAddr>,
    /// The MACs of this host's interfaces.
    pub own_macs: HashSet<Mac>,
    /// Now, in seconds since the epoch.
    pub now: u64,
    /// What is looked up again.
    pub refresh: Refresh<'a>,
    /// Servers to ask for their MAC.
    pub questions: Vec<Question>,
    /// Servers that cannot be reached.
    pub unresolved: Vec<UnresolvedServer>,
}

impl Resolver<'_> {
    /// Where a server is. Marks it unresolved if it cannot be reached; notes the question if its MAC is to be asked
    /// for.
    pub async fn place(
        &mut self,
        routes: &mut Routes<'_>,
        service: &str,
        (index, number): (usize, usize),
        server: &mut Server,
        before: Option<&Before>,
    ) -> Location {
        if self.local.contains(&server.address) {
            server.health.unresolved = None;
            return Location::Local;
        }
        if self.member {
            server.health.unresolved = None;
            return Location::SamePort;
        }
        let given = matches!(server.mac, ServerMac::Given(_));
        let stays = before
            .filter(|before| before.mac == server.mac)
            .filter(|_| !self.refresh.is_rerouted(service, server) && !self.refresh.is_asked(service, server, before));
        let location = match stays.and_then(|before| routes.egress().carried(before.location)) {
            Some(location) => location,
            _ if given && routes.egress().is_direct() && !is_behind_another(routes.egress(), before) => {
                self.reachable(server);
                Location::SamePort
            }
            _ => {
                let route = routes.get(server).await;
                return self.follow(routes.egress(), service, (index, number), server, before, route);
            }
        };
        if given {
            self.own_mac(service, server, 0);
        }
        location
    }

    /// The same for a server whose route was looked up.
    fn follow(
        &mut self,
        egress: &Egress<'_>,
        service: &str,
        (index, number): (usize, usize),
        server: &mut Server,
        before: Option<&Before>,
        route: Result<Route, NoRoute>,
    ) -> Location {
        let given = matches!(server.mac, ServerMac::Given(_));
        let route = match route {
            Ok(route) => route,
            Err(no_route) if given => return self.without_route(egress, service, server, before, &no_route),
            Err(no_route) => {
                server.mac = ServerMac::Unresolved;
                self.lose(service, server, &no_route);
                let before = before.map(|before| before.location).filter(|location| *location != Location::Local);
                return before.unwrap_or_default();
            }
        };
        if self.is_in_trouble(egress, route.egress, service, server) {
            return egress.location(route.egress);
        }
        if matches!(server.mac, ServerMac::Resolved { on, .. } if on != 0 && on != route.ask) {
            server.mac = ServerMac::Unresolved;
        }
        let location = egress.location(route.egress);
        match server.mac {
            ServerMac::Given(_) => {
                self.reachable(server);
                self.own_mac(service, server, route.ask);
            }
            ServerMac::Resolved { .. } | ServerMac::Unresolved => {
                if self.refresh.is_asked(service, server, before) {
                    self.questions.push(Question { service: index, server: number, route });
                } else if server.mac != ServerMac::Unresolved {
                    self.reachable(server);
                    self.own_mac(service, server, route.ask);
                }
            }
        }
        location
    }

    /// A server whose MAC is configured needs no route. One that was behind an interface is still there, and another
    /// link cannot have its MAC.
    fn without_route(
        &mut self,
        egress: &Egress<'_>,
        service: &str,
        server: &mut Server,
        before: Option<&Before>,
        no_route: &NoRoute,
    ) -> Location {
        let Some((interface, location)) = behind(before) else {
            self.reachable(server);
            return Location::SamePort;
        };
        if egress.attached(interface).is_none() {
            self.lose(service, server, no_route);
            return location;
        }
        if !self.is_in_trouble(egress, interface, service, server) {
            self.reachable(server);
        }
        egress.location(interface)
    }

    /// Whether nothing can be sent by a server's interface. Marks the server then.
    fn is_in_trouble(&mut self, egress: &Egress<'_>, interface: u32, service: &str, server: &mut Server) -> bool {
        let Some(why) = egress.trouble(interface) else { return false };
        let name = egress.attached(interface).map_or("its interface", |interface| interface.name.as_str());
        self.lose(service, server, &NoRoute { why, on: interface, line: trouble_line(why, name) });
        true
    }

    fn reachable(&self, server: &mut Server) {
        server.health.unresolved = None;
    }

    /// A server with this host's own MAC would get nothing.
    fn own_mac(&mut self, service: &str, server: &mut Server, on: u32) {
        if server.mac.get().is_some_and(|mac| self.own_macs.contains(&mac)) {
            let line = "its MAC is this host's own".to_owned();
            self.lose(service, server, &NoRoute { why: Missing::OwnMac, on, line });
        }
    }

    /// Marks a server that cannot be reached, unless it takes no flows anyway.
    fn lose(&mut self, service: &str, server: &mut Server, reason: &NoRoute) {
        if server.is_down() {
            server.health.unresolved = None;
            return;
        }
        let NoRoute { why, on, line } = reason;
        let before = server.health.unresolved.filter(|unresolved| unresolved.why == *why);
        let since = before.map_or(self.now, |unresolved| unresolved.since);
        server.health.unresolved = Some(Unresolved { since, why: *why, on: *on });
        self.unresolved.push(UnresolvedServer {
            service: service.to_owned(),
            server: server.address,
            line: format!("service {service}: server {}: {line}", server.address),
        });
    }

    /// Asks all servers at once and enters their MACs.
    pub async fn ask(&mut self, net: &Net, config: &mut Config) -> net::Result<()> {
        let questions = std::mem::take(&mut self.questions);
        let timeout = self.refresh.timeout();
        let asked = |question: &Question| {
            (config.services[question.service].servers[question.server].address, question.route.ask)
        };
        let answers = net.resolve_all(&questions.iter().map(asked).collect::<Vec<_>>(), timeout).await?;
        for (Question { service, server, route }, answer) in questions.into_iter().zip(answers) {
            let Service { name, servers, .. } = &mut config.services[service];
            self.answer(name, &mut servers[server], &route, answer.filter(|mac| Mac::is_unicast(*mac)));
        }
        Ok(())
    }

    fn answer(&mut self, service: &str, server: &mut Server, route: &Route, answer: Option<Mac>) {
        let Route { ask: on, name, .. } = route;
        let silent = match self.refresh {
            Refresh::Routes => format!("its MAC on {name} is not known yet"),
            Refresh::All | Refresh::One(..) | Refresh::Unknown => format!("no answer on {name} within {TIMEOUT:?}"),
        };
        let subject = || format!("service {service}: server {}", server.address);
        match (answer, server.mac) {
            (Some(mac), _) if self.own_macs.contains(&mac) => {
                let line = format!("on {name} this host's own MAC {mac} answers for it; is proxy ARP on?");
                server.mac = ServerMac::Unresolved;
                self.lose(service, server, &NoRoute { why: Missing::OwnMac, on: *on, line });
            }
            (Some(mac), _) => {
                server.mac = ServerMac::Resolved { mac, on: *on };
                self.reachable(server);
            }
            (None, ServerMac::Resolved { mac, .. }) => {
                log::warn!("{}: {silent}; keeping the MAC {mac} that it had", subject());
                self.reachable(server);
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) if !server.is_down() => {
                let line = format!("{silent}; is it up? Give its mac, or say state = \"down\"");
                self.lose(service, server, &NoRoute { why: Missing::NoAnswer, on: *on, line });
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) if !matches!(self.refresh, Refresh::Routes) => {
                log::info!("{}: {silent}; it is down", subject());
            }
            (None, ServerMac::Unresolved | ServerMac::Given(_)) => {}
        }
    }
}

/// Whether a server was behind an interface that is not attached any more.
fn is_behind_another(egress: &Egress<'_>, before: Option<&Before>) -> bool {
    behind(before).is_some_and(|(interface, _)| egress.attached(interface).is_none())
}

/// The interface that a server was behind, and the location that names it.
fn behind(before: Option<&Before>) -> Option<(u32, Location)> {
    before.and_then(|before| match before.location {
        Location::ViaNextHop { interface, .. } => Some((interface, before.location)),
        Location::SamePort | Location::Local => None,
    })
}
