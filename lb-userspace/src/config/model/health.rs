//! Findings about a server: whether its check fails or its MAC is missing, and why.

use std::{fmt, time::SystemTime};

/// Findings about a server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Since when it has been down by command or configuration, in seconds since the epoch; 0: not down, or not known.
    pub down_since: u64,
    /// Its check fails.
    pub failing: Option<Failing>,
    /// It needs a MAC and has none.
    pub unresolved: Option<Unresolved>,
}

/// Now, in seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A server's check fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failing {
    /// Since when, in seconds since the epoch.
    pub since: u64,
    /// Why the attempt failed that made the server fail.
    pub why: Failure,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The connection was refused.
    Refused,
    /// It cannot be reached.
    Unreachable,
    /// The answer has an unexpected status.
    Status(u16),
    /// The TLS handshake failed.
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
    /// Since when, in seconds since the epoch.
    pub since: u64,
    /// Why.
    pub why: Missing,
    /// The index of the interface on which it was asked for; 0: none.
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
    /// It is behind an interface that modlb is not attached to.
    NotAttached,
}

impl Unresolved {
    /// Why, in words. `name` returns the name of an interface.
    pub fn reason(&self, name: impl FnOnce(u32) -> String) -> String {
        match self.why {
            Missing::NoAnswer => format!("no answer on {}", name(self.on)),
            Missing::NoRoute => "no route to it".to_owned(),
            Missing::Router => format!("it is behind a router on {}", name(self.on)),
            Missing::NotAttached => format!("it is reached by {}, where modlb is not attached", name(self.on)),
        }
    }
}
