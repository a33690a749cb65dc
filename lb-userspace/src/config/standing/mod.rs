//! Whether a server takes flows, and if not, why.
//!
//! The reasons are kept apart. Only the first one, a server that is taken down, is in files and in what `export`
//! writes; by hand it may also be taken down for longer than a file lasts ([`ByHand`]). A failing check and a missing
//! MAC are findings, and end without an operator doing anything.

use super::model::{ByHand, Failing, Health, Server, Service, Unresolved, health};

/// The state in which a server is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It takes flows.
    Up,
    /// It takes flows although its check fails, as too many checks fail.
    Kept(Failing),
    /// It is taken down by configuration or command.
    Down {
        /// Since when, in seconds since the epoch; 0: not known.
        since: u64,
        /// It was taken down by hand.
        by_hand: Option<ByHand>,
    },
    /// Its check fails.
    Failing(Failing),
    /// It needs a MAC and has none.
    Unresolved(Unresolved),
    /// Only `previous` lists have it: it takes no flows, and role `keep` hands connections on to it.
    Former,
}

impl Standing {
    /// The name in output.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up | Self::Kept(_) => "up",
            Self::Down { .. } => "down",
            Self::Failing(_) => "failing",
            Self::Unresolved(_) => "unresolved",
            Self::Former => "former",
        }
    }

    /// Whether the server takes flows.
    pub const fn takes_flows(&self) -> bool {
        matches!(self, Self::Up | Self::Kept(_))
    }

    /// Since when, in seconds since the epoch.
    pub fn since(&self) -> Option<u64> {
        match self {
            Self::Up | Self::Former => None,
            Self::Down { since, .. } => Some(*since).filter(|since| *since != 0),
            Self::Kept(failing) | Self::Failing(failing) => Some(failing.since),
            Self::Unresolved(unresolved) => Some(unresolved.since),
        }
    }

    /// Why, in words, if there is a reason to show. `name` returns the name of an interface.
    pub fn reason(&self, name: impl FnOnce(u32) -> String) -> Option<String> {
        match self {
            Self::Up | Self::Former => None,
            Self::Down { by_hand, .. } => by_hand.map(|by_hand| by_hand.lasts(health::now())),
            Self::Kept(failing) => Some(format!("its check fails ({}), but too many do (min_up)", failing.why)),
            Self::Failing(failing) => Some(failing.why.to_string()),
            Self::Unresolved(unresolved) => Some(unresolved.reason(name)),
        }
    }
}

impl Server {
    /// The standing in which it is shown. One that only `previous` lists have would otherwise look as if it took flows.
    pub const fn shown(&self, standing: Standing) -> Standing {
        if self.is_former() && standing.takes_flows() { Standing::Former } else { standing }
    }

    /// Whether it takes flows if checks are ignored.
    fn is_available(&self) -> bool {
        !self.is_down() && self.health.unresolved.is_none()
    }
}

impl Service {
    /// The state of each server, in the order of the configuration.
    pub fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        let checks_count = self.checks_count();
        self.servers.iter().map(move |server| match server.health {
            Health { down_since: since, by_hand, .. } if server.is_down() => Standing::Down { since, by_hand },
            Health { unresolved: Some(unresolved), .. } => Standing::Unresolved(unresolved),
            Health { failing: Some(failing), .. } if checks_count => Standing::Failing(failing),
            Health { failing: Some(failing), .. } => Standing::Kept(failing),
            Health { failing: None, .. } => Standing::Up,
        })
    }

    /// Whether each server takes flows, in the order of the configuration. Those that only `previous` lists have take
    /// none.
    pub fn takes_flows(&self) -> Vec<bool> {
        let servers = self.servers.iter().zip(self.standings());
        servers.map(|(server, standing)| standing.takes_flows() && !server.is_former()).collect()
    }

    /// Whether enough servers pass their checks to take the others out.
    fn checks_count(&self) -> bool {
        let Some(check) = &self.check else { return false };
        let passing = self.listed().filter(|server| server.is_available() && server.health.failing.is_none()).count();
        passing >= check.min_up as usize
    }
}

#[cfg(test)]
mod tests;
