//! How the servers of a service are checked.

use std::{net::IpAddr, time::Duration};

/// How the servers of a service are checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What is tried.
    pub kind: Kind,
    /// The port; `None`: the service's.
    pub port: Option<u16>,
    /// What is asked for by `http` and `https`.
    pub path: String,
    /// The name that is asked for by `http` and `https`; `None`: the server's address.
    pub host: Option<String>,
    /// The least and the greatest status that is good.
    pub expect: (u16, u16),
    /// Whether the certificate of `https` counts.
    pub verify: bool,
    /// Between the starts of two attempts; whole milliseconds.
    pub interval: Duration,
    /// How long an attempt may take; whole milliseconds, not more than `interval`.
    pub timeout: Duration,
    /// So many attempts in a row make a failing server pass.
    pub rise: u16,
    /// So many failures in a row make a passing server fail.
    pub fall: u16,
    /// The address that attempts come from; `None`: whichever the kernel takes.
    pub source: Option<IpAddr>,
    /// With fewer passing servers than this, checks do not count.
    pub min_up: u32,
}

/// What is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A connection is made.
    Tcp,
    /// A page is asked for.
    Http,
    /// The same, by TLS.
    Https,
    /// An echo is asked for.
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

    /// Whether pages are asked for.
    pub const fn has_pages(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}
