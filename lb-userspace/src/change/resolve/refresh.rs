//! Which routes and MACs are looked up again.

use std::{net::IpAddr, time::Duration};

use super::known::Before;
use crate::config::model::{Server, ServerMac};

/// How long servers may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(1);

/// What is looked up again.
#[derive(Clone, Copy, Debug)]
pub enum Refresh<'a> {
    /// The route and MAC of every server.
    All,
    /// Those of one server of one service.
    One(&'a str, IpAddr),
    /// Only those of servers whose MAC is not known.
    Unknown,
    /// The route of every server. A MAC that is not known by the way that the route names is asked for, but not waited
    /// for: the server is unresolved until then.
    Routes,
}

impl Refresh<'_> {
    /// How long servers may take to answer.
    pub(super) const fn timeout(self) -> Duration {
        match self {
            Self::All | Self::One(..) | Self::Unknown => TIMEOUT,
            Self::Routes => Duration::ZERO,
        }
    }

    /// Whether a server's route is looked up.
    pub(super) fn is_rerouted(self, service: &str, server: &Server) -> bool {
        match self {
            Self::All | Self::Routes => true,
            Self::One(name, address) => name == service && address == server.address,
            Self::Unknown => false,
        }
    }

    /// Whether a server's MAC is asked for. One that is already unresolved is left to `apply` or the agent, so that a
    /// change to another server does not wait for it.
    pub(super) fn is_asked(self, service: &str, server: &Server, before: Option<&Before>) -> bool {
        let unknown = server.mac == ServerMac::Unresolved;
        let new = || before.is_none_or(|before| !server.is_down() && before.health.unresolved.is_none());
        match self {
            Self::All => true,
            Self::One(name, address) if name == service && address == server.address => true,
            Self::One(..) | Self::Unknown => unknown && new(),
            Self::Routes => unknown,
        }
    }
}
