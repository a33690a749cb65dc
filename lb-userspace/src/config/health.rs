//! What is known of a server beside its configuration: whether it takes flows, and if not, why.
//!
//! The reasons are kept apart. A file, and what `export` writes, knows only the first, a server that somebody took down; a
//! check that fails and a MAC that is missing are found out, and end by themselves.

use std::{fmt, time::SystemTime};

use super::model::{Server, Service, State};

/// What was found out about a server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Since when it is down by command or configuration, in seconds of the epoch; 0: it is not, or nobody knows.
    pub down_since: u64,
    /// Its check fails.
    pub failing: Option<Failing>,
    /// It needs a MAC and has none.
    pub unresolved: Option<Unresolved>,
}

/// Now, in seconds of the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A server's check fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failing {
    /// Since when, in seconds of the epoch.
    pub since: u64,
    /// What the attempt met that was one too many.
    pub why: Failure,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// Nobody listens.
    Refused,
    /// It cannot be reached.
    Unreachable,
    /// The answer has a status that is not expected.
    Status(u16),
    /// No connection could be made secure.
    Tls,
    /// Anything else, such as a connection that was closed half-way.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Tls => f.write_str("no TLS connection"),
            Self::Other => f.write_str("no whole answer"),
        }
    }
}

/// A server needs a MAC and has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unresolved {
    /// Since when, in seconds of the epoch.
    pub since: u64,
    /// Why.
    pub why: Missing,
    /// The index of the interface on which it was looked for; 0: none.
    pub on: u32,
}

/// Why a server's MAC is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It does not answer.
    NoAnswer,
    /// There is no route to it.
    NoRoute,
    /// It is behind a router.
    Router,
    /// It is reached by an interface to which modlb is not attached.
    NotAttached,
}

impl Unresolved {
    /// Why, in words; `name` says what an interface is called.
    pub fn reason(&self, name: impl FnOnce(u32) -> String) -> String {
        match self.why {
            Missing::NoAnswer => format!("no answer on {}", name(self.on)),
            Missing::NoRoute => "no route to it".to_owned(),
            Missing::Router => format!("it is behind a router on {}", name(self.on)),
            Missing::NotAttached => format!("it is reached by {}, where modlb is not attached", name(self.on)),
        }
    }
}

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
