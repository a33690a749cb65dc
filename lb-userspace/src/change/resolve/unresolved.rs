//! Servers that cannot be reached, in words.

use std::net::IpAddr;

use crate::config::model::Missing;

/// A server that takes no flows because it cannot be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnresolvedServer {
    /// The service's name.
    pub service: String,
    /// The server.
    pub server: IpAddr,
    /// A message: service, server, reason, and what helps.
    pub line: String,
}

/// Why nothing can be sent by an interface, and what helps.
pub(super) fn trouble_line(why: Missing, name: &str) -> String {
    match why {
        Missing::SmallMtu => {
            format!("it is behind {name}, whose MTU is smaller than that of other interfaces; make them equal")
        }
        Missing::NoRedirect => format!(
            "it is behind {name}, whose driver cannot take frames that other interfaces redirect to it in native mode; attach \
             all of them with `--mode generic`"
        ),
        Missing::LinkDown
        | Missing::NoAnswer
        | Missing::NoRoute
        | Missing::Router
        | Missing::NotAttached
        | Missing::OwnMac => format!("it is behind {name}, which is down"),
    }
}

/// Warns about servers that take no flows because they cannot be reached.
pub fn warn(unresolved: &[UnresolvedServer]) {
    for UnresolvedServer { line, .. } in unresolved {
        log::warn!("{line}; unresolved until then: its flows go to the others");
    }
}
