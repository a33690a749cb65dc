//! What could be otherwise: a server down, another configuration.

use std::net::IpAddr;

use super::error::Error;
use crate::config::model::{Config, State};

/// A configuration that the one in force is compared with.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What makes it another.
    pub why: Why,
    /// What would be in force.
    pub config: Config,
}

/// What makes a configuration another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    /// A server is down, in every service that has it.
    Down(IpAddr),
    /// It is another one, of this name.
    Against(String),
}

impl Scenario {
    /// This server down.
    ///
    /// # Errors
    ///
    /// [`Error::NoServer`]: no service has it.
    pub fn down(config: &Config, server: IpAddr) -> Result<Self, Error> {
        let mut config = config.clone();
        let servers = config.services.iter_mut().flat_map(|service| &mut service.servers);
        let states: Vec<_> = servers.filter(|found| found.address == server).map(|found| &mut found.state).collect();
        if states.is_empty() {
            return Err(Error::NoServer(server));
        }
        states.into_iter().for_each(|state| *state = State::Down);
        Ok(Self { why: Why::Down(server), config })
    }

    /// Another configuration.
    pub const fn against(name: String, config: Config) -> Self {
        Self { why: Why::Against(name), config }
    }
}
