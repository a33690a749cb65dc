//! What was found out about a server: whether its check fails and its MAC is missing, and why.

use std::{fmt, time::SystemTime};

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
