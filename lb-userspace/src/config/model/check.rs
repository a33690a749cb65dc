//! A health check.

use std::{net::IpAddr, time::Duration};

use super::host::Host;

/// The health check of a service's servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What an attempt does.
    pub kind: Kind,
    /// The port; `None`: the service's.
    pub port: Option<u16>,
    /// The path that `http` and `https` request.
    pub path: String,
    /// The `Host` header in requests of `http` and `https`; `None`: the server's address.
    pub host: Option<Host>,
    /// The DNS name in TLS handshakes of `https`, which a verified certificate must have; `None`: the host, if that is
    /// a name.
    pub sni: Option<String>,
    /// The method of requests of `http` and `https`.
    pub method: Method,
    /// Text that the answer's body must contain; `None`: bodies do not count.
    pub body: Option<String>,
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
    /// What counts for a new server until its check has passed or failed.
    pub initial: Initial,
}

/// The method of an HTTP request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Method {
    /// Requests a page.
    #[default]
    Get,
    /// Requests the header of a page.
    Head,
    /// Asks what is possible.
    Options,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Get, Self::Head, Self::Options];

    /// The name in configurations and requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// What counts for a new server until its check has passed or failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Initial {
    /// It passes.
    #[default]
    Up,
    /// It fails.
    Down,
}

impl Initial {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Up, Self::Down];

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
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
