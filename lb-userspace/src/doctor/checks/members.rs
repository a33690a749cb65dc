//! Role `member`: are connections sockets of this host, where members look for them?

use super::{keep::is_served_here, listeners::takes};
use crate::{
    config::model::{Role, Service},
    decide::keep::members::is_shared,
    doctor::{
        facts::Site,
        finding::{Finding, Level},
    },
};

/// All checks; none in other roles. A proxy or router in front of other sockets works as long as its flows stay.
pub fn all(site: &Site) -> Vec<Finding> {
    if site.role != Role::Member {
        return Vec::new();
    }
    let services = site.config.services.iter().filter(|service| is_shared(service) && is_served_here(service, site));
    let finding = |service: &Service| {
        let subject = service.target();
        if let Some(found) = site.listeners.iter().find(|listener| takes(listener, service)) {
            return Finding::ok("listener", subject, format!("a socket listens on {}", found.local));
        }
        let meaning = "the service has previous lists or a server that is taken down, so members look for connections \
                       among their sockets: those of a container, or behind address translation, they do not find, and \
                       packets of connections whose flows have moved are dropped";
        let cure = "let the server listen in the network namespace of the interface; or take out `previous` and the \
                    servers that are down";
        Finding::bad(Level::Warning, "listener", subject, "no socket listens for it here", meaning).cure(cure)
    };
    services.map(finding).collect()
}
