//! What is in force in an instance of the former ABI.

use super::shapes;
use crate::{config::model::Config, datapath::place::Location};

/// What is in force.
pub struct State {
    /// The configuration, without interfaces.
    pub config: Config,
    /// Where the servers are, by service and server.
    pub locations: Vec<Vec<Location>>,
    /// The digest of the file that an agent last put in force; 0: none.
    pub source: u64,
    pub(super) half: shapes::Half,
    pub(super) services: Vec<shapes::Service>,
    pub(super) servers: Vec<shapes::Server>,
    pub(super) draining: Vec<shapes::Draining>,
}

/// The records of a service's servers.
pub(super) fn servers_of<'a>(servers: &'a [shapes::Server], service: &shapes::Service) -> &'a [shapes::Server] {
    let first = service.first_server as usize;
    servers.get(first..first + service.servers as usize).unwrap_or_default()
}
