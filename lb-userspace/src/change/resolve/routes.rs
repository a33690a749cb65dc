//! How the kernel would reach a server, and on which link its MAC is asked for.

use std::{collections::HashMap, net::IpAddr};

use super::egress::Egress;
use crate::{
    config::model::{Missing, Server, Vlan},
    net::Net,
};

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

/// Why a server cannot be reached.
#[derive(Clone, Debug)]
pub struct NoRoute {
    /// The reason.
    pub why: Missing,
    /// The index of the interface that cannot be used; 0: none.
    pub on: u32,
    /// The reason in words, and what helps.
    pub line: String,
}

/// The routes to servers, each looked up once for all services.
pub struct Routes<'a> {
    net: &'a Net,
    egress: &'a Egress<'a>,
    found: HashMap<(IpAddr, Option<u16>), Result<Route, NoRoute>>,
}

impl<'a> Routes<'a> {
    /// For a datapath on these interfaces.
    pub fn new(net: &'a Net, egress: &'a Egress<'a>) -> Self {
        Self { net, egress, found: HashMap::new() }
    }

    /// The network that it asks.
    pub const fn net(&self) -> &'a Net {
        self.net
    }

    /// The interfaces.
    pub const fn egress(&self) -> &'a Egress<'a> {
        self.egress
    }

    /// The route to a server by an attached interface.
    pub async fn get(&mut self, server: &Server) -> Result<Route, NoRoute> {
        self.to(server.address, server.vlan).await
    }

    /// The route to an address whose frames are in this VLAN.
    pub async fn to(&mut self, address: IpAddr, vlan: Option<Vlan>) -> Result<Route, NoRoute> {
        let key = (address, vlan.map(Vlan::number));
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let route = find(self.net, self.egress, address, vlan).await;
        self.found.insert(key, route.clone());
        route
    }
}

/// With several interfaces, a server in a VLAN is behind the interface whose VLAN the kernel's route names. With one
/// interface it is behind that, wherever its MAC is asked for.
async fn find(net: &Net, egress: &Egress<'_>, address: IpAddr, vlan: Option<Vlan>) -> Result<Route, NoRoute> {
    let no_route = |why, on, line| NoRoute { why, on, line };
    let route = net
        .route(address)
        .await
        .map_err(|error| no_route(Missing::NoRoute, 0, format!("{error}; give its mac, or add a route")))?;
    let ask = route.interface;
    if let Some(gateway) = route.gateway {
        let line = format!(
            "it is behind the router {gateway}, but must be on the same network segment as this host; give its mac if it is"
        );
        return Err(no_route(Missing::Router, ask, line));
    }
    if let Some(interface) = egress.attached(ask) {
        return Ok(Route { egress: ask, ask, name: interface.name.clone() });
    }
    let (name, vlan_of) =
        net.interface_by_index(ask).await.map_or_else(|_| (ask.to_string(), None), |i| (i.name, i.vlan_of));
    if egress.interfaces.is_empty() {
        return Ok(Route { egress: ask, ask, name });
    }
    let below = vlan_of.filter(|index| egress.attached(*index).is_some());
    match (vlan, below, egress.interfaces) {
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
