//! Why this host could not make an attempt of a health check. Such an attempt says nothing about the server.

use std::fmt;

/// Why this host could not make an attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LocalError {
    /// No local port is free.
    Ports,
    /// Too many files are open.
    Files,
    /// There is no memory for it.
    Memory,
    /// A firewall, a security module or a `prohibit` route of this host forbids it.
    Denied,
    /// This host has no route to the server, or an `unreachable` or `blackhole` one.
    NoRoute,
    /// The interface is down.
    LinkDown,
    /// The check's `source` is not an address of this host.
    Source,
    /// There are no root certificates to verify by.
    Roots,
    /// Anything else.
    Other,
}

impl LocalError {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Ports,
        Self::Files,
        Self::Memory,
        Self::Denied,
        Self::NoRoute,
        Self::LinkDown,
        Self::Source,
        Self::Roots,
        Self::Other,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Denied => "denied",
            Self::NoRoute => "no_route",
            Self::LinkDown => "link_down",
            Self::Source => "source",
            Self::Roots => "roots",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ports => "no local port is free; see net.ipv4.ip_local_port_range",
            Self::Files => "too many files are open; see LimitNOFILE of the agent's unit",
            Self::Memory => "no memory for a connection",
            Self::Denied => "this host's firewall or a `prohibit` route forbids it",
            Self::NoRoute => "this host has no route to it",
            Self::LinkDown => "this host's interface is down",
            Self::Source => "the check's source is not an address of this host",
            Self::Roots => "this host has no root certificates; install ca-certificates",
            Self::Other => "this host cannot connect",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_their_numbers() {
        for (number, reason) in LocalError::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number, "{}", reason.name());
        }
    }
}
