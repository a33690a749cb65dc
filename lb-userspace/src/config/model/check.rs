//! A health check.

use std::{net::IpAddr, time::Duration};

/// The health check of a service's servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What an attempt does.
    pub kind: Kind,
    /// The port; `None`: the service's.
    pub port: Option<u16>,
    /// The path that `http` and `https` request.
    pub path: String,
    /// The host name in requests of `http` and `https`; `None`: the server's address.
    pub host: Option<String>,
    /// The lowest and the highest good status.
    pub expect: (u16, u16),
    /// Whether `https` verifies the certificate.
    pub verify: bool,
    /// The time from the start of an attempt to the next; whole milliseconds.
    pub interval: Duration,
    /// How long an attempt may take; whole milliseconds, not more than `interval`.
    pub timeout: Duration,
    /// How many good attempts in a row make a failing server pass.
    pub rise: u16,
    /// How many failed attempts in a row make a passing server fail.
    pub fall: u16,
    /// The source address of attempts; `None`: the kernel chooses.
    pub source: Option<IpAddr>,
    /// With fewer passing servers than this, checks do not count.
    pub min_up: u32,
}

/// What an attempt does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Connects.
    Tcp,
    /// Requests a page.
    Http,
    /// Requests a page over TLS.
    Https,
    /// Sends an echo request.
    Icmp,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Http, Self::Https, Self::Icmp];

    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Https => "https",
            Self::Icmp => "icmp",
        }
    }

    /// Whether pages are requested.
    pub const fn has_pages(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}
