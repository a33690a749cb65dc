//! Which sockets listen for a service.

use std::net::SocketAddr;

use crate::{config::model::Service, net::sockets::Listener};

/// Whether a socket takes connections to a service.
pub(super) fn takes(listener: &Listener, service: &Service) -> bool {
    let port = service.port.unwrap_or_else(|| listener.local.port());
    let within = service.is_prefix() && service.address.contains(&listener.local.ip());
    (within && listener.local.port() == port) || listener.takes(SocketAddr::new(service.address.addr(), port))
}
