//! A configuration to compare with: a server down, or another file.

use std::net::IpAddr;

use super::error::Error;
use crate::config::model::{Config, State};

/// A configuration to compare with the one in force.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How it differs.
    pub change: Change,
    /// The configuration that would be in force.
    pub config: Config,
}

/// How a configuration differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A server is down, in every service that has it.
    Down(IpAddr),
    /// It is another file, of this name.
    Against(String),
}

impl Scenario {
    /// The configuration with this server down.
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
        Ok(Self { change: Change::Down(server), config })
    }

    /// Another configuration.
    pub const fn against(name: String, config: Config) -> Self {
        Self { change: Change::Against(name), config }
    }
}
