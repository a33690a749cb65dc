//! What is known of a server beside its configuration: whether it takes flows, and if not, why.
//!
//! The reasons are kept apart. A file, and what `export` writes, knows only the first, a server that somebody took
//! down; a check that fails and a MAC that is missing are found out, and end by themselves.

use super::model::{Failing, Health, Server, Service, State, Unresolved};

/// The one state that a server is shown in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It takes flows.
    Up,
    /// It takes flows though its check fails, as too many do.
    Kept(Failing),
    /// Somebody took it down.
    Down {
        /// Since when, in seconds of the epoch; 0: nobody knows.
        since: u64,
    },
    /// Its check fails.
    Failing(Failing),
    /// It needs a MAC and has none.
    Unresolved(Unresolved),
}

impl Standing {
    /// The name in output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up | Self::Kept(_) => "up",
            Self::Down { .. } => "down",
            Self::Failing(_) => "failing",
            Self::Unresolved(_) => "unresolved",
        }
    }

    /// Whether the server takes flows.
    pub const fn takes_flows(&self) -> bool {
        matches!(self, Self::Up | Self::Kept(_))
    }

    /// Since when, in seconds of the epoch.
    pub fn since(&self) -> Option<u64> {
        match self {
            Self::Up => None,
            Self::Down { since } => Some(*since).filter(|since| *since != 0),
            Self::Kept(failing) | Self::Failing(failing) => Some(failing.since),
            Self::Unresolved(unresolved) => Some(unresolved.since),
        }
    }

    /// Why, in words, if it needs any; `name` says what an interface is called.
    pub fn reason(&self, name: impl FnOnce(u32) -> String) -> Option<String> {
        match self {
            Self::Up | Self::Down { .. } => None,
            Self::Kept(failing) => Some(format!("its check fails ({}), but too many do (min_up)", failing.why)),
            Self::Failing(failing) => Some(failing.why.to_string()),
            Self::Unresolved(unresolved) => Some(unresolved.reason(name)),
        }
    }
}

impl Server {
    /// Whether it could take flows if checks did not count.
    const fn is_there(&self) -> bool {
        matches!(self.state, State::Up) && self.health.unresolved.is_none()
    }
}

impl Service {
    /// The state that each server is in, in the order of the configuration.
    pub fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        let checks_count = self.checks_count();
        self.servers.iter().map(move |server| match (server.state, server.health) {
            (State::Down, Health { down_since: since, .. }) => Standing::Down { since },
            (State::Up, Health { unresolved: Some(unresolved), .. }) => Standing::Unresolved(unresolved),
            (State::Up, Health { failing: Some(failing), .. }) if checks_count => Standing::Failing(failing),
            (State::Up, Health { failing: Some(failing), .. }) => Standing::Kept(failing),
            (State::Up, Health { failing: None, .. }) => Standing::Up,
        })
    }

    /// For each server whether it takes flows, in the order of the configuration.
    pub fn takes_flows(&self) -> Vec<bool> {
        self.standings().map(|standing| standing.takes_flows()).collect()
    }

    /// Whether enough servers pass their checks that those which do not may be taken out.
    fn checks_count(&self) -> bool {
        let Some(check) = &self.check else { return false };
        let passing = self.servers.iter().filter(|server| server.is_there() && server.health.failing.is_none()).count();
        passing >= check.min_up as usize
    }
}

#[cfg(test)]
mod tests;
