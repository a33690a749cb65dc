//! Findings about a server: whether its check fails or its MAC is missing, and why.

use std::{fmt, time::SystemTime};

/// Findings about a server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Since when it has been down by command or configuration, in seconds since the epoch; 0: not down, or not known.
    pub down_since: u64,
    /// It was taken down by hand, and how long that lasts.
    pub by_hand: Option<ByHand>,
    /// Its check fails.
    pub failing: Option<Failing>,
    /// It cannot be reached.
    pub unresolved: Option<Unresolved>,
}

/// How long a server stays down that was taken down by command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ByHand {
    /// Until another configuration is put in force, which decides.
    NextFile,
    /// Until this time, in seconds since the epoch, whatever configurations say.
    Until(u32),
    /// Until `modlb server up`, whatever configurations say.
    ServerUp,
}

impl ByHand {
    /// Whether configurations cannot bring the server back.
    pub const fn outlasts_files(self) -> bool {
        matches!(self, Self::Until(_) | Self::ServerUp)
    }

    /// Whether it is over at this time.
    pub fn is_over(self, now: u64) -> bool {
        matches!(self, Self::Until(until) if u64::from(until) <= now)
    }

    /// How long it lasts, in words; `now` is in seconds since the epoch.
    pub fn lasts(self, now: u64) -> String {
        match self {
            Self::NextFile => "by hand".to_owned(),
            Self::Until(until) => format!("by hand, for another {}", span(u64::from(until).saturating_sub(now))),
            Self::ServerUp => "by hand, until `modlb server up`".to_owned(),
        }
    }

    /// The name in JSON and metrics of what ends it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NextFile => "next_file",
            Self::Until(_) => "time",
            Self::ServerUp => "server_up",
        }
    }
}

/// A time span in a readable unit.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
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
    /// The answer's body lacks the expected text.
    Body,
    /// It has not been checked yet, and new servers are down until they pass.
    NotChecked,
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
            Self::Body => f.write_str("the answer lacks the expected text"),
            Self::NotChecked => f.write_str("not checked yet"),
            Self::Other => f.write_str("no whole answer"),
        }
    }
}

/// A server cannot be reached: it needs a MAC and has none, or nothing can be sent by its interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unresolved {
    /// Since when, in seconds since the epoch.
    pub since: u64,
    /// Why.
    pub why: Missing,
    /// The index of the interface that this is about; 0: none.
    pub on: u32,
}

/// Why a server cannot be reached.
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
    /// It is behind an interface that is down.
    LinkDown,
    /// It is behind an interface that takes only smaller packets than the others.
    SmallMtu,
    /// It is behind an interface that cannot take redirected frames.
    NoRedirect,
    /// Its MAC is one of this host's own.
    OwnMac,
}

impl Unresolved {
    /// Why, in words. `name` returns the name of an interface.
    pub fn reason(&self, name: impl FnOnce(u32) -> String) -> String {
        match self.why {
            Missing::NoAnswer => format!("no answer on {}", name(self.on)),
            Missing::NoRoute => "no route to it".to_owned(),
            Missing::Router => format!("it is behind a router on {}", name(self.on)),
            Missing::NotAttached => format!("it is reached by {}, where modlb is not attached", name(self.on)),
            Missing::LinkDown => format!("{} is down", name(self.on)),
            Missing::SmallMtu => format!("{} has a smaller MTU than other interfaces of modlb", name(self.on)),
            Missing::NoRedirect => {
                format!("{} cannot take frames that are redirected in native mode", name(self.on))
            }
            Missing::OwnMac => format!("on {} this host's own MAC answers for it", name(self.on)),
        }
    }
}
