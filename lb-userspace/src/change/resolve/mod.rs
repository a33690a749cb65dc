//! Finds servers' MACs and locations.
//!
//! A MAC belongs to a server, the interface on which it was found, and the way there. If the way changes, the MAC is
//! no longer known.

use std::{net::IpAddr, time::Duration};

use lb_common::mac::Mac;

use super::{own::own_addresses, peers, sockets};
use crate::{
    config::model::{Config, Role, health},
    datapath::{Placed, Snapshot},
    decide::peers::adopt_servers_macs,
    net::{self, Net},
};

mod egress;
mod known;
mod refresh;
mod resolver;
mod routes;
mod unresolved;

pub use egress::{Egress, Form};
pub use refresh::Refresh;
pub use routes::{NoRoute, Route, Routes};
pub use unresolved::{UnresolvedServer, warn};

use self::{
    known::{Known, inherit},
    refresh::TIMEOUT,
    resolver::Resolver,
};

/// A configuration whose servers have been resolved, as far as possible.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration. Servers that cannot be reached are marked unresolved: they take no flows.
    pub placed: Placed,
    /// The unresolved servers.
    pub unresolved: Vec<UnresolvedServer>,
}

/// Resolves every server of a configuration for a datapath on some interfaces. `known` is the state before: a server
/// that does not answer keeps its MAC, and servers that stay keep their health.
pub async fn resolve(
    net: &Net,
    egress: &Egress<'_>,
    mut config: Config,
    known: &Snapshot,
    refresh: Refresh<'_>,
) -> net::Result<Resolved> {
    let known = Known::new(known);
    let mut routes = Routes::new(net, egress);
    let mut resolver = Resolver {
        member: config.role == Role::Member,
        local: own_addresses(net, &config).await?,
        own_macs: net.own_macs().await?,
        now: health::now(),
        refresh,
        questions: Vec::new(),
        unresolved: Vec::new(),
    };
    let mut locations = Vec::with_capacity(config.services.len());
    for (index, service) in config.services.iter_mut().enumerate() {
        let mut row = Vec::with_capacity(service.servers.len());
        let known = known.list(&service.name);
        for (number, server) in service.servers.iter_mut().enumerate() {
            let before = known.and_then(|known| known.get(server.address, number));
            inherit(server, service.check.as_ref(), before.as_ref(), resolver.now);
            row.push(resolver.place(&mut routes, &service.name, (index, number), server, before.as_ref()).await);
        }
        locations.push(row);
    }
    resolver.ask(net, &mut config).await?;
    let due = peers::begin(&mut config, known.peers, &resolver.local, matches!(refresh, Refresh::All));
    ask_peers(&mut routes, &mut config, due, refresh.timeout()).await?;
    adopt_servers_macs(&mut config);
    sockets::find(net, &mut config, known.services).await?;
    Ok(Resolved { placed: Placed::on(net, config, locations).await?, unresolved: resolver.unresolved })
}

/// Asks for peers and enters their MACs.
async fn ask_peers(
    routes: &mut Routes<'_>,
    config: &mut Config,
    due: Vec<IpAddr>,
    timeout: Duration,
) -> net::Result<()> {
    let mut asked = Vec::new();
    for address in due {
        match routes.to(address, None).await {
            Ok(route) => asked.push((address, route)),
            Err(no_route) => peers::enter(config, address, Err(no_route.line)),
        }
    }
    let requests: Vec<_> = asked.iter().map(|(address, route)| (*address, route.ask)).collect();
    let answers = routes.net().resolve_all(&requests, timeout).await?;
    for ((address, route), answer) in asked.into_iter().zip(answers) {
        let silent = || format!("no answer on {} within {TIMEOUT:?}", route.name);
        peers::enter(config, address, answer.filter(|mac| Mac::is_unicast(*mac)).ok_or_else(silent));
    }
    Ok(())
}
