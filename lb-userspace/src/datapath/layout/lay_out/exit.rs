//! Services whose servers are all behind one interface: their cell says which, so that slots need only a MAC.

use lb_common::table::Exit;

use crate::{
    config::model::{Role, Service},
    datapath::place::Location,
    decide::peers::PeerRule,
};

/// The interface that all servers of a service that take flows are behind; `None`: each needs its own description, or
/// none does.
///
/// Packets of a service with peers must leave the fast path, which asks for no sender, so it has no exit.
pub(super) fn exit((role, service, rule): (Role, &Service, &PeerRule), locations: &[Location]) -> Option<Exit> {
    if role != Role::Balancer || !rule.macs.is_empty() {
        return None;
    }
    let servers = service.servers.iter().zip(service.takes_flows()).zip(locations);
    let mut exits = servers.filter(|((_, takes), _)| *takes).map(|((server, _), location)| match location {
        Location::ViaNextHop { interface, source } if server.vlan.is_none() => {
            Some(Exit { interface: *interface, source: source.wide() })
        }
        Location::SamePort | Location::Local | Location::ViaNextHop { .. } => None,
    });
    let first = exits.next()??;
    exits.all(|exit| exit == Some(first)).then_some(first)
}
